// A history of a queue, whose operations come one after another: ten elements, and the first two taken out.
let time = 0;
const say = (type, f, value) => {
  time += 1_000_000;
  console.log(JSON.stringify({ time, process: 1, type, f, value }));
};
for (let element = 1; element <= 10; element++) for (const type of ["invoke", "ok"]) say(type, "enqueue", element);
for (const element of [1, 2]) {
  say("invoke", "dequeue", null);
  say("ok", "dequeue", element);
}

// A history of a set that lost an element: thirteen are added, a read shows them all, and a later one lacks the last.
let time = 0;
const elements = Array.from({ length: 13 }, (_, place) => place + 1);
const say = (process, type, f, value) => {
  time += 1_000_000;
  console.log(JSON.stringify({ time, process, type, f, value }));
};
for (const element of elements) for (const type of ["invoke", "ok"]) say(element, type, "add", element);
for (const [process, found] of [[20, elements], [21, elements.slice(0, -1)]]) {
  say(process, "invoke", "read", null);
  say(process, "ok", "read", found);
}

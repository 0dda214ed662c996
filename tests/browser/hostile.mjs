// A history in which a stale read returns what would script a page, if it could.
const hostile = [
  "</script><script>window.hacked=1;alert(1)</script>",
  "<img src=x onerror=\"window.hacked=1;alert(2)\">",
  "\"'><b class=hostile>&amp;\u2028\u2029\u202e\u0000\u001b[31m",
  "x".repeat(2_000_000),
];
let time = 0;
const say = (process, type, f, key, value) => {
  time += 1_000_000;
  lines.push(JSON.stringify({ time, process, type, f, key, value, node: 1 + process % 3 }));
};
const lines = [];
for (const key of hostile.slice(0, 3)) {
  hostile.forEach((value, at) => {
    say(at, "invoke", "write", key, value);
    say(at, "ok", "write", key, value);
  });
  say(7, "invoke", "read", key, null);
  say(7, "ok", "read", key, hostile[0]);
  say(8, "invoke", "write", key, "gone");
  say(8, "fail", "write", key, "gone");
}
console.log(lines.join("\n"));

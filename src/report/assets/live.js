"use strict";
// Follows a run by the events that the server sends, until there is a report.
(() => {
  const main = document.getElementById("live"), at = (id) => document.getElementById(id);
  const number = (count) => count.toLocaleString("en"), seconds = (ms) => (ms / 1000).toFixed(1) + " s";
  const STAGES = { starting: "starting", "under-way": "under way", silent: "silent", judged: "judged",
    reported: "over" };
  const SAID = { starting: "Waiting for the first events.", "under-way": "",
    silent: "Nothing was written for a minute: the run was killed, or is being judged." };
  const SVG = "http://www.w3.org/2000/svg", WIDTH = 1000, HEIGHT = 160;
  const part = (name, attributes) => {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const draw = (d) => {
    // Of a long run, not more than twice what there is, so that something can be seen.
    const until = Math.min(d.limit_ms ?? 0, Math.max(20000, 2 * d.time_ms));
    const end = Math.max(until, d.bins.length * d.bin_ms, d.time_ms, 1), x = (ms) => ms / end * WIDTH;
    const most = Math.max(1, ...d.bins.map((bin) => bin[0] + bin[1] + bin[2])), svg = part("svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    for (const f of d.faults) {
      const until = f.until_ms ?? d.time_ms;
      svg.append(part("rect", { class: "fault", x: x(f.from_ms), y: 0, width: Math.max(1, x(until - f.from_ms)),
        height: HEIGHT }));
    }
    d.bins.forEach((bin, place) => {
      let y = HEIGHT;
      bin.forEach((count, kind) => {
        const height = count / most * (HEIGHT - 4);
        if (!count) return;
        svg.append(part("rect", { class: ["ok", "fail", "unknown"][kind], x: x(place * d.bin_ms), y: y -= height,
          width: Math.max(1, x(d.bin_ms) * .86), height }));
      });
    });
    const words = document.createElement("p");
    words.className = "quiet scale";
    words.textContent = `0 s to ${seconds(end)}; at most ${number(Math.round(most * 1000 / d.bin_ms))} a second`;
    at("rate").replaceChildren(svg, words);
  };
  const tell = (d) => {
    at("stage").textContent = STAGES[d.stage];
    at("said").textContent = SAID[d.stage] ?? "";
    at("time").textContent = seconds(d.time_ms) + (d.limit_ms ? ` of ${seconds(d.limit_ms)}` : "");
    for (const name of ["invoked", "ok", "fail", "info"]) at(name).textContent = number(d[name]);
    if (d.faults.length) at("faults").replaceChildren(...d.faults.toReversed().map((fault) => {
      const item = document.createElement("li");
      const until = fault.until_ms === null ? "in force" : `healed at ${seconds(fault.until_ms)}`;
      item.textContent = `${fault.words}, from ${seconds(fault.from_ms)}, ${until}`;
      if (fault.until_ms === null) item.className = "unsure";
      return item;
    }));
    draw(d);
  };
  const events = new EventSource(main.dataset.events);
  events.addEventListener("progress", (event) => tell(JSON.parse(event.data)));
  events.addEventListener("over", (event) => {
    events.close();
    location.replace(JSON.parse(event.data));
  });
  events.addEventListener("error", () => {
    at("said").textContent = "The server does not answer; this page asks again on its own.";
  });
})();

"use strict";
// Shared by all parts of the page: tips, the data of the operations, and words for one of them.
const schism = (() => {
  const tip = document.getElementById("tip");
  const show = (text, x, y) => {
    tip.textContent = text;
    tip.hidden = false;
    tip.style.left = Math.max(4, Math.min(x + 12, innerWidth - tip.offsetWidth - 12)) + scrollX + "px";
    tip.style.top = y + 14 + scrollY + "px";
  };
  const hide = () => { tip.hidden = true; };
  addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  for (const it of document.querySelectorAll("[data-tip]")) {
    const at = () => { const box = it.getBoundingClientRect(); show(it.dataset.tip, box.left, box.bottom); };
    it.addEventListener("mouseenter", at);
    it.addEventListener("focus", at);
    it.addEventListener("mouseleave", hide);
    it.addEventListener("blur", hide);
  }
  for (const it of document.querySelectorAll("button[data-copy]")) {
    it.addEventListener("click", () => {
      navigator.clipboard?.writeText(it.dataset.copy).then(() => { it.textContent = "Copied"; }, () => {});
    });
  }
  // On a narrow screen the wrong answer comes into view first.
  for (const wrong of document.querySelectorAll(".wide .operation.wrong[data-tip]")) {
    const frame = wrong.closest(".wide"), box = wrong.getBoundingClientRect(), seen = frame.getBoundingClientRect();
    frame.scrollLeft += (box.left + box.right) / 2 - (seen.left + seen.right) / 2;
  }

  // The data is unpacked once, when the first picture is drawn.
  let loading;
  const load = () => loading ??= (async () => {
    const text = atob(document.getElementById("data").textContent), bytes = new Uint8Array(text.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const d = JSON.parse(await new Response(stream).text());
    const count = d.since.length;
    d.from = new Float64Array(count);
    d.until = new Float64Array(count);
    let at = 0;
    for (let i = 0; i < count; i++) {
      d.from[i] = at += d.since[i];
      d.until[i] = at + d.took[i];
    }
    for (const name of ["function", "key", "value", "outcome", "process", "node"]) d[name] = Uint32Array.from(d[name]);
    return d;
  })();
  // Draws as soon as an element comes near the screen; if there is not much to draw, also once the browser has nothing
  // else to do, so that prints are whole.
  const IDLE_BYTES = 1e6;
  const when = (element, draw) => {
    if (!element) return;
    const begin = () => {
      observer.disconnect();
      if (waiting) cancelIdleCallback(waiting);
      load().then((d) => draw(element, d), (error) => {
        element.replaceWith(`This browser cannot unpack the data of the page: ${error}`);
      });
    };
    const observer = new IntersectionObserver((seen) => {
      if (seen.some((entry) => entry.isIntersecting)) begin();
    }, { rootMargin: "200px" });
    observer.observe(element);
    const isSmall = document.getElementById("data").textContent.length < IDLE_BYTES;
    const waiting = isSmall ? requestIdleCallback(begin) : 0;
  };

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const moment = (d, us) => d.has_times ? (us / 1e6).toFixed(3) + " s" : "event " + Math.round(us / 1e3);
  const OUTCOMES = ["ok", "found another value", "failed", "unknown outcome"];
  const tell = (d, i) => {
    const end = d.outcome[i] === 3 ? ", no answer" : " to " + moment(d, d.until[i]);
    const led = d.reigns.filter((r) => r.node === d.node[i] && r.from <= d.from[i] && d.from[i] < r.until);
    const belief = !d.node[i] || !d.reigns.length ? ""
      : led.length ? ` n${d.node[i]} believed that it led term ${led[0].term}.`
      : ` n${d.node[i]} did not believe that it led.`;
    const on = d.node[i] ? ` on n${d.node[i]}` : "";
    const what = `${d.functions[d.function[i]]} ${d.keys[d.key[i]]}${d.values[d.value[i]]}, ${OUTCOMES[d.outcome[i]]}`;
    const who = `process ${d.names[d.process[i]] ?? d.process[i]}${on}`;
    return `${what}: ${who}, ${moment(d, d.from[i])}${end}.${belief}`;
  };
  return { OUTCOMES, colour, hide, load, moment, show, tell, when };
})();

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
  // Pictures can be magnified, and are then moved sideways.
  for (const frame of document.querySelectorAll(".wide:has(> svg.timeline)")) {
    const bar = document.createElement("p"), step = (sign, name, change) => {
      const button = document.createElement("button");
      [button.type, button.textContent] = ["button", sign];
      button.setAttribute("aria-label", `${name} the picture`);
      button.addEventListener("click", () => {
        const middle = (frame.scrollLeft + frame.clientWidth / 2) / frame.scrollWidth;
        const zoom = Math.min(8, Math.max(1, Number(frame.dataset.magnified ?? 1) * change));
        frame.dataset.magnified = String(zoom);
        frame.style.setProperty("--magnified", String(zoom));
        frame.scrollLeft = middle * frame.scrollWidth - frame.clientWidth / 2;
      });
      return button;
    };
    bar.className = "controls magnifier";
    bar.append(step("+", "Magnify", 1.5), step("\u2212", "Shrink", 1 / 1.5));
    frame.after(bar);
    // The names of the lanes stay in view, between the lanes.
    const picture = frame.querySelector("svg");
    frame.addEventListener("scroll", () => {
      const scale = picture.viewBox.baseVal.width / picture.clientWidth;
      picture.classList.toggle("moved", frame.scrollLeft > 0);
      picture.style.setProperty("--moved", `${frame.scrollLeft * scale}px`);
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
    // Places in the order that was found are relative to the number of operations before.
    const before = new Map();
    d.ordered = new Map();
    d.place = d.place.map((place, i) => {
      const key = d.key[i], count = before.get(key) ?? 0;
      before.set(key, count + 1);
      if (place === null) return -1;
      if (!d.ordered.has(key)) d.ordered.set(key, []);
      d.ordered.get(key)[place + count] = i;
      return place + count;
    });
    let state = 0; // Relative to the one before.
    d.state = d.state.map((step) => step === null ? null : state += step);
    for (const name of ["function", "key", "value", "outcome", "process", "node"]) d[name] = Uint32Array.from(d[name]);
    return d;
  })();
  // Draws as soon as an element comes near the screen, and at the latest once the browser has nothing else to do or
  // prints, so that prints are whole.
  const when = (element, draw) => {
    if (!element) return;
    const begin = () => {
      observer.disconnect();
      cancelIdleCallback(waiting);
      removeEventListener("beforeprint", begin);
      load().then((d) => draw(element, d), (error) => {
        element.replaceWith(`This browser cannot unpack the data of the page: ${error}`);
      });
    };
    const observer = new IntersectionObserver((seen) => {
      if (seen.some((entry) => entry.isIntersecting)) begin();
    }, { rootMargin: "200px" });
    observer.observe(element);
    addEventListener("beforeprint", begin);
    const waiting = requestIdleCallback(begin);
  };

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const moment = (d, us) => d.has_times ? (us / 1e6).toFixed(3) + " s" : "event " + Math.round(us / 1e3);
  const order = (d, i) => {
    if (d.place[i] < 0) return "";
    const all = d.ordered.get(d.key[i]), before = all[d.place[i] - 1];
    const after = before === undefined ? "" : `, right after ${d.functions[d.function[before]]}` +
      `${d.values[d.value[before]]} of process ${d.names[d.process[before]] ?? d.process[before]}`;
    const then = d.state[i] === null ? "" : `; the state is then ${d.states[d.state[i]]}`;
    return ` It fits in as number ${d.place[i] + 1} of ${all.length} on its key${after}${then}.`;
  };
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
    return `${what}: ${who}, ${moment(d, d.from[i])}${end}.${belief}${order(d, i)}`;
  };
  return { OUTCOMES, colour, hide, load, moment, show, tell, when };
})();

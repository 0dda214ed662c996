"use strict";
(() => {
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

  let parsed;
  const data = () => parsed ??= JSON.parse(document.getElementById("data").textContent);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const moment = (us) => data().has_times ? (us / 1e6).toFixed(3) + " s" : "event " + Math.round(us / 1e3);
  const OUTCOMES = ["ok", "found another value", "failed", "unknown outcome"];
  const tell = (i) => {
    const d = data(), s = moment;
    const end = d.outcome[i] === 3 ? "" : " to " + s(d.until[i]);
    const led = d.reigns.filter((r) => r.node === d.node[i] && r.from <= d.from[i] && d.from[i] < r.until);
    const belief = !d.node[i] || !d.reigns.length ? ""
      : led.length ? ` n${d.node[i]} believed that it led term ${led[0].term}.`
      : ` n${d.node[i]} did not believe that it led.`;
    const on = d.node[i] ? ` on n${d.node[i]}` : "";
    const what = `${d.functions[d.function[i]]} ${d.keys[d.key[i]]}${d.values[d.value[i]]}, ${OUTCOMES[d.outcome[i]]}`;
    const who = `process ${d.names[d.process[i]] ?? d.process[i]}${on}`;
    return `${what}: ${who}, ${s(d.from[i])}${end}.${belief}`;
  };
  const when = (element, draw) => {
    if (!element) return;
    new IntersectionObserver((seen, observer) => {
      if (seen.some((entry) => entry.isIntersecting)) { observer.disconnect(); draw(element); }
    }, { rootMargin: "200px" }).observe(element);
  };

  // The explorer: every operation, in lanes of the node that was asked.
  when(document.getElementById("explorer-picture"), (canvas) => {
    const d = data(), n = d.from.length, lane = new Uint16Array(n), free = new Map(), MOST = 24;
    const nodes = [...new Set(d.node)].sort((a, b) => a - b);
    for (const node of nodes) free.set(node, []);
    for (let i = 0; i < n; i++) {
      const ends = free.get(d.node[i]);
      let at = ends.findIndex((end) => end <= d.from[i]);
      if (at < 0) at = ends.length < MOST ? ends.length : i % MOST;
      ends[at] = d.outcome[i] === 3 ? d.from[i] + 1 : d.until[i];
      lane[i] = at;
    }
    const base = new Map();
    let rows = 0;
    for (const node of nodes) { base.set(node, rows); rows += Math.max(1, free.get(node).length) + 1; }
    const chosen = new Set(d.evidence), said = document.getElementById("explorer-said");
    let from = 0, until = Math.max(1, d.end), only = -1, picked = -1;
    const ctx = canvas.getContext("2d");
    const NAMES = 44;
    const x = (us) => NAMES + (us - from) / (until - from) * (canvas.clientWidth - NAMES);
    const y = (i) => 18 + (base.get(d.node[i]) + lane[i]) * (canvas.clientHeight - 22) / rows;
    const draw = () => {
      const ratio = devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight;
      canvas.width = w * ratio; canvas.height = h * ratio;
      ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
      ctx.clearRect(0, 0, w, h);
      ctx.font = "11px system-ui,sans-serif";
      ctx.fillStyle = colour("--faultbed");
      for (const f of d.faults) {
        if (f.until <= from || f.from >= until) continue;
        const left = Math.max(NAMES, x(f.from));
        ctx.fillRect(left, 14, x(Math.min(f.until, until)) - left, h);
      }
      const height = Math.max(1.5, (h - 22) / rows - 1);
      const [ok, bad, quiet, ink] = ["--ok", "--bad", "--quiet", "--ink"].map(colour);
      for (const r of d.reigns) {
        if (r.until <= from || r.from >= until || !base.has(r.node)) continue;
        ctx.fillStyle = ink; ctx.globalAlpha = .12;
        const top = 18 + base.get(r.node) * (h - 22) / rows, lanes = free.get(r.node).length || 1;
        const left = Math.max(NAMES, x(r.from));
        ctx.fillRect(left, top, x(Math.min(r.until, until)) - left, lanes * (h - 22) / rows);
        ctx.globalAlpha = 1;
      }
      for (let i = 0; i < n; i++) {
        if (d.from[i] > until || d.until[i] < from || only >= 0 && d.key[i] !== only) continue;
        const wrong = chosen.has(i), left = Math.max(NAMES, x(d.from[i]));
        ctx.fillStyle = wrong ? bad : d.outcome[i] < 2 ? ok : quiet;
        const end = d.outcome[i] === 3 ? d.from[i] : d.until[i];
        const width = Math.max(wrong ? 4 : 1, x(Math.min(end, until)) - left);
        ctx.fillRect(left, y(i), width, wrong ? Math.max(height, 6) : height);
        if (i === picked) {
          ctx.strokeStyle = ink;
          ctx.strokeRect(left - 2, y(i) - 2, Math.max(6, x(end) - left + 4), height + 4);
        }
      }
      ctx.fillStyle = ink;
      for (const node of nodes) ctx.fillText(node ? "n" + node : "all", 4, 26 + base.get(node) * (h - 22) / rows);
      for (let tick = 0; tick < 6; tick++) {
        const us = from + (until - from) * tick / 6;
        ctx.fillText(moment(us), x(us), 10);
      }
      canvas.dataset.scale = String((until - from) / w);
      canvas.dataset.from = String(from);
    };
    const view = (a, b) => {
      const width = Math.min(Math.max(b - a, 200), Math.max(1, d.end) * 1.02);
      from = Math.max(-width * .02, Math.min(a, d.end - width * .9)); until = from + width;
      draw();
    };
    const zoom = (factor, at = (from + until) / 2) => view(at - (at - from) * factor, at + (until - at) * factor);
    const evidence = () => {
      const a = Math.min(...d.evidence.map((i) => d.from[i]));
      const b = Math.max(...d.evidence.map((i) => d.outcome[i] === 3 ? d.from[i] : d.until[i]));
      const margin = (b - a) * .08 + 2000;
      return [a - margin, b + margin];
    };
    const levels = {
      evidence: () => { only = d.key[d.evidence[0]]; view(...evidence()); },
      neighbourhood: () => {
        only = -1;
        const [a, b] = evidence();
        view(Math.max(0, a - (b - a)), Math.min(d.end, b + (b - a)));
      },
      whole: () => { only = -1; view(0, Math.max(1, d.end)); },
    };
    const go = (level) => {
      for (const button of document.querySelectorAll("button[data-level]")) {
        button.setAttribute("aria-pressed", String(button.dataset.level === level));
      }
      levels[level]();
    };
    for (const button of document.querySelectorAll("button[data-level]")) {
      button.addEventListener("click", () => go(button.dataset.level));
    }
    const time = (event) => from + (event.offsetX - NAMES) / (canvas.clientWidth - NAMES) * (until - from);
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.shiftKey && document.activeElement !== canvas) return;
      event.preventDefault();
      zoom(event.deltaY > 0 ? 1.25 : .8, time(event));
    }, { passive: false });
    let held = null;
    canvas.addEventListener("pointerdown", (event) => {
      held = { x: event.offsetX, from, until };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointerup", () => { held = null; });
    const nearest = (event) => {
      let best = -1, least = 14;
      for (let i = 0; i < n; i++) {
        if (d.from[i] > until || d.until[i] < from || only >= 0 && d.key[i] !== only) continue;
        const a = x(d.from[i]), b = x(d.outcome[i] === 3 ? d.from[i] : d.until[i]);
        const away = Math.max(a - event.offsetX, event.offsetX - b, 0) + Math.abs(y(i) + 3 - event.offsetY) * .8;
        if (away < least) { least = away; best = i; }
      }
      return best;
    };
    canvas.addEventListener("pointermove", (event) => {
      if (held) {
        const moved = (event.offsetX - held.x) / (canvas.clientWidth - NAMES) * (held.until - held.from);
        return view(held.from - moved, held.until - moved);
      }
      const i = nearest(event);
      if (i < 0) hide(); else show(tell(i), event.clientX, event.clientY);
    });
    canvas.addEventListener("pointerleave", hide);
    canvas.addEventListener("keydown", (event) => {
      const width = until - from;
      const step = {
        ArrowLeft: () => view(from - width / 5, until - width / 5),
        ArrowRight: () => view(from + width / 5, until + width / 5),
        "+": () => zoom(.6), "=": () => zoom(.6), "-": () => zoom(1 / .6),
        Home: () => go("whole"),
        n: () => pick(1), p: () => pick(-1),
      }[event.key];
      if (step) { event.preventDefault(); step(); }
    });
    const pick = (step) => {
      if (!d.evidence.length) return;
      const at = d.evidence.indexOf(picked), many = d.evidence.length;
      picked = d.evidence[(at < 0 ? (step > 0 ? 0 : many - 1) : at + step + many) % many];
      said.textContent = tell(picked);
      draw();
    };
    new ResizeObserver(draw).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    go(d.evidence.length ? "neighbourhood" : "whole");
  });

  // Plots, by uPlot.
  const bands = { hooks: { drawClear: [(u) => {
    u.ctx.fillStyle = colour("--faultbed");
    for (const f of data().faults) {
      const a = u.valToPos(f.from / 1e6, "x", true), b = u.valToPos(f.until / 1e6, "x", true);
      u.ctx.fillRect(a, u.bbox.top, b - a, u.bbox.height);
    }
  }] } };
  const axis = (extra) => ({
    stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: .5 }, ticks: { stroke: colour("--line") },
    ...extra,
  });
  const plot = (element, series, columns, y) => {
    const options = {
      width: element.clientWidth, height: 240, plugins: [bands],
      scales: { x: { time: false }, y: y.scale },
      series: [{ label: "s" }, ...series],
      axes: [axis({ values: (_, all) => all.map((v) => v + " s") }), axis({ size: 64, ...y.axis })],
      cursor: { drag: { x: true } },
    };
    const drawn = new uPlot(options, columns, element);
    new ResizeObserver(() => drawn.setSize({ width: element.clientWidth, height: 240 })).observe(element);
  };
  const COLOURS = ["#2b6cb0", "#c05621", "#2f855a", "#805ad5", "#b7791f", "#319795", "#d53f8c", "#718096", "#e53e3e"];
  when(document.getElementById("latency"), (element) => {
    const d = data();
    const order = [...d.until.keys()].filter((i) => d.outcome[i] !== 3).sort((a, b) => d.until[a] - d.until[b]);
    const kinds = new Map(), kind = (i) => d.functions[d.function[i]] + " " + OUTCOMES[d.outcome[i]];
    for (const i of order) if (!kinds.has(kind(i))) kinds.set(kind(i), kinds.size);
    const columns = [order.map((i) => d.until[i] / 1e6), ...[...kinds].map(() => new Array(order.length).fill(null))];
    order.forEach((i, at) => {
      columns[1 + kinds.get(kind(i))][at] = Math.max(.001, (d.until[i] - d.from[i]) / 1e3);
    });
    const series = [...kinds.keys()].map((label, at) => ({
      label, paths: () => null, stroke: COLOURS[at % COLOURS.length],
      points: { show: true, size: 3, fill: COLOURS[at % COLOURS.length] },
    }));
    const values = (_, all) => all.map((v) => v === null ? "" : v + " ms");
    plot(element, series, columns, { scale: { distr: 3 }, axis: { values } });
  });
  for (const element of document.querySelectorAll("[data-plot]")) when(element, () => {
    const { x, series, unit } = JSON.parse(element.dataset.plot);
    const lines = series.map(([label], at) => ({
      label, stroke: COLOURS[at % COLOURS.length], width: 1.5, points: { show: false },
    }));
    const values = (_, all) => all.map((v) => v + " " + unit);
    plot(element, lines, [x, ...series.map(([, y]) => y)], { scale: {}, axis: { values } });
  });
  when(document.getElementById("throughput"), (element) => {
    const d = data(), bin = Math.max(100000, Math.ceil(d.end / 200)), bins = Math.ceil((d.end + 1) / bin);
    const middles = Array.from({ length: bins }, (_, at) => (at + .5) * bin / 1e6);
    const columns = [middles, ...OUTCOMES.map(() => new Array(bins).fill(0))];
    for (let i = 0; i < d.until.length; i++) {
      columns[1 + d.outcome[i]][Math.min(bins - 1, Math.floor(d.until[i] / bin))] += 1e6 / bin;
    }
    const lines = OUTCOMES.map((label, at) => ({ label, stroke: COLOURS[at], width: 1.5, points: { show: false } }));
    const values = (_, all) => all.map((v) => v + "/s");
    plot(element, lines, columns, { scale: {}, axis: { values } });
  });
})();

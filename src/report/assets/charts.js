"use strict";
// Plots, by uPlot.
(() => {
  const { OUTCOMES, colour, moment, when } = schism;
  const bands = (d) => ({ hooks: { drawClear: [(u) => {
    u.ctx.fillStyle = colour("--faultbed");
    for (const f of d.faults) {
      const a = u.valToPos(f.from / 1e6, "x", true), b = u.valToPos(f.until / 1e6, "x", true);
      u.ctx.fillRect(a, u.bbox.top, b - a, u.bbox.height);
    }
  }] } });
  const axis = (extra) => ({
    stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: .5 }, ticks: { stroke: colour("--line") },
    ...extra,
  });
  const plot = (element, d, series, columns, y) => {
    const options = {
      width: element.clientWidth, height: 240, plugins: [bands(d)],
      scales: { x: { time: false }, y: y.scale },
      series: [{ label: d.has_times ? "s" : "event" }, ...series],
      axes: [
        axis({ values: (_, all) => all.map((v) => d.has_times ? v + " s" : moment(d, v * 1e6)) }),
        axis({ size: 64, ...y.axis }),
      ],
      cursor: { drag: { x: true } },
    };
    const drawn = new uPlot(options, columns, element);
    new ResizeObserver(() => drawn.setSize({ width: element.clientWidth, height: 240 })).observe(element);
  };
  // Outcomes have the colours of the explorer: ok, found another value, failed, unknown outcome.
  const BY_OUTCOME = ["--ok", "--before", "--fail", "--info"].map(colour);
  const COLOURS = ["#2b6cb0", "#c05621", "#2f855a", "#805ad5", "#b7791f", "#319795", "#d53f8c", "#718096", "#e53e3e"];
  // Of operations that would lie on the same dot, one is enough: that is what makes many of them slow.
  const ACROSS = 2000, DOWN = 60, MOST_DOTS = 50000;
  const apart = (d) => {
    const all = [...d.until.keys()].filter((i) => d.outcome[i] !== 3), taken = new Set();
    if (all.length < MOST_DOTS) return all;
    return all.filter((i) => {
      const x = Math.floor(d.until[i] / (d.end + 1) * ACROSS), y = Math.floor(Math.log10(d.took[i] + 1) * DOWN);
      const dot = ((d.function[i] * 4 + d.outcome[i]) * 1024 + y) * ACROSS + x;
      return !taken.has(dot) && taken.add(dot);
    });
  };
  when(document.getElementById("latency"), (element, d) => {
    const kinds = new Map(), kind = (i) => d.functions[d.function[i]] + " " + OUTCOMES[d.outcome[i]];
    const order = apart(d).sort((a, b) => d.until[a] - d.until[b]);
    for (const i of order) if (!kinds.has(kind(i))) kinds.set(kind(i), kinds.size);
    const columns = [order.map((i) => d.until[i] / 1e6), ...[...kinds].map(() => new Array(order.length).fill(null))];
    order.forEach((i, at) => {
      columns[1 + kinds.get(kind(i))][at] = Math.max(.001, (d.until[i] - d.from[i]) / 1e3);
    });
    const paints = new Map(order.map((i) => [kind(i), d.outcome[i] ? BY_OUTCOME[d.outcome[i]]
      : d.function[i] ? COLOURS[d.function[i] % COLOURS.length] : BY_OUTCOME[0]]));
    const series = [...kinds.keys()].map((label) => ({
      label, paths: () => null, stroke: paints.get(label),
      points: { show: true, size: 3, fill: paints.get(label) },
    }));
    const values = (_, all) => all.map((v) => v === null ? "" : v + " ms");
    plot(element, d, series, columns, { scale: { distr: 3 }, axis: { values } });
  });
  for (const element of document.querySelectorAll("[data-plot]")) when(element, (_, d) => {
    const { x, series, unit } = JSON.parse(element.dataset.plot);
    const lines = series.map(([label], at) => ({
      label, stroke: COLOURS[at % COLOURS.length], width: 1.5, points: { show: false },
    }));
    const values = (_, all) => all.map((v) => v + " " + unit);
    plot(element, d, lines, [x, ...series.map(([, y]) => y)], { scale: {}, axis: { values } });
  });
  when(document.getElementById("throughput"), (element, d) => {
    const bin = Math.max(100000, Math.ceil(d.end / 200)), bins = Math.ceil((d.end + 1) / bin);
    const middles = Array.from({ length: bins }, (_, at) => (at + .5) * bin / 1e6);
    const columns = [middles, ...OUTCOMES.map(() => new Array(bins).fill(0))];
    for (let i = 0; i < d.until.length; i++) {
      columns[1 + d.outcome[i]][Math.min(bins - 1, Math.floor(d.until[i] / bin))] += 1e6 / bin;
    }
    const lines = OUTCOMES.map((label, at) => ({ label, stroke: BY_OUTCOME[at], width: 1.5, points: { show: false } }));
    const values = (_, all) => all.map((v) => v + "/s");
    plot(element, d, lines, columns, { scale: {}, axis: { values } });
  });
})();

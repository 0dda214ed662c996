"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const COLOURS = ["#2b6cb0", "#c05621", "#2f855a", "#805ad5", "#b7791f"];
  const NAMES = ["p50", "p90", "p99", "p99.9", "max"];
  const axis = (extra) => ({ stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: .5 }, ...extra });
  for (const element of document.querySelectorAll("[data-setting]")) {
    const { modes } = data.settings[element.dataset.setting];
    const columns = [NAMES.map((_, at) => at)];
    for (const { reads: { p50, p90, p99, p999, max } } of modes) {
      columns.push([p50, p90, p99, p999, max].map((ms) => Math.max(ms, .001)));
    }
    const drawn = new uPlot({
      width: element.clientWidth, height: 240,
      scales: { x: { time: false, range: [-.3, 4.3] }, y: { distr: 3 } },
      series: [
        { label: "percentile", value: (_, at) => at === null ? "" : NAMES[Math.round(at)] ?? "" },
        ...modes.map(({ name }, at) => ({
          label: name, stroke: COLOURS[at % 5], width: 2, dash: at % 2 ? [6, 4] : undefined,
          points: { show: true, size: 6 },
        })),
      ],
      axes: [
        axis({ splits: () => [0, 1, 2, 3, 4], values: (_, all) => all.map((at) => NAMES[at]) }),
        axis({ size: 70, values: (_, all) => all.map((v) => v === null ? "" : v + " ms") }),
      ],
    }, columns, element);
    new ResizeObserver(() => drawn.setSize({ width: element.clientWidth, height: 240 })).observe(element);
  }
})();

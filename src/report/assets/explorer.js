"use strict";
// The explorer: every operation in lanes, drawn pixel by pixel, so that it stays quick with hundreds of thousands.
(() => {
  const { OUTCOMES, colour, hide, moment, show, tell, when } = schism;
  const FAILED = 2, UNKNOWN = 3, BLOCK = 2048, LEFT = 64, TOP = 18, MOST_LANES = 24, MOST_CHOICES = 500;
  const [HEIGHT, LEAST_HEIGHT, MOST_HEIGHT, TAIL, CHARACTER] = [16, 140, 560, 26, 7];
  const NAMES = { node: (d, at) => at ? "n" + at : "none", key: (d, at) => d.keys[at] || "all",
    process: (d, at) => "p" + (d.names[at] ?? at) };

  // Gives each operation a row. Those of a node, process or key lie together, and none overlap in a row.
  const lanes = (d, by) => {
    const n = d.from.length, row = new Uint32Array(n), open = new Map(), groups = [];
    const name = (at) => NAMES[by](d, at), seen = [...new Set(d[by])];
    seen.sort((a, b) => name(a).localeCompare(name(b), "en", { numeric: true }));
    for (const at of seen) open.set(at, []);
    for (let i = 0; i < n; i++) {
      const ends = open.get(d[by][i]);
      let lane = ends.findIndex((end) => end <= d.from[i]);
      if (lane < 0) lane = ends.length < MOST_LANES ? ends.length : i % MOST_LANES;
      ends[lane] = d.outcome[i] === UNKNOWN ? d.from[i] + 1 : d.until[i];
      row[i] = lane;
    }
    const base = new Map();
    let rows = 0;
    for (const at of seen) {
      base.set(at, rows);
      groups.push({ at, name: name(at), row: rows, rows: open.get(at).length });
      rows += open.get(at).length;
    }
    const members = Array.from({ length: rows }, () => []);
    for (let i = 0; i < n; i++) members[row[i] += base.get(d[by][i])].push(i);
    return { row, rows, groups, members };
  };

  // A picture in memory: rectangles of one colour, in pixels of the device.
  const raster = (width, height) => {
    const pixels = new Uint32Array(width * height), canvas = new OffscreenCanvas(width, height);
    const image = new ImageData(new Uint8ClampedArray(pixels.buffer), width, height);
    return {
      width, height,
      clear() { pixels.fill(0); },
      fill(x, y, right, bottom, paint) {
        [x, y, right, bottom] = [Math.max(0, x), Math.max(0, y), Math.min(width, right), Math.min(height, bottom)];
        for (let line = y; line < bottom; line++) pixels.fill(paint, line * width + x, line * width + right);
      },
      canvas() {
        canvas.getContext("2d").putImageData(image, 0, 0);
        return canvas;
      },
    };
  };
  const mixer = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const paint = (css) => {
    mixer.clearRect(0, 0, 1, 1);
    mixer.fillStyle = css;
    mixer.fillRect(0, 0, 1, 1);
    return new Uint32Array(mixer.getImageData(0, 0, 1, 1).data.buffer)[0];
  };
  const [OK, FAIL, INFO, BEFORE, AFTER, FADED] = [0, 1, 2, 3, 4, 5];
  const PAINTS = ["ok", "fail", "info", "before", "after", "faded", "bad", "paper", "ink"];
  const BAD = 6, PAPER = 7, INK = 8;
  const paints = () => Uint32Array.from(PAINTS, (name) => paint(colour("--" + name)));

  when(document.getElementById("explorer-picture"), (canvas, d) => {
    const n = d.from.length, end = Math.max(1, d.end), evidence = new Set(d.evidence);
    const ctx = canvas.getContext("2d"), at = (id) => document.getElementById(id);
    const state = { from: 0, until: end, picked: -1, lanes: "", key: "", process: "", function: "", outcome: "",
      fault: "", value: "" };
    let laid, image, touched = false, shown = new Uint8Array(n).fill(1), found = [], colours = paints(), asked = 0;

    // Of each block of operations, the earliest begin and the latest end: blocks out of view are passed over.
    const blocks = [];
    for (let first = 0; first < n; first += BLOCK) {
      const block = { first, last: Math.min(n, first + BLOCK), from: Infinity, until: 0 };
      for (let i = block.first; i < block.last; i++) {
        block.from = Math.min(block.from, d.from[i]);
        block.until = Math.max(block.until, d.outcome[i] === UNKNOWN ? d.from[i] : d.until[i]);
      }
      blocks.push(block);
    }

    const width = () => canvas.clientWidth - LEFT;
    const x = (us) => LEFT + (us - state.from) / (state.until - state.from) * width();
    const tall = () => (canvas.clientHeight - TOP) / laid.rows;
    const y = (row) => TOP + row * tall();
    const ended = (i) => d.outcome[i] === UNKNOWN ? d.from[i] : d.until[i];

    const sign = (i) => {
      if (state.picked >= 0) {
        if (d.key[i] !== d.key[state.picked]) return FADED;
        if (d.outcome[i] < FAILED && d.until[i] < d.from[state.picked]) return BEFORE;
        if (d.from[i] > ended(state.picked) && d.outcome[state.picked] !== UNKNOWN) return AFTER;
      }
      return d.outcome[i] === FAILED ? FAIL : d.outcome[i] === UNKNOWN ? INFO : OK;
    };

    const beds = (w, h) => {
      ctx.fillStyle = colour("--faultbed");
      for (const f of d.faults) {
        if (f.until <= state.from || f.from >= state.until) continue;
        const left = Math.max(LEFT, x(f.from));
        ctx.fillRect(left, TOP, Math.min(w, x(f.until)) - left, h - TOP);
      }
      if (state.lanes !== "node") return;
      ctx.fillStyle = colour("--lead");
      for (const r of d.reigns) {
        const group = laid.groups.find((group) => group.at === r.node);
        if (!group || r.until <= state.from || r.from >= state.until) continue;
        const left = Math.max(LEFT, x(r.from));
        ctx.fillRect(left, y(group.row), Math.min(w, x(r.until)) - left, group.rows * tall());
      }
    };

    // Draws the operations in view; returns those with room for words.
    const boxes = (image, ratio) => {
      const words = [], scale = width() / (state.until - state.from) * ratio;
      const left = LEFT * ratio, high = tall() * ratio;
      const gap = high > 6 ? Math.ceil(ratio) : 0, least = Math.ceil(ratio), flat = high / ratio < 11;
      const { from: began, until: over, outcome } = d, rowOf = laid.row;
      // Narrow ones that touch in a row and have the same sign become one rectangle; others keep a gap.
      const wide = 4 * least;
      const start = new Int32Array(laid.rows), reached = new Int32Array(laid.rows).fill(-1);
      const drawn = new Uint8Array(laid.rows);
      const flush = (row) => {
        if (reached[row] < 0) return;
        const top = Math.floor(TOP * ratio + row * high), bottom = Math.max(top + 1, Math.floor(top + high - gap));
        const right = reached[row] - (reached[row] - start[row] < wide ? 0 : least);
        image.fill(start[row], top, right, bottom, colours[drawn[row]]);
        if (drawn[row] === INFO) hollow(image, start[row], top, reached[row], bottom, ratio);
      };
      for (const block of blocks) {
        if (block.from > state.until || block.until < state.from - TAIL / scale * ratio) continue;
        for (let i = block.first; i < block.last; i++) {
          if (!shown[i] || began[i] > state.until) continue;
          const from = left + (began[i] - state.from) * scale;
          const to = outcome[i] === UNKNOWN ? from + TAIL * ratio : left + (over[i] - state.from) * scale;
          if (to < left) continue;
          const row = rowOf[i], begin = Math.floor(Math.max(left, from)), what = sign(i);
          const until = Math.max(begin + least, Math.floor(to));
          if (begin > reached[row] || drawn[row] !== what || what === INFO || until - begin >= wide) {
            flush(row);
            start[row] = begin;
            reached[row] = until;
            drawn[row] = what;
          } else if (until > reached[row]) {
            reached[row] = until;
          }
          const room = (until - begin) / ratio;
          if (!flat && what !== FADED && room > 2 * CHARACTER) words.push([i, begin / ratio, room]);
        }
      }
      for (let row = 0; row < laid.rows; row++) flush(row);
      return words;
    };
    // An operation without an answer is open at its right side.
    const hollow = (image, begin, top, until, bottom, ratio) => {
      const edge = Math.ceil(ratio);
      if (bottom - top > 4 * edge) image.fill(begin + 2 * edge, top + edge, until, bottom - edge, colours[PAPER]);
    };
    const mark = (image, ratio, i, what) => {
      const begin = Math.floor(Math.max(LEFT, x(d.from[i])) * ratio), top = Math.floor(y(laid.row[i]) * ratio);
      const until = Math.max(begin + 4 * ratio, Math.floor(x(ended(i)) * ratio)), edge = Math.ceil(1.5 * ratio);
      if (until < LEFT * ratio || d.from[i] > state.until || !shown[i]) return;
      const bottom = Math.max(top + Math.ceil(3 * ratio), Math.floor(top + tall() * ratio) - 1);
      if (what === BAD) return image.fill(begin, top, until, bottom, colours[BAD]);
      image.fill(begin - edge, top - edge, until + edge, top, colours[INK]);
      image.fill(begin - edge, bottom, until + edge, bottom + edge, colours[INK]);
      image.fill(begin - edge, top, begin, bottom, colours[INK]);
      image.fill(until, top, until + edge, bottom, colours[INK]);
    };

    // What fits into the box of an operation, the longest first.
    const labels = (i) => {
      const name = d.functions[d.function[i]], key = d.keys[d.key[i]], value = d.values[d.value[i]];
      return [`${name} ${key}${value}`, `${name}${value}`, value.replace(/^ (-> )?/, ""), name];
    };
    const texts = (words) => {
      ctx.font = "11px system-ui,sans-serif";
      ctx.textBaseline = "middle";
      for (const [i, left, room] of words.slice(0, 800)) {
        const text = labels(i).find((text) => text.length * CHARACTER < room - 6);
        if (!text) continue;
        ctx.fillStyle = d.outcome[i] === UNKNOWN && !evidence.has(i) ? colour("--ink") : colour("--paper");
        ctx.fillText(text, left + 4, y(laid.row[i]) + tall() / 2);
      }
      ctx.fillStyle = colour("--ink");
      let free = 0;
      for (const group of laid.groups) {
        const middle = y(group.row) + Math.min(tall() * group.rows, HEIGHT) / 2;
        if (middle < free) continue;
        ctx.fillText(group.name.slice(0, 9), 4, middle);
        free = middle + 12;
      }
      const step = roundStep();
      for (let us = Math.ceil(Math.max(0, state.from) / step) * step; us < state.until; us += step) {
        if (x(us) < canvas.clientWidth - 40) ctx.fillText(label(us, step), x(us), 9);
      }
    };
    const roundStep = () => {
      const least = (state.until - state.from) / Math.max(2, width() / 110);
      const steps = [1, 2, 5, 10].map((factor) => factor * 10 ** Math.floor(Math.log10(least)));
      return Math.max(d.has_times ? 1 : 1000, steps.find((step) => step >= least));
    };
    const label = (us, step) => d.has_times
      ? (us / 1e6).toFixed(Math.max(0, Math.ceil(6 - Math.log10(step) - 1e-9))) + " s" : moment(d, us);

    const draw = () => {
      const began = performance.now(), ratio = devicePixelRatio || 1;
      const w = canvas.clientWidth, h = canvas.clientHeight;
      if (!w || !h) return;
      [canvas.width, canvas.height] = [Math.round(w * ratio), Math.round(h * ratio)];
      if (image?.width !== canvas.width || image.height !== canvas.height) image = raster(canvas.width, canvas.height);
      image.clear();
      ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
      beds(w, h);
      const words = boxes(image, ratio);
      for (const i of evidence) mark(image, ratio, i, BAD);
      if (state.picked >= 0) mark(image, ratio, state.picked, INK);
      ctx.drawImage(image.canvas(), 0, 0, w, h);
      texts(words);
      canvas.dataset.scale = String((state.until - state.from) / w);
      canvas.dataset.from = String(state.from);
      canvas.dataset.took = String(performance.now() - began);
    };
    const redraw = () => { asked ||= requestAnimationFrame(() => { asked = 0; draw(); keep(); }); };

    // The address keeps what is looked at.
    let keeping;
    for (const what of ["pointerdown", "keydown", "input", "wheel"]) {
      canvas.closest("section").addEventListener(what, () => { touched = true; }, { capture: true, passive: true });
    }
    const keep = () => {
      if (!touched) return;
      clearTimeout(keeping);
      keeping = setTimeout(() => {
        const words = { from: Math.round(state.from), until: Math.round(state.until), lanes: state.lanes };
        if (state.picked >= 0) words.op = state.picked;
        for (const name of ["key", "process", "function", "outcome", "fault", "value"]) {
          if (state[name] !== "") words[name] = state[name];
        }
        history.replaceState(null, "", "#" + new URLSearchParams(words));
      }, 300);
    };

    const view = (from, until) => {
      const span = Math.min(Math.max(until - from, d.has_times ? 100 : 2000), end * 1.04);
      state.from = Math.max(-span * .02, Math.min(from, end - span * .9));
      state.until = state.from + span;
      redraw();
    };
    const zoom = (factor, middle = (state.from + state.until) / 2) => {
      view(middle - (middle - state.from) * factor, middle + (state.until - middle) * factor);
    };
    const arrange = () => {
      laid = lanes(d, state.lanes);
      canvas.style.height = TOP + Math.min(MOST_HEIGHT, Math.max(LEAST_HEIGHT, laid.rows * HEIGHT)) + "px";
      redraw();
    };
    const filter = () => {
      const fault = state.fault === "" ? null : d.faults[state.fault];
      const sought = state.value.toLowerCase(), values = d.values.map((value) => value.toLowerCase().includes(sought));
      const chosen = ["key", "process", "function", "outcome"].filter((name) => state[name] !== "");
      let count = 0;
      found = [];
      for (let i = 0; i < n; i++) {
        const is = values[d.value[i]] && chosen.every((name) => d[name][i] === Number(state[name]))
          && (!fault || d.from[i] <= fault.until && ended(i) >= fault.from);
        shown[i] = is ? 1 : 0;
        if (!is) continue;
        count++;
        if (sought) found.push(i);
      }
      at("explorer-count").textContent = count === n ? "" : `${count} of ${n} operations`;
      redraw();
    };

    const relations = (i) => {
      let [before, beside, after] = [0, 0, 0];
      for (let j = 0; j < n; j++) {
        if (j === i || d.key[j] !== d.key[i] || d.outcome[j] === FAILED) continue;
        if (d.outcome[j] !== UNKNOWN && d.until[j] < d.from[i]) before++;
        else if (d.outcome[i] !== UNKNOWN && d.from[j] > d.until[i]) after++;
        else beside++;
      }
      return ` On its key ${before} were over before it began, ${beside} overlap with it, ${after} began after it.`;
    };
    const pick = (i, follow) => {
      state.picked = i;
      at("explorer-said").textContent = i < 0 ? "" : tell(d, i) + relations(i);
      const span = state.until - state.from;
      if (follow && (d.from[i] < state.from || ended(i) > state.until)) {
        const middle = (d.from[i] + ended(i)) / 2;
        return view(middle - span / 2, middle + span / 2);
      }
      redraw();
    };
    const walk = (step) => {
      const all = found.length ? found : d.evidence, at = all.indexOf(state.picked);
      if (all.length) pick(all[(at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step + all.length) % all.length], true);
    };

    const span = () => {
      const margin = (a, b) => [a - (b - a) * .08 - 2000, b + (b - a) * .08 + 2000];
      return margin(Math.min(...d.evidence.map((i) => d.from[i])), Math.max(...d.evidence.map(ended)));
    };
    const levels = {
      evidence: () => { choose("key", String(d.key[d.evidence[0]])); view(...span()); },
      neighbourhood: () => {
        choose("key", "");
        const [a, b] = span();
        view(Math.max(0, 2 * a - b), Math.min(end, 2 * b - a));
      },
      whole: () => { choose("key", ""); view(0, end); },
    };
    const choose = (name, value) => {
      state[name] = value;
      const field = document.querySelector(`[data-filter="${name}"]`);
      if (field) field.value = value;
      filter();
    };
    const go = (level) => {
      for (const button of document.querySelectorAll("button[data-level]")) {
        button.setAttribute("aria-pressed", String(button.dataset.level === level));
      }
      levels[level]();
    };

    // What the page offers to choose from.
    const fill = (name, choices) => {
      const field = document.querySelector(`[data-filter="${name}"]`);
      if (choices.length < 2 && name !== "fault" || !choices.length) return field.parentElement.remove();
      for (const [value, words] of choices.slice(0, MOST_CHOICES)) field.append(new Option(words, value));
      field.addEventListener("change", () => choose(name, field.value));
    };
    const of = (name, words) => {
      const all = [...new Set(d[name])].map((value) => [String(value), words(value)]);
      return all.sort((a, b) => a[1].localeCompare(b[1], "en", { numeric: true }));
    };
    fill("key", of("key", (at) => d.keys[at]));
    fill("process", of("process", (at) => d.names[at] ?? String(at)));
    fill("function", of("function", (at) => d.functions[at]));
    fill("outcome", of("outcome", (at) => OUTCOMES[at]));
    fill("fault", d.faults.map((f, at) => [String(at), `${f.words.slice(0, 60)}, ${moment(d, f.from)}`]));
    const by = document.querySelector("[data-lanes]"), search = document.querySelector("[data-search]");
    by.addEventListener("change", () => { state.lanes = by.value; arrange(); });
    search.addEventListener("input", () => { state.value = search.value; filter(); });
    search.addEventListener("keydown", (event) => { if (event.key === "Enter") walk(event.shiftKey ? -1 : 1); });
    for (const it of document.querySelectorAll("button[data-level]")) {
      it.addEventListener("click", () => go(it.dataset.level));
    }
    for (const it of document.querySelectorAll("button[data-zoom]")) {
      it.addEventListener("click", () => zoom(Number(it.dataset.zoom)));
    }

    const time = (px) => state.from + (px - LEFT) / width() * (state.until - state.from);
    const under = (event) => {
      const row = Math.floor((event.offsetY - TOP) / tall()), all = laid.members[row];
      if (!all) return -1;
      let [low, high] = [0, all.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (d.from[all[middle]] <= time(event.offsetX)) low = middle + 1; else high = middle;
      }
      let [best, least] = [-1, 6];
      for (const i of all.slice(Math.max(0, low - 4), low + 2)) {
        if (!shown[i]) continue;
        const right = x(d.from[i]) + (d.outcome[i] === UNKNOWN ? TAIL : Math.max(1, x(d.until[i]) - x(d.from[i])));
        const away = Math.max(x(d.from[i]) - event.offsetX, event.offsetX - right, 0);
        if (away < least) [best, least] = [i, away];
      }
      return best;
    };
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.shiftKey && document.activeElement !== canvas) return;
      event.preventDefault();
      zoom((event.deltaY || event.deltaX) > 0 ? 1.25 : .8, time(event.offsetX));
    }, { passive: false });

    // One finger or the mouse moves the view, two fingers zoom.
    const held = new Map();
    let moved = 0;
    const distance = () => {
      const [one, other] = [...held.values()];
      return Math.max(20, Math.abs(one - other));
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (!held.size) moved = 0;
      held.set(event.pointerId, event.offsetX);
      canvas.setPointerCapture(event.pointerId);
    });
    const release = (event) => {
      if (!held.delete(event.pointerId) || event.type === "pointercancel" || moved > 4 || held.size) return;
      pick(under(event), false);
    };
    canvas.addEventListener("pointerup", release);
    canvas.addEventListener("pointercancel", release);
    canvas.addEventListener("pointermove", (event) => {
      const last = held.get(event.pointerId);
      if (last === undefined) {
        const i = under(event);
        return i < 0 ? hide() : show(tell(d, i), event.clientX, event.clientY);
      }
      const wide = held.size === 2 ? distance() : 0;
      held.set(event.pointerId, event.offsetX);
      moved += Math.abs(event.offsetX - last);
      hide();
      if (held.size === 2) return zoom(wide / distance(), time([...held.values()].reduce((a, b) => a + b) / 2));
      const us = (event.offsetX - last) / width() * (state.until - state.from);
      view(state.from - us, state.until - us);
    });
    canvas.addEventListener("pointerleave", hide);
    canvas.addEventListener("keydown", (event) => {
      const step = (state.until - state.from) / 5;
      const action = {
        ArrowLeft: () => view(state.from - step, state.until - step),
        ArrowRight: () => view(state.from + step, state.until + step),
        "+": () => zoom(.6), "=": () => zoom(.6), "-": () => zoom(1 / .6),
        Home: () => go("whole"), Escape: () => pick(-1, false),
        n: () => walk(1), p: () => walk(-1),
      }[event.key];
      if (action && !event.ctrlKey && !event.metaKey) { event.preventDefault(); action(); }
    });

    const restore = () => {
      const words = new URLSearchParams(location.hash.slice(1)), op = words.get("op");
      const number = (name) => words.has(name) ? Number(words.get(name)) : NaN;
      for (const name of ["key", "process", "function", "outcome", "fault", "value"]) {
        if (words.has(name) && (name !== "fault" || d.faults[words.get(name)])) state[name] = words.get(name);
        const field = document.querySelector(`[data-filter="${name}"]`);
        if (field) field.value = state[name];
      }
      search.value = state.value;
      const known = [...by.options].some((option) => option.value === words.get("lanes"));
      state.lanes = known ? words.get("lanes") : by.value;
      by.value = state.lanes;
      filter();
      arrange();
      const has = number("until") > number("from"), picked = /^\d+$/.test(op ?? "") && Number(op) < n;
      if (has) view(number("from"), number("until"));
      if (picked) pick(Number(op), true);
      if (picked || has) canvas.scrollIntoView({ block: "center" });
      return has || picked;
    };
    if (!restore()) go(d.evidence.length ? "neighbourhood" : "whole");
    addEventListener("hashchange", () => { if (location.hash.includes("=")) restore(); });
    new ResizeObserver(redraw).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { colours = paints(); redraw(); });
  });
})();

/* Prompts: a reader predicts, then looks. The forms stand in the page already (book/ext/book_predict.py); this makes them
   work, compares a guess with what was measured, and keeps the guesses in localStorage. Nothing is sent. */
"use strict";
(() => {
  const book = window.bookPredict;
  if (!book) return;

  /* -------------------------------------------------------------- what is kept */

  let memory = null; // where storage is unavailable, this page remembers

  function load() {
    let kept = memory;
    try {
      kept = JSON.parse(localStorage.getItem(book.key));
    } catch {}
    const answers = kept && typeof kept.answers === "object" ? kept.answers : {};
    return { all: !!(kept && kept.all), answers: { ...answers } };
  }

  function save(kept) {
    memory = kept;
    try {
      localStorage.setItem(book.key, JSON.stringify(kept));
    } catch {}
  }

  function change(edit) {
    const kept = load();
    edit(kept);
    save(kept);
  }

  /* Whether a kept guess still answers the prompt: a book may have been rebuilt since. */
  function fits(asked, guess) {
    if (asked.kind === "number") return Number.isFinite(guess) && (!asked.log || guess > 0);
    if (asked.kind === "choice") return asked.options.includes(guess);
    return Array.isArray(guess) && guess.length === asked.points.length && guess.every(Number.isFinite);
  }

  /* {state, guess} of a prompt: it asks, it was passed without a guess, or it was answered. */
  function standing(asked, kept = load()) {
    const guess = Object.hasOwn(kept.answers, asked.id) ? kept.answers[asked.id] : undefined;
    if (guess !== undefined && guess !== null && fits(asked, guess)) return { state: "answered", guess };
    return { state: kept.all || guess === null ? "passed" : "asking" };
  }

  /* -------------------------------------------------------------- numbers and sentences */

  const raised = (n) => String(n).replace(/[-0-9]/g, (c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]);

  function power(value, digits) {
    const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
    const times = Number(mantissa) === 1 ? "" : `${Number(mantissa)} × `;
    return `${times}10${raised(Number(exponent))}`;
  }

  function number(value, digits = 3) {
    const size = Math.abs(value);
    if (size && (size < 1e-5 || size >= 1e7)) return power(value, digits).replace(/^-/, "−");
    const whole = size >= 10 ** digits;
    return value
      .toLocaleString("en-GB", whole ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: digits })
      .replace("-", "−");
  }

  const coarse = (value) => number(Number(value.toPrecision(2)), 2);

  /* A unit in words is said once in a sentence, a sign goes with each number. */
  const plain = (asked, value) => number(value, asked.log ? 2 : 3) + (asked.unit === "%" ? "%" : "");
  const inWords = (asked) => (asked.unit && asked.unit !== "%" ? ` ${asked.unit}` : "");
  const quantity = (asked, value) => plain(asked, value) + inWords(asked);

  /* A difference of two shares in per cent is in points. */
  function apart(asked, difference) {
    const size = Math.abs(difference);
    const shown = number(asked.high - asked.low > 10 ? Math.round(10 * size) / 10 : size);
    const unit = asked.unit === "%" ? (shown === "1" ? "point" : "points") : asked.unit;
    return unit ? `${shown} ${unit}` : shown;
  }

  const capital = (text) => text[0].toUpperCase() + text.slice(1);
  const seedsOf = (asked) => `${plain(asked, asked.seeds[0])} to ${plain(asked, asked.seeds[1])}`;

  /* {direction, said}: how far off a guess is, as the list counts it and as a sentence. */
  const verdicts = {
    number(asked, guess) {
      const { value, seeds } = asked;
      const said = `You said ${quantity(asked, guess)}; measured ${plain(asked, value)}`;
      if (seeds && seeds[0] <= guess && guess <= seeds[1])
        return { direction: "within", said: `${said}: inside the range of the seeds, ${seedsOf(asked)}.` };
      if (plain(asked, guess) === plain(asked, value))
        return { direction: "right", said: `You said ${quantity(asked, guess)}, and that was measured.` };
      const direction = guess > value ? "high" : "low";
      const outside = seeds ? ` Over the seeds it ranges from ${seedsOf(asked)}.` : "";
      if (!asked.log) return { direction, said: `${said}: ${apart(asked, guess - value)} too ${direction}.${outside}` };
      const ratio = direction === "high" ? guess / value : value / guess;
      const share = Math.abs(value / guess - 1);
      const much = ratio < 1.95 ? `${Math.max(1, Math.round(100 * share))}%` : `${coarse(ratio)} times`;
      return { direction, said: `${said}, which is ${much} ${direction === "high" ? "less" : "more"}.${outside}` };
    },
    choice(asked, guess) {
      const measured = asked.options[asked.answer];
      if (guess === measured) return { direction: "right", said: `You said “${guess}”, and that was measured.` };
      return { direction: "wrong", said: `You said “${guess}”. Measured: “${measured}”.` };
    },
    curve(asked, guess) {
      const off = asked.points.map(([, y], k) => guess[k] - y);
      const mean = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;
      const [distance, lean] = [mean(off.map(Math.abs)), mean(off)];
      const worst = off.reduce((best, v, k) => (Math.abs(v) > Math.abs(off[best]) ? k : best), 0);
      const close = Math.abs(lean) < 0.01 * (asked.high - asked.low);
      const direction = close ? "right" : lean > 0 ? "high" : "low";
      const whole = close
        ? "on the whole neither too high nor too low"
        : `on the whole ${apart(asked, lean)} too ${direction}`;
      return {
        direction,
        said:
          `On average your curve is ${apart(asked, distance)} from the measured one, ${whole}. It is furthest off at ` +
          `${number(asked.points[worst][0])} (${asked.across}): ${apart(asked, off[worst])} too ` +
          `${off[worst] > 0 ? "high" : "low"}.`,
      };
    },
  };
  const verdict = (asked, guess) => verdicts[asked.kind](asked, guess);

  /* What is said where nothing was guessed. */
  function measured(asked) {
    if (asked.kind === "number")
      return `Measured: ${quantity(asked, asked.value)}${asked.seeds ? `, over the seeds ${seedsOf(asked)}` : ""}.`;
    if (asked.kind === "choice") return `Measured: “${asked.options[asked.answer]}”.`;
    const [first, last] = [asked.points[0], asked.points.at(-1)];
    return (
      `Measured: ${quantity(asked, first[1])} at ${number(first[0])}, ${quantity(asked, last[1])} at ` +
      `${number(last[0])} (${asked.across}).`
    );
  }

  /* -------------------------------------------------------------- scales */

  function niceStep(span, most) {
    const rough = span / most;
    const size = 10 ** Math.floor(Math.log10(rough));
    return size * [1, 2, 5, 10].find((m) => m * size >= rough * (1 - 1e-9));
  }

  /* Map values to 0..1 and back, with labelled ticks. */
  function scaleOf(asked) {
    const { low, high, log } = asked;
    const [a, b] = log ? [Math.log10(low), Math.log10(high)] : [low, high];
    return {
      at: (value) => ((log ? Math.log10(value) : value) - a) / (b - a),
      value: (share) => (log ? 10 ** (a + share * (b - a)) : a + share * (b - a)),
      steps: log ? Math.round(20 * (b - a)) : Math.round((b - a) / niceStep(b - a, 200)),
      ticks(most) {
        const step = log ? Math.max(1, Math.ceil((b - a) / most)) : niceStep(b - a, most);
        const found = [];
        for (let t = Math.ceil(a / step - 1e-9) * step; t <= b + 1e-9 * step; t += step) {
          const value = log ? 10 ** t : Number(t.toPrecision(12));
          const label = !log || Math.abs(t) <= 3 ? number(value) : `10${raised(t)}`;
          found.push([value, asked.unit === "%" ? `${label}%` : label]);
        }
        return found;
      },
    };
  }

  /* -------------------------------------------------------------- drawing */

  function draw(parent, name, attributes = {}, text) {
    const shape = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) shape.setAttribute(key, value);
    if (text !== undefined) shape.textContent = text;
    parent.append(shape);
    return shape;
  }

  function write(parent, x, y, width, text, name = "") {
    const shape = draw(parent, "text", { x, y, class: name, "text-anchor": "middle" }, text);
    const half = shape.getComputedTextLength ? shape.getComputedTextLength() / 2 : 0;
    shape.setAttribute("x", Math.min(Math.max(x, half + 1), width - half - 1));
    return shape;
  }

  /* Guess and measurement on one scale, the range over seeds as a bar. */
  function drawNumber(box, asked, guess) {
    const width = box.clientWidth;
    if (!width) return;
    const [edge, line, height] = [14, 62, 92];
    const scale = scaleOf(asked);
    const x = (value) => edge + scale.at(value) * (width - 2 * edge);
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("height", height);
    svg.setAttribute("aria-hidden", "true"); // the sentence beside it says the same
    box.replaceChildren(svg);
    draw(svg, "line", { x1: edge, x2: width - edge, y1: line, y2: line, class: "axis" });
    for (const [value, label] of scale.ticks(width < 420 ? 4 : 6)) {
      draw(svg, "line", { x1: x(value), x2: x(value), y1: line, y2: line + 5, class: "axis" });
      write(svg, x(value), line + 20, width, label, "tick");
    }
    if (asked.seeds) {
      const [from, to] = asked.seeds.map(x);
      const wide = Math.max(4, to - from);
      draw(svg, "rect", { x: (from + to - wide) / 2, y: line - 7, width: wide, height: 14, class: "seeds" });
    }
    const guessed = guess !== undefined;
    if (guessed) draw(svg, "line", { x1: x(guess), x2: x(guess), y1: 17, y2: line, class: "guess" });
    draw(svg, "line", { x1: x(asked.value), x2: x(asked.value), y1: 36, y2: line, class: "measured" });
    draw(svg, "circle", { cx: x(asked.value), cy: line, r: 5, class: "measured" });
    if (guessed) draw(svg, "path", { d: `M${x(guess)} ${line - 7}l7 7l-7 7l-7 -7z`, class: "guess" });
    write(svg, x(asked.value), 31, width, `measured ${plain(asked, asked.value)}`, "measured");
    if (guessed) write(svg, x(guess), 12, width, `you ${plain(asked, guess)}`, "guess");
  }

  /* Axes and curves; returns what maps a place in the picture to a value. */
  function drawCurve(svg, asked, { guess, active, open }) {
    const width = svg.clientWidth;
    const height = svg.clientHeight;
    if (!width) return null;
    const scale = scaleOf(asked);
    const labels = scale.ticks(5);
    const left = 12 + 7 * Math.max(...labels.map(([, label]) => label.length));
    const [top, right, bottom] = [24, 12, 42];
    const xs = asked.points.map(([x]) => x);
    const x = (value) => left + 8 + ((value - xs[0]) / (xs.at(-1) - xs[0])) * (width - left - right - 16);
    const y = (value) => height - bottom - scale.at(value) * (height - top - bottom);
    svg.replaceChildren();
    if (asked.label) draw(svg, "text", { x: 1, y: 12, class: "tick" }, asked.label);
    for (const [value, label] of labels) {
      draw(svg, "line", { x1: left, x2: width - right, y1: y(value), y2: y(value), class: "grid" });
      draw(svg, "text", { x: left - 5, y: y(value) + 4, "text-anchor": "end", class: "tick" }, label);
    }
    const every = Math.ceil((xs.length * 22) / (width - left - right));
    xs.forEach((value, k) => {
      if (k % every === 0) write(svg, x(value), height - bottom + 17, width, number(value), "tick");
      if (open) draw(svg, "line", { x1: x(value), x2: x(value), y1: top, y2: height - bottom, class: "grid" });
    });
    write(svg, left + (width - left - right) / 2, height - 6, width, asked.across, "tick");

    const trace = (points, name, mark) => {
      let path = "";
      points.forEach(([px, py], k) => {
        if (py !== null) path += `${k && points[k - 1][1] !== null ? "L" : "M"}${x(px)} ${y(py)}`;
      });
      draw(svg, "path", { d: path, class: name, fill: "none" });
      for (const [px, py] of points) if (py !== null && mark) mark(x(px), y(py));
    };
    if (asked.given) trace(asked.given, "given");
    if (!open)
      trace(asked.points, "measured", (cx, cy) => draw(svg, "circle", { cx, cy, r: 3.5, class: "measured" }));
    if (guess) {
      const diamond = (px, py) => draw(svg, "path", { d: `M${px} ${py - 5}l5 5l-5 5l-5 -5z`, class: "guess" });
      trace(xs.map((value, k) => [value, guess[k] ?? null]), "guess", diamond);
    }
    if (open) {
      const px = x(xs[active]);
      draw(svg, "line", { x1: px, x2: px, y1: top, y2: height - bottom, class: "active" });
      const at = guess[active] ?? null;
      if (at !== null) draw(svg, "circle", { cx: px, cy: y(at), r: 9, class: "active", fill: "none" });
    }
    return {
      index(px) {
        return xs.reduce((best, value, k) => (Math.abs(x(value) - px) < Math.abs(x(xs[best]) - px) ? k : best), 0);
      },
      value(py) {
        return scale.value(Math.min(1, Math.max(0, (height - bottom - py) / (height - top - bottom))));
      },
    };
  }

  /* What the lines of a curve are. */
  function key(asked, drawn) {
    const rows = [];
    if (drawn.guess) rows.push(["guess", "your curve"]);
    if (drawn.measured) rows.push(["measured", `measured: ${asked.model}`]);
    if (asked.given) rows.push(["given", `measured: ${asked.givenModel}`]);
    return rows.map(([name, text]) => {
      const row = document.createElement("span");
      const swatch = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      swatch.setAttribute("aria-hidden", "true");
      draw(swatch, "path", { d: "M1 6L27 6", class: name });
      row.append(swatch, text);
      return row;
    });
  }

  /* The picture beside an outcome. */
  function outcome(box, asked, guess) {
    if (asked.kind === "number") return drawNumber(box, asked, guess);
    if (asked.kind === "choice") {
      const list = document.createElement("ul");
      asked.options.forEach((option, k) => {
        const row = document.createElement("li");
        const marks = [];
        if (option === guess) marks.push(["guess", "you"]);
        if (k === asked.answer) marks.push(["measured", "measured"]);
        row.append(option);
        for (const [name, text] of marks) {
          const mark = document.createElement("strong");
          mark.className = name;
          mark.textContent = text;
          row.append(" ", mark);
        }
        list.append(row);
      });
      return box.replaceChildren(list);
    }
    let svg = box.querySelector("svg.predict-plot");
    if (!svg) {
      svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      svg.setAttribute("class", "predict-plot");
      svg.setAttribute("role", "img");
      const legend = document.createElement("p");
      legend.className = "predict-key";
      legend.append(...key(asked, { guess, measured: true }));
      box.replaceChildren(svg, legend);
      const values = asked.points.map(([x, y], k) => {
        const own = guess ? `, you ${quantity(asked, guess[k])}` : "";
        return `at ${number(x)} ${quantity(asked, y)}${own}`;
      });
      svg.setAttribute("aria-label", `${capital(asked.label || "Measured")} by ${asked.across}: ${values.join("; ")}.`);
    }
    drawCurve(svg, asked, { guess });
  }

  /* Draw again whenever the width changes. */
  function redrawn(box, again) {
    let width = 0;
    new ResizeObserver(() => {
      if (box.clientWidth === width) return;
      width = box.clientWidth;
      again();
    }).observe(box);
  }

  /* -------------------------------------------------------------- a number, a choice, a curve: what the form asks */

  /* Each returns {guess, clear, focus}; guess() throws a sentence for the reader where there is none yet. */
  const controls = {
    number(box, asked) {
      const [slider, entry, live, ticks] = [".predict-range", "input[type=number]", ".predict-live", ".predict-ticks"].map(
        (name) => box.querySelector(name),
      );
      const scale = scaleOf(asked);
      let value;
      slider.min = 0;
      slider.max = scale.steps;
      slider.step = 1;

      function show() {
        const text = value === undefined ? "Move the slider" : quantity(asked, value);
        live.textContent = text;
        slider.setAttribute("aria-valuetext", value === undefined ? "nothing set yet" : text);
        slider.classList.toggle("unset", value === undefined);
      }
      function slide() {
        const found = scale.value(slider.value / scale.steps);
        value = asked.log ? Number(found.toPrecision(2)) : Number(found.toPrecision(12));
        value = Math.min(asked.high, Math.max(asked.low, value));
        entry.value = String(value);
        show();
      }
      function typed() {
        const found = entry.valueAsNumber;
        value = Number.isFinite(found) ? found : undefined;
        if (value !== undefined && (!asked.log || value > 0))
          slider.value = Math.round(scale.steps * Math.min(1, Math.max(0, scale.at(value))));
        show();
      }
      slider.addEventListener("input", slide);
      slider.addEventListener("click", slide); // a click on the middle moves nothing, and is a guess
      entry.addEventListener("input", typed);
      redrawn(ticks, () => {
        ticks.replaceChildren(
          ...scale.ticks(ticks.clientWidth < 420 ? 3 : 6).map(([at, label]) => {
            const tick = document.createElement("span");
            tick.textContent = label;
            tick.style.setProperty("--at", scale.at(at));
            tick.className = scale.at(at) < 0.04 ? "first" : scale.at(at) > 0.96 ? "last" : "";
            return tick;
          }),
        );
      });
      return {
        guess() {
          const within = value >= asked.low && value <= asked.high;
          if (within) return value;
          throw entry.value.trim() || entry.validity.badInput
            ? `Give a number from ${number(asked.low)} to ${number(asked.high)}.`
            : "Move the slider or type a number first.";
        },
        clear() {
          value = undefined;
          entry.value = "";
          slider.value = Math.round(scale.steps / 2);
          show();
        },
        focus: () => slider,
      };
    },

    choice(box, asked) {
      const options = [...box.querySelectorAll("input[type=radio]")];
      return {
        guess() {
          const picked = options.findIndex((option) => option.checked);
          if (picked < 0) throw "Choose one first.";
          return asked.options[picked];
        },
        clear: () => options.forEach((option) => (option.checked = false)),
        focus: () => options[0],
      };
    },

    curve(box, asked) {
      const svg = box.querySelector(".predict-controls .predict-plot");
      const entries = [...box.querySelectorAll(".predict-grid input")];
      const step = niceStep(asked.high - asked.low, 100);
      const points = asked.points.map(() => null);
      let [active, places, before] = [0, null, null];
      box.querySelector(".predict-controls .predict-key").append(...key(asked, { guess: true }));

      function show() {
        places = drawCurve(svg, asked, { guess: points, active, open: true });
        const [x, at] = [number(asked.points[active][0]), points[active]];
        const done = points.filter((v) => v !== null).length;
        svg.setAttribute("aria-valuenow", at ?? asked.low);
        svg.setAttribute(
          "aria-valuetext",
          `${x}: ${at === null ? "not drawn" : quantity(asked, at)}, ${done} of ${points.length} drawn`,
        );
      }
      function put(k, value) {
        const even = Number((Math.round(value / step) * step).toPrecision(12));
        points[k] = Math.min(asked.high, Math.max(asked.low, even));
        entries[k].value = String(points[k]);
      }
      /* From the last place of the pointer to this one: a quick hand skips points. */
      function pull(event) {
        if (!places) return;
        const bounds = svg.getBoundingClientRect();
        const k = places.index(event.clientX - bounds.left);
        const value = places.value(event.clientY - bounds.top);
        const [from, start] = before ?? [k, value];
        const towards = Math.sign(k - from);
        for (let i = from + towards; towards && i !== k; i += towards)
          put(i, start + ((value - start) * (i - from)) / (k - from));
        put(k, value);
        before = [k, value];
        active = k;
        show();
      }
      svg.addEventListener("pointerdown", (event) => {
        if (event.button) return;
        svg.setPointerCapture(event.pointerId);
        before = null;
        pull(event);
      });
      svg.addEventListener("pointermove", (event) => {
        if (svg.hasPointerCapture(event.pointerId)) pull(event);
      });
      /* Where a point that is not drawn yet begins: at its neighbour, on the given curve, or in the middle. */
      function beginning(k) {
        const beside = [k - 1, k + 1].find((i) => points[i] !== null && points[i] !== undefined);
        return beside !== undefined ? points[beside] : asked.given ? asked.given[k][1] : (asked.low + asked.high) / 2;
      }
      svg.addEventListener("keydown", (event) => {
        const moves = { ArrowLeft: -1, ArrowRight: 1, Home: -active, End: points.length - 1 - active };
        const lifts = { ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10 };
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        if (event.key in moves) {
          const next = Math.min(points.length - 1, Math.max(0, active + moves[event.key]));
          const beside = Math.abs(next - active) === 1 && points[active] !== null;
          if (beside && points[next] === null) put(next, points[active]); // the curve is carried along
          active = next;
        } else if (event.key in lifts) {
          const at = points[active] ?? beginning(active);
          put(active, at + (event.shiftKey ? 5 : 1) * lifts[event.key] * step);
        } else return;
        event.preventDefault();
        show();
      });
      entries.forEach((entry, k) =>
        entry.addEventListener("input", () => {
          const value = entry.valueAsNumber;
          points[k] = value >= asked.low && value <= asked.high ? value : null;
          active = k;
          show();
        }),
      );
      redrawn(svg, show);
      return {
        guess() {
          const left = asked.points.filter((_, k) => points[k] === null).map(([x]) => number(x));
          if (!left.length) return [...points];
          throw left.length === points.length
            ? `Draw the curve first, from ${left[0]} to ${left.at(-1)}.`
            : `Draw the curve at every point first. Missing: ${left.join(", ")}.`;
        },
        clear() {
          points.fill(null);
          entries.forEach((entry) => (entry.value = ""));
          active = 0;
          show();
        },
        focus: () => svg,
      };
    },
  };

  /* -------------------------------------------------------------- a prompt on a page */

  const prompts = new Map();

  function veils(id) {
    return [...document.querySelectorAll(`[data-veil="${id}"]`)];
  }

  /* until-found: what is searched for in the page, or linked to, opens it. */
  function close(id, closed) {
    for (const cover of veils(id)) {
      if (closed) cover.setAttribute("hidden", "until-found");
      else cover.removeAttribute("hidden");
    }
  }

  function start(box) {
    const asked = JSON.parse(box.dataset.prompt);
    const form = box.querySelector("form");
    const control = controls[asked.kind](box, asked);
    const find = (name) => form.querySelector(name);
    const [error, said, drawing, back, all] = [
      ".predict-error",
      ".predict-said",
      ".predict-drawing",
      ".predict-back",
      ".predict-all",
    ].map(find);
    let shown = "";
    let guessed;

    function refresh() {
      const kept = load();
      const { state, guess } = standing(asked, kept);
      const now = JSON.stringify([state, guess, kept.all]);
      if (now === shown) return;
      shown = now;
      guessed = guess;
      box.dataset.state = state;
      all.checked = kept.all;
      error.textContent = "";
      drawing.replaceChildren();
      if (state === "asking") {
        control.clear();
        said.textContent = "";
      } else {
        outcome(drawing, asked, guess);
        said.textContent = state === "answered" ? verdict(asked, guess).said : measured(asked);
        back.textContent = state === "answered" ? "Take the guess back" : "Ask me";
        back.hidden = state === "passed" && kept.all;
      }
      close(asked.id, state === "asking");
    }

    function settle(guess) {
      change((kept) => (kept.answers[asked.id] = guess));
      refreshAll();
      const result = find(".predict-outcome");
      result.focus({ preventScroll: true });
      result.scrollIntoView({ block: "nearest" });
    }

    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (box.dataset.state !== "asking") return;
      try {
        settle(control.guess());
      } catch (missing) {
        if (typeof missing !== "string") throw missing;
        error.textContent = missing;
        control.focus().focus();
      }
    });
    form.addEventListener("input", () => (error.textContent = ""));
    find(".predict-pass").addEventListener("click", () => settle(null));
    back.addEventListener("click", () => {
      change((kept) => delete kept.answers[asked.id]);
      refreshAll();
      control.focus().focus({ preventScroll: true });
      box.scrollIntoView({ block: "nearest" });
    });
    all.addEventListener("change", () => {
      change((kept) => (kept.all = all.checked));
      refreshAll();
    });
    for (const cover of veils(asked.id))
      cover.parentNode.addEventListener("click", () => {
        if (cover.hasAttribute("hidden")) control.focus().focus();
      });
    redrawn(drawing, () => {
      if (box.dataset.state !== "asking") outcome(drawing, asked, guessed);
    });
    prompts.set(asked.id, { refresh });
    refresh();
  }

  /* -------------------------------------------------------------- the list */

  function counted(rows) {
    const made = rows.filter((row) => row.state === "answered");
    const passed = rows.filter((row) => row.state === "passed" && row.seen).length;
    if (!rows.length) return "";
    const of = `${rows.length} prompt${rows.length === 1 ? "" : "s"}`;
    const parts = [made.length ? `You have answered ${made.length} of ${of}.` : `You have answered none of ${of}.`];
    const measures = made.filter((row) => row.asked.kind !== "choice");
    const choices = made.filter((row) => row.asked.kind === "choice");
    const count = (list, name) => list.filter((row) => row.verdict.direction === name).length || "none";
    if (measures.length) {
      const right = count(measures, "right");
      parts.push(
        `Numbers and curves: ${count(measures, "high")} too high, ${count(measures, "low")} too low, ` +
          `${count(measures, "within")} within the range of the seeds${right === "none" ? "" : `, ${right} right`}.`,
      );
    }
    if (choices.length) parts.push(`Choices: ${count(choices, "right")} of ${choices.length} right.`);
    if (passed) parts.push(`Shown without a guess: ${passed}.`);
    return parts.join(" ");
  }

  function list(page) {
    const template = page.querySelector("template");
    template.replaceWith(template.content.cloneNode(true));
    const find = (name) => page.querySelector(name);
    const [summary, done, text, all, forget] = [
      ".predict-summary",
      ".predict-done",
      ".predict-text",
      ".predict-all",
      ".predict-forget",
    ].map(find);
    const rows = [...page.querySelectorAll("li[data-prompt]")].map((item) => {
      const result = document.createElement("div");
      result.className = "predict-result";
      const [drawing, said] = [document.createElement("div"), document.createElement("p")];
      drawing.className = "predict-drawing";
      result.append(drawing, said);
      item.append(result);
      const row = { item, drawing, said, asked: JSON.parse(item.dataset.prompt) };
      redrawn(drawing, () => {
        if (row.state !== "asking" && row.seen) outcome(drawing, row.asked, row.guess);
      });
      return row;
    });
    let forgotten = null;

    function refresh() {
      const kept = load();
      for (const row of rows) {
        Object.assign(row, { guess: undefined, verdict: undefined }, standing(row.asked, kept));
        row.seen = Object.hasOwn(kept.answers, row.asked.id); // what nobody asked to see stays out of the list
        row.verdict = row.state === "answered" ? verdict(row.asked, row.guess) : undefined;
        row.item.dataset.state = row.seen ? row.state : "asking";
        row.drawing.replaceChildren();
        if (row.verdict) row.said.textContent = row.verdict.said;
        else row.said.textContent = row.seen ? `Shown without a guess. ${measured(row.asked)}` : "Not answered yet.";
        if (row.seen && row.state !== "asking") outcome(row.drawing, row.asked, row.guess);
      }
      all.checked = kept.all;
      summary.textContent = counted(rows);
      forget.textContent = forgotten ? "Undo" : "Forget all guesses";
    }

    function asText() {
      const lines = ["Your predictions", document.title.split(" — ").at(-1), "", summary.textContent];
      for (const heading of page.querySelectorAll("h2")) {
        lines.push("", heading.textContent.trim());
        for (const row of rows)
          if (row.item.parentNode.previousElementSibling === heading)
            lines.push(`- ${row.asked.question} ${row.said.textContent}`);
      }
      return lines.join("\n") + "\n";
    }

    find(".predict-copy").addEventListener("click", async () => {
      text.value = asText();
      try {
        await navigator.clipboard.writeText(text.value);
        text.hidden = true;
        done.textContent = "Copied.";
      } catch {
        text.hidden = false; // where the clipboard is closed to pages
        text.rows = Math.min(20, text.value.split("\n").length);
        text.select();
        done.textContent = "The browser keeps its clipboard closed. The text is selected below: copy it from there.";
      }
    });
    forget.addEventListener("click", () => {
      const before = load();
      if (forgotten) change((kept) => (kept.answers = { ...forgotten, ...kept.answers }));
      else change((kept) => (kept.answers = {}));
      done.textContent = forgotten ? "The guesses are back." : "All guesses are forgotten.";
      text.hidden = true;
      forgotten = forgotten ? null : before.answers;
      refresh();
    });
    all.addEventListener("change", () => {
      change((kept) => (kept.all = all.checked));
      done.textContent = all.checked ? "The chapters show everything now." : "The chapters ask before they show.";
      refresh();
    });
    prompts.set("the list", { refresh });
    refresh();
  }

  /* -------------------------------------------------------------- start */

  const refreshAll = () => prompts.forEach(({ refresh }) => refresh());

  /* Something inside a veil is wanted: by a link, a search in the page or the book's own search. */
  function reveal(target) {
    const cover = target && target.closest && target.closest("[data-veil][hidden]");
    if (!cover) return false;
    close(cover.dataset.veil, false);
    return true;
  }
  function follow() {
    let target = null;
    try {
      target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    } catch {}
    if (reveal(target)) target.scrollIntoView();
  }

  document.querySelectorAll(".predict[data-prompt]").forEach(start);
  document.querySelectorAll(".predict-book").forEach(list);
  book.ready = true;
  document.addEventListener("beforematch", (event) => reveal(event.target));
  addEventListener("hashchange", follow);
  addEventListener("storage", (event) => event.key === book.key && refreshAll());
  addEventListener("pageshow", (event) => event.persisted && refreshAll());
  follow();
  if (new URLSearchParams(location.search).has("highlight"))
    new MutationObserver(() => {
      const hit = document.querySelector("[data-veil][hidden] .search-landed");
      if (reveal(hit)) hit.scrollIntoView({ block: "center" });
    }).observe(document.body, { subtree: true, childList: true, attributeFilter: ["class"] });
})();

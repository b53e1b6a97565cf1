// Draws the charts of a report: one function a chart, each from the data in the page to an SVG of Observable Plot.
//
// Texts reach the page as text only, never as markup. Colours are names that the style gives a value for light, dark and
// paper. What was drawn is noted on each figure, and on the page once all are.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const whole = d3.format(",");
  const short = (value) => (Math.abs(value) < 10000 ? d3.format(",~r")(value) : d3.format(".3~s")(value).replace("G", "B"));
  const percent = d3.format(".1%");
  const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
  const CLASSES = ["fraud", "legitimate", "young", "unlabelled"];
  const CHANGES = ["appears", "vanishes", "harsher", "milder", "reasons"];
  const color = (name) => `var(--${name})`;
  const palette = (names) => ({ domain: names, range: names.map(color) });

  // What all charts have in common. Text is as large on a phone as on a desk, so charts are drawn as wide as they stand.
  const plot = (width, options) =>
    Plot.plot({ width, className: "chart", marginRight: 16, style: { fontSize: "12px" }, ...options });

  // A key under the figure's title: colours with their names.
  const key = (names, labels = names) => {
    const list = document.createElement("ul");
    list.className = "key";
    names.forEach((name, place) => {
      const item = document.createElement("li");
      const swatch = document.createElement("i");
      swatch.style.background = color(name);
      item.append(swatch, labels[place]);
      list.append(item);
    });
    return list;
  };

  // Bars with their names above them, the longest first: as long a name as a rule's fits a phone. The table has those
  // that are too many for a page.
  const BARS = 40;
  const bars = (width, rows, names, { unit, title }) => {
    const all = d3.sort(d3.rollups(rows, (of) => d3.sum(of, (row) => row.count), (row) => row.name), ([, total]) => -total);
    const totals = all.slice(0, BARS);
    const kept = new Set(totals.map(([name]) => name));
    rows = rows.filter((row) => kept.has(row.name));
    const labels = new Map(rows.map((row) => [row.name, row.label]));
    const most = d3.max(totals, ([, total]) => total) || 1;
    const letters = Math.max(12, Math.floor(width / 7) - 12);
    const cut = (text) => (text.length > letters ? `${text.slice(0, letters - 1)}…` : text);
    return plot(width, {
      height: totals.length * 36 + 48,
      marginBottom: 42,
      marginLeft: 4,
      marginTop: 4,
      x: { label: unit, grid: true, ticks: Math.min(most, Math.max(3, width / 130)), tickFormat: short, domain: [0, most] },
      y: { axis: null, domain: totals.map(([name]) => name), padding: 0 },
      color: palette(names),
      marks: [
        Plot.barX(rows, Plot.stackX({ x: "count", y: "name", fill: "kind", order: names, insetTop: 20, insetBottom: 4, title, tip: { format: { x: whole } } })),
        Plot.text(totals, { x: 0, y: ([name]) => name, text: ([name, total]) => `${cut(labels.get(name))}  ${whole(total)}`, textAnchor: "start", dy: -8, dx: 2 }),
        Plot.ruleX([0]),
      ],
    });
  };

  const spans = () => {
    const { width, buckets } = data.time;
    return buckets.map(([start, counts]) => ({ from: new Date(start), to: new Date(start + width), counts }));
  };
  const moment = d3.utcFormat(data.time.width < 86400000 ? "%a %Y-%m-%d %H:%M" : "%a %Y-%m-%d");
  const timeAxis = { type: "utc", label: null };

  const charts = {
    actions(width) {
      const names = data.actions.slice(1);
      const rows = spans().flatMap(({ from, to, counts }) =>
        names.map((kind, place) => ({ from, to, kind, count: counts[place + 1] })).filter((row) => row.count));
      const used = names.filter((name) => rows.some((row) => row.kind === name));
      const [first, last] = [spans()[0].from, spans().at(-1).to];
      const chart = plot(width, {
        height: 260,
        marginLeft: 46,
        x: { ...timeAxis, domain: [first, last] },
        y: { grid: true, label: "decisions", tickFormat: short, ticks: 5 },
        color: palette(used),
        marks: [
          Plot.rectY(rows, Plot.stackY({ x1: "from", x2: "to", y: "count", fill: "kind", order: used, inset: 0.25,
            title: (row) => `${moment(row.from)}\n${row.kind}: ${whole(row.count)}`, tip: true })),
          Plot.ruleY([0]),
        ],
      });
      return [key(used), chart];
    },

    events(width) {
      const rows = spans().map(({ from, to, counts }) => ({ from, to, count: d3.sum(counts) }));
      return [plot(width, {
        height: 130,
        marginLeft: 46,
        x: { ...timeAxis, domain: [rows[0].from, rows.at(-1).to] },
        y: { grid: true, label: "decisions", tickFormat: short, ticks: 3 },
        marks: [
          Plot.rectY(rows, { x1: "from", x2: "to", y: "count", fill: color("plain"), inset: 0.25,
            title: (row) => `${moment(row.from)}\nall: ${whole(row.count)}`, tip: true }),
          Plot.ruleY([0]),
        ],
      })];
    },

    rules(width) {
      const hit = data.rules.filter((rule) => rule.hits > 0);
      const rows = hit.map((rule) => ({
        name: rule.rule,
        label: rule.clause ? `${rule.rule} (${rule.clause})` : rule.rule,
        kind: rule.shadow ? "shadow" : rule.action,
        count: rule.hits,
        what: rule.title || rule.rule,
      }));
      const used = [...data.actions, "shadow"].filter((name) => rows.some((row) => row.kind === name));
      const title = (row) => `${row.what}\n${row.kind}: ${whole(row.count)}`;
      return [key(used), bars(width, rows, used, { unit: "decisions", title })];
    },

    scores(width) {
      const named = data.labels ? CLASSES : ["unlabelled"];
      const step = 50;
      const bins = new Map();
      for (const [score, classes] of data.scores) {
        if (score === 0) continue;
        const from = Math.min(Math.floor(score / step) * step, 950);
        const bin = bins.get(from) || [0, 0, 0, 0];
        bins.set(from, bin.map((count, place) => count + classes[place]));
      }
      const rows = [...bins].flatMap(([from, classes]) => CLASSES
        .map((kind, place) => ({ from, to: from + step, kind, count: classes[place] })).filter((row) => row.count));
      const used = named.filter((name) => rows.some((row) => row.kind === name));
      const upper = (row) => (row.to === 1000 ? 1000 : row.to - 1);
      const chart = plot(width, {
        height: 260,
        marginLeft: 46,
        marginTop: 34,
        marginBottom: 42,
        marginRight: 22,
        x: { label: "score", domain: [0, 1000], ticks: width < 500 ? 5 : 10 },
        y: { grid: true, label: "events", tickFormat: short, ticks: 5 },
        color: palette(CLASSES),
        marks: [
          Plot.rectY(rows, Plot.stackY({ x1: "from", x2: "to", y: "count", fill: "kind", order: CLASSES, inset: 0.5,
            title: (row) => `score ${row.from} to ${upper(row)}\n${data.labels ? row.kind : "events"}: ${whole(row.count)}`, tip: true })),
          Plot.ruleX(data.bands, { x: "0", stroke: "currentColor", strokeDasharray: "3,3" }),
          Plot.text(data.bands, { x: "0", text: ([from, action]) => `${action} ${from}`, frameAnchor: "top", dy: -12 }),
          Plot.ruleY([0]),
        ],
      });
      return data.labels ? [key(used), chart] : [chart];
    },

    hours(width, part) {
      const rows = data.hours.flatMap((day, place) =>
        day.map((counts, hour) => ({ day: DAYS[place], hour, count: counts[part] })));
      const cell = (width - 44) / 24;
      const chart = plot(width, {
        height: 7 * Math.min(26, Math.max(16, cell)) + 34,
        marginTop: 6,
        marginLeft: 34,
        marginRight: 6,
        padding: 0.06,
        x: { label: null, domain: d3.range(24), tickFormat: (hour) => String(hour).padStart(2, "0"),
          ticks: d3.range(0, 24, width < 500 ? 3 : 1), tickSize: 0 },
        y: { label: null, domain: DAYS, tickSize: 0 },
        opacity: { type: "linear", domain: [0, d3.max(rows, (row) => row.count) || 1], range: [0.07, 1] },
        marks: [
          Plot.cell(rows, { x: "hour", y: "day", fill: color("heat"), fillOpacity: "count",
            title: (row) => `${row.day} ${String(row.hour).padStart(2, "0")}:00 to ${String(row.hour).padStart(2, "0")}:59\n${whole(row.count)}`, tip: true }),
        ],
      });
      return [chart];
    },

    labels(width) {
      const { labels } = data;
      const fraud = labels.events.fraud;
      const curve = [];
      let [found, wrong] = [0, 0];
      for (const [score, [of, legitimate]] of d3.sort(data.scores, ([score]) => -score)) {
        if (score === 0) break;
        [found, wrong] = [found + of, wrong + legitimate];
        if (found + wrong) curve.push({ score, recall: found / (fraud || 1), precision: found / (found + wrong) });
      }
      const rules = labels.rules.filter((rule) => rule.precision !== null && rule.recall !== null)
        .map((rule) => ({ name: rule.rule, kind: rule.shadow ? "shadow" : "rule", ...rule }));
      const any = labels.any_rule;
      if (any.precision !== null && any.recall !== null) rules.push({ name: "any live rule", kind: "any", ...any });
      const told = (row) => `${row.name}\nprecision ${percent(row.precision)}\nrecall ${percent(row.recall)}\nhits ${whole(row.hits)}`;
      const height = Math.min(420, Math.max(300, width * 0.6));
      const most = d3.max([...rules, ...curve], (row) => row.recall) || 1;
      // A name is written where no other lies in its way; the pointer tells the rest.
      const taken = [];
      const written = d3.sort(rules, (row) => -row.hits).filter((row) => {
        const at = (row.recall / most) * (width - 120);
        const left = row.recall > 0.6 * most ? at - row.name.length * 7 : at;
        const box = { left, right: left + row.name.length * 7, y: row.precision * (height - 90) };
        const free = !taken.some((other) => box.left < other.right && other.left < box.right && Math.abs(box.y - other.y) < 15);
        return free && taken.push(box);
      });
      const kinds = ["rule", "shadow", "any"].filter((kind) => rules.some((row) => row.kind === kind));
      const names = { rule: "one rule", shadow: "one shadow rule", any: "any live rule", threshold: "threshold of the score" };
      const shown = [...kinds, ...(curve.length ? ["threshold"] : [])];
      const chart = plot(width, {
        height,
        marginLeft: 46,
        marginTop: 28,
        marginBottom: 40,
        x: { label: "recall: fraud that is hit", domain: [0, Math.min(1, most * 1.15)], tickFormat: "~p", grid: true, ticks: 5 },
        y: { label: "precision: hits that are fraud", domain: [0, 1], insetTop: 16, tickFormat: ".0%", grid: true, ticks: 5 },
        color: palette(kinds),
        marks: [
          Plot.line(curve, { x: "recall", y: "precision", stroke: color("threshold"), strokeWidth: 1.5, clip: true }),
          Plot.dot(curve, { x: "recall", y: "precision", r: 2, fill: color("threshold"),
            title: (row) => `score ${row.score} or more\nprecision ${percent(row.precision)}\nrecall ${percent(row.recall)}`, tip: true }),
          Plot.text(written, { x: "recall", y: "precision", text: "name", dy: -10, textAnchor: "start", filter: (row) => row.recall <= 0.6 * most, stroke: color("card"), strokeWidth: 3, fill: "currentColor" }),
          Plot.text(written, { x: "recall", y: "precision", text: "name", dy: -10, textAnchor: "end", filter: (row) => row.recall > 0.6 * most, stroke: color("card"), strokeWidth: 3, fill: "currentColor" }),
          Plot.dot(rules, { x: "recall", y: "precision", fill: "kind", symbol: "kind", r: 5, stroke: color("card"), title: told, tip: true }),
        ],
      });
      return [key(shown, shown.map((kind) => names[kind])), chart];
    },

    rates(width, part) {
      const of = (name, pick) => series(part, name, pick);
      const rows = [
        ...of("precision", (point) => point.rule.precision),
        ...of("recall", (point) => point.rule.recall),
        ...of("F1", (point) => point.rule.f1),
      ];
      return lines(width, part, rows, ["precision", "recall", "F1"], { label: null, domain: [0, 1], tickFormat: ".0%" }, percent);
    },

    alerts(width, part) {
      const rows = series(part, "hits", (point) => point.hits_a_day);
      const names = ["hits"];
      if (data.labels) {
        rows.push(...series(part, "legitimate", (point) => point.rule.false_positives_a_day));
        names.push("legitimate");
      }
      return lines(width, part, rows, names, { label: "a day", zero: true, tickFormat: short }, d3.format(",.1f"));
    },

    money(width, part) {
      const rows = series(part, "hits", (point) => Number(point.money_hit));
      const names = ["hits"];
      if (data.labels) {
        rows.push(...series(part, "fraud", (point) => Number(point.rule.money_caught)));
        names.push("fraud");
      }
      return lines(width, part, rows, names, { label: data.currency, zero: true, tickFormat: short }, d3.format(",.2f"));
    },

    changes(width) {
      const rows = data.compare.rules.flatMap((rule) => CHANGES.map((kind) => ({
        name: rule.rule,
        label: rule.clause ? `${rule.rule} (${rule.clause})` : rule.rule,
        kind,
        count: d3.sum(Object.values(rule.changes[kind])),
      }))).filter((row) => row.count);
      const carried = CHANGES.map((kind) => ({ name: "", label: "only a restriction", kind, count: data.compare.changes[kind].by_restriction.decisions }));
      rows.push(...carried.filter((row) => row.count));
      const used = CHANGES.filter((kind) => rows.some((row) => row.kind === kind));
      const title = (row) => `${row.label}\n${row.kind}: ${whole(row.count)}`;
      return [key(used, used.map((kind) => (kind === "reasons" ? "other reasons" : kind))), bars(width, rows, used, { unit: "decisions", title })];
    },

    wallets(width) {
      const kinds = ["by a rule", "only a restriction"];
      const rows = data.wallets.flatMap((of, place) => [["rule", of.by_rule], ["restricted", of.others]].map(([kind, count], which) => ({
        name: place, label: `${place + 1}. ${of.wallet}`, kind, count, what: kinds[which],
      }))).filter((row) => row.count);
      const used = ["rule", "restricted"].filter((kind) => rows.some((row) => row.kind === kind));
      const title = (row) => `${row.label}\n${row.what}: ${whole(row.count)}`;
      const names = used.map((kind) => kinds[kind === "rule" ? 0 : 1]);
      return [key(used, names), bars(width, rows, used, { unit: "decisions", title })];
    },
  };

  const series = (part, name, pick) =>
    data.sweeps[part].points.map((point) => ({ value: point.value, name, y: pick(point) })).filter((row) => row.y !== null);

  // Curves over the values of a sweep: numbers on a scale, spans of time one beside the other.
  const lines = (width, part, rows, names, y, told) => {
    const { points } = data.sweeps[part];
    const numeric = points.every((point) => Number.isFinite(Number(point.value)));
    const x = (row) => (numeric ? Number(row.value) : row.value);
    const now = points.filter((point) => point.current);
    const chart = plot(width, {
      height: 220,
      marginLeft: 52,
      marginTop: 28,
      marginBottom: 40,
      marginRight: 24,
      x: { type: numeric ? "linear" : "point", label: data.sweeps[part].sweep, ticks: Math.min(points.length, width / 80),
        ...(numeric ? { tickFormat: short, inset: 12 } : { domain: points.map((point) => point.value) }) },
      y: { grid: true, ticks: 4, ...y },
      color: palette(names),
      marks: [
        Plot.ruleX(now, { x, stroke: "currentColor", strokeDasharray: "3,3" }),
        Plot.text(now, { x, text: () => "now", frameAnchor: "top", dy: -12 }),
        Plot.line(rows, { x, y: "y", stroke: "name", strokeWidth: 2 }),
        Plot.dot(rows, { x, y: "y", fill: "name", symbol: "name", r: 4, stroke: color("card"),
          title: (row) => `${row.value}\n${row.name}: ${told(row.y)}`, tip: true }),
      ],
    });
    return [key(names), chart];
  };

  const figures = [...document.querySelectorAll("figure[data-chart]")];
  const PAPER = 680;

  const draw = (figure, width) => {
    const drawn = charts[figure.dataset.chart](width, Number(figure.dataset.part));
    const chart = drawn.at(-1);
    // The library's own style; the page's has the same, and the page's policy allows no other.
    chart.querySelectorAll("style").forEach((style) => style.remove());
    chart.setAttribute("role", "img");
    chart.setAttribute("aria-label", figure.querySelector("figcaption").textContent);
    figure.querySelector(".plot").replaceChildren(...drawn);
    figure.dataset.width = width;
    figure.dataset.drawn = chart.querySelectorAll("rect, path, circle, line").length;
  };

  const drawAll = (paper) => {
    for (const figure of figures) {
      const width = paper || Math.floor(figure.querySelector(".plot").clientWidth) || PAPER;
      if (Number(figure.dataset.width) !== width) draw(figure, width);
    }
  };

  drawAll();
  document.documentElement.dataset.charts = `${figures.filter((figure) => Number(figure.dataset.drawn) > 0).length} of ${figures.length}`;
  let printing = false;
  addEventListener("resize", () => printing || drawAll());
  addEventListener("beforeprint", () => { printing = true; drawAll(PAPER); });
  addEventListener("afterprint", () => { printing = false; drawAll(); });
})();

"use strict";
// A click on a column sorts a table. Two figures become charts that say what is under the pointer.
const SVG = "http://www.w3.org/2000/svg";

function add(parent, tag, attributes, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
}

function number(text) {
  const found = /^[<>+]?\s*[-−]?\d[\d.,]*(e[-+]?\d+)?(?!\w)/i.exec(text); // no id such as 1f95
  return found ? parseFloat(found[0].replace("−", "-").replace(/[<>+,\s]/g, "")) : NaN;
}

function sort(table, column, isDown) {
  const value = (row) => row.cells[column].textContent.trim();
  const isMissing = (row) => ["", "–"].includes(value(row));
  const order = (a, b) => {
    const [x, y] = [number(value(a)), number(value(b))];
    // rows without a value come last, before them those without a number
    if (isMissing(a) !== isMissing(b)) return isMissing(a) - isMissing(b);
    if (isNaN(x) !== isNaN(y)) return isNaN(x) - isNaN(y);
    const less = isNaN(x) ? value(a).localeCompare(value(b)) : x - y;
    return isDown ? -less : less;
  };
  const body = table.tBodies[0];
  if (!table.classList.contains("sorted")) {
    body.rows[0].classList.add("first"); // stays marked
    // a name that stands for the rows below it as well
    [...body.rows].forEach((row) => { row.cells[0].textContent ||= row.previousElementSibling?.cells[0].textContent; });
  }
  table.classList.add("sorted");
  body.append(...[...body.rows].sort(order));
}

for (const table of document.querySelectorAll(".wide table")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const click = () => {
      const isDown = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", isDown ? "descending" : "ascending");
      sort(table, column, isDown);
    };
    head.tabIndex = 0;
    head.addEventListener("click", click);
    head.addEventListener("keydown", (event) => event.key === "Enter" && click());
  });
}

function frame(place, height, hint) {
  const image = place.querySelector("img");
  image.classList.add("replaced"); // which is what is printed
  const svg = add(place, "svg", { viewBox: `0 0 1000 ${height}`, role: "img", "aria-label": image.alt });
  const note = add(svg, "text", { x: 40, y: 18, class: "note" }, hint);
  const hover = (node, text, on = () => {}) => {
    node.addEventListener("pointerenter", () => { note.textContent = text; on(true); });
    node.addEventListener("pointerleave", () => { note.textContent = hint; on(false); });
  };
  return [svg, hover];
}

function parallel(place, chart) {
  const [svg, hover] = frame(place, 410, chart.hint), ranges = new Map();
  const x = (n) => 40 + (n * 840) / Math.max(chart.axes.length - 1, 1), y = (at) => 360 - 310 * at;
  const color = (good) => `color-mix(in oklab, var(--blue) ${Math.round(100 * good)}%, var(--faint))`;
  const lines = chart.lines.map((text, line) => {
    const points = chart.axes.map((axis, n) => [x(n), axis.positions[line]]);
    const drawn = points.filter(([, at]) => at !== null).map(([left, at]) => `${left},${y(at)}`);
    const node = add(svg, "polyline", { points: drawn.join(" "), class: "line", stroke: color(chart.good[line]) });
    hover(node, text, (on) => node.classList.toggle("over", on));
    return node;
  });
  lines.slice().reverse().forEach((node) => svg.append(node)); // the best on top
  const show = () => lines.forEach((node, line) => {
    const isIn = [...ranges].every(([n, [low, high]]) => {
      const at = chart.axes[n].positions[line];
      return at !== null && low <= at && at <= high;
    });
    node.classList.toggle("out", !isIn);
  });
  chart.axes.forEach((axis, n) => {
    add(svg, "line", { x1: x(n), x2: x(n), y1: 50, y2: 360, class: "axis" });
    const below = chart.axes.length > 4 && n % 2 ? 402 : 385; // long names would run together
    add(svg, "text", { x: x(n), y: below, "text-anchor": "middle" }, axis.name);
    for (const [at, label] of axis.ticks) add(svg, "text", { x: x(n) + 6, y: y(at) + 4, class: "tick" }, label);
    const brush = add(svg, "rect", { x: x(n) - 7, width: 14, class: "brush" });
    const area = add(svg, "rect", { x: x(n) - 9, width: 18, y: 44, height: 322, class: "area" });
    const at = (event) => {
      const box = area.getBoundingClientRect();
      return 1 - (((event.clientY - box.top) / box.height) * 322 - 6) / 310;
    };
    let start = null;
    area.addEventListener("pointerdown", (event) => { start = at(event); area.setPointerCapture(event.pointerId); });
    area.addEventListener("pointermove", (event) => start !== null && select(start, at(event)));
    area.addEventListener("pointerup", (event) => { select(start, at(event)); start = null; });
    function select(from, to) {
      const [low, high] = [Math.min(from, to), Math.max(from, to)], isClear = high - low < 0.02;
      isClear ? ranges.delete(n) : ranges.set(n, [low, high]); // a click takes a selection away
      brush.setAttribute("y", y(high));
      brush.setAttribute("height", isClear ? 0 : y(low) - y(high));
      show();
    }
  });
}

function progress(place, chart) {
  const [svg, hover] = frame(place, 320, chart.hint), last = chart.jobs.at(-1);
  const x = (job) => 70 + (900 * (job - 1)) / Math.max(last - 1, 1), y = (at) => 285 - 245 * at;
  let path = `M${x(chart.jobs[0])},${y(chart.best[0])}`;
  chart.jobs.forEach((job, n) => { path += `H${x(job)}V${y(chart.best[n])}`; });
  add(svg, "path", { d: `${path}H${x(last)}`, class: "best" });
  chart.jobs.forEach((job, n) => {
    hover(add(svg, "circle", { cx: x(job), cy: y(chart.positions[n]), r: 5 }), chart.texts[n]);
    if (n === 0 || job === last) add(svg, "text", { x: x(job), y: 310, "text-anchor": "middle" }, job);
  });
  add(svg, "line", { x1: 65, x2: 975, y1: 290, y2: 290, class: "axis" });
  for (const [at, label] of chart.ticks) add(svg, "text", { x: 58, y: y(at) + 4, "text-anchor": "end" }, label);
}

for (const place of document.querySelectorAll("[data-chart]")) {
  const chart = JSON.parse(place.dataset.chart);
  ({ parallel, progress })[chart.kind](place, chart);
}

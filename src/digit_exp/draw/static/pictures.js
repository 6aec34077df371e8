// Arrays as pictures: pixels from paper to ink, other numbers from blue over nothing to orange.

const painted = new Map();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const again of painted.values()) again();
});

/** Return the numbers of an array as the server sends it. */
export function numbers({ shape, data }) {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  return { shape, values: new Float32Array(bytes.buffer) };
}

/** Paint one or several images of `rows` × `columns`, side by side with a gap between them. */
export function paint(canvas, { shape, values }, options = {}) {
  const again = () => draw(canvas, shape, values, options);
  for (const old of painted.keys()) if (!old.isConnected && old !== canvas) painted.delete(old);
  painted.set(canvas, again);
  again();
  canvas.setAttribute("role", "img");
  if (options.label) canvas.setAttribute("aria-label", options.label);
  canvas.onpointermove = (event) => {
    canvas.title = valueAt(canvas, shape, values, event);
  };
}

/** Return the smallest and the largest number, and the largest magnitude. */
export function range(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return { low, high, magnitude: Math.max(Math.abs(low), Math.abs(high)) };
}

/** Write a number with three digits. */
export function short(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size < 1e-3 || size >= 1e5 ? value.toExponential(1) : String(+value.toPrecision(3));
  return text.replaceAll("-", "−");
}

function layout([tiles, rows, columns]) {
  const across = Math.min(tiles, rows > 60 ? 4 : tiles > 12 ? 6 : 5);
  const gap = tiles > 1 ? 2 : 0;
  const down = Math.ceil(tiles / across);
  return { across, gap, width: across * (columns + gap) - gap, height: down * (rows + gap) - gap };
}

function draw(canvas, shape, values, { kind = "signed", under = null, scale = null }) {
  const [tiles, rows, columns] = shape;
  const { across, gap, width, height } = layout(shape);
  const colours = palette(canvas);
  const top = scale ?? range(values).magnitude;
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let tile = 0, at = 0; tile < tiles; tile++) {
    const left = (tile % across) * (columns + gap);
    const above = Math.floor(tile / across) * (rows + gap);
    for (let cell = 0; cell < rows * columns; cell++, at++) {
      const x = left + (cell % columns), y = above + Math.floor(cell / columns);
      const colour = kind === "pixels" ? mix(colours.paper, colours.ink, values[at])
        : signed(colours, values[at], top, under && under[at]);
      if (colour) image.data.set(colour, 4 * (y * width + x));
    }
  }
  context.putImageData(image, 0, 0);
}

function signed(colours, value, top, under) {
  if (Number.isNaN(value)) return null;
  const share = top > 0 ? Math.abs(value) / top : 0;
  const ground = under === null ? colours.zero : mix(colours.paper, colours.faint, under);
  return mix(ground, value > 0 ? colours.positive : colours.negative, Math.min(1, share) ** 0.7);
}

function mix(from, to, share) {
  return [0, 1, 2].map((i) => from[i] + (to[i] - from[i]) * share).concat(255);
}

function palette(canvas) {
  const style = getComputedStyle(canvas);
  const colour = (name) => {
    const text = style.getPropertyValue(name).trim().slice(1);
    const full = text.length === 3 ? [...text].map((c) => c + c).join("") : text;
    return [0, 2, 4].map((i) => parseInt(full.slice(i, i + 2), 16));
  };
  const [paper, ink, zero] = ["--paper", "--ink", "--zero"].map(colour);
  const [positive, negative] = ["--positive", "--negative"].map(colour);
  return { paper, ink, zero, positive, negative, faint: mix(paper, ink, 0.45) };
}

function valueAt(canvas, shape, values, event) {
  const [, rows, columns] = shape;
  const { across, gap, width, height } = layout(shape);
  const box = canvas.getBoundingClientRect();
  const x = Math.floor(((event.clientX - box.left) / box.width) * width);
  const y = Math.floor(((event.clientY - box.top) / box.height) * height);
  const tile = Math.floor(y / (rows + gap)) * across + Math.floor(x / (columns + gap));
  const row = y % (rows + gap), column = x % (columns + gap);
  if (row >= rows || column >= columns) return "";
  const value = values[(tile * rows + row) * columns + column];
  return value === undefined || Number.isNaN(value) ? "" : `row ${row}, column ${column}: ${short(value)}`;
}

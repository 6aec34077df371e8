// The tab "Draw": asks the server what the runs read, and shows the answer and the reasons.

import { Pad } from "./pad.js";
import { numbers, paint, range, short } from "./pictures.js";

const MOST_BYTES = 10e6;
const MOST_BARS = 12;
const get = (id) => document.getElementById(id);
const percent = (p) => `${p > 0.99995 && p < 1 ? ">99.99" : (100 * p).toFixed(p < 0.0995 || p > 0.9 ? 2 : 1)} %`;

export function drawTab(runs, say) {
  const cards = runs.map((run, number) => card(run, number));
  get("runs").classList.toggle("single", runs.length === 1);
  get("runs").append(...cards.map((each) => each.element));
  let chosen = 0, target = null, wanted = false, busy = false, latest = null;

  const pad = new Pad(get("pad"), { changed: ask, said: say });
  tools(pad, refuse);
  classes();
  get("runs").addEventListener("change", (event) => {
    chosen = Number(event.target.value);
    target = null;
    classes();
    ask();
  });
  get("classes").addEventListener("change", (event) => {
    target = event.target.value === "" ? null : Number(event.target.value);
    ask();
  });

  /** Ask for an answer to what is drawn; while one is on its way, ask once more after it. */
  async function ask() {
    wanted = true;
    document.body.setAttribute("aria-busy", "true");
    if (busy) return;
    busy = true;
    while (wanted) {
      wanted = false;
      await answer().catch((error) => refuse(`The server does not answer: ${error.message}`));
    }
    busy = false;
    document.body.setAttribute("aria-busy", "false");
  }

  async function answer() {
    get("pad-hint").hidden = !pad.isEmpty;
    if (pad.isEmpty) return show(null);
    const body = await pad.encoded();
    const started = performance.now();
    const query = new URLSearchParams({ run: chosen, ...(target === null ? {} : { target }) });
    const response = await fetch(`api/read?${query}`, { method: "POST", body });
    const found = await response.json();
    if (!response.ok) return refuse(found.detail);
    get("answered").textContent = `Answered in ${(performance.now() - started).toFixed(0)} ms.`;
    show(found);
  }

  function show(found) {
    latest = found;
    cards.forEach((each, number) => each.show(found && found.results[number]));
    const why = found && found.why;
    get("why").hidden = !why;
    if (!found) {
      get("answered").textContent = "";
      return;
    }
    say(found.results.map((result, number) => sentence(result, runs, number)).join(" "));
    if (why) explain(why, found.results[chosen], runs[chosen], target === null);
  }

  function refuse(problem) {
    cards.forEach((each) => each.show({ problem, class: null, probabilities: [] }));
    get("why").hidden = true;
    get("answered").textContent = "";
    say(problem);
  }

  function classes() {
    const names = ["second most likely", ...runs[chosen].classes];
    get("classes").querySelectorAll("label").forEach((old) => old.remove());
    names.forEach((name, place) => {
      const label = make("label"), input = make("input"), text = make("span", name);
      Object.assign(input, { type: "radio", name: "class", value: place ? place - 1 : "" });
      input.checked = place === 0;
      label.append(input, text);
      get("classes").append(label);
    });
  }
}

function sentence(result, runs, number) {
  const run = runs.length > 1 ? `${runs[number].label}: ` : "";
  if (result.class === null) return `${run}${result.problem}.`;
  return `${run}${runs[number].classes[result.class]}, ${percent(result.confidence)}.`;
}

/** Return the card of a run, and how a result is shown on it. */
function card(run, number) {
  const element = make("article"), label = make("label"), input = make("input");
  element.className = "card";
  Object.assign(input, { type: "radio", name: "run", value: number, checked: number === 0 });
  label.append(input, make("span", run.label));
  const about = make("p", `${run.data} · ${run.shape.join(" × ")} pixels · ${run.parameters.toLocaleString("en")} parameters`, "help");
  const verdict = make("div", "", "verdict");
  const seen = make("canvas"), name = make("output", "", "class"), side = make("div");
  const confidence = make("span", "", "confidence"), note = make("span", "", "help");
  const bars = make("ol", "", "bars");
  side.append(confidence, note);
  verdict.append(seen, name, side);
  element.append(label, about, verdict, bars);
  const show = (result) => {
    const read = result && result.class !== null;
    seen.hidden = !(result && result.seen);
    name.hidden = !read;
    name.textContent = read ? run.classes[result.class] : "";
    name.classList.toggle("long", name.textContent.length > 2);
    confidence.textContent = read ? percent(result.confidence) : "";
    note.className = result && !read ? "problem" : "help";
    note.textContent = read ? (run.calibrated ? "calibrated confidence" : "confidence, not calibrated")
      : result ? result.problem : "waits for a drawing";
    if (result && result.seen) {
      const { shape, values } = numbers(result.seen);
      paint(seen, { shape: [1, ...shape], values: values.map((v) => v / 255) }, { kind: "pixels", label: "what the network sees" });
    }
    bars.replaceChildren(...columns(run, read ? result.probabilities : []));
  };
  show(null);
  return { element, show };
}

/** Return a bar for each class; of many classes, for the most probable. */
function columns(run, probabilities) {
  let order = run.classes.map((_, k) => k);
  const best = probabilities.indexOf(Math.max(...probabilities));
  if (order.length > MOST_BARS) {
    order.sort((a, b) => (probabilities[b] ?? 0) - (probabilities[a] ?? 0));
    order = order.slice(0, MOST_BARS);
  }
  return order.map((k) => {
    const bar = make("li"), track = make("div", "", "track"), name = make("span", run.classes[k]);
    const p = probabilities[k] ?? 0;
    track.style.setProperty("--share", p);
    bar.classList.toggle("first", k === best);
    bar.title = `${run.classes[k]}: ${percent(p)}`;
    bar.append(track, name, make("span", percent(p), "hidden-text"));
    return bar;
  });
}

function explain(why, result, run, isSecond) {
  const name = run.classes[why.target];
  get("why-title").textContent = `Why ${run.label} reads ${run.classes[result.class]}`;
  const gradient = numbers(why.gradient), seen = numbers(result.seen).values.map((v) => v / 255);
  paint(get("gradient"), { shape: [1, ...gradient.shape], values: gradient.values }, {
    under: seen,
    label: `gradient of log p of ${name}, from ${short(range(gradient.values).low)} to ${short(range(gradient.values).high)}`,
  });
  const second = isSecond ? ", the second most likely class" : "";
  get("gradient-text").replaceChildren(
    `The gradient ∂ log p(${name}) / ∂ pixel. To be read more like ${name}${second}: more ink on `,
    make("b", "orange", "plus"), " pixels, less on ", make("b", "blue", "minus"),
    ` ones. Its p is ${percent(result.probabilities[why.target])}.`,
  );
  get("units").replaceChildren(...why.units.map((unit) => {
    const item = make("li"), canvas = make("canvas"), { shape, values } = numbers(unit.weights);
    const sign = unit.share < 0 ? "minus" : "plus";
    const share = (unit.share > 0 ? "+" : "") + short(unit.share);
    item.append(canvas, make("b", share, sign), `unit ${unit.number}, output ${short(unit.output)}`);
    requestAnimationFrame(() => paint(canvas, { shape: [1, ...shape], values }, { label: `weights of unit ${unit.number}` }));
    return item;
  }));
  get("hidden").replaceChildren(...why.hidden.map((layer) => {
    const figure = make("figure"), canvas = make("canvas"), { shape, values } = numbers(layer.values);
    const active = values.filter((value) => value > 0).length;
    const text = `${layer.name}: ${active} of ${values.length} outputs above 0, the largest ${short(range(values).high)}`;
    figure.append(canvas, make("figcaption", text));
    requestAnimationFrame(() => paint(canvas, shape.length === 3 ? { shape, values } : inRows(values), { label: text }));
    return figure;
  }));
  if (!why.hidden.length) get("hidden").replaceChildren(make("p", "This network has no hidden layer.", "help"));
}

/** Return a vector as rows of 16 or 32 numbers. */
function inRows(values) {
  const across = values.length > 256 ? 32 : 16, rows = Math.ceil(values.length / across);
  const padded = new Float32Array(rows * across).fill(NaN);
  padded.set(values);
  return { shape: [1, rows, across], values: padded };
}

/** Connect buttons, files that are dropped or pasted, and the width of the pen. */
function tools(pad, refuse) {
  const open = (file) => {
    if (!file) return;
    if (file.size > MOST_BYTES) refuse(`the picture has ${file.size.toLocaleString("en")} bytes; at most 10,000,000 are allowed`);
    else pad.open(file);
  };
  get("clear").addEventListener("click", () => pad.clear());
  get("undo").addEventListener("click", () => pad.undo());
  get("open").addEventListener("click", () => get("file").click());
  get("file").addEventListener("change", (event) => {
    open(event.target.files[0]);
    event.target.value = "";
  });
  get("pen").addEventListener("input", (event) => {
    pad.width = event.target.value / 560;
  });
  const frame = document.querySelector(".pad-frame");
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    frame.classList.add("over");
  });
  document.addEventListener("dragleave", () => frame.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    frame.classList.remove("over");
    open(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => open(event.clipboardData.files[0]));
}

function make(tag, text = "", className = "") {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  if (className) element.className = className;
  return element;
}

// The tab "One step": the stages of a training step, as a diagram and one at a time.

import { numbers, paint, range, short } from "./pictures.js";

const get = (id) => document.getElementById(id);
const PHASES = { forward: "forward", backward: "backward", loss: "", update: "" };
const WORDS = /(#.*$)|("""[\s\S]*?"""|"[^"\n]*")|\b(def|return|for|in|if|else|None|True|False|and|or|not|is)\b/gm;

/** Set up the tab; return what is to be called when it is opened. */
export function stepTab(runs, say) {
  let stages = [], current = 0, isLoaded = false;
  runs.forEach((run, number) => get("step-run").append(new Option(run.label, number)));
  get("run-label").hidden = runs.length === 1;
  get("choice").addEventListener("submit", (event) => event.preventDefault());
  get("step-run").addEventListener("change", load);
  get("image").addEventListener("change", load);
  get("random").addEventListener("click", () => {
    get("image").value = Math.floor(Math.random() * (Number(get("image").max) + 1));
    load();
  });
  get("previous").addEventListener("click", () => show(current - 1));
  get("next").addEventListener("click", () => show(current + 1));
  get("step").addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || event.target.matches("input, select, pre")) return;
    event.preventDefault();
    show(current + by);
  });

  async function load() {
    const query = new URLSearchParams({ run: get("step-run").value, image: get("image").value || 0 });
    const response = await fetch(`api/step?${query}`);
    const found = await response.json();
    get("image-text").textContent = "";
    if (!response.ok) {
      const { detail } = found;
      get("image-text").textContent = typeof detail === "string" ? detail : "The number is not valid.";
      return;
    }
    isLoaded = true;
    stages = found.stages;
    get("image").max = found.images - 1;
    const name = runs[get("step-run").value || 0].classes[found.label];
    get("image-text").textContent = `label ${name}, of ${found.images.toLocaleString("en")} images`;
    diagram();
    show(Math.min(current, stages.length - 1));
  }

  /** Layers are columns: the forward pass runs through the first row, the backward pass returns. */
  function diagram() {
    const names = stages.filter((stage) => stage.phase === "forward").map((stage) => stage.name);
    get("flow").replaceChildren(...stages.map((stage, place) => {
      const item = document.createElement("li"), button = document.createElement("button");
      const column = { loss: names.length, update: 0 }[stage.phase] ?? names.indexOf(stage.name);
      item.className = stage.phase;
      item.style.gridColumn = column + 1;
      item.style.gridRow = { forward: 1, loss: "1 / 3" }[stage.phase] ?? 2;
      button.textContent = stage.name;
      button.setAttribute("aria-label", title(stage));
      button.addEventListener("click", () => show(place));
      item.append(button);
      return item;
    }));
  }

  function show(place) {
    if (!stages[place]) return;
    current = place;
    const stage = stages[place];
    const buttons = get("flow").querySelectorAll("button");
    buttons.forEach((button, at) => {
      if (at === place) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
    });
    const frame = get("flow").parentElement, item = buttons[place].parentElement;
    frame.scrollLeft = item.offsetLeft - (frame.clientWidth - item.offsetWidth) / 2;
    get("previous").disabled = place === 0;
    get("next").disabled = place === stages.length - 1;
    get("stage-title").textContent = title(stage);
    get("stage-text").textContent = stage.text;
    get("stage-pictures").replaceChildren(...stage.pictures.map(figure));
    get("stage-code").replaceChildren(...stage.code.map(listing));
    stage.pictures.forEach((picture, at) => {
      const array = numbers(picture.values);
      const canvas = get("stage-pictures").querySelectorAll("canvas")[at];
      paint(canvas, array, { kind: picture.is_pixels ? "pixels" : "signed", label: picture.equation });
      const side = `${canvas.width * scale(canvas)}px`;
      canvas.style.width = side;
      canvas.parentElement.style.width = `max(${side}, 200px)`;
    });
    say(`Stage ${place + 1} of ${stages.length}: ${title(stage)}. ${stage.text}`);
  }

  return () => {
    if (!isLoaded) load();
  };
}

function title({ phase, name }) {
  return PHASES[phase] ? `${name}, ${PHASES[phase]}` : name;
}

/** Enlarge by whole numbers, so that all cells of a picture are equal. */
function scale({ width, height }) {
  const longer = Math.max(width, height);
  return Math.max(1, Math.floor((longer > 60 || height === 1 ? 370 : 236) / longer));
}

/** A few numbers, each below its cell of the picture. */
function cells(values) {
  const element = document.createElement("ol");
  element.className = "cells";
  const { magnitude } = range(values);
  for (const [place, value] of values.entries()) {
    const item = document.createElement("li");
    item.append(Object.assign(document.createElement("b"), { textContent: place }));
    item.append(Math.abs(value) < magnitude / 200 ? "0" : brief(value));
    element.append(item);
  }
  return element;
}

function figure(picture) {
  const element = document.createElement("figure"), equation = document.createElement("p");
  const caption = document.createElement("figcaption");
  const array = numbers(picture.values), { low, high } = range(array.values);
  equation.className = "equation";
  equation.textContent = picture.equation;
  caption.textContent = `${picture.caption}; ${short(low)} to ${short(high)}`;
  element.append(equation, document.createElement("canvas"));
  if (array.shape[1] === 1 && array.shape[2] <= 16) element.append(cells(array.values));
  element.append(caption);
  return element;
}

/** Write a number in six letters or less. */
function brief(value) {
  const text = short(+value.toPrecision(2));
  return text.includes("e") ? short(+value.toPrecision(1)).replace(".0", "") : text;
}

function listing({ where, text }) {
  const element = document.createElement("section"), heading = document.createElement("h3");
  const code = document.createElement("pre");
  heading.textContent = where;
  code.tabIndex = 0;
  code.setAttribute("aria-label", where);
  let from = 0;
  for (const match of text.matchAll(WORDS)) {
    const word = document.createElement("span");
    word.className = match[1] ? "note" : match[2] ? "text" : "word";
    word.textContent = match[0];
    code.append(text.slice(from, match.index), word);
    from = match.index + match[0].length;
  }
  code.append(text.slice(from));
  element.append(heading, code);
  return element;
}

// The two tabs, and what both use: the runs, and the voice of screen readers.

import { drawTab } from "./draw.js";
import { stepTab } from "./step.js";

const tabs = [...document.querySelectorAll("[role=tab]")];
const announcement = document.getElementById("announcement");
let waiting = 0;

/** Let screen readers say a sentence, once nothing else was to be said for a moment. */
function say(sentence) {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    announcement.textContent = sentence;
  }, 500);
}

function select(tab) {
  for (const each of tabs) {
    const chosen = each === tab;
    each.setAttribute("aria-selected", chosen);
    each.tabIndex = chosen ? 0 : -1;
    document.getElementById(each.getAttribute("aria-controls")).hidden = !chosen;
  }
  if (tab.id === "tab-step") opened();
  history.replaceState(null, "", `#${tab.getAttribute("aria-controls")}`);
}

for (const [place, tab] of tabs.entries()) {
  tab.addEventListener("click", () => select(tab));
  tab.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    const other = tabs[(place + by + tabs.length) % tabs.length];
    other.focus();
    select(other);
  });
}

const runs = await (await fetch("api/runs")).json();
drawTab(runs, say);
const opened = stepTab(runs, say);
if (location.hash === "#step") select(tabs[1]);
document.body.dataset.ready = "true";

// Runs before MLflow's page, and makes the choices that it keeps in the browser, where they are
// missing: model training instead of language models, no Assistant, and the charts of a run. The
// plain address goes on to the page that was asked for; MLflow's own is at `#/`.
const {start} = document.currentScript.dataset;
if (start && !location.hash) location.replace(start);

const choices = {
  "mlflow.workflowType_v1": "machine_learning",
  "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": true,
  "mlflow.settings.telemetry.enabled_v1": false,
  "mlflow.telemetry.info.alert.dismissed_v1": true,
};

const line = (name, metrics, scale) => ({
  uuid: name, type: "LINE", metricSectionId: "learning", deleted: false, isGenerated: false,
  displayName: name, metricKey: metrics[0], selectedMetricKeys: metrics, scaleType: scale,
  xAxisKey: "step", xAxisScaleType: "linear", lineSmoothness: 0,
});

const chartsOfRun = {
  autoRefreshEnabled: true,
  isAccordionReordered: true,  // else sections are sorted by name
  globalLineChartConfig: {xAxisKey: "step", lineSmoothness: 0, selectedXAxisMetricKey: ""},
  compareRunCharts: [
    line("loss", ["train_loss", "val_loss"], "log"),
    line("accuracy", ["train_acc", "val_acc"], "log"),  // a linear axis would begin at 0
    line("learning rate", ["learning_rate"], "linear"),
  ],
  compareRunSections: [
    {uuid: "learning", name: "Learning", columns: 3, cardHeight: 320},
    {uuid: "rest", name: "Model metrics", columns: 3, cardHeight: 320, display: false},
  ].map(section => ({display: true, isReordered: true, deleted: false, isGenerated: false, ...section})),
};

function keep(key, value) {
  try {
    if (localStorage.getItem(key) === null) localStorage.setItem(key, JSON.stringify(value));
  } catch (error) {
    // a browser that keeps nothing
  }
}

function prepare() {
  const run = location.hash.match(/\/runs\/([0-9a-f]{32})/);
  if (run) keep(`MLflowLocalStorage-1.1-RunPage-${run[1]}-model-chartUIState`, chartsOfRun);
}

for (const [key, value] of Object.entries(choices)) keep(key, value);
prepare();
for (const name of ["pushState", "replaceState"]) {
  const original = history[name];
  history[name] = function (...words) {
    original.apply(this, words);
    prepare();
  };
}

// A link to a sweep opens a view that is saved with the experiment; MLflow says so on every visit.
// Of a run's tags, those that the program writes for itself are in the file run.json. The
// description of a run has a picture, of which MLflow shows nothing until "Show more" is pressed.
const internal = ["digit_exp.", "version.", "machine.", "source.", "git.", "data.digest"];
const hidden = [
  // more specific than MLflow's own style
  'html body [data-component-id="mlflow.experiment_page.shared_view.banner"][role][class][class]',
  '[data-testid="truncation-gradient"]',
  'html body [data-testid="show-comment-toggle"][class][class]',
  ...internal.map(start => `[data-component-type="tag"][title^="${start}"]`),
];
const style = document.createElement("style");
style.textContent = `${hidden.join(", ")} {display: none !important}
  div:has(> [data-testid="note-view-outer-container"]) {max-height: none !important}`;
document.head.append(style);

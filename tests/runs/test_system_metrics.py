"""What a machine does while a run goes on: kept beside the run, and never part of its results."""

import pytest

from digit_exp.runs import paths
from digit_exp.runs.active_run import ActiveRun, discard_outcome, read_contents, read_epochs
from digit_exp.runs.results.summary import write_config
from digit_exp.runs.runner import start_run
from digit_exp.runs.system_metrics import SystemMonitor, read_samples
from digit_exp.tracking.mlflow.connect import connect
from digit_exp.tracking.mlflow.queries import search
from digit_exp.tracking.mlflow.uri import locate
from tiny_runs import config

MLFLOW_NAMES = {
    *("cpu_utilization_percentage", "system_memory_usage_megabytes"),
    *("system_memory_usage_percentage", "disk_usage_percentage", "disk_usage_megabytes"),
    *("disk_available_megabytes", "network_receive_megabytes", "network_transmit_megabytes"),
}


def test_samples_have_the_names_of_mlflow_and_the_second_of_the_run(tmp_path):
    monitor = SystemMonitor(tmp_path, every=1e-9, started=0)
    for _ in range(3):  # the first call starts the counters
        monitor.measure()
    names = {name.removeprefix("system/") for name in monitor.samples[0].metrics}
    assert names >= MLFLOW_NAMES | {"process_memory_megabytes"}
    assert monitor.samples[0].number == monitor.samples[0].time // 1000
    assert len({sample.number for sample in monitor.samples}) == len(monitor.samples)
    assert read_samples(tmp_path) == monitor.samples


def test_a_resumed_run_appends_and_a_new_one_in_the_folder_does_not(tmp_path):
    for started in (0, -9_000):
        monitor = SystemMonitor(tmp_path, every=1e-9, started=started)
        monitor.measure()
        monitor.measure()
    assert len(read_samples(tmp_path)) == len(monitor.samples) == 2
    discard_outcome(tmp_path)
    assert read_samples(tmp_path) == []


def test_a_machine_that_tells_nothing_does_not_stop_the_run(tmp_path, monkeypatch, caplog):
    def fail():
        raise OSError("no such counter")

    monkeypatch.setattr("psutil.net_io_counters", fail)
    monitor = SystemMonitor(tmp_path, every=1e-9, started=0)
    for _ in range(3):
        monitor.measure()
    assert monitor.samples == []
    assert caplog.messages == ["no system metrics: no such counter"]


@pytest.mark.parametrize("seconds", [1e-9, None])
def test_they_are_mirrored_and_are_no_results(folder, monkeypatch, seconds):
    monkeypatch.chdir(folder)
    place = folder / "run"
    settings = {"backend": "mlflow", "system_metrics": seconds}
    with start_run(config(tracking=settings), place) as run:
        run.write_epochs([{"epoch": 1, "train_loss": 0.5}])
    samples = read_contents(place).samples
    assert bool(samples) == (place / paths.SYSTEM_METRICS).exists() == (seconds is not None)
    client = connect(locate(None, folder))
    name = "system/cpu_utilization_percentage"
    sent = [
        (point.step, point.value) for point in client.get_metric_history(run.record.run_id, name)
    ]
    assert sent == [(sample.number, sample.metrics[name]) for sample in samples]
    assert [epoch.metrics.keys() for epoch in read_epochs(place)] == [{"train_loss"}]
    (trial,) = search(client, ["1"], f"attributes.run_id = '{run.record.run_id}'")
    assert trial.metrics.keys() == {"train_loss"}


def test_an_untracked_run_has_none(tmp_path):
    write_config(config(), tmp_path)
    run = ActiveRun(tmp_path, config())
    run.tracker.follow(run.observed)
    assert not (tmp_path / paths.SYSTEM_METRICS).exists()

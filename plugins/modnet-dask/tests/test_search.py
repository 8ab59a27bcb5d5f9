"""`modnet search --scheduler`: the same search as in one process, pruned trials, lost workers."""

import json
import os
import re
import signal
import threading
import time

import pytest
from modnet_dask import DaskScheduler

import modnet

from .conftest import table
from .test_faults import PLUGIN, workers_of

pytest.importorskip("optuna")

SPEC = """
[network]
input = [4]
layers = [{ type = "linear", out_features = 8, activation = "relu" }, { type = "linear", out_features = 2 }, "softmax"]

[training]
loss = "cross_entropy"
epochs = EPOCHS
optimizer = { type = "adam", learning_rate = 0.01 }

[data]
train = "rows.csv"
target = "kind"
inputs = ["a", "colour"]
validation = 0.3

[search]  # what is looked for
trials = 6
sampler = "random"
pruner = "PRUNER"
training.optimizer.learning_rate = { low = 1e-4, high = 0.1, log = true }
training.batch_size = { choices = [16, 32] }
"""


def spec(folder, epochs=4, pruner="none", rows=300):
    columns = table(rows)
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    path = folder / "kind.toml"
    path.write_text(SPEC.replace("EPOCHS", str(epochs)).replace("PRUNER", pruner))
    return path


def test_trials_that_do_not_depend_on_each_other_are_those_of_one_process(run, tmp_path, address):
    path = spec(tmp_path)
    alone = json.loads(run("search", path, "-o", tmp_path / "alone.toml", "--json").output)
    found = json.loads(run("search", path, "-o", tmp_path / "best.toml", "--json", "--scheduler", address).output)
    assert len(found["trials"]) == 6
    own = {
        name: next(t for t in told["trials"] if t["number"] == told["own"])
        for name, told in (("a", alone), ("b", found))
    }
    assert own["a"]["values"] == own["b"]["values"]
    assert own["a"]["value"] == own["b"]["value"]
    assert [trial["outcome"] for trial in found["trials"]] == ["done"] * 6
    text = (tmp_path / "best.toml").read_text()
    assert "# [search]  # what is looked for\n" in text
    run("train", tmp_path / "best.toml", "-o", tmp_path / "again.modnet")
    assert (
        "the arrays are the same" in run("diff", tmp_path / "best.modnet", tmp_path / "again.modnet", status=1).output
    )


def test_pruning_and_going_on(run, tmp_path, address):
    path = spec(tmp_path, epochs=9, pruner="hyperband")
    call = (
        "search",
        path,
        "-o",
        tmp_path / "best.toml",
        "--scheduler",
        address,
        "--set",
        "search.sampler=tpe",
        "--json",
    )
    found = json.loads(run(*call, "--trials", "10").output)
    outcomes = [trial["outcome"] for trial in found["trials"]]
    assert sorted(set(outcomes)) == ["done", "pruned"]
    assert all(trial["epochs"] < 9 for trial in found["trials"] if trial["outcome"] == "pruned")
    more = json.loads(run(*call, "--trials", "12", "--resume").output)
    assert more["trials"][:10] == found["trials"]
    assert len(more["trials"]) == 12


def test_the_trial_of_a_worker_that_is_killed_is_done_again(tmp_path, client):
    path = spec(tmp_path, epochs=300)  # so long that a worker is nearly always within a trial
    victims = []

    def kill():
        journal = tmp_path / "search" / "journal.log"
        while not journal.exists() or journal.read_text().count('"lease"') < 3:
            time.sleep(0.02)
        time.sleep(0.1)
        victims.append(min(workers_of(client)))
        os.kill(victims[0], signal.SIGKILL)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    found = modnet.search(path, folder=tmp_path / "search", scheduler=DaskScheduler(client))
    killer.join()
    assert victims
    outcomes = [trial.outcome for trial in found.trials]
    assert outcomes.count("done") == 6
    assert outcomes.count("cut off") == 1
    (lost,) = (trial for trial in found.trials if trial.outcome == "cut off")
    assert any(trial.values == lost.values for trial in found.trials if trial.outcome == "done")
    assert found.network is not None


def test_values_that_end_each_worker_have_failed_in_the_end(run, tmp_path, address, client):
    path = spec(tmp_path)
    text = path.read_text().replace("epochs = 4", 'epochs = 4\ncallbacks = [{ type = "deadly", at = 0 }]')
    text = text.replace(
        "training.batch_size = { choices = [16, 32] }", "training.callbacks.0.at = { low = 0, high = 1 }"
    )
    path.write_text(text)
    call = ("search", path, "-o", tmp_path / "best.toml", "--trials", "2", "--scheduler", address, "--json")
    found = json.loads(run(*call, "--plugin", PLUGIN, "--set", "search.seed=1").output)
    told = {trial["outcome"]: trial for trial in found["trials"] if trial["outcome"] != "cut off"}
    assert sorted(told) == ["done", "failed"]
    assert told["failed"]["values"]["training.callbacks.0.at"] == 1
    assert re.search("workers (were lost with|have ended)", told["failed"]["error"])

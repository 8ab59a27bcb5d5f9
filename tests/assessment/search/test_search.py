"""`modnet.search`: what it finds, its repeatability, its processes, and going on after a stop."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import modnet
from modnet.assessment.search import workers
from modnet.assessment.search.result import importance_of
from modnet.assessment.search.study import quiet
from modnet.kinds.callback import Callback

from .problem import rows, spec

pytest.importorskip("optuna")

ROOT = Path(__file__).parents[3]


def values(found):
    return [(trial.outcome, trial.values, trial.value) for trial in found.trials]


@pytest.fixture(scope="module")
def found():
    return modnet.search(spec(), rows())


def test_it_finds_better_values_than_the_specs_own_and_the_worst(found):
    assert len(found.trials) == 12
    done = [trial.value for trial in found.trials if trial.outcome == "done"]
    own = found.trials[found.own - 1]
    assert own.values == {
        "training.optimizer.learning_rate": 1e-3,
        "network.layers.linear_1.out_features": 4,
        "network.layers.1.activation": "tanh",
    }
    assert found.best.value == min(done) < 0.7 * max(done)
    assert found.monitor == "validation_loss"
    assert not found.greater
    assert [trial.number for trial in found.trials] == list(range(1, 13))


def test_the_best_spec_trains_to_the_best_model(found):
    assert found.spec.search is None
    layers = found.spec.plain()["network"]["layers"]
    assert layers[1]["out_features"] == found.best.values["network.layers.linear_1.out_features"]
    again = modnet.train(found.spec, rows()).network
    assert again.parameters.flat.tobytes() == found.network.parameters.flat.tobytes()
    assert again.card.metrics["validation_loss"] == found.best.value
    assert again.card.metrics["test_accuracy"] == found.best.figures["test_accuracy"]


def test_numbers_are_within_their_ranges_and_short(found):
    for trial in found.trials:
        rate = trial.values["training.optimizer.learning_rate"]
        assert 1e-5 <= rate <= 0.3
        assert rate == float(f"{rate:.4g}")
        assert isinstance(trial.values["network.layers.linear_1.out_features"], int)
        assert trial.values["network.layers.1.activation"] in ("relu", "tanh", {"type": "elu", "alpha": 0.5})


def test_it_says_what_mattered(found):
    assert found.importance.keys() == found.best.values.keys()
    assert sum(found.importance.values()) == pytest.approx(1.0)
    assert sorted(found.importance.values(), reverse=True) == list(found.importance.values())
    assert modnet.search(spec(), rows(), trials=4).importance == {}


def test_pruned_and_failed_trials_take_part_in_what_mattered():
    import optuna

    rng = np.random.default_rng(0)
    with quiet():
        study = optuna.create_study(direction="minimize")
    numbers = optuna.distributions.FloatDistribution(0.0, 1.0)
    for place in range(40):
        params = {"a": float(rng.random()), "b": float(rng.random())}
        hopeless = params["a"] > 0.4  # among the others a does not matter
        attributes = {"error": "Diverged: ..."} if hopeless and place % 2 else {}
        study.add_trial(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState.PRUNED if hopeless else optuna.trial.TrialState.COMPLETE,
                value=None if hopeless else params["b"] / 100,
                params=params,
                distributions={"a": numbers, "b": numbers},
                intermediate_values={1: 5.0} if hopeless and not attributes else {},
                user_attrs=attributes,
            )
        )
    with quiet():
        found = importance_of(study)
    assert next(iter(found)) == "a"
    assert found["a"] > 0.5


def test_the_ranking_begins_with_the_best_and_ends_with_what_was_pruned(found):
    ranking = found.ranking()
    assert ranking[0] == found.best
    outcomes = [trial.outcome for trial in ranking]
    assert outcomes == sorted(outcomes)
    assert sorted(trial.number for trial in ranking) == list(range(1, 13))


def test_one_process_and_a_seed_give_the_same_trials(found):
    assert values(modnet.search(spec(), rows())) == values(found)
    other = modnet.search(spec(seed=1, trials=3), rows())
    assert values(other)[0] == values(found)[0]  # the spec's own values
    assert values(other)[1] != values(found)[1]


@pytest.mark.parametrize("sampler", ["random", "gp"])
def test_other_samplers(sampler):
    if sampler == "gp":
        pytest.importorskip("scipy")
        pytest.importorskip("torch")
    found = modnet.search(spec(sampler=sampler, trials=3, pruner="none"), rows())
    assert [trial.outcome for trial in found.trials] == ["done"] * 3


@pytest.mark.parametrize("pruner", ["hyperband", "median"])
def test_trials_that_are_worse_than_others_are_stopped_early(pruner):
    made = spec(pruner=pruner, trials=14)
    made["training"]["epochs"] = 27
    found = modnet.search(made, rows())
    pruned = [trial for trial in found.trials if trial.outcome == "pruned"]
    assert pruned
    assert all(trial.epochs < 27 for trial in pruned)
    assert all(trial.epochs == 27 for trial in found.trials if trial.outcome == "done")
    assert found.best.value < min(trial.value for trial in pruned)


def test_without_a_pruner_every_trial_comes_to_its_end():
    found = modnet.search(spec(pruner="none", trials=4), rows())
    assert [trial.epochs for trial in found.trials] == [9] * 4


def test_a_figure_of_which_more_is_better():
    found = modnet.search(spec(monitor="validation_accuracy", trials=6), rows())
    assert found.greater
    assert found.best.value == max(trial.value for trial in found.trials if trial.outcome == "done")


def test_folds():
    made = spec(folds=3, trials=3, pruner="none")
    del made["data"]["validation"], made["data"]["test"]
    found = modnet.search(made, rows())
    assert found.monitor == "loss"
    assert found.network is None
    assert [trial.epochs for trial in found.trials] == [27] * 3
    means = modnet.cross_validate(found.spec, rows(), folds=3).spread
    assert found.best.value == pytest.approx(means["loss"].mean)
    assert found.best.figures["accuracy"] == pytest.approx(means["accuracy"].mean)


def test_trials_are_stopped_between_folds():
    found = modnet.search(spec(folds=4, trials=16, sampler="random"), rows())
    pruned = [trial for trial in found.trials if trial.outcome == "pruned"]
    assert pruned
    assert all(trial.epochs in (9, 18, 27) for trial in pruned)


def test_the_best_epoch_counts_where_early_stopping_restores_it():
    made = spec(trials=3, pruner="none")
    made["training"]["callbacks"] = [{"type": "early_stopping", "patience": 1}]
    made["search"] = {"trials": 3, "pruner": "none", "training.optimizer.learning_rate": {"low": 0.5, "high": 2.0}}
    found = modnet.search(made, rows())
    again = modnet.train(found.spec, rows())
    assert found.best.value == min(again["validation_loss"])


def test_structure_and_values_within_choices():
    made = spec(trials=8, pruner="none")
    del made["training"]["optimizer"]
    made["network"]["layers"][1] = {
        "type": "repeat",
        "count": 1,
        "layers": [{"type": "linear", "out_features": 4, "activation": "relu"}],
    }
    made["search"] = {
        "trials": 8,
        "network.layers.repeat.count": {"low": 1, "high": 3},
        "training.optimizer.learning_rate": {"low": 0.01, "high": 0.1},
        "training.optimizer": {"choices": ["adam", {"type": "sgd", "momentum": 0.9}]},
    }
    found = modnet.search(made, rows())
    optimizers = [trial.values["training.optimizer"] for trial in found.trials]
    assert "adam" in optimizers
    assert {"type": "sgd", "momentum": 0.9} in optimizers
    assert {trial.values["network.layers.repeat.count"] for trial in found.trials} > {1}
    plain = found.spec.plain()["training"]["optimizer"]
    assert plain["learning_rate"] == found.best.values["training.optimizer.learning_rate"]


def test_a_trial_that_fails_is_recorded_and_the_search_goes_on():
    made = spec(trials=6, pruner="none")
    made["training"]["optimizer"] = "sgd"
    made["search"] = {"trials": 6, "training.optimizer.learning_rate": {"choices": [0.01, 1e38]}}
    made["training"] |= {"loss": "mse", "metrics": []}
    made["network"]["layers"] = [{"type": "linear", "out_features": 1}]
    made["data"]["target"] = "b"
    table = {name: column for name, column in rows().items() if name != "kind"}
    made["network"]["input"] = [1]
    found = modnet.search(made, table)
    failed = [trial for trial in found.trials if trial.outcome == "failed"]
    assert failed
    assert all(trial.error.startswith("Diverged: ") and trial.value is None for trial in failed)
    assert len(found.trials) == 6
    assert found.best.values == {"training.optimizer.learning_rate": 0.01}
    done = [trial for trial in found.trials if trial.outcome == "done"]
    assert [trial.repeats for trial in done] == [None, *[done[0].number] * (len(done) - 1)]
    assert len({trial.value for trial in done}) == 1


def test_no_trial_comes_to_its_end():
    class Stumble(Callback, type="stumble"):
        def modnet_epoch_ended(self, run):
            raise ZeroDivisionError("over and over")

    registry = modnet.Registry()
    registry.register(Stumble)
    made = spec(trials=2)
    made["training"]["callbacks"] = ["stumble"]
    found = modnet.search(made, rows(), registry=registry)
    assert found.best is None
    assert found.network is None
    assert [trial.outcome for trial in found.trials] == ["failed", "failed"]


def test_callbacks_that_write_take_no_part(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = spec(trials=2)
    made["training"]["callbacks"] = [{"type": "json_log", "path": "log.jsonl"}, "checkpoint"]
    modnet.search(made, rows())
    assert list(tmp_path.iterdir()) == []


def test_the_time_ends_a_search_and_cuts_off_its_trial():
    made = spec(trials=50, pruner="none", time=1.5)
    made["training"]["epochs"] = 100_000
    began = time.monotonic()
    found = modnet.search(made, rows())
    assert time.monotonic() - began < 10
    assert found.stopped == "the time is over"
    assert [trial.outcome for trial in found.trials] == ["cut off"]
    assert found.best is None


def test_the_journal_goes_on_to_more_trials(tmp_path, found):
    first = modnet.search(spec(), rows(), trials=5, folder=tmp_path / "s")
    assert values(first) == values(found)[:5]
    told = []
    whole = modnet.search(spec(), rows(), folder=tmp_path / "s", resume=True, ended=told.append)
    assert values(whole) == values(found)
    assert [trial.number for trial in told] == list(range(6, 13))
    assert whole.model == tmp_path / "s" / f"trial-{whole.best.number}.modnet"
    assert {path.name for path in (tmp_path / "s").iterdir()} == {"journal.log", whole.model.name}
    assert modnet.load(whole.model).predict({"a": 0.0, "b": 0.0})["kind"] in ("cat", "dog")


def test_a_folder_with_a_search_is_not_begun_anew_and_not_mixed_with_another(tmp_path):
    modnet.search(spec(), rows(), trials=2, folder=tmp_path)
    with pytest.raises(modnet.TrainingError, match="has a search already"):
        modnet.search(spec(), rows(), trials=3, folder=tmp_path)
    other = spec()
    other["search"]["network.layers.linear_1.out_features"] = {"low": 2, "high": 17}
    other["training"]["batch_size"] = 8
    with pytest.raises(modnet.TrainingError, match="of another search, which differs in training, the ranges;"):
        modnet.search(other, rows(), folder=tmp_path, resume=True)
    with pytest.raises(modnet.TrainingError, match="of another search, which differs in the data;"):
        modnet.search(spec(), rows(130), folder=tmp_path, resume=True)


def test_two_searches_in_one_folder(tmp_path):
    pytest.importorskip("fcntl")
    problem = []

    def second(trial):
        if not problem:
            with pytest.raises(modnet.TrainingError, match="another search is working in") as caught:
                modnet.search(spec(), rows(), folder=tmp_path, resume=True)
            problem.append(caught.value)

    modnet.search(spec(), rows(), trials=1, folder=tmp_path, ended=second)
    assert problem


def test_ctrl_c_ends_a_search_with_what_it_has_found(tmp_path):
    def interrupt(trial):
        if trial.number == 3:
            signal.raise_signal(signal.SIGINT)

    found = modnet.search(spec(), rows(), folder=tmp_path, ended=interrupt)
    assert found.stopped == "interrupted"
    assert [trial.number for trial in found.trials] == [1, 2, 3]
    assert found.best is not None
    whole = modnet.search(spec(), rows(), folder=tmp_path, resume=True)
    assert (whole.stopped, len(whole.trials)) == ("", 12)


def test_ctrl_c_within_a_training_cuts_its_trial_off(tmp_path):
    class Interrupt(Callback, type="interrupt"):
        def modnet_epoch_ended(self, run):
            if run.joined["search"].trial.number == 1 and run.epoch == 2:
                signal.raise_signal(signal.SIGINT)

    registry = modnet.Registry()
    registry.register(Interrupt)
    made = spec(pruner="none")
    made["training"]["callbacks"] = ["interrupt"]
    found = modnet.search(made, rows(), folder=tmp_path, registry=registry)
    assert found.stopped == "interrupted"
    assert [trial.outcome for trial in found.trials] == ["done", "cut off"]
    whole = modnet.search(made, rows(), folder=tmp_path, registry=registry, resume=True, trials=2)
    assert [trial.outcome for trial in whole.trials] == ["done", "cut off", "done"]
    assert whole.trials[2].values == whole.trials[1].values


def run_killed(folder, processes, number):
    path = os.pathsep.join(filter(None, [str(ROOT), os.getenv("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-m", "tests.assessment.search.killed", str(folder), str(processes), str(number)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_a_search_that_is_killed_goes_on(tmp_path):
    folder = tmp_path / "s"
    assert run_killed(folder, 1, 4).returncode == -signal.SIGKILL
    journal = folder / "journal.log"
    journal.write_bytes(journal.read_bytes() + b'{"op_code":8,"worker')  # as a kill within a line leaves it
    done = run_killed(folder, 1, "never")
    assert done.returncode == 0, done.stderr
    *outcomes, stopped = done.stdout.split()
    assert stopped == "whole"
    assert outcomes[4] == "cut-off"
    assert len(outcomes) == 13
    assert not {"cut-off", "failed"} & {*outcomes[:4], *outcomes[5:]}
    trials = [json.loads(line) for line in journal.read_text().splitlines()]
    again = [line for line in trials if line["op_code"] == 4 and "again" in line.get("user_attrs", {})]
    assert len(again) == 1


@pytest.mark.slow
def test_two_processes_share_a_journal(tmp_path):
    done = run_killed(tmp_path / "s", 2, "never")
    *outcomes, stopped = done.stdout.split()
    assert stopped == "whole", done.stderr
    assert len(outcomes) == 12
    assert not {"cut-off", "failed"} & set(outcomes)
    lines = map(json.loads, (tmp_path / "s" / "journal.log").read_text().splitlines())
    finished = [line for line in lines if line["op_code"] == 6 and line["state"] in (1, 2)]
    assert len(finished) == 12
    assert len({line["worker_id"] for line in finished}) == 2


@pytest.mark.slow
def test_several_processes_from_python(tmp_path):
    told = []
    found = modnet.search(spec(trials=4), rows(), processes=2, folder=tmp_path, ended=told.append)
    assert sorted(trial.number for trial in told) == [1, 2, 3, 4]
    assert found.network is not None
    assert found.best.value == min(trial.value for trial in found.trials if trial.outcome == "done")


@pytest.mark.slow
def test_a_process_that_is_killed_leaves_its_trial_to_be_done_again(tmp_path):
    done = run_killed(tmp_path / "s", 2, 3)
    assert done.returncode == 0, done.stderr
    *outcomes, stopped = done.stdout.partition("a process")[0].split(), done.stdout
    assert "a process of the search has ended" in stopped
    assert outcomes[0].count("cut-off") == 1
    again = run_killed(tmp_path / "s", 1, "never")
    assert again.stdout.split()[-1] == "whole", again.stderr
    assert again.stdout.split().count("cut-off") == 1
    assert len(again.stdout.split()) == 14


def test_processes_share_the_threads(monkeypatch):
    monkeypatch.setattr(workers, "threads_of_process", lambda: 7)
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    with workers._divided_threads(2):
        assert [os.environ[name] for name in ("MODNET_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")] == [
            "3",
            "3",
            "3",
        ]
    assert os.environ["OMP_NUM_THREADS"] == "5"
    assert "OPENBLAS_NUM_THREADS" not in os.environ


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"search": None}, r"search: missing table; expected \[search\] with at least one range"),
        ({"data": {"target": "kind"}}, "no validation"),
    ],
)
def test_a_spec_without_what_a_search_needs(change, message):
    made = {name: part for name, part in {**spec(), **change}.items() if part is not None}
    with pytest.raises(modnet.SpecError, match=message):
        modnet.search(made, rows())


def test_a_figure_that_is_not_recorded_and_one_without_order():
    with pytest.raises(modnet.SpecError, match=r'search\.monitor: no figure is called "validation_f1"'):
        modnet.search(spec(monitor="validation_f1"), rows())
    made = spec(monitor="validation_confusion_matrix")
    made["training"]["metrics"] = ["confusion_matrix"]
    with pytest.raises(modnet.SpecError, match="has no order of better and worse"):
        modnet.search(made, rows())


def test_every_value_has_to_fit_the_network_and_the_data():
    made = spec()
    made["search"]["network.layers.linear_2.out_features"] = {"low": 2, "high": 3}
    made["search"]["network.input"] = {"choices": [[2], [3]]}
    with pytest.raises(modnet.SpecError) as caught:
        modnet.search(made, rows())
    assert {problem.keys[1:] for problem in caught.value.problems} == {
        ("network.layers.linear_2.out_features", "high"),
        ("network.input", "choices", 1),
    }


def test_several_processes_have_the_default_registry_alone():
    with pytest.raises(ValueError, match="several processes use the default registry"):
        modnet.search(spec(), rows(), processes=2, registry=modnet.Registry())


def test_without_optuna(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(modnet.MissingExtra, match=r"a search needs optuna, .* pip install 'modnet-core\[search\]'"):
        modnet.search(spec(), rows())


def test_the_plot(found, tmp_path):
    pytest.importorskip("matplotlib")
    from modnet.assessment.search.plot import plot_search

    figure = plot_search(found, tmp_path / "search.png")
    assert (tmp_path / "search.png").read_bytes().startswith(b"\x89PNG")
    axes = [axes for part in figure.subfigs for axes in part.axes]
    assert [axes.get_title() for axes in axes[:2]] == ["trials", "what mattered"]
    assert {axes.get_xlabel() for axes in axes[2:]} == {"learning_rate", "out_features", "activation"}
    points = axes[0].lines[0].get_xydata()
    assert np.array_equal(points[:, 1], [trial.value for trial in found.trials if trial.outcome == "done"])
    with pytest.raises(modnet.DataError, match=r'no picture is written as "\.txt"'):
        plot_search(found, tmp_path / "search.txt")

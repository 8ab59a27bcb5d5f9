"""`modnet search`: what it shows and writes, what it refuses, and how it goes on."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

import modnet

pytest.importorskip("optuna")

SEARCH = """
[search]  # what is looked for
trials = 3
pruner = "none"
training.optimizer.learning_rate = { low = 1e-3, high = 0.3, log = true }
network.layers.1.out_features = { low = 2, high = 16 }  # how wide
training.accumulate = { choices = [1, 2] }
"""


@pytest.fixture
def pets(folder):
    path = folder / "pets.toml"
    path.write_text(path.read_text() + SEARCH)
    return path


def test_the_screen_and_the_files(run, pets, folder):
    output = run("search", "pets.toml", "-o", "best.toml").output
    assert "search        3 values, 3 trials: tpe\n" in output
    assert "by            val loss; less is better\n" in output
    assert "\ntrial    val loss  epochs     time  learning_rate  accumulate  out_features\n" in output
    assert "\n3 trials: 3 done\n" in output
    assert "\nwhat mattered: too few trials were finished to say\n" in output
    assert output.endswith("next: modnet predict best.modnet NEW.csv\n")
    text = (folder / "best.toml").read_text()
    before = pets.read_text()
    values = tomllib.loads(text)
    assert "search" not in values
    assert "# [search]  # what is looked for\n# trials = 3\n" in text
    assert "# found by modnet search: validation_loss " in text
    assert text.splitlines()[:4] == before.splitlines()[:4]
    rate, wide = values["training"]["optimizer"]["learning_rate"], values["network"]["layers"][1]["out_features"]
    assert f"  training.optimizer.learning_rate  {rate:.4g}\n" in output
    assert f"  network.layers.1.out_features     {wide}\n" in output
    assert values["training"]["accumulate"] in (1, 2)
    run("train", "best.toml", "-o", "again.modnet")
    assert "the arrays are the same" in run("diff", "best.modnet", "again.modnet", status=None).output


def test_json(run, pets):
    result = json.loads(run("search", "pets.toml", "--json", "--trials", "2").output)
    page = (Path(modnet.__file__).parents[1] / "docs" / "cli.md").read_text(encoding="utf-8")
    table = page.partition("\n## search\n")[2].partition("\n\n## ")[0].partition("| key of `--json` |")[2]
    rows = [row for row in table.splitlines() if row.startswith("| `")]
    assert {key for row in rows for key in re.findall(r"`(\w+)`", row.split("|")[1])} == set(result)
    assert result["output"] == "pets-best.toml"
    assert (result["monitor"], result["greater_is_better"], result["own"], result["stopped"]) == (
        "validation_loss",
        False,
        1,
        "",
    )
    assert [trial["number"] for trial in result["trials"]] == [1, 2]
    assert result["best"] in result["trials"]
    assert result["best"]["figures"]["validation_accuracy"] >= 0


def test_it_goes_on_and_begins_nothing_anew(run, pets, folder):
    run("search", "pets.toml", "-o", "best.toml", "--trials", "1")
    again = run("search", "pets.toml", "-o", "best.toml", status=2).output
    assert again == (
        "error: best.search has a search already; use --resume to continue it, or another -o to start a new one\n"
    )
    output = run("search", "pets.toml", "-o", "best.toml", "--resume").output
    assert "\n3 trials: 3 done\n" in output
    shown = output.partition("\n3 trials:")[0]
    assert "\n    1  " not in shown
    assert "\n    2  " in shown
    pets.write_text(pets.read_text().replace("high = 16", "high = 17"))
    other = run("search", "pets.toml", "-o", "best.toml", "--resume", status=1).output
    assert "error: best.search is of another search, which differs in the ranges; restore the spec" in other
    assert (
        "warning: other.search has no search; starting from the beginning\n"
        in run("search", "pets.toml", "-o", "other.toml", "--resume", "--trials", "1").output
    )


def test_settings_are_part_of_the_best_spec(run, pets, folder):
    run(
        "search",
        "pets.toml",
        "-o",
        "best.toml",
        "--trials",
        "1",
        "--set",
        "training.epochs=2",
        "--set",
        "training.seed=5",
    )
    training = tomllib.loads((folder / "best.toml").read_text())["training"]
    assert (training["epochs"], training["seed"]) == (2, 5)


def test_a_spec_of_another_folder_and_of_another_format(run, pets, folder):
    (folder / "found").mkdir()
    run("search", "pets.toml", "-o", "found/best.toml", "--trials", "1")
    assert tomllib.loads((folder / "found" / "best.toml").read_text())["data"]["train"] == "../pets.csv"
    run("check", "found/best.toml")
    run("search", "pets.toml", "-o", "best.json", "--trials", "1")
    values = json.loads((folder / "best.json").read_text())
    assert values["data"]["train"] == "pets.csv"
    run("check", "best.json")


def test_how_the_data_are_read_may_be_looked_for_from_another_folder(run, pets, folder, monkeypatch):
    text = pets.read_text().replace(
        "training.accumulate = { choices = [1, 2] }", 'data.missing = { choices = ["mean", "drop"] }'
    )
    pets.write_text(text)
    (folder / "found").mkdir()
    monkeypatch.chdir(folder / "found")
    run("search", "../pets.toml", "--trials", "2")
    data = tomllib.loads((folder / "found" / "pets-best.toml").read_text())["data"]
    assert data["train"] == "../pets.csv"
    assert data["missing"] in ("mean", "drop")
    run("check", "pets-best.toml")


def test_faults_have_their_place(run, pets):
    text = pets.read_text().replace("high = 16", "high = 0")
    pets.write_text(text.replace("[search]  # what is looked for", '[search]\nmonitor = "validation_f1"'))
    output = run("search", "pets.toml", status=2).output
    assert "network.layers.1.out_features = { low = 2, high = 0 }" in output
    pets.write_text(text.replace("high = 0", "high = 9").replace("trials = 3", 'monitor = "validation_f1"'))
    output = run("search", "pets.toml", status=2).output
    assert output.startswith('pets.toml:23:11: search.monitor: no figure is called "validation_f1"')
    pets.write_text(text.replace("high = 0", "high = 9").replace("1.out_features", "2.out_features"))
    output = run("search", "pets.toml", status=2).output
    told = 'output "output" gives samples of shape (9,), but column k'
    assert f"pets.toml:26:51: search.network.layers.2.out_features.high: {told}" in output


def test_check_finds_what_a_search_would(run, pets):
    assert run("check", "pets.toml").output.startswith("pets.toml: no problems")
    pets.write_text(pets.read_text().replace("1.out_features", "2.out_features"))
    output = run("check", "pets.toml", status=2).output
    assert 'search.network.layers.2.out_features.high: output "output" gives samples of shape (16,)' in output


def test_no_search_table_and_no_validation(run, folder):
    assert (
        "search: missing table; expected [search] with at least one range"
        in run("search", "pets.toml", status=2).output
    )
    path = folder / "pets.toml"
    path.write_text(path.read_text().replace("validation = 0.25", "") + SEARCH)
    output = run("search", "pets.toml", status=2).output
    assert "pets.toml:17:1: data: a search compares trials on rows that they have not seen: no validation" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-o", "pets.toml"), "pets.toml: this is the spec itself; choose another file with -o"),
        (("-o", "pets.csv"), "pets.csv: a spec is .toml, .json, .yaml or .yml; choose such a name with -o"),
        (("-o", "points.toml"), "points.toml: it is there already; it is not overwritten"),
        (("-o", "no/best.toml"), "no/best.toml: there is no folder no; create it, or choose another file with -o"),
        (("--plot", "plot.txt"), 'plot.txt: no picture is written as ".txt"; expected .png'),
    ],
)
def test_places_that_cannot_be(run, pets, folder, arguments, message):
    before = sorted(folder.iterdir())
    assert f"error: {message}" in run("search", "pets.toml", *arguments, status=2).output
    assert sorted(folder.iterdir()) == before


def test_training_says_once_that_the_table_is_not_used(run, pets):
    output = run("train", "pets.toml").output
    told = "search        none: the plain values are trained; for better ones: modnet search pets.toml\n"
    assert output.count(told) == 1
    assert modnet.load("pets.modnet").card.spec.search is None


def test_no_trial_comes_to_its_end(run, pets):
    text = pets.read_text().replace("{ low = 1e-3, high = 0.3, log = true }", "{ low = 1e37, high = 1e38 }")
    pets.write_text(
        text.replace('"tanh"', '"relu"').replace("accumulate = { choices = [1, 2] }", "epochs = { low = 5, high = 6 }")
    )
    output = run("search", "pets.toml", status=1).output
    assert "failed" in output
    assert "\nno trial was finished: Diverged: " in output


def test_a_plot(run, pets, folder):
    pytest.importorskip("matplotlib")
    output = run("search", "pets.toml", "--trials", "2", "--plot", "search.svg").output
    assert "search.svg        the trials and what mattered\n" in output
    assert b"<svg" in (folder / "search.svg").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("processes", [1, 2])
def test_a_signal_ends_it_with_what_it_has_found(pets, folder, number, status, processes):
    pets.write_text(pets.read_text().replace("trials = 3", "trials = 5000"))
    options = ["-o", "best.toml", "--processes", str(processes)]
    search = subprocess.Popen(
        [sys.executable, "-m", "modnet", "search", "pets.toml", *options],
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    lines = []
    for line in search.stdout:
        lines.append(line)
        if line.startswith("    4  "):
            break
    search.send_signal(number)
    lines += search.communicate(timeout=60)[0].splitlines(keepends=True)
    assert search.returncode == status
    assert lines[-1].startswith("interrupted; go on: modnet search pets.toml -o best.toml")
    assert tomllib.loads((folder / "best.toml").read_text())["network"]
    for _ in range(100):  # Python's own helper for semaphores ends a moment later
        time.sleep(0.1)
        left = subprocess.run(["pgrep", "-g", str(search.pid)], capture_output=True, text=True, check=False).stdout
        if not left:
            break
    assert left == ""


@pytest.mark.slow
def test_a_plugin_of_a_file_is_there_in_every_process(run, pets, folder):
    (folder / "mine.py").write_text(
        "import modnet\n\n\nclass Halve(modnet.Schedule, type='halve'):\n"
        "    def factor(self, progress):\n        return 0.5\n"
    )
    pets.write_text(pets.read_text().replace("epochs = 3", 'epochs = 3\nschedule = "halve"'))
    done = subprocess.run(
        [sys.executable, "-m", "modnet", "search", "pets.toml", "--plugin", "mine.py", "--processes", "2"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "3 trials: 3 done" in done.stdout
    assert done.stderr == ""

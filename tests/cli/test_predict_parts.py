"""`modnet predict --scheduler` and `modnet search --scheduler`, with a scheduler of a plugin file."""

import json
from pathlib import Path

import pytest

SCHEDULER = '''
import os
from functools import partial
from pathlib import Path

import modnet
from modnet.plugins.schedulers import Ended


class Here:
    """One worker, which is this process."""

    def __init__(self, address):
        self.address = address

    def share(self, path):
        return partial(Path, path)

    def run(self, work, tasks):
        for place, task in enumerate(tasks):
            if self.address == "here:stopped" and place == 1:
                raise KeyboardInterrupt
            if self.address == "here:lost" and place == 1:
                raise ConnectionError("all workers have gone")
            if self.address == "here:killed" and place == 1:
                yield Ended(place, error=RuntimeError("its worker has ended"), retries=3)
                continue
            yield Ended(place, work(task, lambda: self.address != "here:unwanted"))

    def close(self):
        Path("closed").touch()


@modnet.hookimpl
def modnet_scheduler(address):
    return Here(address) if address.startswith("here") else None
'''


@pytest.fixture
def parts(folder):
    """Three parts of a table, and a plugin file with a scheduler."""
    (folder / "scheduler.py").write_text(SCHEDULER)
    for number in range(3):
        (folder / "in" / f"day={number}").mkdir(parents=True)
        (folder / "in" / f"day={number}" / "a.csv").write_text(f"size,collar,name\n{number}.5,red,Tom\n9.2,blue,Rex\n")
    return folder / "in"


def call(model, *options, scheduler="here"):
    return ("predict", model, "in", "-o", "out", "--plugin", "scheduler.py", "--scheduler", scheduler, *options)


def test_each_part_gets_the_bytes_of_the_command_for_its_file(run, model, parts):
    output = run(*call(model, "--keep", "name", "--keep", "day")).stdout
    assert "parts        3: 3 done\n" in output
    assert "rows         6 in " in output
    assert "\nbad rows     0\n" in output
    for number in range(3):
        name = f"day={number}/a.csv"
        alone = run("predict", model, f"in/{name}", "--keep", "name").stdout.splitlines()
        lines = Path("out", name).read_text().splitlines()
        assert [line.replace(f",{number},", ",", 1) for line in lines[1:]] == alone[1:]
        assert lines[0] == alone[0].replace("name,", "name,day,")
    assert Path("closed").exists()


def test_stopped_by_control_c_and_going_on(run, model, parts):
    found = run(*call(model, scheduler="here:stopped"), status=130)
    assert "parts        3: 1 done, 2 left\n" in found.stdout
    assert "\ninterrupted; go on: modnet " in found.stdout
    assert Path("closed").exists()
    told = json.loads(run(*call(model, "--resume", "--json")).stdout)
    assert (told["done"], told["done_before"], told["failed"], told["rows"]) == (2, 1, [], 4)


def test_workers_that_are_lost(run, model, parts):
    found = run(*call(model, scheduler="here:lost"), status=1)
    assert "parts        3: 1 done, 2 left\n" in found.stdout
    assert "error: all workers have gone\n" in found.stderr


def test_a_part_without_a_result_is_told_with_the_others_done(run, model, parts):
    found = run(*call(model, scheduler="here:killed"), status=1)
    assert "3: 2 done, 1 failed\n" in found.stdout
    assert "\ntried again  3 parts\n" in found.stdout
    assert "\n  day=1/a.csv: its worker has ended\n" in found.stdout


def test_what_nobody_waits_for_is_not_written(run, model, parts):
    run(*call(model, scheduler="here:unwanted"), status=2)
    assert [path.name for path in Path("out").rglob("*") if path.is_file()] == ["_modnet.jsonl"]


def test_a_row_at_fault_is_told_with_its_part_and_column(run, model, parts):
    (parts / "day=1" / "a.csv").write_text("size,collar,name\n1,red,Tom\nlong,blue,Rex\n")
    found = run(*call(model), status=2)
    assert '\n  day=1/a.csv: row 2 (line 3), column size: expected a number, found "long"\n' in found.stdout
    found = run(*call(model, "--resume", "--faults", "skip"), status=2)
    assert "made in another way, with another options" in found.stderr


def test_wrong_calls(run, model, parts):
    assert (
        "name the folder for the predictions by -o"
        in run("predict", model, "in", "--scheduler", "here", "--plugin", "scheduler.py", status=2).stderr
    )
    assert "--resume goes on with a table in parts" in run("predict", model, "in", "--resume", status=2).stderr
    assert 'no installed plugin knows the scheduler "there"' in run(*call(model, scheduler="there"), status=2).stderr


def test_a_plugin_that_gives_something_else(run, model, parts):
    text = SCHEDULER.replace("return Here(address) if", "return 1 if")
    Path("scheduler.py").write_text(text)
    assert "expected what has the methods share, run and close" in run(*call(model), status=2).stderr


def test_a_search_by_a_scheduler_is_that_of_one_process(run, parts):
    pytest.importorskip("optuna")
    path = Path("pets.toml")
    path.write_text(
        path.read_text()
        + '\n[search]\ntrials = 3\npruner = "none"\ntraining.optimizer.learning_rate = { low = 1e-3, high = 0.3 }\n'
    )
    words = ("search", "pets.toml", "--json", "--plugin", "scheduler.py")
    alone = json.loads(run(*words, "-o", "a.toml").stdout)["trials"]
    found = json.loads(run(*words, "-o", "b.toml", "--scheduler", "here").stdout)["trials"]
    assert [(trial["values"], trial["value"]) for trial in found] == [
        (trial["values"], trial["value"]) for trial in alone
    ]
    assert Path("a.toml").read_text() == Path("b.toml").read_text()
    assert (
        "--processes is for this machine"
        in run(*words, "-o", "c.toml", "--scheduler", "here", "--processes", "2", status=2).stderr
    )

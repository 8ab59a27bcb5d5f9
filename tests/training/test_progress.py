"""The table of epochs: which lines, which columns, how numbers look."""

import errno
import io
import sys

import pytest

import modnet
from modnet.kinds.figures import figure_text, number_text
from modnet.training import progress
from modnet.training.progress import FigureTable, ProgressDisplay
from modnet.words import time_text
from tests.training.test_trainer import SPEC, blobs


def lines(capsys, **arguments):
    """What a run of two clouds of points prints."""
    network = modnet.build(SPEC)
    modnet.train(network, *blobs(32), **{"callbacks": ["progress"], **arguments})
    return capsys.readouterr().out.splitlines()


def epochs(printed):
    return [int(line.split()[0]) for line in printed if line.split() and line.split()[0].isdigit()]


def test_a_short_run_has_a_line_for_each_epoch(capsys):
    printed = lines(capsys, epochs=3, validation=0.25)
    assert printed[:2] == ["", "epoch      loss  accuracy  val loss  val accuracy     time"]
    assert epochs(printed) == [1, 2, 3]
    assert len({len(line) for line in printed[1:]}) == 1, "the columns are aligned"


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (20, list(range(1, 21))),
        (21, [1, *range(2, 21, 2), 21]),
        (95, [1, *range(5, 96, 5)]),
        (101, [1, *range(10, 101, 10), 101]),
    ],
)
def test_a_long_run_has_about_twenty(capsys, count, shown):
    assert epochs(lines(capsys, epochs=count)) == shown


def test_how_often_can_be_said(capsys):
    assert epochs(lines(capsys, epochs=7, callbacks=[ProgressDisplay(every=3)])) == [1, 3, 6, 7]


def test_no_long_silence(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LONGEST_SILENCE", 0.0)
    assert epochs(lines(capsys, epochs=25)) == list(range(1, 26))


def test_the_epoch_whose_weights_stay_and_why_it_stopped(capsys):
    stopping = {"type": "early_stopping", "monitor": "accuracy", "patience": 2}
    printed = lines(capsys, epochs=300, callbacks=[stopping, "progress"])
    assert printed[-2].endswith("   best")
    best = epochs(printed)[-1]
    assert printed[-1] == f"stopped: accuracy has not improved for 2 epochs; weights of epoch {best} restored"
    assert epochs(printed)[-2] == best + 2


def test_a_run_that_ends_by_itself_tells_which_weights_stay(capsys):
    stopping = {"type": "early_stopping", "monitor": "accuracy", "patience": 50}
    assert lines(capsys, epochs=20, callbacks=[stopping, "progress"])[-1].startswith("weights of epoch ")


def test_two_runs_do_not_mix(capsys):
    class Nested(modnet.Callback, type="nested"):
        def modnet_epoch_ended(self, run):
            modnet.train(modnet.build(SPEC), *blobs(32), epochs=2, callbacks=[shared])

    shared = ProgressDisplay()
    modnet.train(modnet.build(SPEC), *blobs(32), epochs=2, callbacks=[Nested(), shared])
    assert epochs(capsys.readouterr().out.splitlines()) == [1, 2, 1, 1, 2, 2]


FIGURES = ["loss", "accuracy", "top_k_accuracy", "mean_absolute_error", "f1", "recall", "precision"]


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_a_table_is_never_wider_than_the_screen(width):
    figures = dict.fromkeys([*FIGURES, *(f"validation_{name}" for name in FIGURES)], 0.5)
    table = FigureTable(figures, width)
    printed = [*table.heading, table.line(12, figures, 3.0)]
    assert max(map(len, printed)) <= width
    assert {"loss", "validation_loss"} <= set(table.names)


def test_columns_of_the_training_are_left_out_first():
    figures = dict.fromkeys(
        ["loss", "accuracy", "auc", "validation_loss", "validation_accuracy", "validation_auc"], 0.5
    )
    assert FigureTable(figures, 66).names == [
        "loss",
        "accuracy",
        "validation_loss",
        "validation_accuracy",
        "validation_auc",
    ]


def test_what_is_no_number_has_no_column():
    assert FigureTable({"loss": 0.5, "confusion_matrix": [[1, 0], [0, 1]]}).names == ["loss"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0000"),
        (0.012345, "0.0123"),
        (-1.5, "-1.5000"),
        (12.345, "12.35"),
        (123456.7, "123457"),
        (1.2345e8, "1.23e+08"),
        (0.00012345, "1.23e-04"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
    ],
)
def test_numbers(value, text):
    assert number_text(value) == text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("accuracy", 0.98765, "0.988"),
        ("r2", -0.5, "-0.5000"),
        ("loss", 0.5, "0.5000"),
        ("mean_absolute_error", 0.01234, "0.0123"),
    ],
)
def test_shares_have_three_decimals(name, value, text):
    assert figure_text(name, value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.514, "0.51 s"), (12.34, "12.3 s"), (99.97, "1m40s"), (245, "4m05s"), (7620, "2h07m")]
)
def test_times(seconds, text):
    assert time_text(seconds) == text


class Broken:
    """A standard output that can be written to so often, and then fails."""

    encoding = "utf-8"

    def __init__(self, error, writes, terminal):
        self.error, self.writes, self.terminal = error, writes, terminal
        self.failed = 0

    def write(self, text):
        self.writes -= 1
        if self.writes < 0:
            self.failed += 1
            raise self.error
        return len(text)

    def flush(self):
        if self.writes < 0:
            raise self.error

    def isatty(self):
        return self.terminal

    def fileno(self):
        raise OSError(errno.EBADF, "no descriptor")


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("writes", [0, 3])
@pytest.mark.parametrize(
    "error",
    [
        BrokenPipeError(errno.EPIPE, "broken pipe"),
        OSError(errno.EIO, "input/output error"),
        OSError(errno.ENOSPC, "no space left on device"),
        ValueError("I/O operation on closed file"),
        RuntimeError("of whatever stands in the place of sys.stdout"),
    ],
    ids=lambda error: type(error).__name__ + str(getattr(error, "errno", "")),
)
def test_an_error_of_the_screen_closes_the_screen_and_nothing_else(error, writes, terminal, monkeypatch):
    if terminal:
        pytest.importorskip("rich")
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr(progress, "BAR_INTERVAL", 0.0)
    broken = Broken(error, writes, terminal)
    monkeypatch.setattr(sys, "stdout", broken)
    history = modnet.train(modnet.build(SPEC), *blobs(32), epochs=5, callbacks=["progress"])
    assert history.epochs == 5
    assert broken.failed == 1, "after the first error nothing is tried any more"
    assert sys.stdout is broken


def test_a_process_without_standard_output(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert modnet.train(modnet.build(SPEC), *blobs(32), epochs=2, callbacks=["progress"]).epochs == 2


def test_a_standard_output_that_was_closed(monkeypatch):
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    assert modnet.train(modnet.build(SPEC), *blobs(32), epochs=2, callbacks=["progress"]).epochs == 2

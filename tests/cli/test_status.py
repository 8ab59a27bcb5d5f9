"""The line on a terminal that says how far a command is."""

import pytest

from modnet.cli.status import Status
from modnet.words import time_left


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test moves, and a terminal of 30 columns."""
    now = [100.0]
    monkeypatch.setattr("modnet.cli.status.time.perf_counter", lambda: now[0])
    monkeypatch.setattr("modnet.cli.status.room", lambda err: 30)
    return now


def shown(capsys):
    return capsys.readouterr().err.replace("\x1b[K", "")


def test_short_work_shows_nothing(clock, capsys):
    status = Status()
    clock[0] += 0.5
    status.show("half of it")
    status.close()
    assert shown(capsys) == ""


def test_long_work_shows_a_line_that_fits_and_is_cleared(clock, capsys):
    status = Status()
    clock[0] += 2
    status.show("a text that is much wider than the terminal is")
    clock[0] += 0.05
    status.show("too soon")
    status.close()
    status.close()
    assert shown(capsys) == "\ra text that is much wider tha\r"


def test_a_loop_shows_how_much_is_left(clock, capsys):
    status = Status()
    for done in range(1, 5):
        clock[0] += 10
        status.advanced("columns", done, 4)
    assert shown(capsys) == "\r1 of 4 columns\r2 of 4 columns, about 20 s le\r3 of 4 columns, about 10 s le\r"


def test_no_terminal_has_no_line(clock, capsys, monkeypatch):
    monkeypatch.setattr("modnet.cli.status.room", lambda err: None)
    status = Status()
    clock[0] += 2
    status.show("half of it")
    assert shown(capsys) == ""


def test_what_takes_a_while_is_said_in_place_of_the_line(clock, capsys):
    status = Status()
    clock[0] += 2
    status.show("half of it")
    status.announced("compiling")
    assert shown(capsys) == "\rhalf of it\rcompiling\n"


@pytest.mark.parametrize(
    ("done", "whole", "seconds", "text"),
    [
        (0, 10, 60, ""),
        (1, 10, 0.5, ""),
        (1, 2, 30, ", about 30 s left"),
        (1, 11, 20, ", about 3m20s left"),
        (1, 1001, 30, ", about 8h20m left"),
        (10, 10, 60, ", about 1 s left"),
    ],
)
def test_the_time_that_is_left(done, whole, seconds, text):
    assert time_left(done, whole, seconds) == text

"""Contestants that take turns, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path

PAUSE = 0.1
"""Seconds before each turn, in which the thread pools of the others stop spinning and go to sleep."""


@dataclass(frozen=True)
class Settings:
    """What the command line asks for.

    Attributes:
        folder: where the model files of this run lie.
        threads: that every library may use.
        quick: whether to do only as much as shows that it works.
        mnist: the folder of MNIST's files, or None for synthetic data.
    """

    folder: Path
    threads: int
    quick: bool = False
    mnist: Path | None = None


@dataclass(frozen=True)
class Turn:
    """What one turn of a contestant measured.

    Attributes:
        seconds: for one step, call or process.
        slow: the 95th percentile of the steps, where they were timed one by one.
        memory: the peak of the process in bytes, where that is measured.
    """

    seconds: float
    slow: float | None = None
    memory: int | None = None


class ContestantFailed(Exception):
    """The process of a contestant has ended with an error."""


Play = Callable[[int], Turn]
"""One turn: seed -> figures."""


@dataclass(frozen=True)
class Contestant:
    """One row of the table.

    Attributes:
        name: as the table shows it.
        prepare: makes the player, in the contestant's process; a function of a module, so that it can be sent there.
        needs: the modules without which it is skipped.
        environment: variables of its process beside those of this one.
    """

    name: str
    prepare: Callable[[], Play]
    needs: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def missing(self) -> str:
        """Why it is skipped, or ""."""
        absent = [name for name in self.needs if find_spec(name) is None]
        return f"needs {' and '.join(absent)}" if absent else ""


@dataclass(frozen=True)
class Case:
    """What is compared.

    Attributes:
        name: for `--only`.
        unit: what the times are for: a step, a call, a process.
        contestants: the first is what the others are compared with.
    """

    name: str
    unit: str
    contestants: list[Contestant]


@dataclass(frozen=True)
class Result:
    """The turns of a contestant, or why it had none."""

    case: str
    unit: str
    contestant: str
    turns: list[Turn]
    skipped: str = ""


def race(case: Case, repeats: int) -> list[Result]:
    """Lets the contestants take turns, A B C A B C, after a turn each that does not count."""
    turns: dict[str, list[Turn]] = {c.name: [] for c in case.contestants}
    with ExitStack() as stack:
        players = {c.name: stack.enter_context(player(c)) for c in case.contestants if not c.missing}
        for number in range(repeats + 1):
            for name, play in players.items():
                time.sleep(PAUSE)
                turn = play(number)
                if number:
                    turns[name].append(turn)
    return [Result(case.name, case.unit, c.name, turns[c.name], c.missing) for c in case.contestants]


@contextmanager
def player(contestant: Contestant) -> Iterator[Play]:
    """A contestant in a new process, which starts from a new interpreter and not from a copy of this one."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, contestant.prepare), daemon=True)
    before = dict(os.environ)
    os.environ.update(contestant.environment)
    try:
        process.start()
    finally:
        os.environ.clear()
        os.environ.update(before)
    there.close()

    def play(seed: int) -> Turn:
        here.send(seed)
        turn: Turn = here.recv()
        return turn

    try:
        here.recv()  # ready
        yield play
        here.send(None)
    except EOFError:
        raise ContestantFailed(f"{contestant.name} failed; its message is above") from None
    finally:
        here.close()
        process.join()


def _serve(connection: Connection, prepare: Callable[[], Play]) -> None:
    play = prepare()
    connection.send("ready")
    while (seed := connection.recv()) is not None:
        connection.send(play(seed))


def ratios(turns: list[Turn], base: list[Turn]) -> list[float]:
    """How many times as long each turn took as the base's turn of the same round."""
    return [turn.seconds / other.seconds for turn, other in zip(turns, base, strict=True)]

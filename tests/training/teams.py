"""Threads in the place of processes that share a run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from modnet import Callback
from modnet.kinds.sharing import Processes

PLACES = threading.local()


class Shared(Callback, type="shared"):
    """Lets the threads of a team share a run."""

    def processes(self) -> Processes | None:
        return getattr(PLACES, "own", None)


class Place:
    """One of the threads (`modnet.kinds.sharing.Processes`)."""

    def __init__(self, team: Team, rank: int) -> None:
        self.team, self.rank, self.size = team, rank, team.size

    def gather(self, value: Any) -> list[Any]:
        team = self.team
        team.values[self.rank] = value.copy() if isinstance(value, np.ndarray) else value
        team.barrier.wait()
        found = list(team.values)
        team.barrier.wait()
        return found

    def add_up(self, array: np.ndarray) -> None:
        first, *others = self.gather(array)
        array[...] = sum(others, start=first)


class Team:
    """Runs a function in several threads, each of which is told its number."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.values: list[Any] = [None] * size
        self.barrier = threading.Barrier(size, timeout=20)
        self.results: list[Any] = [None] * size
        self.errors: list[BaseException | None] = [None] * size

    def run(self, work: Callable[[int], Any]) -> list[Any]:
        """The results, in the order of the threads; raises the first error that is not of one waiting for another."""
        threads = [threading.Thread(target=self._run, args=(work, rank)) for rank in range(self.size)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        causes = [error for error in self.errors if not isinstance(error, threading.BrokenBarrierError | None)]
        if causes:
            raise causes[0]
        assert self.errors == [None] * self.size
        return self.results

    def _run(self, work: Callable[[int], Any], rank: int) -> None:
        PLACES.own = Place(self, rank)
        try:
            self.results[rank] = work(rank)
        except BaseException as error:
            self.errors[rank] = error
            self.barrier.abort()

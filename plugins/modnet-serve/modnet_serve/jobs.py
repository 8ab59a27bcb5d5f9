"""The work of predictions: a bounded queue, and threads that take what waits together.

Each request is computed by itself, so that its answer has the same bytes as `network.predict` gives in a program of one
thread: with other rows beside them, BLAS adds up the products of a row in another order. With `batch_rows`, the rows of
requests that wait together pass through the network as one batch, and answers agree to rounding.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby
from typing import NamedTuple

import numpy as np

from modnet_serve.metrics import Metrics
from modnet_serve.protocol import Answer
from modnet_serve.refusal import Refusal
from modnet_serve.served import Given, Result, Served, rows_in

MOST_TAKEN = 64
"""The most requests that a thread takes at once."""

PATIENCE = 0.001
"""After how many seconds of work a thread hands over what is ready: waking the event loop for each costs as much as a
small prediction."""


class Work(ABC):
    """The work for one request, done by a separate thread.

    Attributes:
        served: the model that is asked.
        joins: whether its rows may be computed together with those of others.
    """

    joins = True

    def __init__(self, served: Served) -> None:
        self.served = served

    @abstractmethod
    def given(self) -> Given:
        """The rows of the request.

        Raises:
            Refusal: there is something else in it.
        """

    @abstractmethod
    def answer(self, result: Result) -> Answer:
        """The answer, from what was predicted for the rows."""

    def alone(self) -> Answer:
        """The answer, computed for this request by itself."""
        return self.answer(self.served.predict(self.given()))


class _Job(NamedTuple):
    work: Work
    future: asyncio.Future[Answer]


class _Part(NamedTuple):
    """A job whose rows may be computed with others'."""

    job: _Job
    given: Given


_Done = tuple[asyncio.Future[Answer], Answer | Exception]


class Jobs:
    """A queue of requests and the threads that compute them.

    Args:
        threads: how many compute at once.
        most_waiting: how many requests may wait, or be computed.
        batch_rows: the most rows of several requests that are computed as one batch; 0 for each by itself.
        metrics: is told of the batches.
    """

    def __init__(self, threads: int, most_waiting: int, batch_rows: int, metrics: Metrics) -> None:
        self._most_waiting, self._batch_rows, self._metrics = most_waiting, batch_rows, metrics
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads = [
            threading.Thread(target=self._work, name=f"prediction-{number}", daemon=True) for number in range(threads)
        ]

    @property
    def waiting(self) -> int:
        """How many requests wait or are computed."""
        return self._waiting

    def start(self) -> None:
        """Starts the threads; called in the event loop, to which answers are handed."""
        self._loop = asyncio.get_running_loop()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Lets the threads finish what waits, and end."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    async def done(self, work: Work, seconds: float) -> Answer:
        """The answer to a request.

        Args:
            seconds: the time after which no request waits for it any more.

        Raises:
            Refusal: too many wait (503), or it took too long (504).
        """
        if self._waiting >= self._most_waiting:
            message = f"{self._waiting} requests are waiting already, which is the limit of this server; try again"
            raise Refusal(503, message, {"Retry-After": "1"})
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting += 1
        self._queue.put(_Job(work, future))
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            raise Refusal(504, f"the prediction took longer than {seconds:g} seconds") from None

    # In the threads

    def _work(self) -> None:
        # Numbers that are too large are told to who sent them, and not to who runs the server.
        with np.errstate(over="ignore", invalid="ignore"):
            self._take()

    def _take(self) -> None:
        while (job := self._queue.get()) is not None:
            taken, last = [job], False
            # Not more than its share, so that others have something to do.
            for _ in range(min(MOST_TAKEN - 1, self._queue.qsize() // len(self._threads))):
                try:
                    more = self._queue.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    last = True
                    break
                taken.append(more)
            self._compute(taken)
            if last:
                return

    def _compute(self, taken: list[_Job]) -> None:
        self._metrics.taken(len(taken))
        done: list[_Done] = []
        handed = time.monotonic()
        for group in self._groups(taken):
            if len(group) == 1:
                done.append((group[0].future, self._alone(group[0])))
            else:
                done += self._together(group)
            if time.monotonic() - handed > PATIENCE:
                self._hand_over(done)
                done, handed = [], time.monotonic()
        self._hand_over(done)

    def _groups(self, taken: list[_Job]) -> list[list[_Job]]:
        """The jobs that are computed together: those of one model, if anything is."""
        if not self._batch_rows or len(taken) == 1:
            return [[job] for job in taken]
        ordered = sorted(taken, key=lambda job: id(job.work.served))
        return [list(group) for _, group in groupby(ordered, lambda job: id(job.work.served))]

    def _alone(self, job: _Job) -> Answer | Exception:
        if job.future.cancelled():  # nobody waits for it any more
            return Refusal(504, "given up")
        try:
            answer = job.work.alone()
            self._metrics.predicted(job.work.served.name, rows_in(job.work.given()))
            return answer
        except Exception as error:
            return error

    def _together(self, jobs: Sequence[_Job]) -> list[_Done]:
        """The answers of jobs whose rows are computed as one batch, if their shapes allow it."""
        done: list[_Done] = []
        forms: dict[object, list[_Part]] = {}
        for job in jobs:
            try:
                given = None if job.future.cancelled() or not job.work.joins else job.work.given()
            except Exception as error:
                done.append((job.future, error))
                continue
            if given is None or rows_in(given) >= self._batch_rows:
                done.append((job.future, self._alone(job)))
            else:
                forms.setdefault(job.work.served.form_of(given), []).append(_Part(job, given))
        for parts in forms.values():
            for batch in _batches(parts, self._batch_rows):
                done += self._one_pass(batch)
        return done

    def _one_pass(self, batch: Sequence[_Part]) -> list[_Done]:
        jobs = [part.job for part in batch]
        if len(batch) > 1:
            try:
                results = jobs[0].work.served.predict_together([part.given for part in batch])
                rows = sum(rows_in(part.given) for part in batch)
                self._metrics.merged(rows)
                self._metrics.predicted(jobs[0].work.served.name, rows)
                return [(job.future, job.work.answer(result)) for job, result in zip(jobs, results, strict=True)]
            except Exception:  # of one of them, which is found when each is computed by itself
                pass
        return [(job.future, self._alone(job)) for job in jobs]

    def _hand_over(self, done: Sequence[_Done]) -> None:
        if done and self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed, after a second signal: nobody waits any more
                self._loop.call_soon_threadsafe(self._deliver, done)

    # In the event loop

    def _deliver(self, done: Sequence[_Done]) -> None:
        self._waiting -= len(done)
        for future, found in done:
            if future.done():
                continue
            if isinstance(found, Exception):
                future.set_exception(found)
            else:
                future.set_result(found)


def _batches(parts: Sequence[_Part], most: int) -> list[list[_Part]]:
    """Parts in lists of a limited number of rows."""
    batches: list[list[_Part]] = []
    rows = most
    for part in parts:
        count = rows_in(part.given)
        if rows + count > most:
            batches.append([])
            rows = 0
        batches[-1].append(part)
        rows += count
    return batches

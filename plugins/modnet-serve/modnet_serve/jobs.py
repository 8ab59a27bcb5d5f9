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
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np

from modnet.arrays import Array
from modnet.errors import ModnetError
from modnet_serve.metrics import Metrics
from modnet_serve.protocol import Answer
from modnet_serve.refusal import Refusal
from modnet_serve.served import Served

MOST_TAKEN = 64
"""The most requests that a thread takes at once."""

PATIENCE = 0.001
"""After how many seconds of work a thread hands over what is ready: waking the event loop for each costs as much as a
small prediction."""


class Work(ABC):
    """What is to be done for one request, by a thread of its own."""

    def __init__(self, served: Served) -> None:
        self.served = served

    @abstractmethod
    def alone(self) -> Answer:
        """The answer, computed for this request by itself."""

    @abstractmethod
    def encoded(self) -> Mapping[str, Array] | None:
        """Network input -> array, for a batch with others; None if this is to be computed by itself."""

    @abstractmethod
    def of_outputs(self, outputs: Mapping[str, Array]) -> Answer:
        """The answer, from the network's outputs for the rows of this request."""


class _Job(NamedTuple):
    work: Work
    future: asyncio.Future[Answer]


_Done = tuple[asyncio.Future[Answer], Answer | Exception]


class Jobs:
    """A queue of requests and the threads that compute them.

    Args:
        threads: how many compute at once.
        most_waiting: how many requests may wait, or be computed.
        batch_rows: up to so many rows of several requests are computed as one batch; 0 for each by itself.
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
            seconds: after which nobody waits for it any more.

        Raises:
            Refusal: too many wait (503), or it took too long (504).
        """
        if self._waiting >= self._most_waiting:
            message = f"{self._waiting} requests wait already, the most that this server lets wait; try again"
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
            return job.work.alone()
        except Exception as error:
            return error

    def _together(self, jobs: Sequence[_Job]) -> list[_Done]:
        """The answers of jobs whose rows are computed as one batch, where their shapes let them be."""
        done: list[_Done] = []
        encoded: list[tuple[_Job, Mapping[str, Array]]] = []
        for job in jobs:
            try:
                arrays = None if job.future.cancelled() else job.work.encoded()
            except Exception as error:
                done.append((job.future, error))
                continue
            if arrays is None:
                done.append((job.future, self._alone(job)))
            else:
                encoded.append((job, arrays))
        for batch in _batches(encoded, self._batch_rows):
            done += self._one_pass(batch)
        return done

    def _one_pass(self, batch: Sequence[tuple[_Job, Mapping[str, Array]]]) -> list[_Done]:
        if len(batch) == 1:
            return [(batch[0][0].future, self._alone(batch[0][0]))]
        served = batch[0][0].work.served
        counts = [_rows(arrays) for _, arrays in batch]
        inputs = {name: np.concatenate([arrays[name] for _, arrays in batch]) for name in batch[0][1]}
        try:
            outputs = served.forward(inputs)
        except ModnetError:  # of one of them, which is found when each is computed by itself
            return [(job.future, self._alone(job)) for job, _ in batch]
        self._metrics.merged(sum(counts))
        done: list[_Done] = []
        start = 0
        for (job, _), count in zip(batch, counts, strict=True):
            part = {name: values[start : start + count] for name, values in outputs.items()}
            start += count
            try:
                done.append((job.future, job.work.of_outputs(part)))
            except Exception as error:
                done.append((job.future, error))
        return done

    def _hand_over(self, done: Sequence[_Done]) -> None:
        if done and self._loop is not None:
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


def _batches(
    encoded: Sequence[tuple[_Job, Mapping[str, Array]]], most: int
) -> list[list[tuple[_Job, Mapping[str, Array]]]]:
    """Parts of up to so many rows, each of arrays that can be joined: rows of the same shape and dtype."""
    batches: list[list[tuple[_Job, Mapping[str, Array]]]] = []
    filling: dict[object, tuple[list[tuple[_Job, Mapping[str, Array]]], int]] = {}
    for item in encoded:
        arrays = item[1]
        key = tuple((name, array.shape[1:], array.dtype) for name, array in arrays.items())
        batch, rows = filling.get(key, ([], 0))
        if not batch or rows + _rows(arrays) > most:
            batch, rows = [], 0
            batches.append(batch)
        batch.append(item)
        filling[key] = (batch, rows + _rows(arrays))
    return batches


def _rows(arrays: Mapping[str, Array]) -> int:
    return len(next(iter(arrays.values())))

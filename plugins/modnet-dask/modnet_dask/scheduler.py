"""A cluster of dask as a scheduler of modnet: tasks become futures, which start again if their worker is lost."""

from __future__ import annotations

import os
import queue
import time
import warnings
from collections import Counter, deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path
from typing import Any

from distributed import Client, Future, KilledWorker, get_worker

import modnet
from modnet.plugins.schedulers import Ended, Work, digest_of
from modnet_dask.sharing import SendFile, SharedFile, sees

PATIENCE = 30.0
"""Seconds to wait if there are no workers: a nanny takes some to start a new one."""

LOOK = 1.0
"""Seconds after which it is looked whether there still are workers."""

ATTEMPTS = 3
"""How often a task is begun that fails by an error of the system, such as a file server's."""

AHEAD = 2
"""How many tasks are given out for each thread of the workers, so that none waits for the next."""


GONE = "the scheduler of dask, or a worker, cannot be reached any more"


class WorkerKilled(Exception):
    """A task for which one worker after the other has ended."""


class DaskScheduler:
    """The workers of a cluster of dask; a `modnet.plugins.schedulers.Scheduler`.

    Args:
        client: is closed by `close` if `owned`.
        cluster: is closed, too; or None.
    """

    def __init__(self, client: Client, cluster: Any = None, owned: bool = False) -> None:
        self.client, self._cluster, self._owned = client, cluster, owned
        self._sent: list[SendFile] = []

    def share(self, path: Path) -> Callable[[], Path]:
        """A file that the workers see under the same path is not sent; else each machine gets a copy."""
        file = SharedFile(path, digest_of(path))
        seen = self._asked(sees, path, file.digest)
        if not seen or not all(seen.values()):
            sending = SendFile(file, path.read_bytes())
            self._sent.append(sending)
            self.client.register_plugin(sending)
        return file

    def run(self, work: Work, tasks: Sequence[Any]) -> Generator[Ended]:
        """As the protocol says. A task whose worker was lost several times is tried by itself in the end: workers die
        with all that they were given, so only then is it known which task it was.

        Raises:
            ConnectionError: the scheduler is gone, or there have been no workers for some time.
        """
        return Running(self, work, tasks).endings()

    def threads(self) -> int:
        """How many threads the workers have together. Raises ConnectionError: the scheduler is gone."""
        try:
            return sum(self.client.nthreads().values())
        except (OSError, RuntimeError, TimeoutError) as error:
            raise ConnectionError(f"{GONE}: {error}") from error

    def renew(self) -> None:
        """Starts one more worker of a cluster on this machine, if a nanny has failed to.

        A nanny does not restart a worker that ends before the nanny has noticed its start.
        """
        if self._cluster is not None:
            self._cluster.scale(len(self._cluster.worker_spec) + 1)

    def close(self) -> None:
        """Closes what was opened only for this scheduler."""
        for sending in self._sent:
            with suppress(Exception):  # the cluster may have gone, and its copies with it
                self.client.unregister_worker_plugin(sending.name)
        if self._owned:
            with suppress(Exception):
                self.client.close(timeout=5)
        if self._cluster is not None:
            with suppress(Exception):
                self._cluster.close(timeout=5)

    def _asked(self, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        """What a function gives in each worker.

        Raises:
            ModnetError: a worker cannot run it, as it has no modnet, for example.
        """
        try:
            return dict(self.client.run(function, *arguments))
        except ImportError as error:
            raise modnet.ModnetError(
                f"something is missing on a worker: {error}; the workers need modnet-dask and the plugins of the model"
            ) from error
        except (OSError, TimeoutError) as error:
            raise ConnectionError(f"{GONE}: {error}") from error


class Running:
    """Tasks, of which as many are submitted as keep the workers busy."""

    def __init__(self, scheduler: DaskScheduler, work: Work, tasks: Sequence[Any]) -> None:
        self._scheduler, self._client, self._work, self._tasks = scheduler, scheduler.client, work, tasks
        self._name = f"modnet-{os.urandom(6).hex()}"
        self._waiting = deque(range(len(tasks)))
        self._doubtful: deque[int] = deque()
        self._alone: set[int] = set()
        self._given: dict[str, Future] = {}
        self._ended: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._attempts: Counter[int] = Counter()
        self._lost: Counter[int] = Counter()

    def endings(self) -> Generator[Ended]:
        """What became of each task, as soon as it is known. What is given out is taken back if this is closed."""
        self._client.subscribe_topic("all", self._hear)
        try:
            self._give_out()
            while self._given:
                ended = self._take(self._next())
                if ended is not None:
                    yield ended
                self._give_out()
        finally:
            with suppress(Exception):  # the scheduler may be what has gone
                self._client.unsubscribe_topic("all")
                self._client.cancel(list(self._given.values()), force=True)

    def _hear(self, event: tuple[float, Any]) -> None:
        """Counts the tasks that a worker had which is lost."""
        _, told = event
        if isinstance(told, dict) and told.get("action") == "remove-worker":
            for key in told.get("processing-tasks", ()):
                if key in self._given:
                    self._lost[_place_of(key)] += 1

    def _give_out(self) -> None:
        room = AHEAD * max(1, self._scheduler.threads())
        while self._waiting and len(self._given) < room:
            self._give(self._waiting.popleft())
        if not self._given and self._doubtful:
            self._alone.add(self._doubtful[0])
            self._give(self._doubtful.popleft())

    def _give(self, place: int) -> None:
        self._attempts[place] += 1
        key = f"{self._name}-{self._attempts[place]}-{place}"
        self._given[key] = future = self._client.submit(do, self._work, self._tasks[place], key=key, pure=False)
        future.add_done_callback(lambda future: self._ended.put(future.key))

    def _next(self) -> str:
        """The key of a task that has ended."""
        lost_at: float | None = None
        while True:
            with suppress(queue.Empty):
                return self._ended.get(timeout=LOOK)
            if self._scheduler.threads():
                lost_at = None
            elif lost_at is None:
                lost_at = time.monotonic()
                warnings.warn(f"there are no workers; waiting {PATIENCE:g} s for some", RuntimeWarning, stacklevel=2)
                self._scheduler.renew()
            elif time.monotonic() - lost_at > PATIENCE:
                address = self._client.scheduler.address
                raise ConnectionError(f"the scheduler has no workers; start some:  dask worker {address}")

    def _take(self, key: str) -> Ended | None:
        """The outcome of a task; None if it must be started again."""
        place, future = _place_of(key), self._given[key]
        try:
            return self._ending(place, result=future.result(timeout=PATIENCE))
        except KilledWorker as error:
            if place in self._alone:
                return self._ending(place, error=WorkerKilled(self._killed(place, error)))
            self._doubtful.append(place)
        except CancelledError as error:
            raise ConnectionError(f"{GONE}: {error}") from error
        except OSError as error:
            if self._attempts[place] >= ATTEMPTS:
                return self._ending(place, error=error)
            self._waiting.appendleft(place)
        except Exception as error:
            return self._ending(place, error=error)
        finally:
            del self._given[key]
        return None

    def _ending(self, place: int, result: Any = None, error: Exception | None = None) -> Ended:
        return Ended(place, result, error, self._lost[place] + self._attempts[place] - 1)

    def _killed(self, place: int, error: KilledWorker) -> str:
        lost = max(self._lost[place], error.allowed_failures + 1)
        return (
            f"{lost} workers have ended while they worked on it, the last {error.last_worker.address}; perhaps it "
            "needs more memory than they have: their logs say more"
        )


def _place_of(key: str) -> int:
    return int(key.rpartition("-")[2])


def do(work: Work, task: Any) -> Any:
    """Does the work in a worker."""
    worker = get_worker()
    key = worker.get_current_task()

    def wanted() -> bool:
        known = worker.state.tasks.get(key)
        return known is not None and known.state != "cancelled"

    return work(task, wanted)

"""The queue: its bound, the limit of time, and what is computed together."""

import asyncio
import json
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from modnet_serve.jobs import Jobs, Work
from modnet_serve.metrics import Metrics
from modnet_serve.protocol import Answer
from modnet_serve.refusal import Refusal
from modnet_serve.served import Served
from modnet_serve.work import Prediction
from people import INPUTS

import modnet


class Held(Work):
    """Work that waits until it is let go."""

    def __init__(self):
        super().__init__(SimpleNamespace(name="held"))
        self.go = threading.Event()
        self.begun = threading.Event()

    def alone(self):
        self.begun.set()
        assert self.go.wait(10)
        return Answer(b"done")

    def given(self):
        return [{}]

    def answer(self, result):
        raise AssertionError


def run(work, **options):
    """Runs a coroutine of a queue that is started."""

    async def main():
        jobs = Jobs(**{"threads": 1, "most_waiting": 100, "batch_rows": 0, "metrics": Metrics(), **options})
        jobs.start()
        try:
            return await work(jobs)
        finally:
            await asyncio.to_thread(jobs.stop)

    return asyncio.run(main())


def test_a_full_queue_refuses():
    async def work(jobs):
        held = Held()
        waiting = [asyncio.create_task(jobs.done(held, 10)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Refusal) as caught:
            await jobs.done(held, 10)
        held.go.set()
        return caught.value, await asyncio.gather(*waiting), jobs.waiting

    refusal, answers, waiting = run(work, most_waiting=2)
    assert (refusal.status, refusal.headers) == (503, {"Retry-After": "1"})
    assert [answer.body for answer in answers] == [b"done", b"done"]
    assert waiting == 0


def test_what_takes_too_long_is_given_up_and_not_computed():
    async def work(jobs):
        first, second = Held(), Held()
        task = asyncio.create_task(jobs.done(first, 10))
        await asyncio.to_thread(first.begun.wait)
        with pytest.raises(Refusal) as caught:
            await jobs.done(second, 0.01)
        assert jobs.waiting == 2
        first.go.set()
        await task
        while jobs.waiting:
            await asyncio.sleep(0.001)
        return caught.value, second.begun.is_set()

    refusal, computed = run(work)
    assert (refusal.status, refusal.message) == (504, "the prediction took longer than 0.01 seconds")
    assert not computed


@pytest.mark.parametrize("threads", [1, 3])
def test_all_that_waits_is_finished_before_the_threads_end(threads):
    async def work(jobs):
        held = Held()
        tasks = [asyncio.create_task(jobs.done(held, 10)) for _ in range(200)]
        await asyncio.sleep(0)
        held.go.set()
        await asyncio.to_thread(jobs.stop)
        return [answer.body for answer in await asyncio.gather(*tasks)]

    assert run(work, threads=threads, most_waiting=1000) == [b"done"] * 200


def predictions(people, bodies, **options):
    """The answers to bodies that wait together, and the metrics."""
    served = Served.of("people", "1", str(people), modnet.load(people))
    metrics = Metrics()

    async def work(jobs):
        held = Held()
        first = asyncio.create_task(jobs.done(held, 10))
        await asyncio.to_thread(held.begun.wait)
        tasks = [asyncio.create_task(jobs.done(Prediction(served, body, False, 1000), 10)) for body in bodies]
        await asyncio.sleep(0.01)
        held.go.set()
        await first
        return await asyncio.gather(*tasks, return_exceptions=True)

    return run(work, metrics=metrics, **options), metrics


def bodies():
    sizes = [1, 1, 3, 1, 20, 1]
    return [json.dumps(INPUTS[start : start + size]).encode() for start, size in enumerate(sizes)]


def parsed(answer):
    return [[*record.values()] for record in json.loads(answer.body)]


def test_each_request_is_computed_by_itself_to_the_same_bytes(people):
    alone = [predictions(people, [body])[0][0].body for body in bodies()]
    together, _ = predictions(people, bodies())
    assert [answer.body for answer in together] == alone


def test_rows_that_are_computed_as_one_batch_agree_to_rounding(people):
    alone, _ = predictions(people, bodies())
    together, metrics = predictions(people, bodies(), batch_rows=64)
    assert metrics.registry.get_sample_value("modnet_batch_rows_sum") == 27
    for expected, found in zip(alone, together, strict=True):
        for before, after in zip(parsed(expected), parsed(found), strict=True):
            assert before[0] == after[0]
            np.testing.assert_allclose(after[1:], before[1:], rtol=1e-5)


def test_batches_have_no_more_rows_than_allowed(people):
    _, metrics = predictions(people, bodies(), batch_rows=4)
    assert metrics.registry.get_sample_value("modnet_batch_rows_sum") == 2 + 4
    assert metrics.registry.get_sample_value("modnet_batch_rows_count") == 2


def test_a_request_at_fault_spoils_no_other(people):
    good, bad = bodies()[0], b'[{"height": "tall"}]'
    too_large = bodies()[1].replace(b'"height": ', b'"height": 1e300, "was": ')
    (first, wrong, large, last), _ = predictions(people, [good, bad, too_large, good], batch_rows=64)
    assert first.body == last.body == predictions(people, [good])[0][0].body
    assert "height" in str(wrong)
    assert "beyond what float32 can hold" in str(large)

"""What a server of models takes: many connections, a long time, files that are replaced, faults.

    python benchmarks/load.py speed     # throughput and latency, beside onnxruntime and with batches
    python benchmarks/load.py soak      # 200,000 requests with reloads: every answer, and the memory
    python benchmarks/load.py faults    # what clients see when something goes wrong

Every answer is compared: with the bytes of the answer that the same request had when it was alone, which in turn is
compared with what the library predicts in one thread. All traffic stays on 127.0.0.1.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import modnet

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from connections import Connection, hammer  # noqa: E402
from server_process import Process  # noqa: E402

PENGUINS = HERE.parents[2] / "examples" / "penguins"
HOST = "127.0.0.1"

REPEATS = 3
"""Loads of one server, of which the fastest counts: a machine does other things too."""


class Case(NamedTuple):
    """A model, and different requests for it.

    Attributes:
        headers: of HTTP, for all of them.
        check: fails where an answer is further than a tolerance from what the library predicts for that request.
    """

    name: str
    model: Path
    path: str
    headers: str
    bodies: list[bytes]
    check: Callable[[int, bytes, float], None]


def table_case(folder: Path) -> Case:
    """Records as JSON for a model of a table, a row each."""
    model = folder / "penguins.modnet"
    modnet.save(modnet.train(PENGUINS / "penguins.toml", seed=1).network, model)
    frame = [dict(zip(*pair, strict=True)) for pair in _csv(PENGUINS / "penguins.csv")]
    rows = [{key: value for key, value in row.items() if key != "species"} for row in frame[:200]]
    network = modnet.load(model)
    expected = [network.predict(row) for row in rows]

    def check(number: int, answer: bytes, tolerance: float) -> None:
        found = json.loads(answer)
        assert found["species"] == expected[number]["species"]
        np.testing.assert_allclose(_numbers(found), _numbers(expected[number]), rtol=tolerance, atol=tolerance)

    return Case("table, 7 columns", model, "/predict", "", [json.dumps(row).encode() for row in rows], check)


def _csv(path: Path) -> list[tuple[list[str], list[object]]]:
    head, *lines = path.read_text().splitlines()
    return [(head.split(","), [_value(cell) for cell in line.split(",")]) for line in lines]


def _value(cell: str) -> object:
    try:
        return float(cell)
    except ValueError:
        return None if cell in ("", "NA") else cell


def _numbers(record: dict[str, object]) -> list[object]:
    return [value for name, value in record.items() if name.startswith("P(")]


def array_case(file: str, name: str, folder: Path, network: modnet.Network, rows: int) -> Case:
    """Raw bytes by the Open Inference Protocol, for a network that takes arrays."""
    model = folder / f"{file}.modnet"
    modnet.save(network, model)
    shape = network.inputs["input"]
    samples = np.random.default_rng(0).normal(size=(50, rows, *shape)).astype(np.float32)
    tensor = {"name": "input", "datatype": "FP32", "shape": [rows, *shape]}
    tensor["parameters"] = {"binary_data_size": samples[0].nbytes}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    expected = [network.forward(sample) for sample in samples]

    def check(number: int, answer: bytes, tolerance: float) -> None:
        found = np.frombuffer(answer[-expected[number].nbytes :], np.float32).reshape(expected[number].shape)
        np.testing.assert_allclose(found, expected[number], rtol=tolerance, atol=tolerance)

    path = f"/v2/models/{model.stem}/infer"
    headers = f"Inference-Header-Content-Length: {len(head)}\r\n"
    return Case(name, model, path, headers, [head + sample.tobytes() for sample in samples], check)


def mlp() -> modnet.Network:
    hidden = [{"type": "linear", "out_features": width, "activation": "relu"} for width in (256, 128)]
    return modnet.build(
        {"network": {"input": [784], "layers": [*hidden, {"type": "linear", "out_features": 10}, "softmax"]}}
    )


def cnn() -> modnet.Network:
    layers: list[object] = []
    for channels in (16, 32, 32):
        layers += [{"type": "conv2d", "out_channels": channels, "kernel_size": 3}, "batch_norm", "relu"]
    layers += ["flatten", {"type": "linear", "out_features": 10}, "softmax"]
    return modnet.build({"network": {"input": [28, 28, 1], "layers": layers}})


# Speed


class Measured(NamedTuple):
    """Figures of a load: requests a second, milliseconds, and the server's processor time for a request."""

    rate: float
    p50: float
    p99: float
    cpu: float


async def alone(process: Process, case: Case, tolerance: float) -> list[bytes]:
    """The answers to requests that come one after another, checked against the library."""
    async with Connection(HOST, process.port) as connection:
        answers = []
        for number, body in enumerate(case.bodies):
            status, answer = await connection.post(case.path, body, case.headers)
            assert status == 200, answer
            case.check(number, answer, tolerance)
            answers.append(answer)
    return answers


async def measured(
    process: Process, case: Case, connections: int, requests: int, exact: bool, tolerance: float
) -> Measured:
    known = await alone(process, case, tolerance)
    seconds: list[float] = []

    async def ask(connection: Connection, number: int) -> None:
        place = number % len(known)
        begun = time.perf_counter()
        status, answer = await connection.post(case.path, case.bodies[place], case.headers)
        seconds.append(time.perf_counter() - begun)
        assert status == 200, answer
        if exact:
            assert answer == known[place]
        else:
            case.check(place, answer, 1e-5)

    await hammer(HOST, process.port, connections, 20, ask)
    return max([await once(process, connections, requests, ask, seconds) for _ in range(REPEATS)])


async def once(
    process: Process,
    connections: int,
    requests: int,
    ask: Callable[[Connection, int], Awaitable[None]],
    seconds: list[float],
) -> Measured:
    seconds.clear()
    before, begun = cpu_of(process), time.perf_counter()
    await hammer(HOST, process.port, connections, requests // connections, ask)
    took = time.perf_counter() - begun
    low, high = np.percentile(seconds, [50, 99]) * 1000
    return Measured(len(seconds) / took, low, high, (cpu_of(process) - before) / len(seconds) * 1e6)


def cpu_of(process: Process) -> float:
    """Seconds of the processor that a process has taken."""
    fields = Path(f"/proc/{process.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(process: Process) -> float:
    """MiB of memory that a process holds."""
    pages = int(Path(f"/proc/{process.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


SERVERS: Sequence[tuple[str, list[str], bool, float]] = (
    ("modnet", [], True, 0.0),
    ("modnet, --batch-rows 64", ["--batch-rows", "64"], False, 1e-5),
    ("compiled", ["--engine", "compiled"], True, 1e-4),
    ("onnxruntime", ["--engine", "onnxruntime"], True, 1e-4),
)
"""Name, arguments, whether answers under load are equal to the byte, and how far they may be from the library's."""


def speed(folder: Path, requests: int) -> None:
    cases = [
        table_case(folder),
        array_case("mlp", "mlp, 1 row", folder, mlp(), 1),
        array_case("mlp", "mlp, 16 rows", folder, mlp(), 16),
    ]
    cases.append(array_case("cnn", "cnn, 1 row", folder, cnn(), 1))
    print("| request | computed by | 1 connection: p50 ms | 64: p50 ms | p99 ms | requests/s | CPU us/request |")
    print("|---|---|---|---|---|---|---|")
    for case in cases:
        for name, arguments, exact, tolerance in SERVERS:
            with Process(case.model, *arguments) as process:
                one = asyncio.run(measured(process, case, 1, requests // 8, exact, tolerance))
                many = asyncio.run(measured(process, case, 64, requests, exact, tolerance))
                assert process.end() == 0
            figures = f"{one.p50:.1f} | {many.p50:.1f} | {many.p99:.1f} | {many.rate:,.0f} | {many.cpu:.0f}"
            print(f"| {case.name} | {name} | {figures} |", flush=True)


# A long time


def soak(folder: Path, requests: int) -> None:
    """Many requests by 64 connections while the file is replaced again and again by another training.

    The first answer that is lost, or is that of neither file, ends it.
    """
    case = table_case(folder)
    other = folder / "other.modnet"
    modnet.save(modnet.train(PENGUINS / "penguins.toml", seed=2).network, other)
    first = shutil.copy(case.model, folder / "first.modnet")
    with Process(case.model) as process:
        asyncio.run(_soak(process, case, [Path(first), other], requests))
        status = process.end()
    loaded = sum("was replaced, and the new file is served" in line for line in process.lines)
    print(f"\n{loaded} reloads; exit status {status}")


async def _soak(process: Process, case: Case, files: list[Path], requests: int) -> None:
    known = [{} for _ in case.bodies]
    for which, file in enumerate(files):
        network = modnet.load(file)
        for place, body in enumerate(case.bodies):
            known[place][json.dumps(network.predict(json.loads(body)), ensure_ascii=False).encode()] = which
    found: Counter[int] = Counter()

    async def ask(connection: Connection, number: int) -> None:
        place = number % len(known)
        status, answer = await connection.post(case.path, case.bodies[place])
        assert status == 200, answer
        found[known[place][answer]] += 1

    async def replace() -> None:
        for turn in range(1, 1 << 30):
            await asyncio.sleep(5)
            shutil.copy(files[turn % 2], case.model.with_suffix(".new"))
            os.replace(case.model.with_suffix(".new"), case.model)

    replacing = asyncio.create_task(replace())
    print("| requests | answers of the first file | of the second | MiB |\n|---|---|---|---|")
    for part in range(11):
        if part:
            await hammer(HOST, process.port, 64, requests // 64 // 10, ask)
        else:
            await hammer(HOST, process.port, 64, 100, ask)  # buffers and caches that are made once
            found.clear()
        print(f"| {found.total():,} | {found[0]:,} | {found[1]:,} | {memory_of(process):.1f} |", flush=True)
    replacing.cancel()


# Faults

UNASKED = "not asked"
"""Of requests that were to follow on a connection that has ended."""


def faults(folder: Path) -> None:
    case = table_case(folder)
    print("| what happens | what clients see | the server |\n|---|---|---|")
    for name, act in [
        ("the file is replaced by a damaged one", _damaged),
        ("SIGTERM under load", _terminated),
        ("kill -9 under load", _killed),
        ("200 connections, a queue of 20", _crowded),
        ("20 clients that send a byte each second beside 16 that ask", _slow),
    ]:
        print(f"| {name} | {' | '.join(act(case))} |", flush=True)


async def _asked(process: Process, case: Case, connections: int, each: int, then: Callable[[], None]) -> Counter[str]:
    """How requests end while, a third of a second after the first, something is done."""

    async def ask(connection: Connection, number: int) -> str:
        if connection.closing:
            return UNASKED
        try:
            status, _ = await connection.post(case.path, case.bodies[number % len(case.bodies)])
        except (OSError, asyncio.IncompleteReadError) as error:
            connection.closing = True
            begun = isinstance(error, asyncio.IncompleteReadError) and error.partial
            return "cut off" if begun else "connection closed before an answer"
        return str(status)

    asyncio.get_running_loop().call_later(0.3, then)
    return Counter(await hammer(HOST, process.port, connections, each, ask))


def _told(found: Counter[str]) -> str:
    return ", ".join(f"{count:,} x {what}" for what, count in sorted(found.items()) if what != UNASKED)


def _damaged(case: Case) -> tuple[str, str]:
    good = case.model.read_bytes()
    with Process(case.model) as process:

        def spoil() -> None:
            case.model.with_suffix(".new").write_bytes(good[:-100] + bytes(100))
            os.replace(case.model.with_suffix(".new"), case.model)
            process.process.send_signal(signal.SIGHUP)

        found = asyncio.run(_asked(process, case, 16, 200, spoil))
        status = process.end()
    case.model.write_bytes(good)
    line = next(line for line in process.lines if "is not taken" in line)
    return _told(found), f"keeps the model; says why ({line.rpartition(': ')[2].strip()}); exit status {status}"


def _terminated(case: Case) -> tuple[str, str]:
    with Process(case.model) as process:
        found = asyncio.run(_asked(process, case, 64, 1000, lambda: process.process.send_signal(signal.SIGTERM)))
        status = process.wait()
    return _told(found), f"{process.lines[-1].strip()}; exit status {status}"


def _killed(case: Case) -> tuple[str, str]:
    with Process(case.model) as process:
        found = asyncio.run(_asked(process, case, 64, 1000, process.process.kill))
        process.wait()
    with Process(case.model) as process:
        asyncio.run(alone(process, case, 0.0))
        return _told(found), "gone; started again it answers as before"


def _crowded(case: Case) -> tuple[str, str]:
    with Process(case.model, "--most-waiting", "20") as process:
        found = asyncio.run(_asked(process, case, 200, 20, lambda: None))
        return _told(found), f"exit status {process.end()}"


def _slow(case: Case) -> tuple[str, str]:
    async def drip(process: Process) -> str:
        reader, writer = await asyncio.open_connection(HOST, process.port)
        writer.write(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
        for _ in range(5):
            writer.write(b" ")
            await asyncio.sleep(1)
        answer = await reader.read(4096)
        writer.close()
        return "slow: " + answer[9:12].decode()

    async def work(process: Process) -> Counter[str]:
        dripping = [asyncio.create_task(drip(process)) for _ in range(20)]
        found = await _asked(process, case, 16, 200, lambda: None)
        return found + Counter(await asyncio.gather(*dripping))

    with Process(case.model, "--seconds", "3") as process:
        return _told(asyncio.run(work(process))), f"exit status {process.end()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["speed", "soak", "faults"])
    parser.add_argument("--requests", type=int)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if options.what == "speed":
            speed(Path(name), options.requests or 6400)
        elif options.what == "soak":
            soak(Path(name), options.requests or 200_000)
        else:
            faults(Path(name))


if __name__ == "__main__":
    main()

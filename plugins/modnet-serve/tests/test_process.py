"""A real server with real clients: tritonclient, kserve's, many connections, signals, replaced files."""

import asyncio
import json
import os
import shutil
import signal
import socket
import time

import httpx
import numpy as np
import pytest
from click.testing import CliRunner
from connections import hammer
from people import INPUTS, people_network
from server_process import Process

import modnet
from modnet.cli.app import cli


@pytest.fixture(scope="module")
def process(people, numbers):
    with Process(people, f"arrays={numbers}") as process:
        yield process
        assert process.end() == 0


# Clients


@pytest.fixture(scope="module")
def triton(process):
    http = pytest.importorskip("tritonclient.http")
    client = http.InferenceServerClient(f"127.0.0.1:{process.port}")
    yield client
    client.close()


def tensor(name, values, datatype, **options):
    from tritonclient.http import InferInput

    made = InferInput(name, list(values.shape), datatype)
    made.set_data_from_numpy(values, **options)
    return made


def people_tensors(rows, **options):
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    numbers = [
        tensor(name, np.array([np.nan if v is None else v for v in columns.pop(name)]), "FP64", **options)
        for name in ("height", "age")
    ]
    truths = tensor("member", np.array(columns.pop("member")), "BOOL", **options)
    return [*numbers, truths, *(tensor(n, np.array(v, object), "BYTES", **options) for n, v in columns.items())]


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("packing", [None, "gzip", "deflate"])
def test_tritonclient(triton, people, binary, packing):
    from tritonclient.http import InferRequestedOutput

    wanted = [InferRequestedOutput("size", binary_data=binary), InferRequestedOutput("P(small)", binary_data=binary)]
    answer = triton.infer(
        "people",
        people_tensors(INPUTS, binary_data=binary),
        outputs=wanted,
        request_id="7",
        request_compression_algorithm=packing,
        response_compression_algorithm=packing,
    )
    expected = modnet.load(people).predict({name: [row[name] for row in INPUTS] for name in INPUTS[0]})
    assert answer.get_response()["id"] == "7"
    texts = answer.as_numpy("size").tolist()
    assert [text.decode() if isinstance(text, bytes) else text for text in texts] == list(expected["size"])
    np.testing.assert_array_equal(answer.as_numpy("P(small)"), expected["P(small)"])


def test_tritonclient_by_default(triton, numbers):
    x = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
    found = triton.infer("arrays", [tensor("input", x, "FP32")]).as_numpy("output")
    np.testing.assert_array_equal(found, modnet.load(numbers).forward(x))


def test_tritonclient_asks_what_is_there(triton):
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("people")
    assert not triton.is_model_ready("nobody")
    assert triton.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    assert triton.get_model_metadata("arrays")["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, 5]}]
    assert [model["name"] for model in triton.get_model_repository_index()] == ["people", "arrays"]


def test_tritonclient_is_told_what_is_wrong(triton):
    from tritonclient.utils import InferenceServerException

    with pytest.raises(InferenceServerException, match=r"\(batch, 5\)"):
        triton.infer("arrays", [tensor("input", np.zeros((1, 4), np.float32), "FP32")])


def test_kserve(process, numbers):
    kserve = pytest.importorskip("kserve", reason="its requirements are pinned: an environment of its own")
    from kserve.inference_client import RESTConfig

    x = np.random.default_rng(0).normal(size=(2, 5)).astype(np.float32)

    async def ask():
        client = kserve.InferenceRESTClient(RESTConfig(protocol="v2"))
        given = kserve.InferInput("input", [2, 5], "FP32")
        given.set_data_from_numpy(x, binary_data=False)
        request = kserve.InferRequest("arrays", [given])
        answer = await client.infer(process.address, request, model_name="arrays")
        ready = await client.is_server_ready(process.address)
        await client.close()
        return answer.outputs[0].as_numpy(), ready

    found, ready = asyncio.run(ask())
    np.testing.assert_array_equal(found.reshape(2, 3), modnet.load(numbers).forward(x))
    assert ready


# Many connections


BODIES = [json.dumps(row).encode() for row in INPUTS]


def test_answers_under_load_are_those_of_one_thread(process, people):
    network = modnet.load(people)
    expected = [network.predict(row) for row in INPUTS]

    async def ask(connection, number):
        status, body = await connection.post("/predict/people", BODIES[number % len(INPUTS)])
        return status == 200 and json.loads(body) == expected[number % len(INPUTS)]

    found = asyncio.run(hammer("127.0.0.1", process.port, 64, 20, ask))
    assert len(found) == 1280
    assert all(found)


def test_files_that_are_replaced_under_load_lose_no_request(people, tmp_path):
    path, newer = tmp_path / "people.modnet", tmp_path / "newer.modnet"
    shutil.copy(people, path)
    modnet.save(people_network(epochs=6), newer)
    known = [modnet.load(file).predict(INPUTS[0]) for file in (people, newer)]
    assert known[0] != known[1]

    with Process(path) as process:

        async def ask(connection, _):
            status, body = await connection.post("/predict", BODIES[0])
            return status, known.index(json.loads(body))

        async def work():
            loading = asyncio.create_task(hammer("127.0.0.1", process.port, 16, 200, ask))
            for source in (newer, people, newer):
                shutil.copy(source, tmp_path / "beside")
                os.replace(tmp_path / "beside", path)
                process.process.send_signal(signal.SIGHUP)
                await asyncio.sleep(0.25)
            return await loading

        answers = asyncio.run(work())
        last = httpx.post(f"{process.address}/predict", json=INPUTS[0]).json()
        assert process.end() == 0
    assert {status for status, _ in answers} == {200}
    assert {which for _, which in answers} == {0, 1}
    assert last == known[1]
    assert sum("was replaced, and the new file is served" in line for line in process.lines) == 3


@pytest.mark.parametrize("count", [1, 3])
def test_batches_under_load_agree_to_rounding(numbers, count):
    """Requests of 1 and 3 rows, some of them wrong, that are computed together."""
    x = np.random.default_rng(0).normal(size=(50, count, 5)).astype(np.float32)
    network = modnet.load(numbers)
    expected = [network.decode(network.forward(rows)) for rows in x]

    async def ask(connection, number):
        if number % 10 == 9:
            return (await connection.post("/predict", b"[[1, 2]]"))[0] == 400
        status, body = await connection.post("/predict", json.dumps(x[number % 50].tolist()).encode())
        found = json.loads(body)
        values = [[row[name] for row in found] for name in expected[number % 50]]
        return status == 200 and np.allclose(values, [*expected[number % 50].values()], rtol=1e-5)

    with Process(numbers, "--batch-rows", "16", "--threads", "2") as process:
        assert all(asyncio.run(hammer("127.0.0.1", process.port, 32, 20, ask)))
        figures = httpx.get(f"{process.address}/metrics").text
        assert process.end() == 0
    assert float(figures.partition("\nmodnet_batch_rows_sum ")[2].partition("\n")[0]) > 0


def test_a_body_that_comes_too_slowly_is_given_up(people):
    with Process(people, "--seconds", "0.5") as process:
        with socket.create_connection(("127.0.0.1", process.port), 10) as connection:
            connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
            answer = b""
            while not answer.endswith(b"}"):
                answer += connection.recv(4096)
        assert process.end() == 0
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert answer.endswith(b'{"error": "the body took longer than 0.5 seconds to arrive"}')


# Signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_was_asked_is_answered_before_the_end(people, number):
    """A request whose body is still coming when the signal comes."""
    body = json.dumps(INPUTS[0]).encode()
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with Process(people) as process, socket.create_connection(("127.0.0.1", process.port)) as connection:
        connection.sendall(head + body[:10])
        time.sleep(0.3)
        process.process.send_signal(number)
        time.sleep(0.5)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", process.port), 1)
        connection.sendall(body[10:])
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert process.wait() == 0
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == modnet.load(people).predict(INPUTS[0])
    assert process.lines[-1] == "stopped: every request that had arrived was answered\n"


def test_no_request_is_lost_when_it_ends_under_load(people):
    async def ask(connection, number):
        return "not asked" if connection.closing else (await connection.post("/predict", BODIES[number % 50]))[0]

    async def work(process):
        asyncio.get_running_loop().call_later(0.5, process.process.send_signal, signal.SIGTERM)
        return await hammer("127.0.0.1", process.port, 32, 2000, ask)

    with Process(people) as process:
        found = asyncio.run(work(process))
        assert process.wait() == 0
    assert set(found) == {200, "not asked"}


def test_a_second_signal_ends_it_at_once(people):
    with Process(people) as process, socket.create_connection(("127.0.0.1", process.port)) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n")
        time.sleep(0.3)
        process.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert process.process.poll() is None
        assert process.end(seconds=5) == 1
    assert process.lines[-1] == "error: stopped at once: 1 request was not answered\n"


# The command


def test_what_is_wrong_is_told_at_the_start(people, tmp_path):
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "not.modnet").write_text("hello")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for arguments, status, text in [
            ([tmp_path / "peple.modnet"], 2, "peple.modnet: no such file or directory"),
            ([tmp_path / "not.modnet"], 2, "not.modnet: "),
            ([f"a/b={people}"], 2, 'expected a name of letters, digits, "-", "_" and "." before ='),
            ([people, "--token-file", tmp_path / "empty"], 2, "expected a token of visible ASCII characters"),
            ([people, "--port", port], 1, f"127.0.0.1:{port}: address already in use; choose another --port"),
            ([people, "--engine", "none"], 2, "none"),
            ([people, "--host", "no.such.host.invalid", "--port", 0], 1, "no.such.host.invalid"),
        ]:
            found = CliRunner().invoke(cli, ["serve", *map(str, arguments)])
            assert found.exit_code == status, found.output
            assert text in found.output
            assert "Traceback" not in found.output


def test_the_first_lines_say_how_to_try_it(people):
    with Process(people, "--host", "0.0.0.0") as process:
        first, *_ = process.lines
        assert first.startswith("warning: 0.0.0.0 can be reached from other machines, and there is no token")
        time.sleep(0.2)
        command = next(line for line in process.lines if line.startswith("  curl"))
        assert process.end() == 0
    assert "people, version 1: 6 columns -> size, P(large), P(medium), P(small)\n" in process.lines
    assert command.endswith(f" http://127.0.0.1:{process.port}/predict/people\n")


def test_the_token_of_the_environment(people, tmp_path):
    with Process(people, MODNET_SERVE_TOKEN="secret") as process:
        assert httpx.post(f"{process.address}/predict", json=INPUTS[0]).status_code == 401
        headers = {"Authorization": "Bearer secret"}
        assert httpx.post(f"{process.address}/predict", json=INPUTS[0], headers=headers).status_code == 200


def test_another_engine(numbers):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("modnet_onnx")
    x = np.random.default_rng(0).normal(size=(3, 5))
    with Process(numbers, "--engine", "onnxruntime") as process:
        found = httpx.post(f"{process.address}/predict", json=x.tolist()).json()
    expected = modnet.load(numbers).forward(x)
    np.testing.assert_allclose([[*row.values()] for row in found], expected, rtol=1e-5)

"""The JavaScript reader, asked over pipes: one start of node for all tests."""

import datetime
import json
import math
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent


class Refused(Exception):
    """An error of the reader, with its name, and the values of a table that are at fault."""

    def __init__(self, answer):
        super().__init__(answer["message"])
        self.name, self.problems, self.missing = answer["error"], answer.get("problems"), answer.get("missing")


def sendable(value):
    """A value as JSON, in which what JSON cannot say is a map."""
    if isinstance(value, np.ndarray | np.generic):
        return sendable(value.tolist())
    if isinstance(value, dict):
        return {key: sendable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [sendable(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")}
    if isinstance(value, datetime.datetime):
        return {"date": value.isoformat() + "Z"}
    return str(value) if isinstance(value, Path) else value


def received(table):
    """A map of an answer, or the number that it stands for."""
    return float(table["float"].replace("Infinity", "inf")) if set(table) == {"float"} else table


class Reader:
    """Asks the reader in a process of its own."""

    def __init__(self, node):
        command = [node, HERE / "answer.mjs"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def ask(self, method, **question):
        self.process.stdin.write(json.dumps({"method": method, **sendable(question)}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline(), object_hook=received)
        if "error" in answer:
            raise Refused(answer)
        return answer["value"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=10)
        self.process.stdout.close()


@pytest.fixture(scope="session")
def reader():
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    made = Reader(node)
    yield made
    made.close()


def is_numbers(value):
    return all(map(is_numbers, value)) if isinstance(value, list) else isinstance(value, int | float)


def assert_same(found, expected, tolerance=1e-5):
    """Numbers to rounding, as a part of the greatest; everything else exactly."""
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for name, value in expected.items():
            assert_same(found[name], value, tolerance)
        return
    if isinstance(expected, list) and not all(
        isinstance(value, int | float) or is_numbers(value) for value in expected
    ):
        assert len(found) == len(expected)
        for mine, theirs in zip(found, expected, strict=True):
            assert_same(mine, theirs, tolerance)
        return
    if expected is None or isinstance(expected, str):
        assert found == expected
        return
    numbers = np.asarray(expected)
    greatest = max(1.0, float(np.abs(numbers[np.isfinite(numbers)]).max(initial=0)))
    np.testing.assert_allclose(np.asarray(found, float), numbers, rtol=0, atol=tolerance * greatest)

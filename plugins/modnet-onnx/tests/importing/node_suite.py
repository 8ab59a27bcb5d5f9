"""ONNX's own tests of its operators, run by modnet: which pass, and how.

    python tests/importing/node_suite.py

writes `node_suite.txt`, the table of those that pass, and says why the others do not. The table may only grow:
`test_node_suite.py` runs all that is in it.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from modnet_onnx import backend
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner

TABLE = Path(__file__).with_name("node_suite.txt")

KINDS = onnx.TensorProto
PLAIN = {
    *(KINDS.FLOAT, KINDS.DOUBLE, KINDS.FLOAT16, KINDS.BOOL, KINDS.INT8, KINDS.INT16, KINDS.INT32, KINDS.INT64),
    *(KINDS.UINT8, KINDS.UINT16, KINDS.UINT32, KINDS.UINT64),
}


class Outcome(NamedTuple):
    """What came of a test.

    Attributes:
        operator: of its first node, or the operator whose definition by others it tests.
        plain: whether all its inputs and outputs are tensors of float, int and bool.
        how: "native" if all operators were layers of modnet, "onnx" if onnx ran some of them, "" if it failed.
        reason: why it failed.
    """

    operator: str
    plain: bool
    how: str
    reason: str


def cases() -> dict[str, Any]:
    """Name -> test, of the installed version of onnx."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # the tests make their data by numpy, overflows included
        return {case.name: case for case in load_model_tests(kind="node")}


def outcome_of(case: Any) -> Outcome:
    """Runs a test as ONNX's runner does."""
    graph = case.model.graph
    kinds = [given.type for given in (*graph.input, *graph.output)]
    plain = all(k.WhichOneof("value") == "tensor_type" and k.tensor_type.elem_type in PLAIN for k in kinds)
    operator = graph.node[0].op_type
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # onnx's reference implementation has warnings of numpy
            prepared = backend.prepare(case.model)
            for inputs, expected in case.data_sets:
                found = prepared.run([_array(value) for value in inputs])
                Runner.assert_similar_outputs([_array(value) for value in expected], list(found), case.rtol, case.atol)
    except AssertionError:
        return Outcome(operator, plain, "", "other numbers")
    except Exception as error:
        return Outcome(operator, plain, "", str(error).replace("\n", " "))
    assert prepared.imported is not None
    return Outcome(operator, plain, "onnx" if prepared.imported.delegated else "native", "")


def _array(value: Any) -> Any:
    return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def table() -> dict[str, str]:
    """Name of a test that passes -> how."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    return dict(line.split() for line in lines if line and not line.startswith("#"))


def natively(found: dict[str, Outcome]) -> set[str]:
    """The operators of which a test passes by layers alone."""
    return {outcome.operator for name, outcome in found.items() if outcome.how == "native" and "_expanded" not in name}


def report(found: dict[str, Outcome]) -> Iterator[str]:
    for what, chosen in (("all", list(found.values())), ("plain", [o for o in found.values() if o.plain])):
        counts = Counter(outcome.how for outcome in chosen)
        total = f"{what}: {len(chosen)} tests"
        yield f"{total}, {counts['native']} native, {counts['onnx']} by onnx, {counts['']} failed"
    yield f"operators with a native test: {len(natively(found))}"
    reasons = defaultdict(list)
    for outcome in found.values():
        if outcome.plain and not outcome.how:
            reasons[outcome.reason[:100]].append(outcome.operator)
    for reason, operators in sorted(reasons.items(), key=lambda item: -len(item[1])):
        yield f"{len(operators):4} {reason}: {', '.join(sorted(set(operators)))}"


def main() -> None:
    found = {name: outcome_of(case) for name, case in cases().items()}
    lines = [f"{name} {outcome.how}" for name, outcome in sorted(found.items()) if outcome.how]
    head = [f"# Tests of the operators of onnx {onnx.__version__} that pass: native, or with operators run by onnx."]
    TABLE.write_text("\n".join([*head, *lines, ""]), encoding="utf-8")
    sys.stdout.write("\n".join([*report(found), ""]))


if __name__ == "__main__":
    main()

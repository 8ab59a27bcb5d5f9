"""ONNX's own tests of its operators: all that are in the table pass, and as they did."""

from collections import Counter

import node_suite
import pytest


@pytest.fixture(scope="module")
def cases():
    return node_suite.cases()


def test_the_table_holds(cases):
    """Of another version of onnx some tests are missing, and some may be new."""
    worse = []
    for name, how in node_suite.table().items():
        if name in cases:
            outcome = node_suite.outcome_of(cases[name])
            if outcome.how not in ({"native"} if how == "native" else {"native", "onnx"}):
                worse.append(f"{name}: was {how}, is {outcome.how or outcome.reason}")
    assert worse == [], "\n".join(worse)


def test_the_table_only_grows():
    counts = Counter(node_suite.table().values())
    assert counts["native"] >= 928
    assert counts["native"] + counts["onnx"] >= 1567

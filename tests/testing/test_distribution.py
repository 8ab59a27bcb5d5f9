"""What an installed distribution offers, examined."""

import pytest

from modnet import NotInstalled
from modnet.testing.distribution import examine_entry, offered_by

DOUBLE = """\
import numpy as np
from modnet import Activation

class Double(Activation, type="double"):
    "y = 2 x"
    needs_input = False

    def function(self, x, out):
        return np.multiply(x, 2, out=out)

    def derivative(self, x, y, out):
        out.fill(2)
        return out
"""


def test_every_example_has_a_report(environment):
    environment.install("modnet-double", DOUBLE, activations={"double": "Double"})
    (entry,) = offered_by("Modnet_Double", environment.registry)
    reports = examine_entry(entry)
    assert [report.label for report in reports] == [
        f'activation "double" Double() on {shape}' for shape in ("(6,)", "(5, 4)", "(6, 4, 3)")
    ]
    assert [report.failures for report in reports] == [[], [], []]


@pytest.mark.parametrize(
    ("code", "rule", "text"),
    [
        ("import not_there", "imports", "ModuleNotFoundError: No module named 'not_there'"),
        ("class Double: ...", "imports", "modnet_double:Double) is no subclass of modnet.Activation"),
        (DOUBLE + "    size: bytes", "examples", "no value for size"),
        (DOUBLE + "    @classmethod\n    def examples(cls):\n        return [1 / 0]", "examples", "ZeroDivisionError"),
    ],
    ids=["import", "another thing", "no example", "examples raise"],
)
def test_what_cannot_be_examined_is_a_failure_too(environment, code, rule, text):
    environment.install("modnet-double", code, activations={"double": "Double"})
    (entry,) = offered_by("modnet-double", environment.registry)
    ((row,),) = (report.failures for report in examine_entry(entry))
    assert row.rule == rule
    assert text in row.text
    assert row.remedy


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("modnet-duoble", 'did you mean "modnet-double"?'),
        ("dubble", 'did you mean "modnet-double"?'),
        ("numpi-wave", "with components there are: modnet-core, modnet-double"),
    ],
)
def test_an_unknown_distribution_gives_the_nearest_name(environment, name, hint):
    environment.install("modnet-double", DOUBLE, activations={"double": "Double"})
    with pytest.raises(NotInstalled) as caught:
        offered_by(name, environment.registry)
    assert str(caught.value) == f"{name} is not installed; {hint}"


def test_a_distribution_without_components_offers_none(environment):
    assert offered_by("numpy", environment.registry) == []

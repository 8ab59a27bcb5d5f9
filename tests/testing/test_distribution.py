"""What an installed distribution offers, examined."""

import pytest

from modnet import NotInstalled
from modnet.testing.distribution import offered_by

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
    (offer,) = offered_by("Modnet_Double", environment.registry)
    reports = offer.examine()
    assert [report.label for report in reports] == [
        f'activation "double" Double() on {shape}' for shape in ("(6,)", "(5, 4)", "(6, 4, 3)")
    ]
    assert [report.failures for report in reports] == [[], [], []]


@pytest.mark.parametrize(
    ("code", "rule", "text"),
    [
        ("import not_there", "imports", "ModuleNotFoundError: No module named 'not_there'"),
        ("class Double: ...", "imports", "modnet_double:Double) is not a subclass of modnet.Activation"),
        (DOUBLE + "    size: bytes", "examples", "size: no example value is known for a bytes"),
        (DOUBLE + "    @classmethod\n    def examples(cls):\n        return [1 / 0]", "examples", "ZeroDivisionError"),
    ],
    ids=["import", "another thing", "no example", "examples raise"],
)
def test_what_cannot_be_examined_is_a_failure_too(environment, code, rule, text):
    environment.install("modnet-double", code, activations={"double": "Double"})
    (offer,) = offered_by("modnet-double", environment.registry)
    ((row,),) = (report.failures for report in offer.examine())
    assert row.rule == rule
    assert text in row.text
    assert row.remedy


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("modnet-duoble", 'did you mean "modnet-double"?'),
        ("dubble", 'did you mean "modnet-double"?'),
        ("numpi-wave", "installed plugins with components: modnet-core, modnet-double"),
    ],
)
def test_an_unknown_distribution_gives_the_nearest_name(environment, name, hint):
    environment.install("modnet-double", DOUBLE, activations={"double": "Double"})
    with pytest.raises(NotInstalled) as caught:
        offered_by(name, environment.registry)
    assert str(caught.value) == f"{name} is not installed; {hint}"


def test_a_distribution_without_components_offers_none(environment):
    assert offered_by("numpy", environment.registry) == []


KERNEL = """\
import numpy as np

def doubled(component, dtype):
    def forward(context, x):
        y = np.multiply(x, FACTOR, out=context.buffer(x.shape))
        context.save(None, y)
        return y
    return forward
"""


def install_all(environment, factor="2", name="activation.double.forward", hooks=""):
    code = DOUBLE + KERNEL.replace("FACTOR", factor) + hooks
    environment.install("modnet-double", code, activations={"double": "Double"}, kernels={name: "doubled"})
    if hooks:
        with (environment.folder / "modnet_double-1.0.dist-info" / "entry_points.txt").open("a") as file:
            file.write("\n[modnet]\ndouble = modnet_double\n")
    return offered_by("modnet-double", environment.registry)


def test_kernels_and_hooks_are_examined_too(environment):
    hooks = "import modnet\n@modnet.hookimpl\ndef modnet_read_spec(path): ...\n"
    offers = install_all(environment, hooks=hooks)
    kinds = [(offer.kind, offer.name) for offer in offers]
    assert kinds == [("activation", "double"), ("kernel", "activation.double.forward"), ("hooks", "double")]
    for offer in offers:
        assert [report.failures for report in offer.examine()] in ([[]], [[], [], []])
    (report,) = offers[2].examine()
    assert report.rows[0].text == "modnet_read_spec"


@pytest.mark.parametrize(
    ("change", "rule", "text"),
    [
        ({"name": "activation.treble.forward"}, "offered", 'unknown activation "treble"'),
        ({"name": "double"}, "offered", 'the entry point is named "double"'),
        (
            {"name": "activation.double.derivative"},
            "offered",
            "for this activation the engine uses kernels of forward and backward only",
        ),
        ({"factor": "2.001"}, "agrees", "the output: relative difference 0.0005; at most"),
    ],
)
def test_a_kernel_that_is_broken(environment, change, rule, text):
    row = install_all(environment, **change)[1].examine()[0].failures[0]
    assert row.rule == rule
    assert text in row.text
    assert row.remedy


def test_a_kernel_that_cannot_be_imported(environment):
    environment.install("modnet-broken", "1 / 0", kernels={"activation.relu.forward": "relu"})
    (offer,) = offered_by("modnet-broken", environment.registry)
    (row,) = offer.examine()[0].failures
    assert (row.rule, "ZeroDivisionError: division by zero" in row.text) == ("imports", True)


def test_hooks_that_are_broken(environment):
    offers = install_all(environment, hooks="import modnet\n@modnet.hookimpl\ndef modnet_reed(path): ...\n")
    (row,) = offers[2].examine()[0].failures
    assert "there is no hook modnet_reed" in row.text

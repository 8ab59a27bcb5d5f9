"""What an installed distribution offers, examined."""

import pytest

from modnet import Layer, NotInstalled
from modnet.errors import UnknownType
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


LAYER = """\
import numpy as np
from modnet import Composite, Layer, Loss, Metric, Node
from modnet.layers import Linear

class It(Layer, type="it"):
    "y = x"

    def output_shape(self, shape):
        return shape

    def forward(self, context, x):
        return x

    def backward(self, context, gradient):
        return gradient

class NoType(It):
    "y = x"

class Mistaken(Loss, type="it"):
    "A loss."

class Unwritten(Layer, type="it"):
    "Nothing yet."

class Whole(Composite, type="it"):
    "Two layers."

made = It()

def function():
    pass
"""


@pytest.mark.parametrize(
    ("offered", "text"),
    [
        ("NoType", 'has no type name; write class NoType(It, type="it")'),
        ("Mistaken", "is not a subclass of modnet.Layer, but of modnet.Loss: its group is modnet.losses"),
        ("made", "is not a subclass of modnet.Layer, but an object of type It; name the class"),
        ("function", "is not a subclass of modnet.Layer, but an object of type function; name the class"),
        ("Unwritten", "it does not define output_shape"),
        ("Whole", "does not define expand"),
    ],
)
def test_what_an_entry_point_names_in_place_of_a_component(environment, offered, text):
    environment.install("modnet-it", LAYER, layers={"it": offered})
    (offer,) = offered_by("modnet-it", environment.registry)
    ((row,),) = (report.failures for report in offer.examine())
    assert text in row.text
    assert row.remedy


def test_an_entry_point_without_a_colon_names_no_class(environment):
    environment.install("modnet-it", LAYER, layers={"it": "It"})
    points = environment.folder / "modnet_it-1.0.dist-info" / "entry_points.txt"
    points.write_text("[modnet.layers]\nit = modnet_it.It")
    (offer,) = offered_by("modnet-it", environment.registry)
    ((row,),) = (report.failures for report in offer.examine())
    assert row.text.endswith("names no class; write modnet_it:It")


def test_an_annotation_that_cannot_be_resolved_is_named(environment):
    environment.install("modnet-it", LAYER.replace('"y = x"', 'size: "Itn" = 1', 1), layers={"it": "It"})
    (offer,) = offered_by("modnet-it", environment.registry)
    ((row,),) = (report.failures for report in offer.examine())
    assert "name 'Itn' is not defined, in the annotation of It.size" in row.text


def test_a_component_that_cannot_be_shown_is_a_failure_and_not_the_end(environment):
    code = LAYER.replace('    "y = x"', '    "y = x"\n    def __repr__(self): return 1 / 0', 1)
    environment.install("modnet-it", code, layers={"it": "It"})
    (offer,) = offered_by("modnet-it", environment.registry)
    assert {row.text.partition(":")[0] for report in offer.examine() for row in report.failures} == {
        "ZeroDivisionError"
    }


def test_an_entry_point_in_an_unknown_group_is_told(environment):
    environment.install("modnet-it", LAYER, layer={"stray": "It"}, layers={"it": "It"})
    with pytest.raises(UnknownType) as caught:
        environment.registry.find(Layer, "stray")
    assert caught.value.hint.startswith("modnet-it offers one in an unknown group: modnet has no group of entry points")
    component, stray = offered_by("modnet-it", environment.registry)
    assert [(offer.kind, offer.name) for offer in (component, stray)] == [("layer", "it"), ("entry point", "stray")]
    ((row,),) = (report.failures for report in stray.examine())
    assert row.text == 'modnet has no group of entry points "modnet.layer"; did you mean "modnet.layers"?'


def test_a_composite_without_examples_is_tried_with_shapes_that_its_nodes_take(environment):
    code = LAYER + "\n".join(
        (
            "class Twice(Composite, type='twice'):",
            "    'Two layers.'",
            "    def expand(self, inputs):",
            "        return [Node(layer=Linear(out_features=3)), Node(layer=Linear(out_features=2))]",
        )
    )
    environment.install("modnet-it", code, layers={"twice": "Twice"})
    (offer,) = offered_by("modnet-it", environment.registry)
    reports = offer.examine()
    assert [report.label for report in reports] == [f'layer "twice" Twice() on {shape}' for shape in ("(6,)", "(5, 4)")]
    assert [report.failures for report in reports] == [[], []]


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


@pytest.mark.parametrize(
    ("hooks", "text"),
    [
        (
            "def modnet_read_spec(path): ...\n",
            "modnet_read_spec is not marked as a hook; write @modnet.hookimpl above it",
        ),
        ("def read(path): ...\n", "has no hooks: no function is marked with @modnet.hookimpl"),
    ],
)
def test_a_module_whose_hooks_are_not_marked(environment, hooks, text):
    (row,) = install_all(environment, hooks=hooks)[2].examine()[0].failures
    assert text in row.text

"""Who offers what, under which name, and what happens when it cannot be had."""

import copy
import importlib
import os
import pickle
import pkgutil
import signal
import subprocess
import sys
import threading
import tomllib
import warnings
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

import modnet
from modnet.errors import AmbiguousType, UnknownType
from modnet.initializers import Zeros
from modnet.kinds import GROUPS, KINDS
from modnet.kinds.activation import Activation
from modnet.kinds.component import Component
from modnet.kinds.layer import Layer
from modnet.kinds.loss import Loss
from modnet.layers import Linear
from modnet.layers.members import FeaturewiseMembers, LinearMembers, Members, MembersAtOnce, ToMembers
from modnet.plugins.builtin import BUILTIN, CORE
from modnet.plugins.distributions import normalized
from modnet.plugins.known import OFFERED
from modnet.plugins.registry import Origin
from modnet.training.callbacks import RecordHistory
from modnet.training.covered import Covered
from modnet.training.measured import ByClass

ROOT = Path(modnet.__file__).parents[1]

CONV = """
import modnet
class Conv(modnet.Layer, type="conv2d"):
    filters: int = 1
"""


class Mine(Layer, type="mine"):
    """A layer of the running program."""


# The core's own


def builtins() -> list[tuple[str, str, str]]:
    return [(kind, name, value) for kind, group in GROUPS.items() for name, value in BUILTIN[group].items()]


@pytest.mark.parametrize(("kind", "name", "value"), builtins())
def test_the_table_of_the_core_agrees_with_the_classes(registry, kind, name, value):
    cls = registry.find(KINDS[kind], name)
    assert (cls.kind, cls.type, cls.__name__) == (kind, name, value.partition(":")[2])
    origin = registry.origin(cls)
    assert (origin.kind, origin.type, origin.distribution, origin.version) == (kind, name, CORE, modnet.__version__)


UNNAMED = {
    RecordHistory,  # which every run has
    ByClass,  # which every evaluation has
    Covered,
    Members,  # which the nodes of an ensemble have
    MembersAtOnce,
    FeaturewiseMembers,
    LinearMembers,
    ToMembers,
}
"""Components of the core that no spec names."""


def test_every_component_of_the_core_is_in_the_table(registry):
    for module in pkgutil.walk_packages(modnet.__path__, "modnet."):
        if not module.name.startswith(("modnet.cli", "modnet.testing", "modnet.__main__")):
            importlib.import_module(module.name)
    defined, todo = set(), [Component]
    while todo:
        cls = todo.pop()
        todo += cls.__subclasses__()
        if cls.type and cls.__module__.startswith("modnet."):
            defined.add(cls)
    named = {registry.find(KINDS[kind], name) for kind, name, _ in builtins()}
    assert defined == named | UNNAMED


def test_the_table_of_the_core_is_sorted():
    assert list(BUILTIN) == list(GROUPS.values())
    for group, table in BUILTIN.items():
        assert list(table) == sorted(table), group


def test_a_network_of_built_ins_never_looks_at_what_is_installed(environment):
    spec = {"network": {"input": [3], "layers": [{"type": "linear", "out_features": 2}, "softmax"]}}
    modnet.build(spec, registry=environment.registry)
    assert environment.scans == 0
    with pytest.raises(UnknownType):
        environment.registry.find(Layer, "nothing")
    with pytest.raises(UnknownType):
        environment.registry.find(Layer, "nothing")
    assert environment.scans == 1


def test_a_process_with_a_network_of_built_ins_reads_no_package_metadata():
    code = "import sys, modnet; modnet.build({'network': {'input': [3], 'layers': ['relu']}}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"importlib.metadata", "pluggy"}.intersection(done.stdout.split())


# Look-up


def test_an_activation_is_a_layer_too(registry):
    assert registry.find(Layer, "relu") is registry.find(Activation, "relu")
    assert {*registry.names(Activation), *BUILTIN["modnet.layers"]} == set(registry.names(Layer))


def test_kinds_have_names_of_their_own(registry):
    assert registry.find(Loss, "cosine") is not registry.find(modnet.Schedule, "cosine")


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        (Layer, "flaten", 'unknown layer "flaten"; did you mean "flatten"?'),
        (Layer, "Layer-Norm", 'unknown layer "Layer-Norm"; did you mean "layer_norm"?'),
        (Loss, "adam", 'expected a loss, found "adam", which is an optimizer'),
        (modnet.Optimizer, "relu", 'expected an optimizer, found "relu", which is an activation'),
        (Activation, "linear", 'expected an activation, found "linear", which is a layer'),
        (
            Layer,
            "conv9d",
            'unknown layer "conv9d"; no installed plugin has this layer; `modnet plugins --all` lists',
        ),
        (Layer, "mine@modnet-core", 'modnet-core does not have the layer "mine"'),
        (Layer, "conv2d", 'unknown layer "conv2d"; it comes with the plugin modnet-conv:  pip install modnet-conv'),
    ],
)
def test_an_unknown_name_says_what_is_nearest(registry, kind, name, message):
    with pytest.raises(UnknownType) as caught:
        registry.find(kind, name)
    assert str(caught.value).startswith(message)


def test_what_the_plugins_of_this_repository_offer_is_known():
    kinds = set(GROUPS.values())
    offered = {}
    for file in sorted(Path(__file__).parents[2].glob("plugins/*/pyproject.toml")):
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        points = project.get("entry-points", {})
        names = {name for kind in kinds & set(points) for name in points[kind]}
        if names and project["name"] != "modnet-onnx":  # what only converted networks consist of
            offered[project["name"]] = names
    assert {distribution: set(names.split()) for distribution, names in OFFERED.items()} == offered


def test_a_distribution_that_is_not_installed_is_named(registry):
    with pytest.raises(modnet.NotInstalled, match="modnet-conv is not installed:  pip install modnet-conv") as caught:
        registry.find(Layer, "conv2d@modnet-conv")
    assert caught.value.distribution == "modnet-conv"


@pytest.mark.parametrize("name", ["linear@modnet-core", "linear@Modnet_Core"])
def test_the_core_can_be_asked_for_by_name(registry, name):
    assert registry.find(Layer, name) is Linear


def test_names_of_distributions_are_compared_as_pip_does():
    assert normalized("Modnet__Conv.2D") == "modnet-conv-2d"


# Installed plugins


@pytest.mark.parametrize("name", ["conv2d", "conv2d@modnet-conv", "conv2d@Modnet_Conv"])
def test_a_plugins_component_is_found_and_knows_its_origin(environment, name):
    environment.install("modnet-conv", CONV, version="2.1", layers={"conv2d": "Conv"})
    cls = environment.registry.find(Layer, name)
    assert cls(filters=3).filters == 3
    assert environment.registry.origin(cls) == Origin("layer", "conv2d", "modnet-conv", "2.1", "modnet_conv:Conv")
    assert environment.registry.find(Layer, name) is cls


def test_a_plugin_is_imported_when_it_is_asked_for(environment):
    environment.install("modnet-conv", CONV, layers={"conv2d": "Conv"})
    assert "conv2d" in environment.registry.names(Layer)
    assert any(entry.origin.type == "conv2d" for entry in environment.registry.entries(Layer))
    assert "modnet_conv" not in sys.modules
    environment.registry.find(Layer, "conv2d")
    assert "modnet_conv" in sys.modules


def test_two_plugins_with_one_name_have_to_be_told_apart(environment):
    environment.install("modnet-conv", CONV, layers={"conv2d": "Conv"})
    environment.install("other-conv", CONV, layers={"conv2d": "Conv"})
    with pytest.raises(AmbiguousType) as caught:
        environment.registry.find(Layer, "conv2d")
    assert '2 plugins offer the layer "conv2d"; write ' in str(caught.value)
    assert "conv2d@modnet-conv" in str(caught.value)
    assert "conv2d@other-conv" in str(caught.value)
    assert environment.registry.find(Layer, "conv2d@other-conv").__module__ == "other_conv"


def test_a_layer_and_an_activation_of_one_name_are_ambiguous_as_layers_only(environment):
    environment.install("first", "import modnet\nclass A(modnet.Layer, type='gate'): ...", layers={"gate": "A"})
    environment.install(
        "second", "import modnet\nclass B(modnet.Activation, type='gate'): ...", activations={"gate": "B"}
    )
    assert environment.registry.find(Activation, "gate").__module__ == "second"
    with pytest.raises(AmbiguousType):
        environment.registry.find(Layer, "gate")


def test_a_plugin_cannot_take_a_name_of_the_core(environment):
    code = "import modnet\nclass Fast(modnet.Layer, type='linear'): ..."
    environment.install("modnet-fast", code, layers={"linear": "Fast"})
    assert environment.registry.find(Layer, "linear") is Linear
    assert environment.registry.find(Layer, "linear@modnet-fast").__name__ == "Fast"


BROKEN = {
    "import error": ("import nothing_of_that_name", ModuleNotFoundError, "ModuleNotFoundError: No module named"),
    "syntax error": ("class Conv(", SyntaxError, "SyntaxError"),
    "no such class": ("Other = 1", AttributeError, "AttributeError: module 'modnet_conv' has no attribute 'Conv'"),
    "no component": ("class Conv: ...", None, "is not a subclass of modnet.Layer"),
    "no class": ("Conv = 1", None, "is not a subclass of modnet.Layer"),
    "another kind": ("import modnet\nclass Conv(modnet.Loss, type='conv2d'): ...", None, "is not a subclass of"),
    "another name": (
        "import modnet\nclass Conv(modnet.Layer, type='conv'): ...",
        None,
        'has the type name "conv"; entry point and class must have the same name',
    ),
}


@pytest.mark.parametrize(("code", "cause", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_plugin_says_who_is_broken_and_why(environment, code, cause, message):
    environment.install("modnet-conv", code, version="0.3", layers={"conv2d": "Conv"})
    for _ in range(2):
        with pytest.raises(modnet.BrokenPlugin) as caught:
            environment.registry.find(Layer, "conv2d")
        assert str(caught.value).startswith('layer "conv2d" of modnet-conv 0.3 (modnet_conv:Conv) ')
        assert message in str(caught.value)
        assert type(caught.value.__cause__) is (cause or type(None))
    assert environment.registry.find(Layer, "linear") is Linear


def test_200_plugins_cost_nothing_beside_those_that_are_used(environment):
    code = (
        "import modnet\nclass {name}(modnet.Activation, type='{type}'):\n    def function(self, x, out): out[...] = x"
    )
    for number in range(200):
        name = f"Gate{number}"
        source = code.format(name=name, type=name.lower())
        environment.install(f"modnet-gate{number}", source, activations={name.lower(): name})
    network = modnet.build({"network": {"input": [2], "layers": ["gate7", "gate99"]}}, registry=environment.registry)
    path = environment.folder / "model.modnet"
    modnet.save(network, path, registry=environment.registry)
    for module in environment.modules:
        sys.modules.pop(module, None)
    environment.scans = 0
    modnet.load(path, registry=modnet.Registry(environment.scan))
    assert environment.scans == 1
    assert sorted(module for module in environment.modules if module in sys.modules) == [
        "modnet_gate7",
        "modnet_gate99",
    ]


def test_a_model_file_looks_at_the_distributions_that_it_names_alone(environment, monkeypatch):
    for number in (1, 2):
        code = f"import modnet\nclass Gate(modnet.Layer, type='gate{number}'): ..."
        environment.install(f"modnet-gate{number}", code, layers={f"gate{number}": "Gate"})

    def scan():
        raise AssertionError("the whole environment is scanned")

    with monkeypatch.context() as patched:
        patched.setattr("modnet.plugins.registry.installed_entry_points", scan)
        registry = modnet.Registry()
        first = registry.find(Layer, "gate1@Modnet.Gate1")
        with pytest.raises(AssertionError, match="scanned"):
            registry.find(Layer, "gate2")
    registry = modnet.Registry()
    entry = registry.entry(Layer, "gate1@modnet-gate1")
    assert registry.entry(Layer, "gate1") is entry, "what was found alone is the same in the whole"
    assert entry.load() is first
    assert registry.origin(first) == Origin("layer", "gate1", "modnet-gate1", "1.0", "modnet_gate1:Gate")


def test_an_entry_remembers_why_it_could_not_be_loaded(environment):
    environment.install("modnet-conv", "1 / 0", layers={"conv2d": "Conv"})
    (entry,) = (entry for entry in environment.registry.entries(Layer) if entry.origin.type == "conv2d")
    assert entry.error is None
    with pytest.raises(modnet.BrokenPlugin):
        entry.load()
    assert isinstance(entry.error.__cause__, ZeroDivisionError)


def test_hook_modules_are_loaded_when_hooks_are_asked_for_and_broken_ones_reported(environment):
    folder = environment.folder
    hooks = "import modnet\n@modnet.hookimpl\ndef modnet_read_spec(path): return {'from': 'plugin'}"
    for name, code in (("good", hooks), ("bad", "import nothing_of_that_name")):
        environment.install(name, code)
        (folder / f"{name}-1.0.dist-info" / "entry_points.txt").write_text(f"[modnet]\n{name} = {name}\n")
    environment.registry.find(Layer, "linear")
    assert "good" not in sys.modules
    assert environment.registry.hooks.hook.modnet_read_spec(path=folder) == {"from": "plugin"}
    bad, good = sorted(environment.registry.hook_modules, key=lambda module: module.name)
    assert (good.hooks, good.error) == (("modnet_read_spec",), None)
    assert isinstance(bad.error.__cause__, ModuleNotFoundError)
    assert str(bad.error).startswith('hooks "bad" of bad 1.0 (bad) cannot be imported: ModuleNotFoundError: No module')


# Many threads that ask first at once


class Paused:
    """Gives some items, and waits behind the first one until `go_on` is called: whoever reads them is half done."""

    def __init__(self, items):
        self.items = list(items)
        self.begun, self.going_on = threading.Event(), threading.Event()
        self.rounds = 0

    def __call__(self, *_):
        self.rounds += 1
        for number, item in enumerate(self.items):
            yield item
            if number == 0:
                self.begun.set()
                self.going_on.wait(60)

    def ask(self, question):
        """What question() gives to two threads, of which the second asks while the first is half done."""
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(question)
            assert self.begun.wait(60)
            second = pool.submit(question)
            wait([second], timeout=0.1)  # where it need not wait for the first one, it has its answer by now
            self.going_on.set()
            return first.result(60), second.result(60)


def offered(registry):
    return {entry.origin.type for entry in registry.entries(Layer) if entry.origin.distribution == "modnet-many"}


QUESTIONS = {
    "find": lambda registry: registry.find(Layer, "gate2"),
    "find in one distribution": lambda registry: registry.find(Layer, "gate2@modnet-many"),
    "origin": lambda registry: registry.origin(sys.modules["modnet_many"].Gate2),
    "names": lambda registry: "gate2" in registry.names(Layer),
    "entries": offered,
    "hooks": lambda registry: (registry.hooks, [module.name for module in registry.hook_modules]),
    "kernels": lambda registry: (registry.kernels, [point.name for point in registry.kernels.offered]),
}


@pytest.fixture
def many(environment):
    """A distribution with two layers, a kernel and hooks, and its entry points."""
    code = "import modnet\n" + "".join(
        f"class Gate{number}(modnet.Layer, type='gate{number}'): ...\n" for number in (1, 2)
    )
    gates = {"gate1": "Gate1", "gate2": "Gate2"}
    environment.install("modnet-many", code, layers=gates, kernels={"layer.gate2.forward": "make"})
    path = environment.folder / "modnet_many-1.0.dist-info" / "entry_points.txt"
    path.write_text(path.read_text() + "\n[modnet]\nmany = modnet_many\n")
    importlib.import_module("modnet_many")
    return list(environment.scan())


@pytest.mark.parametrize("question", QUESTIONS)
def test_who_asks_while_the_environment_is_scanned_hears_of_all_of_it(many, question):
    scan = Paused(many)
    registry = modnet.Registry(entry_points=scan)
    first, second = scan.ask(lambda: QUESTIONS[question](registry))
    assert first == second == QUESTIONS[question](registry)
    assert first
    assert scan.rounds == 1


def test_who_asks_while_a_distribution_is_looked_at_hears_of_all_that_it_offers(many, monkeypatch):
    look = Paused(many)
    monkeypatch.setattr("modnet.plugins.registry.entry_points_of_distribution", look)
    registry = modnet.Registry()
    first, second = look.ask(lambda: registry.entry(Layer, "gate2@modnet-many"))
    assert first is second
    assert look.rounds == 1


def test_a_process_has_one_registry_whoever_asks_first(monkeypatch):
    monkeypatch.setattr("modnet.plugins.registry._default", None)
    making = Paused([modnet.Registry, None])
    monkeypatch.setattr("modnet.plugins.registry.Registry", lambda: [cls() for cls in making() if cls].pop())
    first, second = making.ask(modnet.default_registry)
    assert first is second
    assert making.rounds == 1


def test_a_class_is_registered_while_another_thread_goes_through_the_table(registry):
    registry.register(Mine)
    entries = registry.entries(Layer)
    table = registry._registered
    next(entries)
    registry.register(type("Other", (Layer,), {"__module__": __name__}, type="other"))
    assert list(table) == [("layer", "mine")]
    assert "mine" in {entry.origin.type for entry in entries}


def test_a_plugin_that_asks_for_its_own_class_too_early_is_not_broken_for_ever(environment):
    code = """
import modnet, modnet_early_registry
try:
    modnet_early_registry.registry.find(modnet.Layer, "early")
except modnet.BrokenPlugin as error:
    told = error
class Early(modnet.Layer, type="early"): ...
"""
    environment.install("modnet-early-registry")
    importlib.import_module("modnet_early_registry").registry = environment.registry
    environment.install("modnet-early", code, layers={"early": "Early"})
    assert environment.registry.find(Layer, "early").__name__ == "Early"
    assert "has no attribute 'Early'" in str(sys.modules["modnet_early"].told)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_process_is_not_locked_out_by_a_thread_that_it_has_not(many):
    scan = Paused(many)
    registry = modnet.Registry(entry_points=scan)
    with ThreadPoolExecutor(1) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside other threads, which is the point here
        found = pool.submit(registry.find, Layer, "gate2")
        assert scan.begun.wait(60)
        threading.Timer(0.1, scan.going_on.set).start()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                signal.alarm(60)  # a child that waits for the lock would do so for ever
                status = 0 if registry.find(Layer, "gate2").type == "gate2" else 2
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert found.result(60).type == "gate2"


START = """
import sys, threading
sys.setswitchinterval(1e-6)
import modnet
together, wrong = threading.Barrier(16), []
def build():
    together.wait()
    try:
        spec = {"network": {"input": [3], "layers": [{"type": "gate2"}, {"type": "linear", "out_features": 2}]}}
        network = modnet.build(spec)
        origin = modnet.default_registry().origin(type(network.graph.nodes[0].layer))
        if origin.distribution != "modnet-many":
            wrong.append(origin)
    except BaseException as error:
        wrong.append(error)
threads = [threading.Thread(target=build) for _ in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
sys.exit(repr(wrong) if wrong else 0)
"""


def test_sixteen_threads_of_a_fresh_process_build_with_a_plugin(environment):
    gate = "class Gate{0}(modnet.Layer, type='gate{0}'):\n    def output_shape(self, shape): return shape\n"
    installed = "import modnet\n" + gate.format(1) + gate.format(2)
    environment.install("modnet-many", installed, layers={"gate1": "Gate1", "gate2": "Gate2"})
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (environment.folder, ROOT)))}
    done = subprocess.run([sys.executable, "-c", START], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# Components of the running program


def test_a_registered_class_is_found_and_is_nobody_elses(registry):
    assert registry.register(Mine) is Mine
    assert registry.find(Layer, "mine") is Mine
    assert registry.origin(Mine) == Origin("layer", "mine", "", "", f"{__name__}:Mine")
    with pytest.raises(UnknownType):
        modnet.Registry(entry_points=lambda: ()).find(Layer, "mine")


def test_registering_a_class_again_replaces_it(registry):
    def notebook_cell():
        class Scale(Layer, type="scale"):
            pass

        return registry.register(Scale)

    first, second = notebook_cell(), notebook_cell()
    assert registry.find(Layer, "scale") is second is not first


def test_a_registered_class_is_preferred_to_an_installed_one(environment):
    environment.install("plugin", "import modnet\nclass P(modnet.Layer, type='mine'): ...", layers={"mine": "P"})
    environment.registry.register(Mine)
    assert environment.registry.find(Layer, "mine") is Mine
    assert environment.registry.find(Layer, "mine@plugin").__name__ == "P"


class AnotherMine(Layer, type="mine"):
    """A different class with the same name."""


class MyLinear(Layer, type="linear"):
    """Named as one of the core's."""


class MyReLU(Layer, type="relu"):
    """A layer named as one of the core's activations."""


class Nameless(Layer):
    """Cannot be named by a spec."""


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (AnotherMine, 'layer "mine" is already registered, as .*:Mine'),
        (MyLinear, 'layer "linear" belongs to the core and cannot be replaced; choose another name'),
        (MyReLU, 'layer "relu" belongs to the core'),
        (Nameless, r'Nameless has no type name; write class Nameless\(\.\.\., type="\.\.\."\)'),
        (int, "is not a component class; derive it from modnet.Layer or another kind"),
        (Component, "is not a component class"),
        (Mine(), "is not a component class"),
    ],
)
def test_what_cannot_be_registered(registry, cls, message):
    registry.register(Mine)
    with pytest.raises(modnet.PluginError, match=message):
        registry.register(cls)


def test_the_origin_of_a_class_that_nobody_offers_is_the_program(registry):
    assert registry.origin(Mine) == Origin("layer", "mine", "", "", f"{__name__}:Mine")


def test_the_origin_of_a_core_class_needs_no_scan(environment):
    assert environment.registry.origin(Zeros).distribution == CORE
    assert environment.scans == 0


def test_the_default_registry_is_the_process_own():
    assert modnet.default_registry() is modnet.default_registry()


def test_a_built_in_class_is_the_cores_own_whichever_module_defines_it(registry):
    from modnet.losses import MeanSquaredError

    assert registry.origin(MeanSquaredError).distribution == "modnet-core"


OTHER = """\
import numpy as np
import modnet
class Other(modnet.Activation, type="relu"):
    def function(self, x, out):
        return np.multiply(x, 100, out=out)
    def derivative(self, x, y, out):
        out.fill(100)
        return out
"""


@pytest.mark.parametrize(
    "layers",
    [
        ["relu@modnet-shadow"],
        [{"type": "linear", "out_features": 1, "activation": "relu@modnet-shadow"}],
        [{"type": "repeat", "count": 2, "layers": ["relu@modnet-shadow"]}],
        [{"type": "residual", "layers": ["tanh"], "shortcut": [{"type": "relu@modnet-shadow", "name": "other"}]}],
    ],
    ids=["node", "option", "within", "shortcut"],
)
def test_a_plain_spec_means_the_same_components(environment, tmp_path, layers):
    environment.install("modnet-shadow", OTHER, activations={"relu": "Other"})
    registry = environment.registry
    network = modnet.build({"network": {"input": [1], "layers": layers}}, registry=registry)
    x = [[1.0], [-2.0]]
    expected = network.predict(x).tolist()
    modnet.save(network, tmp_path / "model.modnet", registry=registry)
    fresh = modnet.Registry(entry_points=environment.scan)
    loaded = modnet.load(tmp_path / "model.modnet", registry=fresh)
    assert loaded.predict(x).tolist() == expected
    for source in (network, loaded):
        plain = source.card.spec.network.plain()
        assert plain == network.card.spec.network.plain()
        again = modnet.build({"network": plain}, seed=0, registry=registry)
        assert again.predict(x).tolist() == expected


def test_a_choice_is_remembered_by_the_component_and_not_by_its_class(environment):
    environment.install("modnet-shadow", OTHER, activations={"relu": "Other"})
    network = {"input": [1], "layers": ["relu@modnet-shadow"]}
    spec, _ = modnet.read_spec({"network": network}, environment.registry)
    chosen = spec.network.layers[0].layer
    assert type(chosen)().plain() == {"type": "relu"}
    assert chosen == type(chosen)()
    assert hash(chosen) == hash(type(chosen)())
    copies = (chosen, chosen.replace(), copy.copy(chosen), copy.deepcopy(chosen))
    assert [made.plain() for made in copies] == [{"type": "relu@modnet-shadow"}] * 4
    assert pickle.loads(pickle.dumps(chosen)).plain() == {"type": "relu@modnet-shadow"}
    assert pickle.loads(pickle.dumps(type(chosen)())).plain() == {"type": "relu"}


def test_a_file_is_not_made_of_two_components_of_one_name(environment, tmp_path):
    environment.install("modnet-shadow", OTHER, activations={"relu": "Other"})
    network = modnet.build(
        {"network": {"input": [1], "layers": ["relu", "relu@modnet-shadow"]}}, registry=environment.registry
    )
    with pytest.raises(
        modnet.SpecError, match='there are two components activation "relu", of modnet-core and modnet-shadow'
    ):
        modnet.save(network, tmp_path / "model.modnet", registry=environment.registry)


def test_a_name_that_means_one_class_stays_as_it_is():
    from modnet.activations import ReLU

    assert ReLU().plain() == {"type": "relu"}
    modnet.build({"network": {"input": [1], "layers": ["relu@modnet-core"]}})
    assert ReLU().plain() == {"type": "relu"}

"""Which method runs: a component's own, or a plugin's kernel."""

import importlib
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import pytest

import modnet
from modnet.optimizers import Adam

FAST = "import modnet_calls\ndef make(component, dtype):\n    modnet_calls.made.append(component)\n"
FLOAT = np.dtype(np.float32)


@pytest.fixture
def made(environment):
    """The components that were asked for a kernel; there is one for `adam`."""
    environment.install("modnet-calls", "made = []")
    environment.install("modnet-fast", FAST, kernels={"optimizer.adam.update": "make"})
    import modnet_calls

    return modnet_calls.made


def test_a_kernel_is_for_the_class_that_its_name_means(environment, made):
    adam = Adam()
    assert environment.registry.kernels.method(adam, "update", FLOAT) == adam.update  # it has made none
    assert made == [adam]


@pytest.mark.parametrize("broken", [False, True], ids=["whole", "broken"])
def test_a_kernel_that_another_thread_is_importing_is_waited_for(environment, broken):
    code = (
        "import modnet_gate_calls\nmodnet_gate_calls.wait()\nmake = lambda component, dtype: modnet_gate_calls.kernel\n"
    )
    begun, going_on = threading.Event(), threading.Event()
    environment.install("modnet-gate-calls")
    calls = importlib.import_module("modnet_gate_calls")
    calls.wait = lambda: (begun.set(), going_on.wait(60))
    calls.kernel = lambda *arguments: None
    environment.install("modnet-slow", code + "1 / 0" * broken, kernels={"optimizer.adam.update": "make"})
    kernels, adam = environment.registry.kernels, Adam()
    with ThreadPoolExecutor(2) as pool, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        first = pool.submit(kernels.method, adam, "update", FLOAT)
        assert begun.wait(60)
        second = pool.submit(kernels.method, adam, "update", FLOAT)
        wait([second], timeout=0.1)  # where it need not wait for the first one, it has its answer by now
        going_on.set()
        found = [first.result(60), second.result(60)]
    assert found == [adam.update if broken else calls.kernel] * 2
    assert len(caught) == broken


def test_a_programs_own_class_of_that_name_keeps_its_methods(environment, made):
    class Own(modnet.Optimizer, type="adam"):
        def update(self, chunk, step): ...

    own = Own()
    assert environment.registry.kernels.method(own, "update", FLOAT) == own.update
    assert made == []


def test_no_kernel_where_two_plugins_offer_the_component(environment):
    for name in ("one", "two"):
        code = "import modnet\nclass Gate(modnet.Layer, type='gate'): ...\ndef make(component, dtype): 1 / 0"
        environment.install(f"modnet-{name}", code, layers={"gate": "Gate"}, kernels={"layer.gate.forward": "make"})
    import modnet_one

    gate = modnet_one.Gate()
    assert environment.registry.kernels.method(gate, "forward", FLOAT) == gate.forward


@pytest.mark.parametrize("code", ["import compiler_", "def make(component, dtype): raise ImportError('compiler_')"])
def test_training_tells_once_that_a_kernel_is_broken_and_goes_on_without_it(environment, code):
    names = ("optimizer.adam.update", "layer.linear.forward", "layer.linear.backward")
    environment.install("modnet-lost", code, kernels=dict.fromkeys(names, "make"))
    spec = {"network": {"input": [2], "layers": [{"type": "linear", "out_features": 1}]}}
    x = np.random.default_rng(0).random((32, 2))
    weights = []
    for registry in (environment.registry, modnet.Registry(list)):
        network = modnet.build(spec, registry=registry)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for _ in range(2):
                modnet.train(network, x, x[:, :1], loss="mse", epochs=1, registry=registry)
        weights.append(network.parameters.flat)
        messages = [str(warning.message) for warning in caught]
        assert len(messages) == (registry is environment.registry)
        assert all("(modnet_lost:make): " in text and "compiler_" in text for text in messages)
        assert all("falling back to numpy; for details: modnet plugins --errors" in text for text in messages)
    np.testing.assert_array_equal(*weights)
    assert set(environment.registry.kernels.broken) == set(names)

"""What every test has: arithmetic that fails loudly, and registries of its own."""

import sys
from importlib.metadata import distributions

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import modnet

# How fast examples are made and tried says something about the machine and its other work, not about modnet.
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples each time, so that a change is never refused for a fault that was there before it. Those of
# `pytest --hypothesis-profile=search` are others each time.
settings.register_profile("modnet", settings.get_profile("search"), derandomize=True)
settings.load_profile("modnet")


@pytest.fixture(autouse=True)
def loud_arithmetic():
    """Underflow is left out: it is right in a softmax."""
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        yield


@pytest.fixture
def registry() -> modnet.Registry:
    """A registry in an environment without plugins."""
    return modnet.Registry(entry_points=lambda: ())


class Environment:
    """A folder of installed distributions, each with one module, and a registry that finds them."""

    def __init__(self, folder):
        self.folder = folder
        self.modules = []
        self.hidden = {}
        self.scans = 0
        self.registry = modnet.Registry(entry_points=self.scan)

    def install(self, distribution, code="", version="1.0", **groups):
        """install("modnet-conv", "class Conv(Layer, type='conv'): ...", layers={"conv": "Conv"})"""
        module = distribution.lower().replace("-", "_").replace(".", "_")
        if module in sys.modules and module not in self.modules:  # one of that name is really installed
            self.hidden[module] = sys.modules.pop(module)
        (self.folder / f"{module}.py").write_text(code)
        metadata = self.folder / f"{module}-{version}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        lines = []
        for group, offered in groups.items():
            lines.append(f"[modnet.{group}]")
            lines += [f"{name} = {module}:{value}" for name, value in offered.items()]
        (metadata / "entry_points.txt").write_text("\n".join(lines))
        self.modules.append(module)

    def scan(self):
        self.scans += 1
        return [point for found in distributions(path=[str(self.folder)]) for point in found.entry_points]


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """An environment to install plugins into."""
    monkeypatch.syspath_prepend(tmp_path)
    made = Environment(tmp_path)
    yield made
    for module in made.modules:
        sys.modules.pop(module, None)
    sys.modules.update(made.hidden)

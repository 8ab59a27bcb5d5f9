"""A neural-network library on numpy in which everything that a network is made of is a plugin.

The public names are loaded when they are first used, so that `import modnet` costs next to nothing.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # written by docs/generate.py
    from modnet.assessment.calibration import calibrate as calibrate
    from modnet.assessment.comparison import compare as compare
    from modnet.assessment.cross_validation import cross_validate as cross_validate
    from modnet.assessment.explanation.explain import explain as explain
    from modnet.assessment.intervals import intervals as intervals
    from modnet.assessment.report.report import report as report
    from modnet.assessment.search.search import search as search
    from modnet.configuration.fields import field as field
    from modnet.data.column import Column as Column
    from modnet.data.column_schema import ColumnSchema as ColumnSchema
    from modnet.data.schema import DataSchema as DataSchema
    from modnet.data.table import Table as Table
    from modnet.datasets.dataset import Dataset as Dataset
    from modnet.datasets.read import read_data as read_data
    from modnet.engine.build import build as build
    from modnet.engine.card import ModelCard as ModelCard
    from modnet.engine.courses import plot_histories as plot_histories
    from modnet.engine.folding import fold as fold
    from modnet.engine.history import History as History
    from modnet.engine.network import Network as Network
    from modnet.errors import BrokenPlugin as BrokenPlugin
    from modnet.errors import DataError as DataError
    from modnet.errors import Diverged as Diverged
    from modnet.errors import Fault as Fault
    from modnet.errors import MissingExtra as MissingExtra
    from modnet.errors import ModelFileError as ModelFileError
    from modnet.errors import ModnetError as ModnetError
    from modnet.errors import NotInstalled as NotInstalled
    from modnet.errors import PluginError as PluginError
    from modnet.errors import ShapeError as ShapeError
    from modnet.errors import SpecError as SpecError
    from modnet.errors import TooLarge as TooLarge
    from modnet.errors import TrainingError as TrainingError
    from modnet.kinds.activation import Activation as Activation
    from modnet.kinds.callback import Callback as Callback
    from modnet.kinds.component import Component as Component
    from modnet.kinds.component import Example as Example
    from modnet.kinds.context import Context as Context
    from modnet.kinds.initializer import Initializer as Initializer
    from modnet.kinds.layer import Layer as Layer
    from modnet.kinds.layer import Parameter as Parameter
    from modnet.kinds.layer import State as State
    from modnet.kinds.loss import Loss as Loss
    from modnet.kinds.loss import WeightedLoss as WeightedLoss
    from modnet.kinds.metric import Metric as Metric
    from modnet.kinds.node import Composite as Composite
    from modnet.kinds.node import Node as Node
    from modnet.kinds.optimizer import Chunk as Chunk
    from modnet.kinds.optimizer import Optimizer as Optimizer
    from modnet.kinds.optimizer import Step as Step
    from modnet.kinds.schedule import Schedule as Schedule
    from modnet.model.load import load as load
    from modnet.model.save import save as save
    from modnet.model.transfer import load_parameters as load_parameters
    from modnet.plugins.hooks import hookimpl as hookimpl
    from modnet.plugins.registry import Registry as Registry
    from modnet.plugins.registry import default_registry as default_registry
    from modnet.specs.model import Spec as Spec
    from modnet.specs.reader import read_spec as read_spec
    from modnet.threads import set_threads as set_threads
    from modnet.training.evaluate import evaluate as evaluate
    from modnet.training.profiling import profile as profile
    from modnet.training.run import Run as Run
    from modnet.training.train import train as train

__version__ = "0.1.0"

if "MODNET_NUM_THREADS" in os.environ:
    from modnet.threads import read_environment

    read_environment()

_HOMES = {
    "modnet.assessment.comparison": ("compare",),
    "modnet.assessment.calibration": ("calibrate",),
    "modnet.assessment.intervals": ("intervals",),
    "modnet.assessment.cross_validation": ("cross_validate",),
    "modnet.assessment.search.search": ("search",),
    "modnet.assessment.explanation.explain": ("explain",),
    "modnet.assessment.report.report": ("report",),
    "modnet.configuration.fields": ("field",),
    "modnet.data.column": ("Column",),
    "modnet.data.column_schema": ("ColumnSchema",),
    "modnet.data.schema": ("DataSchema",),
    "modnet.data.table": ("Table",),
    "modnet.datasets.dataset": ("Dataset",),
    "modnet.datasets.read": ("read_data",),
    "modnet.engine.build": ("build",),
    "modnet.engine.card": ("ModelCard",),
    "modnet.engine.folding": ("fold",),
    "modnet.engine.network": ("Network",),
    "modnet.errors": (
        "BrokenPlugin",
        "DataError",
        "Diverged",
        "Fault",
        "MissingExtra",
        "ModelFileError",
        "ModnetError",
        "NotInstalled",
        "PluginError",
        "ShapeError",
        "SpecError",
        "TooLarge",
        "TrainingError",
    ),
    "modnet.kinds.activation": ("Activation",),
    "modnet.kinds.callback": ("Callback",),
    "modnet.kinds.component": (
        "Component",
        "Example",
    ),
    "modnet.kinds.context": ("Context",),
    "modnet.kinds.initializer": ("Initializer",),
    "modnet.kinds.layer": (
        "Layer",
        "Parameter",
        "State",
    ),
    "modnet.kinds.loss": (
        "Loss",
        "WeightedLoss",
    ),
    "modnet.kinds.metric": ("Metric",),
    "modnet.kinds.node": (
        "Composite",
        "Node",
    ),
    "modnet.kinds.optimizer": (
        "Chunk",
        "Optimizer",
        "Step",
    ),
    "modnet.kinds.schedule": ("Schedule",),
    "modnet.model.load": ("load",),
    "modnet.model.save": ("save",),
    "modnet.model.transfer": ("load_parameters",),
    "modnet.plugins.hooks": ("hookimpl",),
    "modnet.plugins.registry": (
        "Registry",
        "default_registry",
    ),
    "modnet.specs.model": ("Spec",),
    "modnet.specs.reader": ("read_spec",),
    "modnet.threads": ("set_threads",),
    "modnet.engine.courses": ("plot_histories",),
    "modnet.engine.history": ("History",),
    "modnet.training.evaluate": ("evaluate",),
    "modnet.training.profiling": ("profile",),
    "modnet.training.run": ("Run",),
    "modnet.training.train": ("train",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        if name.startswith("_"):  # what Python and tools ask every module for
            raise AttributeError(f"module 'modnet' has no attribute {name!r}")
        return __getattr__(import_module("modnet.deprecation").current_name(name, __all__))
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

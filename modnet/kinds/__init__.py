"""The kinds of components: one base class in each file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

from modnet.kinds.activation import Activation
from modnet.kinds.callback import Callback
from modnet.kinds.component import Component
from modnet.kinds.initializer import Initializer
from modnet.kinds.layer import Layer
from modnet.kinds.loss import Loss
from modnet.kinds.metric import Metric
from modnet.kinds.optimizer import Optimizer
from modnet.kinds.schedule import Schedule

PLURALS: Mapping[str, type[Component]] = {
    "layers": Layer,
    "activations": Activation,
    "losses": Loss,
    "optimizers": Optimizer,
    "initializers": Initializer,
    "schedules": Schedule,
    "metrics": Metric,
    "callbacks": Callback,
}
"""The plural of each kind -> its base class."""

KINDS: Mapping[str, type[Component]] = {cast(Any, base).kind: base for base in PLURALS.values()}
"""Kind -> its base class."""

GROUPS: Mapping[str, str] = {cast(Any, base).kind: f"modnet.{plural}" for plural, base in PLURALS.items()}
"""Kind -> the group of entry points in which plugins offer components of it."""


@cache
def kinds_within(kind: str) -> tuple[str, ...]:
    """The kinds that are accepted where a component of this kind is expected: an activation is a layer too."""
    return tuple(name for name, base in KINDS.items() if issubclass(base, KINDS[kind]))

"""The kinds of components: one base class in each file."""

from __future__ import annotations

from collections.abc import Mapping
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

KINDS: Mapping[str, type[Component]] = {
    cast(Any, kind).kind: kind for kind in (Layer, Activation, Loss, Optimizer, Initializer, Schedule, Metric, Callback)
}

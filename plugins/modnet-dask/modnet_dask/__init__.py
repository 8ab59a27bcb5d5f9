"""dask for modnet: predictions for tables in parts, and searches, by the workers of a cluster."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modnet_dask.predicting import predict
    from modnet_dask.scheduler import DaskScheduler

__all__ = ["DaskScheduler", "predict"]

HOMES = {"DaskScheduler": "modnet_dask.scheduler", "predict": "modnet_dask.predicting"}
"""Name -> its module, imported when somebody asks: every command that reads a file of a plugin imports this package."""


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)

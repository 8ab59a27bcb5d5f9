"""scikit-learn's own callbacks (`sklearn.callback`, if it has them), which are called for a run and its epochs."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import modnet

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks

    FRAMES = 2
except ImportError:  # before scikit-learn 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """In the place of scikit-learn's class."""

    def with_callbacks(method: Callable[..., Any]) -> Callable[..., Any]:
        return method

    FRAMES = 1

__all__ = ["FRAMES", "CallbackSupportMixin", "Fitted", "Following", "with_callbacks"]

"""How many calls there are between a method that is decorated so and its caller, for warnings: `FRAMES`."""


if TYPE_CHECKING:
    from modnet_sklearn.estimator import ModnetEstimator


class Fitted(NamedTuple):
    """The arguments of `fit`."""

    X: Any
    y: Any
    sample_weight: Any


def followers(given: ModnetEstimator, fitted: Fitted) -> list[Following]:
    """Who tells the callbacks of an estimator of the run, if it has any."""
    return [Following(given, fitted)] if getattr(given, "_skl_callbacks", ()) else []


class Following:
    """Tells scikit-learn's callbacks of each epoch of a run, which any of them may end."""

    def __init__(self, given: ModnetEstimator, fitted: Fitted) -> None:
        self.given, self.fitted = given, fitted
        self.whole: Any = None
        self.epoch: Any = None

    def modnet_training_started(self, run: modnet.Run) -> None:
        self.whole = self.given._init_callback_context(max_subtasks=run.training.epochs)
        self.whole.call_on_fit_task_begin(estimator=self.given, **self._known())
        self._begin()

    def _begin(self) -> None:
        self.epoch = self.whole.subcontext(task_name="epoch")
        self.epoch.call_on_fit_task_begin(estimator=self.given, **self._known())

    def modnet_epoch_ended(self, run: modnet.Run) -> None:
        if self.epoch.call_on_fit_task_end(estimator=self.given, **self._known()):
            run.stop("a callback of scikit-learn has ended the training")
        self.epoch = None
        if run.epoch < run.training.epochs and not run.stopped:
            self._begin()

    def modnet_training_ended(self, run: modnet.Run) -> None:
        if self.epoch is not None and not run.failed:
            self.epoch.call_on_fit_task_end(estimator=self.given, **self._known())
        if not run.failed:
            self.whole.call_on_fit_task_end(estimator=self.given, **self._known())

    def _known(self) -> dict[str, Any]:
        """What a callback may ask for."""
        X, y, weights = self.fitted
        return {
            "X": X,
            "y": y,
            "metadata": None if weights is None else {"sample_weight": weights},
            "reconstruction_attributes": self._attributes,
        }

    def _attributes(self) -> dict[str, Any]:
        """The attributes of an estimator that predicts with the present weights."""
        own = {name: value for name, value in vars(self.given).items() if not name.startswith("_skl")}
        fitted = {name: value for name, value in own.items() if name not in self.given.get_params(deep=False)}
        return {**fitted, **self.given._attributes_of(copy.deepcopy(self.given._network))}

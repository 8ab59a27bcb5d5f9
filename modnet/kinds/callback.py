"""Callbacks: objects that take part in a training run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from modnet.kinds.component import Component
from modnet.kinds.sharing import Processes


class Callback(Component):
    """Takes part in training runs by implementing any of the events of a run.

    The callback itself is configuration and never changes: one object can be in any number of runs, also at the same
    time. What changes during a run belongs to the object that `join` makes for that run.

    Every `run` here is a `modnet.Run`. The hints say Any because this module must not import `Run`; in a class of your
    own, write `run: modnet.Run`.

    Class variables:
        of_one_run: it writes files or to the screen, which suits only a single run: if several runs are made from
            one spec, as in a cross-validation or a search, it is left out; if several processes share a run, it gets
            the events only in the first of them.
    """

    kind = "callback"
    of_one_run: ClassVar[bool] = False

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(
            f"{self._label()} is immutable: give it a field {name}, or, for what changes during a run, let join(run) "
            "return an object of its own"
        )

    def join(self, run: Any) -> object:
        """The object that takes part in a run for this callback: its methods `modnet_*` are called at the events.

        By default the callback itself, which is enough if nothing has to be remembered. Called once for each run,
        before its data are checked; if the run resumes from a checkpoint, `restore` is called next.

        The object may have two more methods. `state()` returns what it remembers as a dict of plain values (numbers,
        text, arrays, lists, tuples, dicts), which checkpoints save under the name of the callback; `restore(state)`
        takes such a dict over. The state comes from a file that may have been tampered with: `restore` raises
        ValueError if it cannot go on from it; nothing in the network has changed at that point.
        """
        return self

    def processes(self) -> Processes | None:
        """The processes that share the runs in which this callback takes part; by default None, for no others.

        Each of them makes the same calls with the same data. Of every batch each trains with some of the rows; the
        gradients, the figures and what layers compute of a whole batch are added up, so that a run gives what one
        process would have given. Asked for once, before `join`.
        """
        return None

    def modnet_training_started(self, run: Any) -> None:
        """Called once, before the first step."""

    def modnet_batch(self, run: Any, inputs: list[Any], targets: dict[str, Any]) -> Any:
        """Called with every batch of the training; returns changed (inputs, targets), or None for no change.

        Args:
            inputs: the arrays of the inputs, in the order of `run.network.inputs`.
            targets: output name -> array.

        The arrays may be views of the training data, or be reused for the next batch: return new ones instead of
        writing into them, and keep none. Each callback receives what the one before it has returned.
        """

    def modnet_reduce_gradients(self, run: Any, gradients: Any) -> None:
        """Called before every step of the optimizer; may change the flat array of gradients in place."""

    def modnet_step_ended(self, run: Any) -> None:
        """Called after every step of the optimizer."""

    def modnet_epoch_ended(self, run: Any) -> None:
        """Called after every epoch, with its figures in `run.figures`, to which it may add."""

    def modnet_training_ended(self, run: Any) -> None:
        """Called once, after the last step, also if the run was stopped or has failed."""

    def modnet_training_concluded(self, run: Any) -> None:
        """Called once after a run that has not failed, when `run.network` is as it will be saved.

        It then has its last weights, whatever callbacks have done at the end of the training, and its card the history
        and the final figures.
        """

    def check_figures(self, figures: Mapping[str, bool | None]) -> None:
        """Raises ValueError if the callback needs a figure that the run does not record. Called before the first step.

        Args:
            figures: name -> whether a greater value is better, None if there is no such order.
        """

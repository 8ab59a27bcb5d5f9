"""The callbacks of a spec in several trainings of it."""

from __future__ import annotations

from modnet.engine.network import Network
from modnet.errors import Problem, SpecError
from modnet.specs.model import NamedCallback


def lasting_callbacks(network: Network) -> tuple[NamedCallback, ...]:
    """The callbacks of the spec that each of several trainings can have: files and the screen are not for several.

    Raises:
        SpecError: the spec has no `[training]` table.
    """
    training = network.card.training
    if training is None:
        what = 'missing table; expected [training] with at least loss = "..."'
        raise SpecError([Problem("training", what, keys=("training",))])
    return tuple(c for c in training.callbacks if not c.callback.of_one_run)

"""Whether a component is unchanged after it has run."""

from __future__ import annotations

from modnet.testing.contract import Broken, Rules
from modnet.testing.rules import component as of_component

RULES = Rules()


@RULES.rule(
    "does not change",
    "Keep what is computed in the context (save, state, memory), not on self.",
    after=("immutable",),
)
def does_not_change(trial: of_component.Trial) -> str:
    component = trial.component
    now = dict(vars(component))
    for name in now.keys() - trial.fields.keys():
        raise Broken(f"it stored {name} on self while it ran")
    for name, value in trial.fields.items():
        if now.get(name) is not value:
            raise Broken(f"its field {name} changed while it ran")
    return ""

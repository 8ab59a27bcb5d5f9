"""The contract of a callback."""

from __future__ import annotations

import contextlib
import io
import tempfile
from typing import Any

import numpy as np

from modnet.component import Callback
from modnet.errors import BrokenPlugin
from modnet.hooks import PluginManager
from modnet.network import build
from modnet.testing.contract import Broken, Rules, raised
from modnet.testing.rules import component as of_component
from modnet.testing.rules.metric import copied

RULES = Rules()

EPOCHS = 3


class Trial(of_component.Trial):
    component: Callback

    def train(self) -> dict[str, Any]:
        """The states of a short run with the callback, in a folder of its own, its output unseen."""
        from modnet.training.trainer import train

        spec: Any = {"network": {"input": [2], "layers": [{"type": "linear", "out_features": 2}, "softmax"]}}
        network = build(spec, seed=0, registry=self.registry)
        rng = np.random.default_rng(0)
        x, y = rng.standard_normal((24, 2)), rng.integers(0, 2, 24)
        seen: dict[str, Any] = {}

        class Probe(Callback):
            """Takes the states of all callbacks as the run ends."""

            def modnet_training_ended(self, run: Any) -> None:
                seen.update(run.states)

        with (
            tempfile.TemporaryDirectory() as folder,
            contextlib.chdir(folder),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            train(
                network,
                x,
                y,
                loss="cross_entropy",
                metrics=["accuracy"],
                epochs=EPOCHS,
                batch_size=8,
                validation=0.25,
                callbacks=[self.component, Probe()],
                registry=self.registry,
            )
        return seen


@RULES.rule(
    "events",
    "Implement at least one event, by its name and with its arguments: modnet_epoch_ended(self, run).",
)
def events(trial: Trial) -> str:
    callback = trial.component
    own = [
        name
        for name in dir(type(callback))
        if name.startswith("modnet_") and getattr(type(callback), name) is not getattr(Callback, name, None)
    ]
    if not own:
        raise Broken("it implements no event")
    try:
        PluginManager().join(callback, callback.type)
    except BrokenPlugin as error:
        raise Broken(str(error)) from None
    return ", ".join(own)


@RULES.rule("runs", "A run with it has to come to its end.", after=("events", "named"))
def runs(trial: Trial) -> str:
    try:
        trial.train()
    except Exception as error:
        raise Broken(f"in a run of {EPOCHS} epochs: {raised(error)}") from None
    return f"{EPOCHS} epochs"


@RULES.rule(
    "plain state",
    "run.state_of(self) holds numbers, text, arrays, lists, tuples and dicts with text as keys: checkpoints save it.",
    after=("events", "runs"),
)
def plain_state(trial: Trial) -> str:
    states = trial.train()
    found = 0
    for name, state in states.items():
        for key, value in state.items():
            try:
                copied({key: value})
            except Broken as fault:
                raise Broken(f"state of {name}, {key}: {fault}") from None
            found += 1
    return f"{found} values"

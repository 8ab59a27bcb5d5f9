"""A training that is killed, again and again, by a signal that nothing can catch. Run by test_kills.py.

Every process goes on where the one before it was killed, and is killed itself: after a step or an epoch, or at a moment
of writing a checkpoint. It prints a line for each, and in the end whether the model that comes of all of them has the
bytes of the one that was never stopped.
"""

import os
import signal
import time
from pathlib import Path

import numpy as np

import modnet
from modnet.kinds.callback import Callback
from modnet.model import atomic
from modnet.plugins.hooks import hookimpl
from modnet.training import callbacks
from modnet.training.checkpointing import Checkpoint
from modnet.training.stopping import EarlyStopping

SPEC = {
    "network": {
        "input": [6],
        "layers": [
            "standardize",
            {"type": "linear", "out_features": 8, "activation": "relu"},
            "batch_norm",
            {"type": "dropout", "rate": 0.3},
            {"type": "linear", "out_features": 3},
            "softmax",
        ],
    },
    "training": {
        "loss": "cross_entropy",
        "optimizer": {"type": "sgd", "learning_rate": 0.1, "momentum": 0.9},
        "schedule": {"type": "cosine", "warmup_epochs": 1},
        "metrics": ["accuracy", "auc"],
        "epochs": 2,
        "batch_size": 8,
        "seed": 3,
    },
}
STEPS = 8


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


class Kill(Callback):
    """Kills the process after a step, with the checkpoint of that step written or not; before or after an epoch's end.

    Fields:
        step: which.
        event: "step" or "epoch".
    """

    step: int
    event: str = "step"

    @hookimpl(tryfirst=True)
    def modnet_step_ended(self, run):
        if (run.step, self.event) == (self.step, "step"):
            kill()

    def modnet_epoch_ended(self, run):
        if (run.step, self.event) == (self.step, "epoch"):
            kill()


def before(module, name, wanted):
    """Kills the process where it is about to call a function for the file of a step."""
    function = getattr(module, name)

    def killing(*arguments):
        if wanted(*arguments):
            kill()
        return function(*arguments)

    setattr(module, name, killing)


def killed_in_writing(moment, step):
    """Arranges that the process is killed at a moment of writing the checkpoint of a step."""
    name = f"step-{step:010d}.modnet"
    if moment == "nothing is written":
        before(atomic, "remove_leftovers", lambda folder, stems: stems == name.replace(".", r"\.").replace("-", r"\-"))
    elif moment == "half is written":
        write = atomic._write

        def half(file, rest):
            if name in file.name and len(rest) > 200:
                write(file, rest[: len(rest) // 2])
                kill()
            write(file, rest)

        atomic._write = half
    elif moment == "not yet synced":
        before(atomic, "_sync", lambda file: name in file.name)
    elif moment == "not yet renamed":
        before(atomic.os, "replace", lambda source, target: name in target)
    elif moment == "the folder is not yet synced":
        before(atomic, "_sync_folder", lambda folder: (Path(folder) / name).exists())
    else:
        unlink = callbacks.Path.unlink

        def removing(path, *arguments, **named):
            if path.suffix == ".modnet" and path.with_name(name).exists():
                kill()
            return unlink(path, *arguments, **named)

        callbacks.Path.unlink = removing


MOMENTS = (
    "nothing is written",
    "half is written",
    "not yet synced",
    "not yet renamed",
    "the folder is not yet synced",
    "older ones are still there",
)


def train(extra=(), resume=None):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 40)
    x = rng.standard_normal((40, 6)).astype(np.float32) + y[:, None]
    network = modnet.build(SPEC)
    early = EarlyStopping(patience=1, monitor="accuracy")
    modnet.train(network, x, y, validation=0.2, callbacks=[early, *extra], resume=resume)
    modnet.save(network, "model.modnet")
    return Path("model.modnet").read_bytes()


def in_a_process(what):
    """The signal that has killed a process which does something, or 0."""
    child = os.fork()
    if not child:
        what()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status)


def chain(folder, arrange, steps):
    """Kills a training at one step after the other, and the last of it not; gives the signals."""
    often = Checkpoint(directory=folder, every_steps=1, keep=1)
    return [in_a_process(lambda step=step: train([arrange(step), often], resume=folder)) for step in (*steps, 0)]


def at_any_moment(folder, rng):
    """Kills a training from outside, three times at a moment that is drawn, and lets the last one end."""
    often = Checkpoint(directory=folder, every_steps=1, keep=2)
    for most in (0.06, 0.03, 0.03):
        child = os.fork()
        if not child:
            train([often], resume=folder)
            os._exit(0)
        time.sleep(rng.uniform(0, most))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return in_a_process(lambda: train([often], resume=folder))


def main():
    whole = train()
    assert len(modnet.load("model.modnet").card.history["loss"]) == 2

    def result():
        made = Path("model.modnet").read_bytes()
        Path("model.modnet").unlink()
        return "the same" if made == whole else "another"

    def in_writing(moment):
        def arrange(step):
            killed_in_writing(moment, step)
            return Kill(step=0)

        return arrange

    every = range(1, STEPS + 1)
    chains = [
        ("after the step", lambda step: Kill(step=step), every),
        ("after the epoch", lambda step: Kill(step=step, event="epoch"), (4, 8)),
        *((moment, in_writing(moment), every) for moment in MOMENTS),
    ]
    for name, arrange, steps in chains:
        signals = chain(name.replace(" ", "-"), arrange, steps)
        print(f"{name}: {' '.join(map(str, signals))} {result()}", flush=True)
    rng = np.random.default_rng(0)
    for attempt in range(10):
        print(f"at any moment: {at_any_moment(f'any-{attempt}', rng)} {result()}", flush=True)


if __name__ == "__main__":
    main()

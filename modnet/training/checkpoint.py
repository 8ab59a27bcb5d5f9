"""A training run on disk: a model file that also holds all that the run needs to go on.

Beside what every model file has there are groups `optimizer.SLOT`, groups `training...` with arrays of callbacks and
metrics, and the header key `training`: the step, the epoch and the steps made in it, the spec's training table (without
its callbacks), fingerprints of the data, and the state of generators, metrics and callbacks. It holds no clock: the
same run gives the same bytes.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from modnet.component import Array
from modnet.errors import MalformedFile, ModelFileError, TrainingError
from modnet.modelfile.container import DTYPES
from modnet.modelfile.model import store
from modnet.modelfile.reader import Contents, read
from modnet.modelfile.writer import Group
from modnet.training.run import Run

NAME = re.compile(r"step-\d+\.modnet")

LARGE = 1 << 20
"""Bytes from which on an array has a group of its own, which is written without a copy."""

CHANGEABLE = ("epochs",)
"""Keys of the training table that may differ when a run goes on, beside the callbacks."""


def write(run: Run, path: str | PathLike[str]) -> None:
    """Writes a checkpoint.

    Raises:
        TrainingError: a callback or metric remembers something other than plain values and arrays.
        ModelFileError, OSError: as `modnet.save`.
    """
    arrays: dict[str, Array] = {}
    states = {name: {key: state[key] for key in state if key != "time"} for name, state in run.states.items()}
    state = {
        "order": run.order_at_epoch if run.batch else run.order.bit_generator.state,
        "noise": run.noise.bit_generator.state,
        "tally": run.tally.state() if run.batch else {},
        "penalties": run.penalties,
        "optimizer_steps": run.optimization.steps,
        "learning_rate": run.learning_rate,
        "loss": run.loss,
        "callbacks": states,
    }
    training = {
        "step": run.step,
        "epoch": run.epoch,
        "batch": run.batch,
        "steps_per_epoch": run.steps_per_epoch,
        "stopped": "" if run.interrupted else run.stopped,
        "spec": run.training.replace(callbacks=()).plain(),
        "data": run.data(),
        "state": _packed(state, "training", arrays),
    }
    slots = [Group(f"optimizer.{name}", slot.flat, slot.layout) for name, slot in run.optimization.slots.items()]
    run.network.history = run.history.figures
    store(run.network, path, run.registry, {"training": training}, [*slots, *_groups(arrays)])


def restore(run: Run, source: str | PathLike[str]) -> Path | None:
    """Puts a run and its network where a checkpoint has left them.

    Args:
        source: the file, or a folder, of which the newest checkpoint that is whole is taken.

    Returns:
        The checkpoint, or None where a folder has none or is not there.

    Raises:
        TrainingError: the network, the training or the data are not those of the checkpoint; the message lists what
            differs. Epochs and callbacks may.
        ModelFileError: the file is damaged or no checkpoint.
        OSError: the file cannot be read.
    """
    found = _find(Path(source))
    if found is None:
        return None
    path, contents = found
    training = contents.header.get("training")
    if not isinstance(training, dict):
        raise ModelFileError(path, "this is a finished model and no checkpoint; only a checkpoint can go on")
    _check_same(run, path, contents.header, training)
    try:
        arrays: dict[str, Array] = {}
        for group, members in contents.groups.items():
            arrays.update(members.views if group.startswith("training.") else {})
        state = _unpacked(training["state"], arrays)
        numbers = {name: _integer(training[name]) for name in ("step", "epoch", "batch")}
        flats = [(run.network.parameters, "parameters"), (run.network.state, "state")]
        flats += [(slot, f"optimizer.{name}") for name, slot in run.optimization.slots.items()]
        for array, group in flats:
            if list(contents.groups[group].views) != list(array) or contents.groups[group].flat.dtype != array.dtype:
                raise ValueError(f"the arrays of {group} are others")
        run.order.bit_generator.state = state["order"]
        run.noise.bit_generator.state = state["noise"]
        if numbers["batch"]:
            run.tally.restore(state["tally"])
        run.penalties, run.loss, run.learning_rate = (
            float(state[name]) for name in ("penalties", "loss", "learning_rate")
        )
        run.optimization.steps = _integer(state["optimizer_steps"])
        run.states = {name: dict(state["callbacks"][name]) for name in run.callbacks if name in state["callbacks"]}
        run.history.figures = {name: list(values) for name, values in contents.header["history"].items()}
        for array, group in flats:
            np.copyto(array.flat, contents.groups[group].flat)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"the training's state cannot be read ({type(error).__name__}: {error})"
        raise MalformedFile(path, what, "training") from None
    run.history.seconds = [0.0] * run.history.epochs
    run.step, run.epoch, run.batch = numbers["step"], numbers["epoch"], numbers["batch"]
    run.order_at_epoch = state["order"]
    run.steps_per_epoch = training.get("steps_per_epoch")
    run.stopped = str(training.get("stopped") or "")
    return path


def _find(source: Path) -> tuple[Path, Contents] | None:
    if not source.is_dir() and (source.exists() or source.suffix == ".modnet"):
        return source, read(source)
    # The one that was written last, not the one of the highest step: that may be of an earlier run.
    paths = sorted(filter(_is_checkpoint, source.glob("step-*.modnet")), key=_age_and_name)
    while paths:
        path = paths.pop()
        try:
            return path, read(path)
        except ModelFileError as error:
            if not paths:
                raise
            warnings.warn(f"{error}; taking the checkpoint before it", stacklevel=2)
    return None


def _is_checkpoint(path: Path) -> bool:
    return NAME.fullmatch(path.name) is not None


def _age_and_name(path: Path) -> tuple[int, str]:
    return path.stat().st_mtime_ns, path.name


def _integer(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"expected a whole number, found {value!r}")
    return value


# What has changed


def _check_same(run: Run, path: Path, header: Mapping[str, Any], training: Mapping[str, Any]) -> None:
    spec = header.get("spec")
    changes = [
        *_changes("network", spec.get("network") if isinstance(spec, dict) else None, run.network.spec.network.plain()),
        *(
            line
            for key, line in _keyed_changes(
                "training", training.get("spec"), run.training.replace(callbacks=()).plain()
            )
            if key not in CHANGEABLE
        ),
        *(f"data: {name} is another" for name in _other_data(training.get("data"), run.data())),
    ]
    if changes:
        lines = "\n".join(f"  {line}" for line in changes)
        raise TrainingError(
            f"{path} is a checkpoint of another run:\n{lines}\n"
            "  change that back to go on, or train without resuming to begin anew"
        )


def _other_data(before: Any, now: Mapping[str, str]) -> Iterator[str]:
    before = before if isinstance(before, dict) else {}
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            yield name


def _keyed_changes(path: str, before: Any, now: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    before = before if isinstance(before, dict) else {}
    for key in dict.fromkeys((*before, *now)):
        for line in _changes(f"{path}.{key}", before.get(key), now.get(key)):
            yield key, line


def _changes(path: str, before: Any, now: Any) -> Iterator[str]:
    """The places where two plain values differ, each with both values."""
    if isinstance(before, dict) and isinstance(now, dict):
        for _, line in _keyed_changes(path, before, now):
            yield line
    elif isinstance(before, list | tuple) and isinstance(now, list | tuple) and len(before) == len(now):
        for number, (old, new) in enumerate(zip(before, now, strict=True)):
            yield from _changes(f"{path}[{number}]", old, new)
    elif before != now:
        yield f"{path}: {_shown(before)} before, now {_shown(now)}"


def _shown(value: Any) -> str:
    text = "not given" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


# Plain values and arrays


def _packed(value: Any, name: str, arrays: dict[str, Array]) -> Any:
    """A value as a header can hold it; its arrays go into `arrays`, and stand as their names."""
    match value:
        case bool() | str() | None:
            return value
        case np.ndarray() | np.generic() if value.dtype.name in DTYPES:
            arrays[name] = np.asarray(value)
            return {"array" if isinstance(value, np.ndarray) else "scalar": name}
        case int():
            return value if -(2**63) <= value < 2**63 else {"int": str(value)}
        case float():
            return value
        case list() | tuple():
            items = [_packed(item, f"{name}.{number}", arrays) for number, item in enumerate(value)]
            return items if isinstance(value, list) else {"tuple": items}
        case dict() if all(type(key) is str for key in value):
            return {"dict": {key: _packed(item, f"{name}.{key}", arrays) for key, item in value.items()}}
    raise TrainingError(
        f"{name} is {type(value).__module__}.{type(value).__qualname__}, which a checkpoint cannot hold; "
        "state is made of plain values and arrays, in lists, tuples and dicts with text as keys"
    )


def _unpacked(value: Any, arrays: Mapping[str, Array]) -> Any:
    if isinstance(value, list):
        return [_unpacked(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    match kind:
        case "array":
            return arrays[content].copy()
        case "scalar":
            return arrays[content][()]
        case "int":
            return int(content)
        case "tuple":
            return tuple(_unpacked(item, arrays) for item in content)
        case "dict":
            return {key: _unpacked(item, arrays) for key, item in content.items()}
    raise ValueError(f"unknown kind of value {kind!r}")


def _groups(arrays: Mapping[str, Array]) -> Iterator[Group]:
    small: dict[str, list[tuple[str, Array]]] = {}
    for name, array in arrays.items():
        if array.nbytes >= LARGE:
            yield Group(name, np.ascontiguousarray(array).reshape(-1), [(name, 0, array.shape)])
        else:
            small.setdefault(array.dtype.name, []).append((name, array))
    for dtype, members in small.items():
        views, offset = [], 0
        for name, array in members:
            views.append((name, offset, array.shape))
            offset += array.size
        yield Group(f"training.{dtype}", np.concatenate([array.reshape(-1) for _, array in members]), views)

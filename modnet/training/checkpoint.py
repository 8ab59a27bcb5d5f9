"""A training run on disk: a model file that also has everything needed to resume the run.

In addition to a model file it has groups `optimizer.SLOT`, groups `training...` with arrays of callbacks and metrics,
and the header key `training`: the step, the epoch and the steps made in it, the spec's training table (without its
callbacks), fingerprints of the data, and the state of generators, metrics and callbacks. It has no time stamps: the
same run gives the same bytes.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Container, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

import modnet
from modnet.arrays import Array
from modnet.engine.network import Network
from modnet.engine.parameters import FlatArray
from modnet.errors import MalformedFile, ModelFileError, TrainingError
from modnet.kinds.optimizer import Optimizer
from modnet.model.container import DTYPES
from modnet.model.figures import joined
from modnet.model.header import Header, naming_newer_release
from modnet.model.needs import Origins, bare, components_of, origins_of
from modnet.model.reader import Contents, ReadGroup, read
from modnet.model.save import store
from modnet.model.stored import read_spec
from modnet.model.writer import Group
from modnet.plugins.builtin import CORE
from modnet.specs.model import TrainingSpec
from modnet.training.run import Run
from modnet.training.tally import Tally
from modnet.words import changes, short_value, show

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

NAME = re.compile(r"step-[0-9]{10,}\.modnet")

LARGE = 1 << 20
"""An array of at least this many bytes gets a separate group, which is written without a copy."""

CHANGEABLE = ("epochs",)
"""Keys of the training table that may differ when a run resumes, besides the callbacks."""


def write(run: Run, path: str | PathLike[str]) -> None:
    """Writes a checkpoint.

    Raises:
        TrainingError: the state of a callback or metric is not made of plain values and arrays.
        ModelFileError, OSError: as `modnet.save`.
    """
    arrays: dict[str, Array] = {}
    state = _state(run)
    training = {
        "step": run.step,
        "epoch": run.epoch,
        "batch": run.batches_done,
        "steps_per_epoch": run.batches_per_epoch,
        "stopped": "" if run.interrupted else run.stopped,
        "spec": bare(_training(run).plain()),
        "data": run.data,
        "state": _packed(state, "training", arrays),
    }
    slots = [Group(f"optimizer.{name}", slot.flat, slot.layout) for name, slot in run.optimization.slots.items()]
    card = run.network.card
    run.network.card = card.replace(history=run.history.recorded(), results={**card.results, **run.results})
    store(run.network, path, run.registry, training, [*slots, *_groups(arrays)], _further(run))


def check_state(run: Run) -> None:
    """Checks that a checkpoint could hold the state of the run. Writes nothing.

    Raises:
        TrainingError: the state of a callback or metric is not made of plain values and arrays.
    """
    _packed(_state(run), "training", {})


def _state(run: Run) -> dict[str, Any]:
    """The state of generators, metrics and callbacks.

    In the middle of an epoch, the order of its samples has to be drawn again, so the state of `order` is that from the
    epoch's beginning; the batches that are done are then skipped.
    """
    return {
        "order": run.order_at_epoch if run.batches_done else run.order.bit_generator.state,
        "noise": run.noise.bit_generator.state,
        "tally": run.tally.state() if run.batches_done else {},
        "penalties": run.penalties,
        "optimizer_steps": run.optimization.steps,
        "learning_rate": run.learning_rate,
        "loss": run.loss,
        "callbacks": run.states(),
    }


def restore(run: Run, source: str | PathLike[str]) -> Path | None:
    """Puts a run and its network into the state of a checkpoint.

    Nothing in the network changes before the whole checkpoint has been checked. If it was written with other versions
    of modnet, numpy or a plugin, there is a warning.

    Args:
        source: the file, or a folder, whose newest undamaged checkpoint is used.

    Returns:
        The checkpoint, or None if the folder is that of this run's own checkpoints, and is empty or does not exist.

    Raises:
        TrainingError: the network, the training or the data differ from those of the checkpoint; the message lists the
            differences. Epochs and callbacks may differ. Or another folder has no checkpoint.
        ModelFileError: the file is damaged or not a checkpoint.
        NotInstalled, BrokenPlugin: a component that it needs is not available.
        OSError: the file cannot be read.
    """
    found = _find(run, Path(source).expanduser())
    if found is None:
        return None
    path, contents = found
    header = Header.of_file(path, contents.header)
    header.require_features(path)
    if header.training is None:
        raise ModelFileError(
            path, "this is a finished model, not a checkpoint; a run can only continue from a checkpoint"
        )
    with naming_newer_release(path, contents.header):
        _check_same(run, path, header, contents.size)
    flats = [(run.network.parameters, "parameters")]
    flats += [(slot, f"optimizer.{name}") for name, slot in run.optimization.slots.items()]
    try:
        for array, name in flats:
            _check_group(contents.groups[name], name, array)
        before = contents.groups["state"]
        run.missing_state = _missing_state(before, run.network)
        _check_group(before, "state", run.network.state, run.missing_state)
        _take_over(run, header, contents.groups)
    except MemoryError:
        raise
    except Exception as error:  # the state may be anything, and metrics and callbacks may raise anything over it
        what = f"the training's state cannot be read ({type(error).__name__}: {error})"
        raise MalformedFile(path, what, "header.training") from None
    for array, name in flats:
        np.copyto(array.flat, contents.groups[name].flat)
    np.copyto(run.network.state.flat, run.network.state.completed(before.flat, run.missing_state))
    return path


def lock_folder(folder: Path, taken: str = "") -> int | None:
    """Locks a folder for the checkpoints of one run, until the returned descriptor is closed.

    Args:
        taken: the message where another process has locked it, for another use than checkpoints.

    Returns:
        The descriptor; None if the system or the file system has no such locks.

    Raises:
        TrainingError: another run has locked it.
        OSError: the folder does not exist, or cannot be read.
    """
    if fcntl is None:
        return None
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            raise TrainingError(
                taken
                or f"another run is writing its checkpoints to {folder}; wait until it has finished, or use another "
                'folder for this run (callback checkpoint, directory = "...")'
            ) from None
        return None
    return descriptor


def _find(run: Run, source: Path) -> tuple[Path, Contents] | None:
    if not source.is_dir() and (source.exists() or source.suffix == ".modnet"):
        return source, read(source)
    paths = newest_last(source)
    while paths:
        path = paths.pop()
        try:
            return path, read(path)
        except ModelFileError as error:
            if not paths:
                raise
            warnings.warn(f"{error}; using the checkpoint before it", stacklevel=2)
    if any(source.resolve() == folder.resolve() for folder in run.checkpoint_folders):
        return None
    raise TrainingError(
        f"there is no checkpoint in {source}{'' if source.is_dir() else ', which does not exist'}; to start a new run, "
        "leave resume out, or let the callback checkpoint write to that folder"
    )


def newest_last(folder: Path) -> list[Path]:
    """The checkpoints in a folder, in the order in which they were written.

    That may not be the order of their steps: some may be from an earlier run.
    """
    return sorted(filter(_is_checkpoint, folder.glob("step-*.modnet")), key=_age_and_name)


def _is_checkpoint(path: Path) -> bool:
    return NAME.fullmatch(path.name) is not None


def _age_and_name(path: Path) -> tuple[int, str]:
    return path.stat().st_mtime_ns, path.name


# What comes from the file


def _missing_state(group: ReadGroup, network: Network) -> dict[str, float]:
    """Name of an array of optional state that an older checkpoint does not have -> the value of its elements."""
    stored = group.shapes
    return {name: fill for name, fill in network.graph.optional_state().items() if name not in stored}


def _check_group(group: ReadGroup, name: str, array: FlatArray, missing: Container[str] = ()) -> None:
    shapes = [(view, shape) for view, _, shape in array.layout if view not in missing]
    if list(group.shapes.items()) != shapes or group.flat.dtype != array.dtype:
        raise ValueError(f"the arrays of {name} do not match")


def _take_over(run: Run, header: Header, groups: Mapping[str, ReadGroup]) -> None:
    """Puts a run, but not yet its network and slots, into the state of a checkpoint. Raises anything if it is wrong."""
    training = header.training or {}
    arrays: dict[str, Array] = {}
    for name, group in groups.items():
        arrays.update(group.views if name.startswith("training.") else {})
    state = _unpacked(training["state"], arrays)
    run.step, run.epoch, run.batches_done = (_integer(training[name]) for name in ("step", "epoch", "batch"))
    for batches in (run.batches_per_epoch, training["steps_per_epoch"]):
        if batches is not None and run.batches_done > _integer(batches):
            raise ValueError(f"{run.batches_done} batches in an epoch of {batches}")
    run.batches_per_epoch = training["steps_per_epoch"]
    completed = run.epoch - (1 if run.batches_done else 0)
    history = joined(header, groups)["history"]
    run.history.figures = _history(history, completed, run.greater_is_better)
    run.history.seconds = [0.0] * completed
    run.order.bit_generator.state = run.order_at_epoch = state["order"]
    run.noise.bit_generator.state = state["noise"]
    if run.batches_done:
        run.tally = _tally(run.tally, state["tally"])
    run.penalties, run.loss, run.learning_rate = (
        _number(state[name]) for name in ("penalties", "loss", "learning_rate")
    )
    run.optimization.steps = _integer(state["optimizer_steps"])
    run.stopped = _text(training["stopped"])
    run.results = dict(header.results)
    for name, member in run.joined.items():
        if name in state["callbacks"] and callable(restore := getattr(member, "restore", None)):
            restore(dict(state["callbacks"][name]))


def _history(values: Mapping[str, Any], completed: int, known: Mapping[str, Any]) -> dict[str, list[Any]]:
    training = {name for name in known if not name.startswith("validation_")}
    if completed and set(values) not in (training, set(known)):
        raise ValueError("the figures of the history do not match")
    figures = {}
    for name, stored in values.items():
        column = stored.tolist() if isinstance(stored, np.ndarray) else stored
        if type(column) is not list or len(column) != completed or not all(map(_is_figure, column)):
            raise ValueError(f"expected {completed} values of {name} in the history")
        figures[name] = list(column)
    return figures


def _is_figure(value: Any) -> bool:
    return all(map(_is_figure, value)) if type(value) is list else type(value) in (int, float)


def _tally(tally: Tally, state: Mapping[str, Any]) -> Tally:
    for sums in state["losses"].values():
        if type(sums) is not list or len(sums) != 2:
            raise ValueError("expected two sums for each loss")
        for value in sums:
            _number(value)
    made = Tally(tally.heads)
    made.restore(state)
    with np.errstate(all="ignore"):
        made.result()  # makes each metric use its restored sums now, so that wrong ones fail here
    return made


def _integer(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError(f"expected a whole number, found {show(value)}")
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float, np.float32, np.float64):
        raise ValueError(f"expected a number, found {show(value)}")
    return float(value)


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError(f"expected text, found {show(value)}")
    return value


# What has changed


def _training(run: Run) -> TrainingSpec:
    """The training of the run without its callbacks, which may change and are not in the file."""
    return run.training.replace(callbacks=())


def _further(run: Run) -> tuple[TrainingSpec, Optimizer]:
    """The parts of a checkpoint, besides the network, that need components."""
    return _training(run), run.optimization.optimizer


def _check_same(run: Run, path: Path, header: Header, size: int) -> None:
    """Compares the checkpoint, converted to the present versions of components, with the run.

    Raises TrainingError with the differences. If only versions differ, it warns.
    """
    ours = components_of((run.network.card.spec.network, *_further(run)))
    training = header.training or {}
    if header.spec is None or not isinstance(training.get("spec"), dict):
        where = "header.spec" if header.spec is None else "header.training.spec"
        raise MalformedFile(path, "there is no training in it", where)
    reader, network = read_spec(path, header, size, run.registry, ours)
    before = reader.configuration(TrainingSpec, training["spec"], "training")
    changed = [
        *changes("network", network.plain(), run.network.card.spec.network.plain()),
        *_training_changes(before, _training(run)),
        *(f"data: {name} is another" for name in _other_data(training.get("data"), run.data)),
    ]
    versions = list(_other_versions(header.made_by, reader.needs, origins_of(ours, run.registry)))
    _tell(path, changed, versions)


def _training_changes(before: TrainingSpec, now: TrainingSpec) -> Iterator[str]:
    was, is_now = before.plain(), now.plain()
    for key in dict.fromkeys((*was, *is_now)):
        if key not in CHANGEABLE:
            yield from changes(f"training.{key}", was.get(key), is_now.get(key))


def _tell(path: Path, changed: Sequence[str], versions: Sequence[str]) -> None:
    """Raises TrainingError with what has changed; warns if only versions have changed."""
    lines = "\n".join(f"  {line}" for line in [*changed, *versions])
    if changed:
        raise TrainingError(
            f"{path} is a checkpoint of another run:\n{lines}\n"
            "  change that back to go on, or train without resuming to start again"
        )
    if versions:
        warnings.warn(
            f"{path} was written with other versions; the run goes on, but may not end with the same bytes:\n{lines}",
            stacklevel=3,
        )


def _other_versions(made_by: Mapping[str, str], before: Origins, now: Origins) -> Iterator[str]:
    """The distributions and components whose versions differ, each with both."""
    releases = {
        name: (made_by.get(name), here) for name, here in ((CORE, modnet.__version__), ("numpy", np.__version__))
    }
    components = []
    for key in sorted(before.keys() & now.keys()):
        (was, then, number), (_, here, current) = before[key], now[key]
        if was:
            releases.setdefault(was, (then, here))
        if number != current:
            components.append(f"{key[0]} {show(key[1])}: version {number} before, now {current}")
    for name, (wrote, reads) in releases.items():
        if wrote != reads:
            yield f"{name}: {short_value(wrote)} before, now {reads}"
    yield from components


def _other_data(before: Any, now: Mapping[str, str]) -> Iterator[str]:
    before = before if isinstance(before, dict) else {}
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            yield name


# Plain values and arrays


def _packed(value: Any, name: str, arrays: dict[str, Array]) -> Any:
    """A value in the form of a header: arrays go into `arrays` and are replaced by their names."""
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
        "use plain values and arrays, in lists, tuples and dicts with text as keys"
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
        case "scalar" if not arrays[content].ndim:
            return arrays[content][()]
        case "int" if type(content) is str:
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

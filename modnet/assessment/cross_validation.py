"""Cross-validation: how good the networks are that a spec gives, measured by rows that each of them has not seen."""

from __future__ import annotations

import time as clock
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.assessment.callbacks import lasting_callbacks
from modnet.assessment.fold_folder import FoldFolder, fingerprint
from modnet.assessment.spread import Spread, spread_table
from modnet.data.column import Column
from modnet.data.faults import Report
from modnet.data.named_arrays import NamedArrays
from modnet.data.spec import DataSpec
from modnet.data.table import Table
from modnet.datasets.dataset import Dataset
from modnet.datasets.folding import Folding
from modnet.datasets.folds import Fold
from modnet.datasets.load import LoadedData
from modnet.datasets.read import data_of, loader_for, require_data, source_of
from modnet.engine.build import plan
from modnet.engine.network import Network
from modnet.errors import DataError, Diverged
from modnet.kinds.callback import Callback
from modnet.plugins.faults import NamingFaults
from modnet.plugins.registry import Registry, default_registry
from modnet.records import Record
from modnet.specs.reader import SpecLike
from modnet.training.evaluate import Measurement, evaluate
from modnet.training.measured import Figures
from modnet.training.run import Run
from modnet.training.sources import Given
from modnet.training.train import prepare
from modnet.words import free_name

RESULT = "cross_validation"
"""Under this name the results of a fold's network, and so its model file, have what is known of its training."""

KEPT = ("train", "validation", "epochs", "best_epoch", "seconds")
"""What a result takes from there."""


def cross_validate(
    spec: SpecLike,
    x: Any = None,
    y: Any = None,
    *,
    folds: int = 5,
    repeats: int = 1,
    group: str | None = None,
    time: str | None = None,
    seed: int | None = None,
    folder: str | PathLike[str] | None = None,
    registry: Registry | None = None,
) -> CrossValidation:
    """Trains a network for each fold of the rows on the other folds, and measures it by that fold.

        found = modnet.cross_validate("penguins.toml", folds=5)
        print(found)                                          # means with their spread, beside the base rates
        frame = pandas.DataFrame(found.predictions)           # of each row, by a network that had not seen it

    Args:
        spec: the path of a spec file, the same as a dict, or a `Spec`. Each network is trained as `modnet.train` would
            train it on these rows alone; see `CrossValidator`.
        x, y: the data, instead of those that the spec names: rows of a table, or arrays, as for `modnet.train`.
        folds, repeats, group, time, seed: how the rows are parted; see `Folding`.
        folder: where the network of each finished fold is stored, `fold-1.modnet`. A second call with the same spec,
            data and arguments goes on with the others, to the same result.
        registry: where names are looked up.

    Raises:
        SpecError, DataError, ShapeError, Diverged: as `modnet.train`; DataError also if rows cannot be parted so.
        ValueError: there are fewer than two folds, or less than one repeat, or both `group` and `time`.
        TrainingError: the folder has folds of another spec, data or arguments.
        KeyboardInterrupt: after Ctrl-C, which loses only the running fold.
    """
    registry = registry or default_registry()
    with NamingFaults():
        network = plan(spec, registry=registry)
        folding = Folding(folds, repeats, seed, group, time)
        validator = CrossValidator(network, folding, folder=folder, data=(x, y), registry=registry)
        return validator.result([*validator.run()])


class FoldResult(Record, eq=False):
    """One fold.

    Attributes:
        repeat, fold: which it is, counted from 1.
        train, validation: how many rows its network was trained on and validated with.
        rows: those that it was measured by, int (rows,), counted from 0 in all of the data.
        figures: as `modnet.evaluate` measures them.
        epochs, best_epoch: how long it was trained, and the epoch whose weights it has, if that is not the last.
        seconds: how long that took.
        outputs: network output -> predictions, (rows, ...).
        targets: network output -> targets, (rows, ...): labels, or numbers.
        weights: of the rows; None for ones.
        notes: lines about values of these rows that the network had not seen.
    """

    repeat: int
    fold: int
    train: int
    validation: int
    rows: Array
    figures: Figures
    epochs: int
    best_epoch: int | None
    seconds: float
    outputs: Mapping[str, Array]
    targets: Mapping[str, Array]
    weights: Array | None = None
    notes: Sequence[str] = ()


class CrossValidation(Record, eq=False):
    """The result of a cross-validation; `print` shows the means with their spread.

    Attributes:
        folds: of all repeats.
        spread: figure name -> the mean over the folds, the standard deviation between them, and its standard error.
        figures: those of all predictions together, each by the network that had not seen its row, with the figures of
            each class.
        base: figure name -> the mean over the folds of its value for a guess that does not look at the inputs.
        outputs: network output -> all predictions, (predictions, ...), in the order of the rows.
        given: what is known of each: `row`, counted from 0, `repeat` if there are several, `fold`, and the targets. A
            target that is called so leaves the name to itself: it is `fold_2` then.
        network: with the names of the classes and columns; it is not trained.
        notes: lines about the data.
    """

    folds: Sequence[FoldResult]
    spread: Mapping[str, Spread]
    figures: Figures
    base: Mapping[str, float]
    outputs: Mapping[str, Array]
    given: Table
    network: Network
    notes: Sequence[str]

    @property
    def about(self) -> tuple[str, ...]:
        """The columns of `given` that say which row was predicted, and by which network."""
        return tuple(self.given.columns)[: 2 if self.folds[-1].repeat == 1 else 3]

    @property
    def predictions(self) -> dict[str, Array]:
        """Column -> array with a value for each prediction, in the order of the rows.

        The columns are those of `given`, the targets with " (given)" behind their names, and those that
        `network.decode` makes of `outputs`: the predicted class and `P(class)` for each, or numbers.
        """
        decoded = self.network.decode(self.outputs)
        known = {name: _array(column) for name, column in self.given.columns.items()}
        return {**{name if name in self.about else f"{name} (given)": a for name, a in known.items()}, **decoded}

    def __str__(self) -> str:
        return self.text()

    def text(self, width: int | None = None) -> str:
        """As `str` gives it, in lines of at most this width, if there is one."""
        return spread_table(self.spread, self.figures, self.base, width)


class CrossValidator:
    """Runs a cross-validation fold by fold.

    Each network is trained as `modnet.train` would train it on the rows of the other folds: what columns and layers
    learn (fills, categories, means) comes from them alone, and the spec's share for validation is set aside from them.
    The rows for the spec's `test` are in no fold. Callbacks that write files or show the progress take no part.

    Attributes:
        network: with the names of the classes and columns, when a fold is done; it is not trained.
        data: in folds.
        notes: lines for the screen about the data.
    """

    def __init__(
        self,
        network: Network,
        folding: Folding,
        *,
        folder: str | PathLike[str] | None = None,
        data: tuple[Any, Any] = (None, None),
        callbacks: Sequence[Callback] = (),
        registry: Registry | None = None,
    ) -> None:
        """
        Args:
            callbacks: that take part in the training of each fold, besides those of the spec.

        Raises:
            Exception: as `cross_validate`, but for the errors of training.
        """
        self.network = network
        self._registry = registry or default_registry()
        self._loader = loader_for(network, network.card.folder, self._registry)
        spec, source = self._source(*data)
        self.folding = folding.replace(seed=spec.split_seed) if folding.seed is None else folding
        self.data = self.folding.apply(self._loader, source, spec)
        self.notes = list(self.data.notes)
        self._callbacks = [*lasting_callbacks(network), *callbacks]
        self._together = Measurement(registry=self._registry)
        self.folder = None if folder is None else FoldFolder(Path(folder).expanduser(), self._registry)

    def _source(self, x: Any, y: Any) -> tuple[DataSpec, Table | NamedArrays]:
        data = self.network.card.spec.data
        if x is None:
            data = require_data(data)
            return data, self._loader.read(data.train or "", data)
        data = data or DataSpec()
        return data, source_of(self.network, x, y, self._registry, data.target if isinstance(data.target, str) else "")

    # The folds

    def run(self) -> Iterator[FoldResult]:
        """Each fold when it is done: trained, or found in the folder; raises as `cross_validate`."""
        if self.folder is not None:
            self.folder.begin(self._about())
        told: set[str] = set()
        try:
            for repeat, folds in enumerate(self.data.folds, 1):
                for number, fold in enumerate(folds, 1):
                    with _in_fold(f"fold {number}" if repeat == 1 else f"repeat {repeat}, fold {number}", told):
                        result = self._result(repeat, number, fold)
                    yield result
        finally:
            if self.folder is not None:
                self.folder.remove_unused()

    def _about(self) -> dict[str, Any]:
        """What the networks of the folds depend on."""
        spec = self.network.card.spec
        validation = () if isinstance(self.data.spec.validation, float | None) else (self.data.spec.validation,)
        sources = [self.data.source, *(self._loader.read(source, self.data.spec) for source in validation)]
        how = {"folds": self.folding.count, "repeats": self.folding.repeats, "seed": self.folding.seed}
        by = {"group": self.folding.group, "time": self.folding.time}
        return {**how, **by, "spec": spec.plain(), "rows": [fingerprint(source) for source in sources]}

    def _result(self, repeat: int, number: int, fold: Fold) -> FoldResult:
        network = None if self.folder is None else self.folder.load(repeat, number)
        if network is None:
            network = self._trained(fold, repeat, number)
            if self.folder is not None:
                self.folder.save(network, repeat, number)
        report = Report()
        test = self.data.test(self._loader, fold, network.card.schema, report)
        self._together.add(network, Given(test))
        self.network.card = self.network.card.replace(schema=network.card.schema)
        outputs = network.forward({name: _own(array, test) for name, array in test.inputs.items()})
        return FoldResult(
            repeat=repeat,
            fold=number,
            rows=fold.test,
            figures=evaluate(network, test, registry=self._registry),
            outputs=outputs if isinstance(outputs, dict) else dict.fromkeys(network.outputs, outputs),
            targets={name: _own(array, test) for name, array in test.targets.items()},
            weights=None if test.weights is None else _own(test.weights, test),
            notes=Report(unknown=report.unknown).texts(),
            **{name: network.card.results[RESULT][name] for name in KEPT},
        )

    def _trained(self, fold: Fold, repeat: int, number: int) -> Network:
        network = plan(self.network.card.spec, registry=self._registry)
        network.card = network.card.replace(folder=self.network.card.folder)
        source, started = self.data.source, clock.perf_counter()
        loaded = data_of(network, rows=source, only=fold.train, data=self.data.spec, registry=self._registry)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            run = prepare(
                network,
                loaded.train,
                given={"callbacks": self._callbacks},
                validation=loaded.validation,
                registry=self._registry,
            )
            run.fit()
        if run.interrupted:
            raise KeyboardInterrupt
        self._note(network, loaded, run, {"repeat": repeat, "fold": number, "seconds": clock.perf_counter() - started})
        return network

    def _note(self, network: Network, loaded: LoadedData, run: Run, known: Mapping[str, Any]) -> None:
        """Puts into the card what a result tells of the training."""
        sizes = {"train": len(loaded.train), "validation": 0 if loaded.validation is None else len(loaded.validation)}
        epochs = {"epochs": run.history.epochs, "best_epoch": run.history.best_epoch}
        results = {**network.card.results, RESULT: {**known, **sizes, **epochs}}
        network.card = network.card.replace(results=results)

    def remove_folder(self, done: Sequence[FoldResult]) -> None:
        """Removes the networks of the folds from the folder, and the folder if nothing else is in it."""
        if self.folder is not None:
            self.folder.remove((result.repeat, result.fold) for result in done)

    # The result

    def result(self, done: Sequence[FoldResult]) -> CrossValidation:
        """The result of all folds."""
        first = done[0].figures
        numbers = [name for name, value in first.items() if not isinstance(value, np.ndarray)]
        in_order = np.argsort(np.concatenate([result.rows for result in done]), kind="stable")
        return CrossValidation(
            folds=tuple(done),
            spread={n: Spread.of([result.figures[n] for result in done], self.folding.count) for n in numbers},
            figures=self._together.figures(_measured(done)),
            base=_mean_base(done),
            outputs={name: np.concatenate([r.outputs[name] for r in done])[in_order] for name in done[0].outputs},
            given=self._given(done).take(in_order),
            network=self.network,
            notes=tuple(self.notes),
        )

    def _given(self, done: Sequence[FoldResult]) -> Table:
        """What is known of each prediction."""
        sizes = [len(result.rows) for result in done]
        rows = np.concatenate([result.rows for result in done])
        repeats = {"repeat": np.repeat([result.repeat for result in done], sizes)} if self.folding.repeats > 1 else {}
        folds = np.repeat([result.fold for result in done], sizes)
        targets = self._target_columns(rows)
        about = {free_name(name, targets): values for name, values in {"row": rows, **repeats, "fold": folds}.items()}
        return Table({name: Column.of(values) for name, values in {**about, **targets}.items()})

    def _target_columns(self, rows: Array) -> dict[str, Any]:
        source, schema = self.data.source, self.network.card.schema
        if isinstance(source, Table):
            names = [column.name for columns in schema.targets.values() for column in columns]
            return {name: source.columns[name].take(rows) for name in names}
        keys = source.keys_for(self._loader.output_names, "y", "output").values()
        # Others do not fit into a column.
        return {key: source.arrays[key][rows] for key in keys if source.arrays[key].ndim == 1}


def _mean_base(done: Sequence[FoldResult]) -> dict[str, float]:
    """The means of the base rates; of figures that have one in each fold."""
    bases = [result.figures.base for result in done]
    shared = [name for name in bases[0] if all(name in base for base in bases)]
    return {name: float(np.mean([base[name] for base in bases])) for name in shared}


def _measured(done: Sequence[FoldResult]) -> Dataset:
    """The rows that were measured, with their targets; their numbers stand in for their inputs, which nobody needs."""
    weights = [result.weights for result in done if result.weights is not None]
    return Dataset(
        {"row": np.concatenate([result.rows for result in done])},
        {name: np.concatenate([result.targets[name] for result in done]) for name in done[0].targets},
        weights=np.concatenate(weights) if weights else None,
    )


def _array(column: Column) -> Array:
    return column.values if column.texts is None else np.array(column.texts, object)[column.values]


def _own(array: Array, dataset: Dataset) -> Array:
    return array if dataset.rows is None else array[dataset.rows]


@contextmanager
def _in_fold(fold: str, told: set[str]) -> Iterator[None]:
    """Names the fold in an error about its data or its training, and in warnings, of which each is given once.

    Args:
        told: the warnings of earlier folds.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        except Diverged as error:
            raise Diverged(f"{fold}: {error}", error.step, error.epoch, error.node, error.best_epoch) from error
        except DataError as error:
            raise DataError(f"{fold}: {error}", error.problems) from None
    for warning in caught:
        text = str(warning.message)
        if text not in told:
            warnings.warn(f"{fold}: {text}", warning.category, stacklevel=4)
        told.add(text)

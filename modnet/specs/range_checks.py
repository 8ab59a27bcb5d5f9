"""Whether each range of `[search]` fits the value of the spec that it is for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from modnet.configuration.reading import Invalid, Reading
from modnet.errors import Problem
from modnet.kinds.figures import VALIDATION
from modnet.specs.model import Spec
from modnet.specs.paths import resolved, with_value
from modnet.specs.search import PARTS, Range, SearchSpec, marked
from modnet.words import Path, did_you_mean, show

OTHER_ROWS = ("train", "validation", "test", "split", "split_seed", "target", "weights")
"""What of `[data]` has one value for all trials, since they could not be compared by the same rows otherwise."""


class _Marked(NamedTuple):
    """A range in a spec: its dotted path, the keys at which it is, the range, and the path of the value."""

    dotted: str
    keys: Path
    range: Range
    path: Path


def check_ranges(values: Any, reading: Reading) -> dict[str, Range]:
    """Notes what is wrong with the ranges of a spec; returns those that are in order.

    Each of their ends and choices is put in its place in the spec, which is then read. A range of whole numbers for a
    value that takes any becomes one of real numbers.

    Args:
        values: the plain values of a spec; what is wrong with them without the ranges, and with the ranges in
            themselves, is not noted.
        reading: where problems are noted.
    """
    table = values.get("search") if isinstance(values, Mapping) else None
    if not isinstance(table, Mapping):
        return {}
    plain = {key: part for key, part in values.items() if key != "search"}
    found = list(_found(plain, table, reading))
    loss = isinstance(monitor := table.get("monitor", SearchSpec.monitor), str) and monitor.endswith("loss")
    fitting = {}
    for one in found:
        if not _may_vary(one, loss, reading):
            continue
        trial = _Trial(one, reading, _grounds(plain, one, found))
        fitting[one.dotted] = trial.fitted()
    return fitting


def _found(values: Mapping[str, Any], table: Mapping[Any, Any], reading: Reading) -> Iterator[_Marked]:
    """Invalid ranges are left out; a problem is noted if a path leads to nothing."""
    for dotted, keys, value in marked(table, ("search",)):
        made = Range.from_table(value, keys, Reading(reading.reader))
        head = dotted.partition(".")[0]
        if head not in PARTS or head == dotted:
            whole = f"{head} is a whole table; " if head in PARTS else ""
            expected = "a path begins with network, training or data, as in training.optimizer.learning_rate"
            reading.problem(keys, f"{whole}{expected}{'' if whole else did_you_mean(head, PARTS)}", at_key=True)
        elif not isinstance(made, Invalid):
            try:
                yield _Marked(dotted, keys, made, resolved(values, dotted))
            except LookupError as error:
                reading.problem(keys, error.args[0], at_key=True)


def _may_vary(one: _Marked, by_loss: bool, reading: Reading) -> bool:
    """Whether trials that differ in this value can be compared."""
    if one.path[0] == "data" and one.path[1] in OTHER_ROWS:
        reading.problem(one.keys, f"{one.dotted} is the same for all trials, which are compared on the same rows")
        return False
    if one.path[:2] == ("training", "loss") and by_loss:
        message = f"trials with different losses cannot be compared by their loss; one of {one.dotted} changes it"
        reading.problem(one.keys, message, f'choose a metric: monitor = "{VALIDATION}..." in [search]')
        return False
    return True


def _grounds(values: Mapping[str, Any], one: _Marked, others: Sequence[_Marked]) -> list[Any]:
    """The spec with each choice of the ranges around this one, such as the optimizer around its learning rate."""
    grounds: list[Any] = [values]
    for around in others:
        if around.path == one.path[: len(around.path)] and around.path != one.path:
            grounds = [
                with_value(ground, around.path, choice) for ground in grounds for choice in around.range.choices or ()
            ]
    return grounds


class _Trial:
    """Puts the values of a range into a spec, and reads it."""

    def __init__(self, one: _Marked, reading: Reading, grounds: Sequence[Any]) -> None:
        self.one, self.reading = one, reading
        self.grounds = [(ground, set(self.problems(ground))) for ground in grounds]
        self.noted: set[tuple[Path, str]] = set()

    def problems(self, values: Any) -> list[Problem]:
        attempt = Reading(self.reading.reader)
        Spec.from_table(values, (), attempt, ignore=("$schema",))
        return attempt.problems

    def new(self, value: Any) -> list[Problem]:
        """What is wrong only with this value in place."""
        found = []
        for ground, before in self.grounds:
            found += [p for p in self.problems(with_value(ground, self.one.path, value)) if p not in before]
        return found

    def fitted(self) -> Range:
        """The range, with real numbers where the field takes such; problems of its values are noted."""
        made = self.one.range
        for where, value in made.ends():
            self.note(where, self.new(value))
        if made.low is None or self.noted:
            return made
        numbers = {name: value for name, value in made.plain().items() if name in ("low", "high", "step")}
        if all(isinstance(number, int) for number in numbers.values()):
            is_whole = bool(self.new(made.low + 0.5))
        else:
            is_whole = False
            self.note(("step",), self.new(made.low + numbers.get("step", 0)))
        return made if is_whole else made.replace(**{name: float(number) for name, number in numbers.items()})

    def note(self, where: Path, problems: Sequence[Problem]) -> None:
        """Notes problems of the spec with a value of the range as problems of the range."""
        for problem in problems:
            keys, message, at_key = self.placed(where, problem)
            if (keys, message) not in self.noted:
                self.noted.add((keys, message))
                self.reading.problem(keys, message, problem.hint, at_key=at_key)

    def placed(self, where: Path, problem: Problem) -> tuple[Path, str, bool]:
        """The place of a problem in the `[search]` table, its message there, and whether the key is at fault."""
        one = self.one
        is_within = problem.keys[: len(one.path)] == one.path
        if is_within and (len(problem.keys) > len(one.path) or not problem.at_key):
            return (*one.keys, *where, *problem.keys[len(one.path) :]), problem.message, problem.at_key
        if not problem.at_key:
            return (*one.keys, *where), f"{problem.path}: {problem.message}", False
        # A part of the path is no key of the spec: where the range stands in tables, it is a key of one of them.
        spread = len(one.keys) > len(problem.keys)
        keys = one.keys[: len(problem.keys) + 1] if spread else one.keys
        return keys, f"{show(problem.keys[-1])} is no key of the spec: {problem.message}", True

"""The values that a search may give to a spec, as optuna draws them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from itertools import product
from typing import Any, cast

from modnet.configuration.reading import Reading
from modnet.errors import SpecError
from modnet.plugins.registry import Registry
from modnet.specs.components import ComponentReader
from modnet.specs.model import Spec
from modnet.specs.paths import resolved, value_at, with_value
from modnet.specs.search import Range

DIGITS = 4
"""To how many digits numbers are rounded before they are tried, so that the spec that is written in the end is short,
and is the one that was tried. Of a logarithmic range the number's own digits; else those of the width of the range.
"""


class Space:
    """The ranges of a spec.

    Attributes:
        ranges: dotted path -> range.
    """

    def __init__(self, spec: Spec, registry: Registry) -> None:
        assert spec.search is not None
        self.reader = ComponentReader(registry)
        self.values = spec.replace(search=None).plain()
        self.paths = {dotted: resolved(self.values, dotted) for dotted in spec.search.ranges}
        self.ranges = dict(spec.search.ranges)

    def draw(self, trial: Any) -> dict[str, Any]:
        """Dotted path -> value, as the sampler of an optuna trial chooses them."""
        return {dotted: _value(one, _drawn(trial, dotted, one)) for dotted, one in self.ranges.items()}

    def given(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Dotted path -> value, from the parameters of a trial that was drawn before."""
        return {dotted: _value(one, parameters[dotted]) for dotted, one in self.ranges.items() if dotted in parameters}

    def own(self) -> dict[str, Any] | None:
        """The parameters of the spec's own values, None if one of them is not within its range."""
        found = {}
        for dotted, one in self.ranges.items():
            parameter = self._own_choice(dotted, one.choices) if one.choices else _number(one, self._own_value(dotted))
            if parameter is None:
                return None
            found[dotted] = parameter
        return found

    def around(self, dotted: str) -> list[dict[str, Any]]:
        """Each combination of the choices around a value, such as the optimizers around a learning rate."""
        path = self.paths[dotted]
        outer = {
            other: self.ranges[other].choices or ()
            for other, longer in self.paths.items()
            if len(longer) < len(path) and longer == path[: len(longer)]
        }
        return [dict(zip(outer, chosen, strict=True)) for chosen in product(*outer.values())]

    def _own_value(self, dotted: str) -> Any:
        try:
            return value_at(self.values, self.paths[dotted])
        except LookupError:
            return None

    def _own_choice(self, dotted: str, choices: tuple[Any, ...]) -> str | None:
        """The choice that the spec has: with it in its place, the spec reads as before."""
        for choice, text in zip(choices, _labels(choices), strict=True):
            spec = Spec.from_table(with_value(self.values, self.paths[dotted], choice), (), Reading(self.reader))
            if isinstance(spec, Spec) and spec.plain() == self.values:
                return text
        return None

    def spec(self, values: Mapping[str, Any]) -> Spec:
        """The spec with these values, and its own ones for the paths that are not given.

        Raises:
            SpecError: they do not go together.
        """
        plain: Any = self.values
        for dotted in sorted(values, key=lambda name: len(self.paths[name])):  # a table before a value within it
            plain = with_value(plain, self.paths[dotted], values[dotted])
        reading = Reading(self.reader)
        spec = Spec.from_table(plain, (), reading)
        if reading.problems:
            raise SpecError(reading.problems)
        return cast(Spec, spec)


def label(choice: Any) -> str:
    """A choice as optuna knows it, and as tables show it: optuna takes no tables, and 1 for True."""
    return choice if isinstance(choice, str) else json.dumps(choice)


def _drawn(trial: Any, dotted: str, one: Range) -> Any:
    if one.choices is not None:
        return trial.suggest_categorical(dotted, _labels(one.choices))
    if isinstance(one.low, int):
        return trial.suggest_int(dotted, one.low, one.high, step=one.step or 1, log=one.log)
    return trial.suggest_float(dotted, one.low, one.high, step=one.step, log=one.log)


def _labels(choices: tuple[Any, ...]) -> list[str]:
    """A text for each choice; of a number and a text that read alike, the text is quoted."""
    texts = [label(choice) for choice in choices]
    return [json.dumps(choice) if texts.count(text) > 1 else text for text, choice in zip(texts, choices, strict=True)]


def _value(one: Range, parameter: Any) -> Any:
    """The value of the spec for a parameter of optuna."""
    if one.choices is not None:
        return one.choices[_labels(one.choices).index(parameter)]
    if isinstance(one.low, int):
        return int(parameter)
    assert one.low is not None
    assert one.high is not None
    if one.log:
        rounded = float(f"{parameter:.{DIGITS}g}")
    else:
        # Of a step too: low + 3 step is not to be 0.30000000000000004.
        width = one.high - one.low if one.step is None else one.step * 1e-6
        rounded = round(parameter, DIGITS - math.ceil(math.log10(width)))
    return min(max(rounded, one.low), one.high)


def _number(one: Range, value: Any) -> Any:
    """The number of a spec as a parameter, None if it is not within the range."""
    if isinstance(value, bool) or not isinstance(value, int | float) or one.low is None or one.high is None:
        return None
    steps = 0.0 if one.step is None else (value - one.low) / one.step
    return value if one.low <= value <= one.high and abs(steps - round(steps)) < 1e-9 else None

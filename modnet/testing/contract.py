"""The contract of a component, rule by rule.

def test_my_layer() -> None:
    check_component(MyLayer(width=3), (5,))

The rules are in `modnet.testing.rules`, one module or more for a kind. A rule is a function that receives a `Trial` and
returns the numbers that it found, or raises `Broken` or `NotApplicable`.
"""

from __future__ import annotations

import textwrap
import traceback
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

import numpy as np

from modnet.arrays import Shape
from modnet.kinds.component import Component, Example
from modnet.kinds.layer import Layer
from modnet.kinds.node import Composite
from modnet.plugins.kernels import Maker
from modnet.testing.examples import accepted_shapes
from modnet.words import show

__all__ = ["ContractError", "Report", "Row", "check_component", "check_kernel", "examine", "examine_kernel"]

Status = Literal["passed", "not applicable", "not examined", "failed"]

LAYER = ("layer", "passes", "sharing", "numbers", "padding")
"""The modules with the rules of a layer. They also apply to an activation, to a composite as a whole, and to each of
several outputs."""

MODULES = {
    "composite": ("component", "composite", "process", "unchanged", "engine"),
    "outputs": ("component", "outputs", "process", "unchanged", "engine"),
    "layer": ("component", *LAYER, "folding", "members", "process", "unchanged", "engine"),
    "activation": ("component", *LAYER, "activation", "folding", "members", "process", "unchanged", "engine"),
    "loss": ("component", "loss", "loss_numbers", "unchanged"),
    "optimizer": ("component", "optimizer", "process", "unchanged"),
    "initializer": ("component", "initializer", "unchanged"),
    "schedule": ("component", "schedule", "unchanged"),
    "metric": ("component", "metric", "unchanged"),
    "callback": ("component", "callback", "unchanged"),
}
"""Kind -> the modules of `modnet.testing.rules` with the rules for a component of that kind."""

KERNEL = "kernel"
"""The module with the rules of a kernel."""


class Broken(Exception):
    """A rule is broken; the message contains the numbers."""


class NotApplicable(Exception):
    """A rule does not apply to this component; the message says why."""


class NotExamined(Exception):
    """A rule could not be examined; the message says what is missing."""


Check = Callable[[Any], str | None]


@dataclass(frozen=True)
class Rule:
    """One promise of a component.

    Attributes:
        name: its name in a report.
        remedy: how to correct a component that breaks it.
        check: examines the component; its argument is the kind's trial.
        after: the names of rules whose failure would make this one fail too.
    """

    name: str
    remedy: str
    check: Check
    after: tuple[str, ...] = ()


class Rules(list[Rule]):
    """The rules of a module, in the order in which they are examined."""

    def rule(self, name: str, remedy: str, after: Sequence[str] = ()) -> Callable[[Check], Check]:
        def add(check: Check) -> Check:
            self.append(Rule(name, remedy, check, tuple(after)))
            return check

        return add


@dataclass(frozen=True)
class Row:
    """The result of one rule.

    Attributes:
        rule: its name.
        status: "passed", "failed", "not applicable" (to such a component), "not examined" (a library is missing, or
            a rule on which it depends has failed).
        text: what was found, or why the rule does not apply or was not examined.
        remedy: for a rule that failed, how to correct the component.
    """

    rule: str
    status: Status
    text: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Report:
    """The results of all rules for one use of a component; it prints as a table.

    Attributes:
        label: the component and the shapes with which it was tried.
        kind, type: its kind and its type name.
        rows: one for each rule.
    """

    label: str
    kind: str
    type: str
    rows: tuple[Row, ...]

    @property
    def failures(self) -> list[Row]:
        """The rules that the component breaks."""
        return [row for row in self.rows if row.status == "failed"]

    @property
    def passed(self) -> list[Row]:
        """The rules that the component passes."""
        return [row for row in self.rows if row.status == "passed"]

    def faults(self) -> str:
        """Every broken rule: its name, what was found, how to correct it; "" if there is none."""
        lines = []
        for row in self.failures:
            lines.append(f"  {row.rule}: {row.text}")
            lines += textwrap.wrap(row.remedy, 116, initial_indent="      ", subsequent_indent="      ")
        return "\n".join(lines)

    def __str__(self) -> str:
        width = max((len(row.rule) for row in self.rows), default=0)
        lines = [f"{row.rule:<{width}}  {row.status:<14}  {row.text}".rstrip() for row in self.rows]
        return "\n".join([self.label, *lines])


class ContractError(AssertionError):
    """A component breaks rules of its contract.

    Attributes:
        reports: those with failures.
    """

    def __init__(self, reports: Iterable[Report]) -> None:
        self.reports = tuple(reports)
        super().__init__("\n".join(self._lines()))

    def _lines(self) -> Iterable[str]:
        for report in self.reports:
            count = len(report.failures)
            yield f"{report.label} breaks {count} rule{'' if count == 1 else 's'}:"
            yield report.faults()


def check_component(component: Component | Example, *input_shapes: Shape) -> Report:
    """Tests the contract of a component.

    Args:
        component: of any kind; or an `Example`, which can contain its own data and say how to train with them.
        input_shapes: for a layer, the shapes of one sample of each input, with None for a variable axis; for a loss or
            a metric, those of prediction and target; for an initializer, those of the parameters to fill. By default
            some shapes are tried that the component accepts.

    Returns:
        One row for each rule.

    Raises:
        ContractError: lists every broken rule, the numbers, and how to correct it.
    """
    report = examine(component, *input_shapes)
    if report.failures:
        raise ContractError([report])
    return report


def examine(component: Component | Example, *input_shapes: Shape) -> Report:
    """The same as `check_component`, but never raises ContractError: read `Report.failures`."""
    example = _tried(component, input_shapes)
    tried = example.component
    group = group_of(tried)
    modules = [import_module(f"modnet.testing.rules.{name}") for name in MODULES[group]]
    label = f"{tried.kind} {show(tried.type)} {tried!r}{_on(example)}"
    trial = _trial_of(modules)(example)
    return Report(label, tried.kind, tried.type, _rows(rules_of(MODULES[group]), trial))


def rules_of(modules: Iterable[str]) -> list[Rule]:
    """The rules of some modules of `modnet.testing.rules`, in the order in which they are examined."""
    return [rule for name in modules for rule in import_module(f"modnet.testing.rules.{name}").RULES]


def group_of(component: Component) -> str:
    """The key of `MODULES` for a component."""
    if isinstance(component, Composite):
        return "composite"
    return "outputs" if isinstance(component, Layer) and component.outputs else component.kind


def _trial_of(modules: Sequence[Any]) -> Any:
    """The most derived of the `Trial` classes of some modules of rules."""
    return max((module.Trial for module in modules if hasattr(module, "Trial")), key=lambda cls: len(cls.__mro__))


def check_kernel(maker: Maker, component: Component | Example, method: str, *input_shapes: Shape) -> Report:
    """Tests that a kernel gives the same results as the component's own numpy code, in float32 and float64.

    Args:
        maker: the function that the entry point names: (component, dtype) -> the kernel, or None.
        component: with the configuration to try, or an `Example`.
        method: what it replaces: "forward" or "backward" of a layer, "update" of an optimizer, "joint" of a loss.
        input_shapes: as for `check_component`.

    Returns:
        One row for each rule.

    Raises:
        ContractError: lists every broken rule, the numbers, and how to correct it.
    """
    report = examine_kernel(maker, component, method, *input_shapes)
    if report.failures:
        raise ContractError([report])
    return report


def examine_kernel(maker: Maker, component: Component | Example, method: str, *input_shapes: Shape) -> Report:
    """The same as `check_kernel`, but never raises ContractError: read `Report.failures`."""
    module = import_module(f"modnet.testing.rules.{KERNEL}")
    example = _tried(component, input_shapes)
    name = f"{example.component.kind}.{example.component.type}.{method}"
    label = f"{KERNEL} {show(name)} for {example.component!r}{_on(example)}"
    return Report(label, KERNEL, name, _rows(module.RULES, module.Trial(maker, example, method)))


def _tried(component: Component | Example, input_shapes: tuple[Shape, ...]) -> Example:
    """What to try a component with; for a layer without shapes and data, shapes are found."""
    if isinstance(component, Example) and input_shapes:
        raise TypeError("an Example contains its input_shapes; do not pass them again")
    if isinstance(component, type):
        raise TypeError(f"expected a component, found the class {component.__name__}; write {component.__name__}(...)")
    if not all(isinstance(shape, tuple) for shape in input_shapes):
        found = ", ".join(map(repr, input_shapes))
        raise TypeError(f"expected a shape for each input, as tuples: (4,) for 4 features; found {found}")
    example = component if isinstance(component, Example) else Example(component, input_shapes)
    if isinstance(example.component, Layer) and not example.input_shapes and example.data is None:
        return example.replace(input_shapes=next(accepted_shapes(example.component), ()))
    return example


def _on(example: Example) -> str:
    """The part of a label that says what a component is tried on."""
    shapes = f" on {' and '.join(map(str, example.input_shapes))}" if example.input_shapes else ""
    return shapes + (" with its own data" if example.data is not None else "")


def _rows(rules: Iterable[Rule], trial: Any) -> tuple[Row, ...]:
    rows: list[Row] = []
    causes: dict[str, str] = {}
    for rule in rules:
        cause = next((causes[name] for name in rule.after if name in causes), None)
        row = _row(rule, trial) if cause is None else Row(rule.name, "not examined", f'because "{cause}" failed')
        if cause is not None or row.status == "failed":
            causes[rule.name] = cause or rule.name
        rows.append(row)
    return tuple(rows)


def _row(rule: Rule, trial: Any) -> Row:
    try:
        # A rule tests one thing; the rule "quiet" tests numpy's warnings.
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            text = rule.check(trial)
    except NotApplicable as reason:
        return Row(rule.name, "not applicable", str(reason))
    except NotExamined as reason:
        return Row(rule.name, "not examined", str(reason))
    except Broken as fault:
        return Row(rule.name, "failed", str(fault), rule.remedy)
    except Exception as error:
        return Row(rule.name, "failed", raised(error), rule.remedy)
    return Row(rule.name, "passed", text or "")


def raised(error: BaseException) -> str:
    """An error and the place where it was raised, as one line."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno})" if frames else ""
    if isinstance(error, NotImplementedError) and frames and not str(error):  # as a kind's base class does
        return f"it does not define {frames[-1].name}{place}"
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}{place}"

"""The contract of a component, rule by rule.

def test_my_layer() -> None:
    check_component(MyLayer(width=3), (5,))

The rules stand in `modnet.testing.rules`, one module or more for a kind. Each is a function that is given a `Trial` and
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
"""The modules with the rules of a layer, which an activation, a composite as a whole and each of several outputs keep
as well."""

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
"""Kind -> the modules of `modnet.testing.rules` whose rules a component of that kind keeps."""

KERNEL = "kernel"
"""The module with the rules of a kernel."""


class Broken(Exception):
    """A rule is broken; the message has the numbers."""


class NotApplicable(Exception):
    """A rule says nothing about this component; the message says why."""


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
    """What came of one rule.

    Attributes:
        rule: its name.
        status: "passed", "failed", "not applicable" (the rule says nothing about such a component), "not examined" (for
            want of a library, or because a rule that it builds upon has failed).
        text: what was found, or why the rule does not apply or was not examined.
        remedy: for a rule that failed, how to correct the component.
    """

    rule: str
    status: Status
    text: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Report:
    """What came of all rules for one use of a component; it prints as a table.

    Attributes:
        label: the component with the shapes that it was tried with.
        kind, type: what it is and how it is called.
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
        """The rules that it keeps."""
        return [row for row in self.rows if row.status == "passed"]

    def faults(self) -> str:
        """Every rule that broke: its name, what was found, how to correct it; "" where none did."""
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
    """Proves the contract of a component.

    Args:
        component: of any kind; or an `Example`, which can bring data of its own and says how to train with them.
        input_shapes: for a layer the shapes of one sample of each input, where None is a variable axis; for a loss or a
            metric those of prediction and target; for an initializer those of the parameters to fill. Without them some
            are tried, those that the component accepts.

    Returns:
        One row for each rule.

    Raises:
        ContractError: with every rule that broke, the numbers, and how to correct it.
    """
    report = examine(component, *input_shapes)
    if report.failures:
        raise ContractError([report])
    return report


def examine(component: Component | Example, *input_shapes: Shape) -> Report:
    """The same as `check_component`, but it only reports."""
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
    """Which of `MODULES` examine it."""
    if isinstance(component, Composite):
        return "composite"
    return "outputs" if isinstance(component, Layer) and component.outputs else component.kind


def _trial_of(modules: Sequence[Any]) -> Any:
    """The most special of the classes `Trial` of some modules of rules."""
    return max((module.Trial for module in modules if hasattr(module, "Trial")), key=lambda cls: len(cls.__mro__))


def check_kernel(maker: Maker, component: Component | Example, method: str, *input_shapes: Shape) -> Report:
    """Proves that a kernel does what the component's own numpy code does, in float32 and float64.

    Args:
        maker: what the entry point names: (component, dtype) -> the kernel, or None.
        component: with the configuration to try, or an `Example`.
        method: for which it stands: "forward" or "backward" of a layer, "update" of an optimizer, "joint" of a loss.
        input_shapes: as for `check_component`.

    Returns:
        One row for each rule.

    Raises:
        ContractError: with every rule that broke, the numbers, and how to correct it.
    """
    report = examine_kernel(maker, component, method, *input_shapes)
    if report.failures:
        raise ContractError([report])
    return report


def examine_kernel(maker: Maker, component: Component | Example, method: str, *input_shapes: Shape) -> Report:
    """The same as `check_kernel`, but it only reports."""
    module = import_module(f"modnet.testing.rules.{KERNEL}")
    example = _tried(component, input_shapes)
    name = f"{example.component.kind}.{example.component.type}.{method}"
    label = f"{KERNEL} {show(name)} for {example.component!r}{_on(example)}"
    return Report(label, KERNEL, name, _rows(module.RULES, module.Trial(maker, example, method)))


def _tried(component: Component | Example, input_shapes: tuple[Shape, ...]) -> Example:
    """What to try a component with; shapes are found where a layer is given none, and no data."""
    if isinstance(component, Example) and input_shapes:
        raise TypeError("an Example has its input_shapes itself")
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
        row = _row(rule, trial) if cause is None else Row(rule.name, "not examined", f'as "{cause}" failed')
        if cause is not None or row.status == "failed":
            causes[rule.name] = cause or rule.name
        rows.append(row)
    return tuple(rows)


def _row(rule: Rule, trial: Any) -> Row:
    try:
        # A rule looks at one thing; what numpy warns of is the business of the rule "quiet".
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
    """An error with the line at which it arose, in one line."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}{place}"

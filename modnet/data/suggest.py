"""A first spec for a table: the text of a file that can be trained as it is, with comments that explain its choices."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.data.column import Column
from modnet.data.guess import said
from modnet.data.notices import metrics_for, notices
from modnet.data.recipe import ACTIVATION, LOSSES, OPTIMIZER, Effort, Recipe, recipe_for
from modnet.data.spec import ColumnSpec
from modnet.data.table import Table
from modnet.data.task import Goal, Task, listed_reasons, task_of, with_gaps
from modnet.errors import DataError
from modnet.words import counted, printable

SHORT = 80
"""A list that is shorter fits on a line with its key."""

SCALED = "  # mean 0, deviation 1"


def suggest_spec(
    table: Table,
    targets: Sequence[str],
    path: str,
    reading: Mapping[str, str | int] | None = None,
    effort: Effort = "good",
) -> str:
    """The text of a TOML spec that predicts columns of a table from its other columns.

    Columns that look like names of rows (texts that are nearly all different, a running number) and columns without
    values are left out. What is predicted as classes and what as numbers, `guess.are_classes` says. All that was
    assumed stands in comments.

    Args:
        table: the rows.
        targets: the columns to predict: one, or several; of those with numbers the network has one output, and one
            for each of the others.
        path: the path of the table, for the spec.
        reading: the options of `[data]` with which the table was read, besides those that it knows itself.
        effort: how long the training may take, see `recipe.recipe_for`.

    Raises:
        DataError: there is no such column, or it cannot be predicted, or nothing is left to predict from.
    """
    if not path.isascii() and re.search("[\ud800-\udfff]", path):
        raise DataError(f"{path}: this name is not valid UTF-8 and cannot be written in a spec; rename the file")
    task = task_of(table, targets, path, apart=effort != "quick")
    text = _Text(task, recipe_for(task, effort), {**table.reading, **(reading or {})})
    return "\n".join([*text.head(), *text.network(), "", *text.training(), "", *text.data_table()]) + "\n"


@dataclass
class _Text:
    """The parts of the spec's text; in the order in which they are written."""

    task: Task
    recipe: Recipe
    reading: Mapping[str, str | int]

    def head(self) -> list[str]:
        task = self.task
        about = f"{task.schema.describe_targets()} from {task.data.train}: {task.rows:,} rows"
        used = {name: found for name, found in task.guesses.items() if name not in task.left_out}
        notes = (*task.table.notes, *_names_again(task.table), *said(used), *notices(task), *self.recipe.about)
        return [*_comment(about), *(line for note in notes for line in _comment(note)), ""]

    def network(self) -> list[str]:
        sample = _comment(f"one sample as numbers: {', '.join(self._made_of())}")
        layers = [*self._members(), *self._outputs(), "layers = [", *self._layers(), "]"]
        widths = {name: sum(column.width for column in columns) for name, columns in self.task.schema.inputs.items()}
        if "input" in widths:
            return ["[network]", *sample, f"input = [{widths['input']}]", *layers]
        several = [f"{name} = [{width}]" for name, width in widths.items()]
        if len(", ".join(several)) < SHORT:
            return ["[network]", *sample, f"input = {{ {', '.join(several)} }}", *layers]
        return ["[network]", *sample, *layers, "", "[network.input]", *several]

    def _made_of(self) -> list[str]:
        columns = [column for group in self.task.schema.inputs.values() for column in group]
        others = [
            f"{column.name} ({counted(column.width, 'part')} of a date)"
            if column.kind == "date"
            else f"{column.name} ({len(column.categories)} {'labels' if column.kind == 'labels' else 'categories'})"
            for column in columns
            if column.kind != "number"
        ]
        numbers = len(columns) - len(others)
        return [*([f"{numbers} number{'' if numbers == 1 else 's'}"] if numbers else []), *others]

    def _members(self) -> list[str]:
        if self.recipe.members == 1:
            return []
        return [f"members = {self.recipe.members}  # networks of other first weights, side by side; their mean counts"]

    def _outputs(self) -> list[str]:
        names = tuple(goal.output for goal in self.task.goals)
        return [f"outputs = {_list_text(names)}"] if len(names) > 1 else []

    def _layers(self) -> list[str]:
        goals, hidden = self.task.goals, self._hidden()
        if len(goals) == 1:
            return [*hidden, _node(type="linear", out_features=goals[0].width), *self._ending(goals[0])]
        lines = [*hidden, '  { type = "identity", name = "shared" },  # what all outputs are made of']
        for goal in goals:
            lines.append(_node(type="linear", out_features=goal.width, inputs=("shared",)))
            lines += self._ending(goal, goal.output)
        return lines

    def _ending(self, goal: Goal, name: str = "") -> list[str]:
        """The layers after the last linear layer of an output; with a name if there are several outputs."""
        kind, about = {
            "classes": ("softmax", "a probability for each class"),
            "labels": ("sigmoid", "a probability for each label"),
            "numbers": ("unstandardize", "back to the units of the target"),
        }[goal.kind]
        nodes = [(kind, about)]
        if goal.kind == "numbers" and self.recipe.bounded:
            nodes.append(("clip_to_target", "within the range of the target in training"))
        lines = [f'  "{kind}",  # {about}' for kind, about in nodes]
        if name:
            lines[-1] = f"{_node(type=nodes[-1][0], name=name)}  # {nodes[-1][1]}"
        return lines

    def _hidden(self) -> list[str]:
        """All layers before the last linear one."""
        lines = self._first_layers()
        for units, rate in zip(self.recipe.hidden, self.recipe.dropout, strict=True):
            lines.append(_node(type="linear", out_features=units, activation=ACTIVATION))
            if rate:
                lines.append(_node(type="dropout", rate=rate))
        return lines

    def _scaled(self, of_numbers: bool, **options: Any) -> list[str]:
        if not (self.recipe.clip and of_numbers):
            return [f"{_node(type='standardize', **options)}{SCALED}"]
        return [
            "  # mean 0, deviation 1; clip, since some numbers are far away: none goes further than in training",
            _node(type="standardize", clip=True, **options),
        ]

    def _first_layers(self) -> list[str]:
        """What brings the inputs together: numbers to a common scale and into bins, ids to vectors."""
        inputs = self.task.schema.inputs
        if list(inputs) == ["input"] and not self.recipe.bins and not self.recipe.waves:
            return self._scaled(True) if self.recipe.clip else [f'  "standardize",{SCALED}']
        lines, joined = [], []
        for name, (column, *_) in inputs.items():
            if column.is_id:
                size = len(column.categories) + 1
                lines.append(f"{_node(type='embedding', vocabulary_size=size, inputs=(name,))}  # 0: unknown")
                lines.append(_node(type="flatten", name=f"{name}_vector"))
                joined.append(f"{name}_vector")
                continue
            lines += self._scaled(name == self.task.number_input, inputs=(name,), name=f"{name}_scaled")
            joined.append(f"{name}_scaled")
            for form, encoded in self._forms(name):
                lines.append(encoded)
                joined.append(form)
        if len(joined) > 1:
            names = _list_text(tuple(joined)).replace("\n", "\n  ")  # TOML 1.0 has line breaks in lists within braces
            lines.append(f'  {{ type = "concatenate", inputs = {names} }},')
        return lines

    def _forms(self, name: str) -> Iterator[tuple[str, str]]:
        """The nodes that give the numbers in further forms, each with its name; none for another input."""
        if name != self.task.number_input:
            return
        if self.recipe.bins:
            binned = f"{name}_binned"
            node = _node(type="piecewise_encoding", bins=self.recipe.bins, name=binned)
            yield binned, f"{node}  # for steps and bends"
        if self.recipe.waves:
            waves = f"{name}_waves"
            yield waves, f"{_node(type='pbld', inputs=(f'{name}_scaled',), name=waves)}  # for ups and downs"

    def training(self) -> list[str]:
        recipe = self.recipe
        return [
            "[training]",
            *self._per_output("loss", {goal.output: LOSSES[goal.kind] for goal in self.task.goals}),
            f"optimizer = {_inline(OPTIMIZER)}",
            *self._per_output("metrics", {goal.output: metrics_for(self.task, goal) for goal in self.task.goals}),
            f"epochs = {recipe.epochs}  # at most: training stops when validation no longer improves",
            f"batch_size = {recipe.batch_size}",
            f"callbacks = [{_inline({'type': 'early_stopping', 'patience': recipe.patience})}]",
            "seed = 0",
        ]

    def _per_output(self, key: str, values: Mapping[str, Any]) -> list[str]:
        if len(values) == 1:
            return [f"{key} = {_inline(next(iter(values.values())))}"]
        return [f"{key}.{_key(output)} = {_inline(value)}" for output, value in values.items()]

    def data_table(self) -> list[str]:
        task, data = self.task, self.task.data
        lines = ["[data]", f"train = {_quoted(str(data.train))}"]
        lines += [f"{name} = {_quoted(v) if isinstance(v, str) else v}" for name, v in self.reading.items()]
        if self.recipe.member_folds:
            lines.append("member_folds = true  # each network is validated with other rows, and learns from the rest")
        else:
            lines.append(f"validation = {data.validation}  # the share of the rows that is set aside for validation")
        lines += self._split()
        lines += [f"target = {_inline(data.target)}"]
        lines += self._inputs()
        if data.decimal and "decimal" not in self.reading:
            lines.append(f'decimal = "{data.decimal}"  # numbers have a decimal comma')
        if data.missing == "mean":
            lines += _comment(f"values are missing in {', '.join(with_gaps(task.schema.columns(), task.guesses))}")
            lines.append('missing = "mean"  # of the training rows; for a category, the most frequent value')
        lines += self._several_inputs()
        for name, column in data.columns.items():
            lines += ["", f"[data.columns.{_key(name)}]", *self._options(name, column)]
        return lines

    def _split(self) -> list[str]:
        split = self.task.data.split
        if split is None:
            return []
        why = {"group": "all rows of one on the same side", "time": "the last rows"}[split.by]
        return [f"split = {_inline({'by': split.by, 'column': split.column})}  # {why}"]

    def _inputs(self) -> list[str]:
        """What is left out, and, where something is, the columns of the only input."""
        left_out, data = self.task.left_out, self.task.data
        lines = _comment(f"left out: {listed_reasons(left_out)}") if left_out else []
        if (left_out or data.split) and not isinstance(data.inputs, Mapping):
            lines.append(f"inputs = {_inline(data.inputs)}")
        return lines

    def _several_inputs(self) -> list[str]:
        """The columns of each of several inputs, in a table of their own."""
        inputs = self.task.data.inputs
        if not isinstance(inputs, Mapping):
            return []
        return ["", "[data.inputs]", *(f"{_key(name)} = {_list_text(names)}" for name, names in inputs.items())]

    def _options(self, name: str, column: ColumnSpec) -> list[str]:
        """The options of a column that are not the default."""
        lines = []
        for option, value in column.plain().items():
            if getattr(column, option) != getattr(ColumnSpec, option):
                said = _inline(tuple(value) if isinstance(value, list) else value)
                missing = self.task.guesses[name].profile.missing
                about = f"  # {missing:,} rows have no target" if value == "drop" else ""
                lines.append(f"{option} = {said}{about}")
        return lines


def _names_again(table: Table) -> list[str]:
    """A line about rows that have the names of the columns, as where files were joined."""
    texts = [_is_name(name, column) for name, column in table.columns.items() if column.texts is not None]
    rows = np.flatnonzero(np.all(texts, axis=0)).tolist() if texts and len(table.columns) > 1 else []
    if not rows:
        return []
    named = ", ".join(map(table.row_name, rows[:3]))
    more = f" and {counted(len(rows) - 3, 'more row')}" if len(rows) > 3 else ""
    return [f"{named}{more}: the names of the columns again, as where files were joined; remove them"]


def _is_name(name: str, column: Column) -> Array:
    """bool (rows,): where the value is the name of the column."""
    codes = [code for code, text in enumerate(column.texts or ()) if text.strip("\ufeff ") == name]
    return np.isin(column.values, codes) & ~column.gaps


def _comment(text: str) -> list[str]:
    """A comment in lines of moderate length; control characters in names cannot end it."""
    return textwrap.wrap(printable(text), 100, initial_indent="# ", subsequent_indent="#   ", break_long_words=False)


def _quoted(text: str) -> str:
    """A TOML string, by way of JSON, whose escapes TOML has as well; control characters are written as code points."""
    quoted = json.dumps(text, ensure_ascii=False)
    return quoted if quoted.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in quoted)


def _escaped(character: str) -> str:
    return f"\\u{ord(character):04x}" if ord(character) < 1 << 16 else f"\\U{ord(character):08x}"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _quoted(name)


def _node(**options: Any) -> str:
    """A layer of the network, in its line."""
    return f"  {_inline(options)},"


def _inline(value: Any) -> str:
    """A value as TOML, a table within braces."""
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_key(name)} = {_inline(part)}' for name, part in value.items())} }}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else _list_text(value)


def _list_text(names: object) -> str:
    """One name, or a list of them broken into lines."""
    if isinstance(names, str):
        return _quoted(names)
    assert isinstance(names, tuple)
    lines = _filled(_quoted(name) if isinstance(name, str) else str(name) for name in names)
    if len(lines) == 1 and len(lines[0]) < SHORT:
        return f"[{lines[0]}]"
    return "[\n" + "".join(f"  {line},\n" for line in lines) + "]"


def _filled(texts: Iterable[str]) -> list[str]:
    """Texts with commas between them, in lines."""
    lines = [""]
    for text in texts:
        if lines[-1] and len(lines[-1]) + len(text) > 94:
            lines.append("")
        lines[-1] += f"{', ' if lines[-1] else ''}{text}"
    return lines

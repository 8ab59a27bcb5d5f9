"""What a row of the table of built-in commands is, and the arguments and options that several of them have."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module
from inspect import cleandoc
from typing import Any

import click

from modnet.cli.output import QUIET as QUIET_KEY
from modnet.plugins.known import OFFERED_COMMANDS
from modnet.words import did_you_mean

CLICKS_NARROWEST = 52
"""On a narrower terminal, the help texts of click are wider than the terminal, unless click is told the width."""

Parameter = Callable[[], click.Parameter]
"""What makes an argument or option: they take time to make, and a process wants those of one command."""


class Command:
    """A row of the table.

    Its body takes the parameters by their names, but the options of reading together, as `reading`: those that were
    given, by their names in `ReadOptions` and `[data]`. What it gives is the exit status, None meaning 0.

    Args:
        name: as it is typed; the body's module is called so too, with _ for -. That of a command in a group begins with
            the group's, "plot history", and its module is in the package of the group.
        summary: one line for the list of commands.
        text: the help, as click wraps it: a paragraph after a line with \\b alone stays as it is.
        parameters: the arguments and options, in the order of the help.
    """

    def __init__(self, name: str, summary: str, text: str, *parameters: Parameter) -> None:
        self.name = name
        self.module = f"modnet.cli.{name.replace('-', '_').replace(' ', '.')}"
        self._summary, self._text, self._parameters = summary, text, parameters

    def made(self) -> click.Command:
        """The command for click."""
        return click.Command(
            self.name.rpartition(" ")[2],
            params=[make() for make in self._parameters],
            help=cleandoc(self._text),
            short_help=self._summary,
            callback=self._run,
        )

    def _run(self, **values: Any) -> None:
        if values.keys() >= set(OF_READING):
            values["reading"] = _given({name: values.pop(name) for name in OF_READING})
        status = import_module(self.module).run(**values)
        click.get_current_context().exit(status or 0)


class Group:
    """A row of the table that stands for several commands: `modnet plot history`, `modnet plot weights`.

    Args:
        name, summary, text: as of a command.
        commands: the rows, whose names begin with that of the group.
    """

    def __init__(self, name: str, summary: str, text: str, *commands: Command) -> None:
        self.name, self.commands = name, commands
        self._summary, self._text = summary, text

    def made(self) -> click.Command:
        """The group for click."""
        commands = [command.made() for command in self.commands]
        return Commands(self.name, help=cleandoc(self._text), short_help=self._summary, commands=commands)


class _Formatter(click.HelpFormatter):
    """Help texts in which the column of options takes no more than a third of a narrow terminal."""

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        narrow = self.width < CLICKS_NARROWEST
        super().write_dl(rows, min(col_max, self.width // 3) if narrow else col_max, col_spacing)


MOST_NAMED = 8
"""So many commands of a group a message names."""


class _Context(click.Context):
    formatter_class = _Formatter


class Commands(click.Group):
    """A group of commands: an unknown one is told with the nearest name, and in all paths ~ is the home folder."""

    context_class = _Context

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not ctx.resilient_parsing and self.get_command(ctx, name) is None:
            ctx.fail(f'unknown command "{name}"{self._advice(ctx, name)}')
        found, command, rest = super().resolve_command(ctx, args)
        if command is not None:
            command.context_class = _Context
        for parameter in command.params if command is not None else ():
            if type(parameter.type) is click.Path:
                expanding = _Path()
                expanding.__dict__.update(vars(parameter.type))
                parameter.type = expanding
        return found, command, rest

    def _advice(self, ctx: click.Context, name: str) -> str:
        names = self.list_commands(ctx)
        if near := did_you_mean(name, names):
            return near
        if ctx.parent is None and name in OFFERED_COMMANDS:
            return f"; it comes with pip install {OFFERED_COMMANDS[name]}"
        if len(names) <= MOST_NAMED:
            return f"; expected one of {', '.join(names)}"
        return f"; {ctx.command_path} --help lists them"

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the order of the table


class _Path(click.Path):
    """A path in which ~ is the home folder, even if the shell does not expand it: `--output=~/m.modnet`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert(os.path.expanduser(value), param, ctx)


def argument(name: str, **options: Any) -> Parameter:
    return partial(click.Argument, [name], **{"type": click.Path(), **options})


def option(*names: str, **options: Any) -> Parameter:
    return partial(click.Option, names, **options)


def file(*names: str, **options: Any) -> Parameter:
    return partial(click.Option, names, **{"metavar": "FILE", "type": click.Path(), **options})


def pairs(*names: str, metavar: str, help: str) -> Parameter:
    return partial(click.Option, names, multiple=True, metavar=metavar, help=f"{help} Can be given several times.")


PLUGIN = pairs("--plugin", "plugins", metavar="FILE", help="Run a Python file first, and use its components and hooks.")
SET = pairs("--set", "settings", metavar="KEY=VALUE", help="Replace a value of the spec: --set training.epochs=3.")
SCHEDULER = option(
    "--scheduler",
    metavar="ADDRESS",
    help="Use the workers of a cluster, through a plugin: local, local:2, or tcp://HOST:PORT of dask.",
)
READING = (
    option("--encoding", metavar="NAME", help="For delimited text: utf-8, utf-16, cp1252 ...; by default detected."),
    option(
        "--delimiter",
        metavar="SIGN",
        help="For delimited text: the character between values, or tab; by default detected.",
    ),
    option("--decimal", type=click.Choice([".", ","]), help="The decimal separator of numbers."),
    option(
        "--header",
        type=click.IntRange(0),
        metavar="LINE",
        help="The line with the names of the columns, counted from 1; 0 if there is none; by default detected.",
    ),
    option("--sheet", metavar="NAME", help="For a workbook: the sheet; by default the first with a table."),
    option("--query", metavar="SELECT", help="For a database: a SELECT, or the name of a table."),
)
"""How a file is read, where that cannot be found."""

OF_READING = ("encoding", "delimiter", "decimal", "header", "sheet", "query")
"""The names of these options."""


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The options of reading that were given."""
    if options["delimiter"] in ("tab", "\\t"):
        options["delimiter"] = "\t"  # which a shell makes hard to type
    return {name: value for name, value in options.items() if value is not None}


def _be_quiet(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        context.meta[QUIET_KEY] = True


QUIET = option(
    "-q",
    "--quiet",
    is_flag=True,
    expose_value=False,
    callback=_be_quiet,
    help="Print only results, warnings and errors: no progress, no notes.",
)
JSON = option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")

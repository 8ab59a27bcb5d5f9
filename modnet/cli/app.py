"""The group of commands: how they are found, and how their errors are reported."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import click

import modnet
from modnet.cli import next_steps
from modnet.cli.command import CLICKS_NARROWEST, Commands
from modnet.cli.commands import COMMANDS, HEADINGS
from modnet.cli.failures import INTERRUPTED, first_line, report, warn
from modnet.cli.output import discard, echo, of_screen, room
from modnet.cli.status import Status
from modnet.waiting import listening
from modnet.words import harmless


class CommandGroup(Commands):
    """The built-in commands, and those of installed plugins.

    The plugins' are looked for when a command is asked for that is not built in, and for the list of commands in the
    help; the other commands never import a plugin that they do not use.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *sorted(_plugin_commands(ctx))]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands under the headings of `HEADINGS`, and below them those of plugins."""
        headings = {**HEADINGS, "Of installed plugins": tuple(sorted(_plugin_commands(ctx)))}
        longest = max(len(name) for names in headings.values() for name in names)
        for heading, names in headings.items():
            rows = []
            for name in names:
                command = self.get_command(ctx, name)
                if command is not None and not command.hidden:
                    rows.append((name.ljust(longest), command.get_short_help_str(formatter.width - 6 - longest)))
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            return COMMANDS[cmd_name].made()
        return _plugin_commands(ctx).get(cmd_name)

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        width = room()
        if width is not None and width < CLICKS_NARROWEST:
            options["terminal_width"] = width  # of the help
        try:
            return super().make_context(*arguments, **options)
        except click.ClickException as error:
            _make_harmless(error)
            raise
        except BrokenPipeError:  # of the help
            discard(sys.stdout)
            raise click.exceptions.Exit(0) from None
        except OSError as error:
            raise click.exceptions.Exit(report(error if error.filename else of_screen(error))) from None

    def invoke(self, ctx: click.Context) -> Any:
        ctx.color = False if "NO_COLOR" in os.environ else None
        status_line = Status()
        try:
            with warnings.catch_warnings(), listening(status_line), closing(status_line):
                warnings.showwarning = lambda message, *_, **__: warn(str(message))
                return super().invoke(ctx)
        except click.NoSuchOption as error:
            _make_harmless(error)
            advice = _setting_meant(error)
            if not advice:
                raise
            raise click.UsageError(f"{error.message} {advice}", error.ctx) from None
        except click.ClickException as error:
            _make_harmless(error)
            raise
        except (click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:  # from a plugin's command, which does not print through `output`
            discard(sys.stdout)
            status = 0
        except KeyboardInterrupt:
            echo("interrupted", err=True)
            status = INTERRUPTED
        except Exception as error:
            if ctx.params["debug"]:
                echo(traceback.format_exc(), err=True, nl=False)
            status = report(error)
        return ctx.exit(status)


def _make_harmless(error: click.ClickException) -> None:
    """Its message quotes the command line, in which names of files can be anything."""
    vars(error)["message"] = harmless(
        error.message
    )  # marked as final for type checkers, and click has no other way to change it


def _setting_meant(error: click.NoSuchOption) -> str:
    """For `--epochs`, where the command has `--set`: how the spec's own values are replaced."""
    from modnet.specs.model import TrainingSpec

    name = error.option_name.lstrip("-").replace("-", "_")
    if error.ctx is None or all(option.name != "settings" for option in error.ctx.command.params):
        return ""
    known = name in TrainingSpec.__annotations__
    return f"That of the spec is replaced by --set training.{name}=VALUE." if known else ""


def _plugin_commands(ctx: click.Context) -> dict[str, click.Command]:
    """Name -> command of an installed plugin; searched once in a process."""
    found: dict[str, click.Command] | None = ctx.meta.get("modnet.plugin_commands")
    if found is None:
        found = ctx.meta["modnet.plugin_commands"] = {}
        for plugin, name, command in _offered_commands():
            if name in COMMANDS or name in found:
                taken = "modnet itself" if name in COMMANDS else "another plugin"
                warn(f'the command "{name}" of {plugin} is left out: {taken} has a command with that name')
            else:
                found[name] = command
    return found


def _offered_commands() -> Iterator[tuple[str, str, click.Command]]:
    """(plugin, name, command), plugin by plugin, so that a faulty one does not affect the others."""
    from importlib.metadata import entry_points

    if not entry_points(group="modnet"):
        return
    from modnet.plugins.registry import default_registry

    registry = default_registry()
    for module in registry.hook_modules:
        if module.error:
            warn(f"{first_line(module.error)}; for details: modnet plugins --errors")
            continue
        own = registry.hooks.get_plugin(module.key)
        group = click.Group()
        try:
            others = [plugin for plugin in registry.hooks.get_plugins() if plugin is not own]
            registry.hooks.subset_hook_caller("modnet_commands", others)(cli=group)
        except Exception as error:
            warn(f"its commands are left out: {first_line(error)}")
            continue
        for command_name, command in group.commands.items():
            yield f"{module.distribution} {module.version}", command_name, command


@click.group(
    cls=CommandGroup,
    invoke_without_command=True,
    subcommand_metavar="[COMMAND] [ARGS]...",  # versions of click differ
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 done; 1 the work failed; 2 a wrong call or wrong input; 130 stopped by Ctrl-C; 143 a "
    "training stopped by SIGTERM, 129 by SIGHUP.",
)
@click.version_option(modnet.__version__, "-V", "--version", message="modnet %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(context: click.Context, debug: bool) -> None:
    """Neural networks from a spec: train them, predict with them, look into them.

    \b
    A first model from a table:
      modnet new-spec penguins.csv --target species -o penguins.toml
      modnet train penguins.toml
      modnet predict penguins.modnet NEW.csv
    """
    if context.invoked_subcommand is None:
        next_steps.show()

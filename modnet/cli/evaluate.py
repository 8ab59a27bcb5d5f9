"""The body of `modnet evaluate`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from modnet.cli.data import read_to_measure
from modnet.cli.output import echo_json, say, tell, tell_found
from modnet.cli.plugin_file import load_plugin_files
from modnet.cli.settings import parsed_value
from modnet.engine.network import Network
from modnet.errors import Problem, SpecError
from modnet.model.load import load
from modnet.training.evaluate import evaluate
from modnet.training.trained_on import doubts_about_rows
from modnet.words import counted, legible


def run(
    model: str,
    data: str,
    metrics: tuple[str, ...],
    reading: dict[str, Any],
    plugins: tuple[str, ...],
    as_json: bool,
) -> None:
    load_plugin_files(plugins)
    network = load(model)
    asked = metrics_asked(network, metrics)
    dataset = read_to_measure(network, data, reading)
    with naming_option("--metric", metrics):
        figures = evaluate(network, dataset, metrics=asked)
    say(doubts_about_rows(network, dataset))
    if as_json:
        base = {"guesses": figures.guesses, "metrics": figures.base}
        found = {"metrics": dict(figures), "base": base, "classes": figures.classes, "coverage": figures.coverage}
        echo_json({"model": model, "data": data, "rows": len(dataset), **found})
        return
    tell(f"{'standard input' if data == '-' else data}: {counted(len(dataset), 'row')}")
    tell_found(figures)


def metrics_asked(network: Network, asked: Sequence[str]) -> Any:
    """The metrics as a spec would have them, or None for those of the training."""
    if not asked:
        return None
    outputs: dict[str, list[Any]] = {}
    for text in asked:
        _check_form(text)
        output, metric = _parted(text)
        if output and output not in network.outputs:
            known = ", ".join(map(legible, network.outputs))
            raise click.UsageError(f"--metric {legible(text)}: no output is called {legible(output)}; there is {known}")
        if not output and len(network.outputs) > 1:
            first = legible(next(iter(network.outputs)))
            raise click.UsageError(f"--metric {legible(text)}: of several outputs say which: --metric {first}=METRIC")
        outputs.setdefault(output, []).append(parsed_value(metric, f"--metric {legible(text)}"))
    return outputs.get("") or outputs


def _check_form(text: str) -> None:
    """Refuses options in parentheses, with the table that says the same."""
    name, parenthesis, options = text.partition("(")
    if parenthesis and "{" not in name:
        table = f'{{type="{name}", {options.rstrip(")")}}}'
        raise click.UsageError(
            f"--metric {legible(text)}: options are written as in a spec: --metric '{legible(table)}'"
        )


def _parted(text: str) -> tuple[str, str]:
    """The output and the metric, from `OUTPUT=METRIC` or `METRIC`; a table of a metric with options has = in it."""
    before, equals, after = text.partition("=")
    return (before.strip(), after) if equals and "{" not in before else ("", text)


@contextmanager
def naming_option(option: str, metrics: Sequence[str]) -> Iterator[None]:
    """Puts problems of metrics to their place on the command line: an option that can be given several times."""
    try:
        yield
    except SpecError as error:
        raise SpecError([_of_option(problem, option, metrics) for problem in error.problems]) from None


def _of_option(problem: Problem, option: str, metrics: Sequence[str]) -> Problem:
    place = next((key for key in problem.keys if isinstance(key, int)), None)
    if problem.keys[:2] != ("training", "metrics") or not metrics:
        return problem
    given = "" if place is None or len(metrics) <= place else f" {legible(metrics[place])}"
    return problem.replace(file=f"{option}{given}", path="", line=0, column=0, length=0, excerpt="")

"""The body of `modnet compare`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import click

from modnet.assessment.comparison import MOST_MODELS, Comparing, ModelComparison
from modnet.cli.data import standard_input
from modnet.cli.evaluate import metrics_asked, naming_option
from modnet.cli.job import Job
from modnet.cli.output import echo_json, say, tell, tell_found
from modnet.cli.plugin_file import load_plugin_files
from modnet.data.named_arrays import NamedArrays
from modnet.data.table import Table
from modnet.datasets.read import loader_for, require_data
from modnet.engine.network import Network
from modnet.errors import DataError, SpecError
from modnet.model.load import load
from modnet.plugins.registry import default_registry
from modnet.words import counted


def run(
    models: tuple[str, ...],
    data: str,
    spec: str | None,
    settings: tuple[str, ...],
    metrics: tuple[str, ...],
    group: str | None,
    resamples: int | None,
    seed: int,
    reading: dict[str, Any],
    plugins: tuple[str, ...],
    as_json: bool,
) -> None:
    load_plugin_files(plugins)
    networks = {model: load(model) for model in _checked(models, data, spec)}
    asked = metrics_asked(next(iter(networks.values())), metrics)
    if spec is None:
        sources, named = _sources(networks, data, reading), "standard input" if data == "-" else data
    else:
        source, named = _set_aside(spec, settings)
        sources = [source] * len(networks)
    with naming_option("--metric", metrics):
        found = Comparing(networks, sources, asked, default_registry()).result(group, resamples, seed)
    say(found.notes)
    if as_json:
        echo_json({"data": named, **_plain(found, seed)})
        return
    tell(f"{named}: {counted(found.rows, 'row')}\n")
    tell_found(found)


def _checked(models: Sequence[str], data: str, spec: str | None) -> Sequence[str]:
    """The models; with a spec the last of them stands where the data would."""
    models = models if spec is None else (*models, data)
    if len(models) < 2:
        raise click.UsageError(f"give two models or more, and the data last; found only {models[0]} and {data}")
    if len(set(models)) < len(models):
        raise click.UsageError("a model is there twice; there would be no difference")
    if len(models) > MOST_MODELS:
        raise click.UsageError(f"expected {MOST_MODELS} models at most, found {len(models)}")
    return models


def _sources(networks: Mapping[str, Network], data: str, given: Mapping[str, Any]) -> list[Table | NamedArrays]:
    """The data for each of the models, as its own schema has them read."""
    if data != "-":
        found = []
        for network in networks.values():
            loader = loader_for(network)
            loader = replace(loader, options=loader.options.replace(**given))
            found.append(loader.read(data, None, network.card.schema))
        say(found[0].notes)
        return found
    schema = next(iter(networks.values())).card.schema
    if schema is None:
        raise DataError("standard input: expected a file with arrays: the models know no columns")
    (table,) = standard_input(None, schema.reading().replace(**given))  # it can be read once
    say(table.notes)
    return [table] * len(networks)


def _set_aside(spec: str, settings: Sequence[str]) -> tuple[Table | NamedArrays, str]:
    """The rows that a spec keeps from its training, and what they are called."""
    job = Job.open(spec, (), settings)
    try:
        data = require_data(job.network.card.spec.data)
    except SpecError as error:
        raise job.located(error) from None
    source, part = loader_for(job.network, job.network.card.folder).load_aside(data)
    return source, f"the {part} rows of {spec}"


def _plain(found: ModelComparison, seed: int) -> dict[str, Any]:
    """The output of `--json`."""
    return {
        "models": list(found.figures),
        "rows": found.rows,
        "groups": found.groups,
        "resamples": found.resamples,
        "seed": seed,
        "metrics": found.figures,
        "differences": {
            model: {
                name: {
                    "difference": difference.value,
                    "low": difference.interval.low,
                    "high": difference.interval.high,
                    "undefined": difference.interval.undefined,
                    "first_better": difference.first_better,
                    "better": difference.better,
                }
                for name, difference in each.items()
            }
            for model, each in found.differences.items()
        },
        "notes": list(found.notes),
    }

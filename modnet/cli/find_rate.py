"""The body of `modnet find-rate`."""

from __future__ import annotations

from modnet.cli.job import Job
from modnet.cli.output import echo_json, tell_found
from modnet.training.rate_search import find_rate


def run(
    spec: str,
    plugins: tuple[str, ...],
    settings: tuple[str, ...],
    lowest: float,
    highest: float,
    steps: int,
    as_json: bool,
) -> None:
    job = Job.open(spec, plugins, settings)
    job.objective()
    loaded = job.load_data()
    found = find_rate(job.network, loaded.train, lowest=lowest, highest=highest, steps=steps)
    if as_json:
        echo_json({"spec": spec, **found.plain()})
    else:
        tell_found(found)

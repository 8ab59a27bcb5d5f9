"""What the lines say: wins and losses of each pair, means with their spread, ranks, times, and every table."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from benchmarks.tables.contestants import PEERS
from benchmarks.tables.results import Key, Line


class Measure(NamedTuple):
    """A figure, and what counts as a difference.

    Attributes:
        name: of the figure in a line.
        title: what a reader calls it.
        least: the smallest difference that counts; a share of the other's value if relative.
        higher: whether more is better.
        relative: whether differences are shares.
    """

    name: str
    title: str
    least: float
    higher: bool = True
    relative: bool = False

    def gain(self, ours: float, theirs: float) -> float:
        """By how much ours is better."""
        difference = ours - theirs if self.higher else theirs - ours
        return difference / theirs if self.relative else difference

    def shown(self, value: float) -> float:
        """A value as means are made of it: R2 far below 0 is as bad as predicting nothing, and no worse."""
        return max(value, FLOOR) if self.name == "r2" else value


FLOOR = -1.0
"""In means of R2, what is below counts as this: one table where a contestant explodes would outweigh all others."""

MEASURES = (
    Measure("accuracy", "accuracy", 0.005),
    Measure("log_loss", "log loss", 0.01, higher=False, relative=True),
    Measure("r2", "R2", 0.005),
)

Values = dict[str, dict[str, float]]
"""Contestant -> table -> mean over splits."""


def report(lines: Mapping[Key, Line], tables: Sequence[str], only: Sequence[str] | None = None) -> list[str]:
    """The lines of the report in Markdown, for these tables and contestants; by default all that have lines."""
    kept = [line for line in lines.values() if line["table"] in tables]
    names = [name for name in ordered({line["contestant"] for line in kept}) if not only or name in only]
    text = [*extent(kept, names), ""]
    for measure in MEASURES:
        values = averaged(kept, names, measure)
        if values:
            text += [f"## {measure.title}", "", *summary(values, measure), "", *pairs(kept, names, measure), ""]
    text += ["## Time", "", *times(kept, names), ""]
    for measure in MEASURES:
        values = averaged(kept, names, measure)
        if values:
            text += [f"## {measure.title}, table by table", "", *whole(values, kept, measure), ""]
    return text


def ordered(names: Iterable[str]) -> list[str]:
    """modnet's first, then the peers in the order of their cost."""
    peers = list(PEERS)
    return sorted(names, key=lambda name: (peers.index(name) if name in peers else -1, name))


def extent(lines: Sequence[Line], names: Sequence[str]) -> list[str]:
    """How much of the whole has been measured, and what failed."""
    about = "Means are over the splits of a table, then over tables; those that all of these, or both of a pair, have."
    text = [about, ""]
    rows = [["contestant", "tables", "splits measured", "failed"], ["---", "---:", "---:", "---"]]
    for name in names:
        own = [line for line in lines if line["contestant"] == name]
        failed = sorted({line["table"] for line in own if "failed" in line})
        rows.append([name, str(len({line["table"] for line in own})), str(len(own)), ", ".join(failed)])
    return [*text, *markdown(rows)]


def averaged(lines: Sequence[Line], names: Sequence[str], measure: Measure) -> Values:
    """The means over the splits that every contestant has, so that all have the same rows."""
    found: dict[tuple[str, int], dict[str, float]] = {}
    for line in lines:
        if measure.name in line and line["contestant"] in names:
            found.setdefault((line["table"], line["split"]), {})[line["contestant"]] = line[measure.name]
    gathered: dict[str, dict[str, list[float]]] = {name: {} for name in names}
    for (table, _), figures in sorted(found.items()):
        for name, value in figures.items():
            if len(figures) == len(names):
                gathered[name].setdefault(table, []).append(value)
    means = {
        name: {table: statistics.fmean(some) for table, some in tables.items()} for name, tables in gathered.items()
    }
    return means if any(means.values()) else {}


def summary(values: Values, measure: Measure) -> list[str]:
    """Mean over tables with its standard error, and mean rank."""
    tables = sorted(next(iter(values.values())))
    ranks: dict[str, list[float]] = {name: [] for name in values}
    for table in tables:
        here = [own[table] for own in values.values()]
        for name, own in values.items():
            better = sum(measure.gain(other, own[table]) > 0 for other in here)
            equal = sum(other == own[table] for other in here)
            ranks[name].append(better + (equal + 1) / 2)
    rows = [["contestant", f"mean of {len(tables)} tables", "mean rank"], ["---", "---:", "---:"]]
    for name, own in values.items():
        shown = [measure.shown(value) for value in own.values()]
        rows.append([name, f"{statistics.fmean(shown):.4f}", f"{statistics.fmean(ranks[name]):.2f}"])
    return markdown(rows)


def pairs(lines: Sequence[Line], names: Sequence[str], measure: Measure) -> list[str]:
    """Each of modnet's beside each other contestant, on the splits that both have."""
    ours = [name for name in names if name not in PEERS]
    rows = [["", "tables", "better", "worse", "mean difference", "standard error"], ["---", *["---:"] * 5]]
    for place, name in enumerate(ours):
        others = [other for other in names if other not in ours[place:]]
        means = {other: averaged(lines, [name, other], measure) for other in others}
        rows += [
            [f"{name} and {other}", *pair(both[name], both[other], measure)] for other, both in means.items() if both
        ]
    share = f"{measure.least:.0%} of the other's" if measure.relative else f"{measure.least:g}"
    return [f"Better and worse: by more than {share}.", "", *markdown(rows)]


def pair(ours: Mapping[str, float], theirs: Mapping[str, float], measure: Measure) -> list[str]:
    """Tables, better, worse, mean difference and its standard error; a difference above 0 is in favour of ours."""
    gains = [measure.gain(ours[table], theirs[table]) for table in ours]
    better, worse = (sum(sign * gain > measure.least for gain in gains) for sign in (1, -1))
    sign = 1 if measure.higher else -1
    differences = [sign * (measure.shown(ours[table]) - measure.shown(theirs[table])) for table in ours]
    error = statistics.stdev(differences) / len(differences) ** 0.5 if len(differences) > 1 else 0.0
    return [str(len(gains)), str(better), str(worse), f"{statistics.fmean(differences):+.4f}", f"{error:.4f}"]


def times(lines: Sequence[Line], names: Sequence[str]) -> list[str]:
    """Processor time of all fits that every contestant has made."""
    kept = [line for line in lines if line["contestant"] in names and "fit" in line]
    by_key: dict[tuple[str, int], dict[str, Line]] = {}
    for line in kept:
        by_key.setdefault((line["table"], line["split"]), {})[line["contestant"]] = line
    common = [own for own in by_key.values() if len(own) == len(names)]
    if not common:
        return ["No table has been finished by all."]
    fits = {name: [own[name]["fit"] for own in common] for name in names}
    first = sum(fits[names[0]])
    head = [f"{len(common)} fits", "seconds of fitting", f"/ {names[0]}", "median of a fit", "longest", "of predicting"]
    rows = [head, ["---", *["---:"] * 5]]
    for name, some in fits.items():
        predicting = sum(own[name]["predict"] for own in common)
        told = [sum(some), sum(some) / first, statistics.median(some), max(some), predicting]
        rows.append([name, *(f"{value:,.2f}" for value in told)])
    return markdown(rows)


def whole(values: Values, lines: Sequence[Line], measure: Measure) -> list[str]:
    """Every table with every contestant; the best in bold."""
    rows = [["table", "training rows", *values], ["---", "---:", *["---:"] * len(values)]]
    sizes = {line["table"]: line["rows"] for line in lines}
    for table in sorted(next(iter(values.values()))):
        here = [own[table] for own in values.values()]
        best = max(here) if measure.higher else min(here)
        told = [f"**{value:.3f}**" if value == best else f"{value:.3f}" for value in here]
        rows.append([table, str(sizes[table]), *told])
    return markdown(rows)


def markdown(rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in rows]

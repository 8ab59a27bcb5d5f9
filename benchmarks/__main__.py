"""The command: python -m benchmarks [--only NAME ...] [--quick] [--repeats N] [--mnist FOLDER] [--json FILE]."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import machine
from benchmarks.markdown import markdown
from benchmarks.rounds import ContestantFailed, Result, Settings, Turn, race, ratios

if TYPE_CHECKING:
    from benchmarks import train

REFERENCES = ("modnet, kernels off",)
"""Contestants that, where they run, have a column of ratios of their own beside that of the first."""


def main() -> None:
    arguments = parser().parse_args()
    threads = machine.clean_environment()
    # Only now, since they import numpy.
    from benchmarks import csv_files, growth, modelfile, predict, rows, start, train

    before = machine.load()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(Path(folder), threads, arguments.quick, arguments.mnist)
        modules = (train, predict, rows, start, csv_files, growth, modelfile)
        cases = [case for module in modules for case in module.cases(settings)]
        names = [*dict.fromkeys(case.name for case in cases), "accuracy"]
        chosen = [name for name in names if not arguments.only or name in arguments.only]
        if unknown := set(arguments.only or ()) - set(names):
            sys.exit(f"no case is called {', '.join(sorted(unknown))}; there are {', '.join(names)}")
        results: list[Result] = []
        for case in cases:
            if case.name in chosen:
                print(f"{case.name} ...", file=sys.stderr, flush=True)
                try:
                    results += race(case, arguments.repeats or (2 if arguments.quick else 7))
                except ContestantFailed as error:
                    results += [Result(case.name, case.unit, c.name, [], f"{error}") for c in case.contestants]
        losses = train.accuracy(settings) if "accuracy" in chosen and find_spec("torch") else {}
    facts = {**machine.describe(threads), "load average": f"{before} before, {machine.load()} after"}
    report = [*(f"- {name}: {value}" for name, value in facts.items()), "", *table(results), ""]
    report += accuracies(losses) if losses else ["accuracy: skipped: needs torch"] if "accuracy" in chosen else []
    print("\n".join(report))
    if arguments.json:
        contents = {
            "machine": facts,
            "results": [asdict(result) for result in results],
            "accuracy": {name: asdict(loss) for name, loss in losses.items()},
        }
        arguments.json.write_text(json.dumps(contents, indent=1) + "\n")
    differ = any(loss.difference > train.TOLERANCE for loss in losses.values())
    sys.exit(differ or any("failed" in result.skipped for result in results))


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m benchmarks", description="modnet beside its peers, as a table")
    made.add_argument("--only", nargs="+", metavar="NAME", help="the cases to measure; by default all")
    made.add_argument("--quick", action="store_true", help="little data and few rounds: figures that mean nothing")
    made.add_argument("--repeats", type=int, help="rounds that count; by default 7")
    made.add_argument(
        "--mnist",
        type=Path,
        metavar="FOLDER",
        help="train on the first 8192 images of MNIST's IDX files in this folder",
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="write every figure of every round to this file")
    return made


def table(results: list[Result]) -> list[str]:
    """The lines of a table in Markdown."""
    turns = {(result.case, result.contestant): result.turns for result in results}
    references = [name for name in REFERENCES if any(result.contestant == name for result in results)]
    head = ["case", "contestant", "median time", "time / first row's", *(f"time / {name}" for name in references)]
    rows = [[*head, "95th percentile", "peak memory"]]
    rows.append(["---", "---", *["---:"] * (len(rows[0]) - 2)])
    first = {(result.case, result.unit): result.contestant for result in reversed(results)}
    for result in results:
        bases = [
            turns[result.case, first[result.case, result.unit]],
            *(turns.get((result.case, name)) for name in references),
        ]
        rows.append([result.case, result.contestant, *figures(result, bases)])
    return markdown(rows)


def accuracies(losses: dict[str, train.Loss]) -> list[str]:
    """The lines of a table of the losses after a training from the same weights on the same batches."""
    from benchmarks.train import TOLERANCE

    rows = [["accuracy: loss on", "modnet", "torch", "difference", ""], ["---", "---:", "---:", "---:", "---"]]
    for name, loss in losses.items():
        agree = f"they {'DIFFER' if loss.difference > TOLERANCE else 'agree'} to {TOLERANCE:g}"
        rows.append([name, f"{loss.modnet:.6f}", f"{loss.torch:.6f}", f"{loss.difference:.1e}", agree])
    return markdown(rows)


def figures(result: Result, bases: list[list[Turn] | None]) -> list[str]:
    """The cells of a row beside its names; a base is None where it is not in this case."""
    if result.skipped:
        return [f"skipped: {result.skipped}", *[""] * len(bases), "", ""]
    cells = [f"{duration(statistics.median(turn.seconds for turn in result.turns))} a {result.unit}"]
    for base in bases:
        found = ratios(result.turns, base) if base else []
        cells.append(f"{statistics.median(found):.2f} ({min(found):.2f} .. {max(found):.2f})" if found else "")
    slow = [turn.slow for turn in result.turns if turn.slow is not None]
    cells.append(duration(statistics.median(slow)) if slow else "")
    peaks = [turn.memory for turn in result.turns if turn.memory is not None]
    base_peaks = [turn.memory for turn in bases[0] or () if turn.memory is not None]
    peak = statistics.median(peaks) if peaks else 0
    cells.append(f"{peak / 2**20:.0f} MiB ({peak / statistics.median(base_peaks):.2f})" if peak else "")
    return cells


def duration(seconds: float) -> str:
    if seconds < 1e-6:
        return f"{seconds * 1e9:.0f} ns"
    return f"{seconds * 1e6:.1f} us" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"


if __name__ == "__main__":
    main()

"""The command: python -m benchmarks [--only NAME ...] [--quick] [--repeats N] [--mnist FOLDER] [--json FILE]."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.rounds import Result, Settings, Spread, race, ratios

REFERENCES = ("modnet, kernels off",)
"""Contestants that, where they run, have a column of ratios of their own beside that of the first."""


def main() -> None:
    arguments = parser().parse_args()
    threads = machine.clean_environment()
    # Only now, since they import numpy.
    from benchmarks import predict, start, train

    before = machine.load()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(Path(folder), threads, arguments.quick, arguments.mnist)
        cases = [case for module in (train, predict, start) for case in module.cases(settings)]
        names = [*(case.name for case in cases), "accuracy"]
        chosen = [name for name in names if not arguments.only or name in arguments.only]
        if unknown := set(arguments.only or ()) - set(names):
            sys.exit(f"no case is called {', '.join(sorted(unknown))}; there are {', '.join(names)}")
        results: list[Result] = []
        for case in cases:
            if case.name in chosen:
                print(f"{case.name} ...", file=sys.stderr, flush=True)
                results += race(case, arguments.repeats or (2 if arguments.quick else 7))
        losses = train.accuracy(settings) if "accuracy" in chosen and find_spec("torch") else {}
    facts = {**machine.describe(threads), "load": f"{before} before, {machine.load()} after"}
    report = ["", *(f"- {name}: {value}" for name, value in facts.items()), "", *table(results), ""]
    differ = False
    if "accuracy" in chosen:
        if losses:
            difference = abs(losses["modnet"] - losses["torch"])
            differ = difference > train.TOLERANCE
            report.append(
                f"accuracy: trained from the same weights on the same batches, loss {losses['modnet']:.6f} (modnet) and "
                f"{losses['torch']:.6f} (torch); they {'DIFFER' if differ else 'agree'} "
                f"({difference:.1e}, allowed {train.TOLERANCE:g})"
            )
        else:
            report.append("accuracy: skipped, torch not installed")
    print("\n".join(report).strip())
    if arguments.json:
        contents = {"machine": facts, "results": [asdict(result) for result in results], "accuracy": losses}
        arguments.json.write_text(json.dumps(contents, indent=1) + "\n")
    sys.exit(1 if differ else 0)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m benchmarks", description="modnet beside its peers, as a table")
    made.add_argument("--only", nargs="+", metavar="NAME", help="the cases to measure; by default all")
    made.add_argument("--quick", action="store_true", help="little data and few rounds: figures that mean nothing")
    made.add_argument("--repeats", type=int, help="rounds that count; by default 7")
    made.add_argument("--mnist", type=Path, metavar="FOLDER", help="train on MNIST's IDX files in this folder")
    made.add_argument("--json", type=Path, metavar="FILE", help="write every figure of every round to this file")
    return made


def table(results: list[Result]) -> list[str]:
    """The lines of a table in Markdown."""
    turns = {(result.case, result.contestant): result.turns for result in results}
    references = [name for name in REFERENCES if any(result.contestant == name for result in results)]
    head = ["case", "contestant", "median time", "time / first row's", *(f"time / {name}" for name in references)]
    rows = [[*head, "95th percentile of a step", "peak memory"]]
    rows.append(["---", "---", *["---:"] * (len(rows[0]) - 2)])
    first = {result.case: result.contestant for result in reversed(results)}
    for result in results:
        bases = [turns[result.case, first[result.case]], *(turns.get((result.case, name)) for name in references)]
        rows.append([result.case, result.contestant, *figures(result, bases)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]


def figures(result: Result, bases: list[Any]) -> list[str]:
    if result.skipped:
        return [f"skipped: {result.skipped}", *[""] * len(bases), "", ""]
    cells = [f"{duration(Spread.of([turn.seconds for turn in result.turns]).median)} a {result.unit}"]
    for base in bases:
        found = ratios(result.turns, base) if base else None
        cells.append(f"{found.median:.2f} ({found.least:.2f} .. {found.greatest:.2f})" if found else "")
    slow = [turn.slow for turn in result.turns if turn.slow is not None]
    memory = [float(turn.memory) for turn in result.turns if turn.memory is not None]
    cells.append(duration(Spread.of(slow).median) if slow else "")
    cells.append(f"{Spread.of(memory).median / 2**20:.0f} MiB" if memory else "")
    return cells


def duration(seconds: float) -> str:
    return f"{seconds * 1e6:.1f} us" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"


if __name__ == "__main__":
    main()

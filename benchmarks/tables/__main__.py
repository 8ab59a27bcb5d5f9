"""The command: python -m benchmarks.tables [--only NAME ...] [--table NAME ...] [--splits N] [--report] ..."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import machine

if TYPE_CHECKING:
    from benchmarks.tables.catalog import Source
    from benchmarks.tables.contestants import Contestant
    from benchmarks.tables.files import Split

RESULTS = Path(__file__).parents[1] / "results" / "tables"


def main() -> None:
    arguments = parser().parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    machine.clean_environment()
    # Only now, since they import numpy.
    from benchmarks.tables import files
    from benchmarks.tables.report import report
    from benchmarks.tables.results import read

    sources = chosen_tables(arguments)
    if arguments.write:
        files.write(sources, arguments.write)
    elif arguments.report:
        lines = read(sorted(arguments.results.glob("*.jsonl")))
        print("\n".join(report(lines, [source.name for source in sources], arguments.only)))
    else:
        measure(sources, chosen_contestants(arguments), arguments)


def parser() -> argparse.ArgumentParser:
    about = "quality on real tables: modnet new-spec beside the usual learners"
    made = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=about)
    made.add_argument("--only", nargs="+", metavar="NAME", help="the contestants; by default all peers")
    made.add_argument("--table", nargs="+", metavar="NAME", help="the tables; by default all that --group has")
    made.add_argument(
        "--group",
        choices=("open", "kept-back", "all"),
        default="open",
        help="tables that a recipe may be made with (the default), or those that nobody may look at for that",
    )
    made.add_argument("--splits", nargs="+", type=int, default=[0, 1, 2], help="seeds of the splits; by default 0 1 2")
    made.add_argument("--label", default="", help="added to the name of modnet's lines, for a recipe that has changed")
    made.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER", help="where the lines are")
    made.add_argument("--file", default="", metavar="NAME", help="the file to add to; by default the contestant's")
    made.add_argument("--report", action="store_true", help="print what has been found; measure nothing")
    made.add_argument("--write", type=Path, metavar="FOLDER", help="write the tables as csv files; measure nothing")
    return made


def chosen_tables(arguments: argparse.Namespace) -> tuple[Source, ...]:
    from benchmarks.tables.catalog import SOURCES, kept_back

    known = {source.name: source for source in SOURCES}
    if unknown := set(arguments.table or ()) - known.keys():
        sys.exit(f"no table is called {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    if arguments.table:
        return tuple(known[name] for name in arguments.table)
    hidden = kept_back()
    groups = {"open": known.keys() - hidden, "kept-back": hidden, "all": known.keys()}
    return tuple(known[name] for name in sorted(groups[arguments.group]))


def chosen_contestants(arguments: argparse.Namespace) -> dict[str, Contestant]:
    """Name -> contestant; what is modnet's has the label in its name."""
    from benchmarks.tables.contestants import EFFORTS, PEERS, modnet

    label = f"-{arguments.label}" if arguments.label else ""
    ours: dict[str, tuple[str, Contestant]]
    ours = {f"modnet-{effort}": (f"modnet-{effort}{label}", partial(modnet, effort)) for effort in EFFORTS}
    known = {**{name: (name, peer) for name, peer in PEERS.items()}, **ours}
    names = arguments.only or list(PEERS)
    if unknown := set(names) - known.keys():
        sys.exit(f"no contestant is called {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return dict(known[name] for name in names)


def measure(sources: tuple[Source, ...], contestants: dict[str, Contestant], arguments: argparse.Namespace) -> None:
    """Runs what has no line yet, or has failed; contestant by contestant, so that the first are whole first."""
    from benchmarks.tables import files, results

    done = results.read(sorted(arguments.results.glob("*.jsonl")))
    about = facts()
    tables: dict[str, Any] = {}
    for name, contestant in contestants.items():
        file = arguments.results / f"{arguments.file or name}.jsonl"
        for number in arguments.splits:
            for source in sources:
                if "failed" not in done.get((source.name, number, name), {"failed"}):
                    continue
                if source.name not in tables:
                    tables[source.name] = files.table(source)
                split = files.Split(tables[source.name], source.target, source.task, number)
                line = {"table": source.name, "split": number, "contestant": name, "task": source.task}
                line |= {"rows": len(split.train), "columns": len(split.features)}
                line |= attempt(contestant, split) | {"machine": about}
                results.append(file, line)
                print(time.strftime("%H:%M:%S"), brief(line), flush=True)


def attempt(contestant: Contestant, split: Split) -> dict[str, Any]:
    """Figures and times of a contestant, or what went wrong: a failure is a result."""
    from benchmarks.tables.results import figures

    try:
        with tempfile.TemporaryDirectory() as folder:
            answer = contestant(split, Path(folder))
        times = {"fit": answer.fit, "predict": answer.predict, "wall": answer.wall}
        return {**figures(split, answer), **{name: round(value, 4) for name, value in times.items()}, **answer.facts}
    except Exception as error:  # a failure of any kind is a result
        return {"failed": f"{type(error).__name__}: {error}"[:500]}


def brief(line: dict[str, Any]) -> str:
    found = {name: f"{line[name]:.3f}" for name in ("accuracy", "log_loss", "r2", "fit") if name in line}
    told = " ".join(f"{name} {value}" for name, value in found.items()) or line.get("failed")
    return f"{line['contestant']} {line['table']} {line['split']}: {told}"


def facts() -> dict[str, str]:
    """Processor and versions, short enough for every line."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"processor": machine.processor(), "threads": os.environ["OMP_NUM_THREADS"]}
    found["kernels"] = os.environ.get("MODNET_KERNELS", "of installed plugins")
    for package in ("modnet-core", "numpy", "scikit-learn", "torch", "pytabkit"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    main()

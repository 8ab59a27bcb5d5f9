"""Writes the generated parts of the documentation: `python docs/generate.py`.

The pages in `docs/reference` are made as a whole from the classes; in `docs/cli.md` and `README.md` it is what stands
between `<!-- generated: NAME -->` and `<!-- end of NAME -->`. So are the imports with which packages tell type checkers
what they load when it is first used. With `--check` nothing is written, and the exit status is 1 where a page is out of
date. The folder `generation` has a module for each concern.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the pages are those of this clone, whichever version is installed

from generation.badges import badges  # noqa: E402
from generation.commands import help_texts  # noqa: E402
from generation.components import table_of_types  # noqa: E402
from generation.drawing import looks_like  # noqa: E402
from generation.markdown import filled  # noqa: E402
from generation.packages import FOR_TYPE_CHECKERS, imports, lazy_packages  # noqa: E402
from generation.reference import not_imported, reference  # noqa: E402


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Writes the generated parts of the documentation.")
    parser.add_argument("--check", action="store_true", help="write nothing; the status is 1 if a page is out of date")
    check = parser.parse_args(arguments).check
    stale = 0
    for path, old, new in pages():
        if new == old or (path.suffix == ".svg" and looks_like(old, new)):
            continue
        stale += 1
        name = path.relative_to(ROOT).as_posix()
        if check:
            print(f"{name} is out of date; run python docs/generate.py")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(new, encoding="utf-8")
            print(f"{name} written")
    for name in not_imported():
        print(f"docs/reference/plugins/{name}.md is left as it is: something that {name} needs is not installed")
    return 1 if stale and check else 0


def pages() -> Iterator[tuple[Path, str, str]]:
    """(path, text as it is, text as it should be) of every page."""
    for name, text in reference():
        path = ROOT / "docs/reference" / name
        yield path, path.read_text(encoding="utf-8") if path.exists() else "", text
    built_in = {"what is built in": table_of_types("docs/reference/")}
    for name, blocks in (("docs/cli.md", help_texts()), ("README.md", built_in)):
        path = ROOT / name
        old = path.read_text(encoding="utf-8")
        yield path, old, filled(old, blocks)
    for path, text in badges():
        yield path, path.read_text(encoding="utf-8") if path.exists() else "", text
    for package, homes in lazy_packages(ROOT):
        path = ROOT / package.replace(".", "/") / "__init__.py"
        old = path.read_text(encoding="utf-8")
        yield path, old, FOR_TYPE_CHECKERS.sub(lambda _, homes=homes: imports(homes), old, count=1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The levels that docs/design.md describes: what may import what, when, and that the core requires next to nothing."""

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import modnet

PACKAGE = Path(modnet.__file__).parent
DESIGN = PACKAGE.parent / "docs" / "design.md"

INSIDE = {
    "modnet.assessment.plots.confusion": {"matplotlib.colors": "an optional library"},
    "modnet.assessment.report.page": {"jinja2": "an optional library", "markupsafe": "a part of jinja2"},
    "modnet.assessment.search.study": {"optuna": "an optional library"},
    "modnet.cli": {
        "click": "an optional library: without it there is advice, and no traceback",
        "rich": "an optional library",
        "modnet.cli.app": "imports click",
        "modnet.cli.output": "imports click",
    },
    "modnet.cli.app": {
        "modnet.specs.model": "for advice on an option that is not there; `modnet --help` imports no component",
        "importlib.metadata": "whether any plugin has commands; a tenth of the time of `modnet --version`",
        "modnet.plugins.registry": "for the commands of plugins; `modnet --help` imports no component without any",
    },
    "modnet.cli.failures": {"modnet.plugins.faults": "for an unexpected error; a wrong call imports no component"},
    "modnet.cli.predict": {"modnet.cli.predict_parts": "for tables in parts alone: it imports what trainings need"},
    "modnet.cli.summary": {"modnet.cli.job": "what data and training need: a fifth of the time for a model file"},
    "modnet.data.readers.arrays": {"zipfile": "for one kind of file"},
    "modnet.data.readers.sqlite": {"sqlite3": "for one kind of file; not part of every Python"},
    "modnet.data.source": {
        "bz2": "for one kind of file; not part of every Python",
        "lzma": "as above",
        "zipfile": "for one kind of file",
    },
    "modnet.data.frames": {"pyarrow": "an optional library"},
    "modnet.data.spec": {"modnet.data.dates": "few specs have dates, and every process reads a spec"},
    "modnet.data.schema": {"modnet.data.learning": "a process that only predicts learns nothing"},
    "modnet.engine.expansion": {"modnet.engine.members": "few networks are ensembles, and it imports four layers"},
    "modnet.engine.network": {
        "modnet.engine.rows": "a network without a table needs none of it",
        "modnet.data.schema": "as above",
        "modnet.engine.drawing": "a process that only predicts draws nothing",
        "modnet.engine.notebook": "as above",
    },
    "modnet.memory": {"resource": "not there on Windows"},
    "modnet.model.container": {"concurrent.futures": "for large files"},
    "modnet.plugins.distributions": {"importlib.metadata": "a tenth of the time in which a process predicts"},
    "modnet.plugins.registry": {
        "modnet.plugins.hooks": "imports pluggy, which a network of built-ins does not need",
        "modnet.plugins.kernels": "for training alone",
        "modnet.plugins.notebook": "for notebooks",
    },
    "modnet.specs.model": {"modnet.specs.notebook": "for notebooks; every process that predicts imports this module"},
    "modnet.specs.source": {
        "modnet.specs.syntax": "its patterns take 3 ms to compile, and few files have faults",
        "modnet.specs.yaml_positions": "as above, and an optional library",
    },
    "modnet.specs.yaml_positions": {"ruamel.yaml": "an optional library"},
    "modnet.testing.pytest_plugin": {"modnet.testing.items": "every start of pytest imports the plugin"},
    "modnet.model.figures": {"modnet.model.writer": "a process that predicts writes nothing"},
    "modnet.model.load": {
        "modnet.data.schema": "a model without a table needs none",
        "modnet.engine.folding": "few networks are folded",
        "modnet.model.engines": "few networks are computed by another engine",
        "pathlib": "a process that only predicts does without it, and without the five modules behind it",
    },
    "modnet.model.url": {"fsspec.core": "an optional library"},
    "modnet.threads": {"threadpoolctl": "an optional library"},
    "modnet.engine.card": {"modnet.engine.notebook": "for notebooks; every process that predicts imports this module"},
    "modnet.engine.courses": {"matplotlib.lines": "an optional library"},
    "modnet.engine.history": {
        "modnet.engine.courses": "a process that only predicts draws nothing",
        "modnet.engine.notebook": "as above",
    },
    "modnet.pictures.figure": {
        "matplotlib": "an optional library",
        "matplotlib.figure": "as above",
        "matplotlib.text": "as above",
    },
    "modnet.training.live": {
        "modnet.engine.notebook": "for notebooks; every training with `progress` imports this module"
    },
    "modnet.training.progress": {
        "rich": "an optional library",
        "rich.console": "as above",
        "rich.text": "as above",
    },
    "modnet.words": {
        "difflib": "for the nearest name in a message; every process imports this module",
        "heapq": "as above",
    },
}
"""Module -> what it imports within functions, and why not at its top. This list may only shrink."""

CORE = {"numpy", "pluggy", "msgpack"}
"""What the core imports beside the standard library."""

OPTIONAL = {
    "click": ("modnet.cli", "modnet.hookspecs"),
    "rich": ("modnet.cli", "modnet.training.progress"),
    "ruamel": ("modnet.specs",),
    "threadpoolctl": ("modnet.threads",),
    "jinja2": ("modnet.assessment.report.page",),
    "markupsafe": ("modnet.assessment.report.page",),
    "matplotlib": ("modnet.pictures.figure", "modnet.engine.courses", "modnet.assessment.plots"),
    "optuna": ("modnet.assessment.search.study",),
    "fsspec": ("modnet.model.url",),
    "pyarrow": ("modnet.data.frames",),
    "pytest": ("modnet.testing.items",),
    "PyInstaller": ("modnet.freezing.hook-modnet",),
}
"""Library -> the only modules that may import it, so that the others work without it."""

LIBRARIES_AT_THE_TOP = ("modnet.cli.", "modnet.freezing.hook-modnet", "modnet.testing.items")
"""Modules that are imported where their library is there."""


class Import(NamedTuple):
    """One imported module: by whom, and whether as the importer is imported, in a function, or for types alone."""

    importer: str
    imported: str
    when: str


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path) -> Iterator[Import]:
    """Every import, those for type checkers too."""
    name = module_of(path)

    def visit(node: ast.AST, when: str) -> Iterator[Import]:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            when = "types"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            when = "function"
        if isinstance(node, ast.Import):
            yield from (Import(name, alias.name, when) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            assert node.module != "modnet", f"{path}:{node.lineno}: import from the module where it is defined"
            names = {f"{node.module}.{alias.name}" for alias in node.names} & NAMES
            yield from (Import(name, found, when) for found in names or {str(node.module)})
        for child in ast.iter_child_nodes(node):
            yield from visit(child, when)

    yield from visit(ast.parse(path.read_text(encoding="utf-8")), "at once")


def levels() -> dict[str, int]:
    """Module or package -> its level, 0 the highest, as docs/design.md has them."""
    text = DESIGN.read_text(encoding="utf-8")
    (listed,) = re.findall(r"Imports go down this list and never up\.\n\n((?: {4}.+\n)+)", text)
    names = [re.split(r" {2,}", line.strip())[0].split(", ") for line in listed.splitlines()]
    return {f"modnet.{name}": level for level, line in enumerate(names) for name in line}


LEVELS = levels()
PATHS = sorted(PACKAGE.rglob("*.py"))
NAMES = {module_of(path) for path in PATHS}
IMPORTS = [found for path in PATHS for found in imports_of(path)]
WITHIN = [found for found in IMPORTS if found.imported in NAMES and found.importer != "modnet"]
"""Imports of modules of the package, but for those of `modnet` itself, which loads what it offers when it is used."""


def level_of(module: str) -> int:
    return LEVELS[".".join(module.split(".")[:2])]


def test_every_module_has_a_level_and_every_level_its_modules():
    found = {f"modnet.{path.relative_to(PACKAGE).parts[0].removesuffix('.py')}" for path in PATHS}
    assert found - {"modnet.__init__", "modnet.__main__"} == set(LEVELS)


def test_no_import_goes_up():
    inside = [found for found in WITHIN if "modnet.__main__" not in found and found.imported != "modnet"]
    assert [found for found in inside if level_of(found.imported) < level_of(found.importer)] == []


def test_modules_import_each_other_in_no_circle():
    graph: dict[str, set[str]] = {}
    for found in WITHIN:
        if found.imported != "modnet":
            graph.setdefault(found.importer, set()).add(found.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"{' -> '.join(reversed(error.args[1]))}: each imports the next")


def test_imports_stand_at_the_top_of_a_file_unless_there_is_a_reason():
    found: dict[str, set[str]] = {}
    for statement in IMPORTS:
        if statement.when == "function":
            found.setdefault(statement.importer, set()).add(statement.imported)
    assert found == {importer: set(reasons) for importer, reasons in INSIDE.items()}


def library_of(found: Import) -> str:
    return found.imported.partition(".")[0]


FOREIGN = [found for found in IMPORTS if library_of(found) not in {"modnet", *CORE, *sys.stdlib_module_names}]


def test_the_core_requires_numpy_pluggy_and_msgpack_alone():
    at_once = [found for found in FOREIGN if found.when == "at once"]
    assert [found for found in at_once if not found.importer.startswith(LIBRARIES_AT_THE_TOP)] == []


def test_optional_libraries_are_imported_where_they_are_used():
    assert {library_of(found) for found in FOREIGN} == set(OPTIONAL)
    used = [found for found in FOREIGN if (found.imported, found.when) != ("pytest", "types")]
    assert [found for found in used if not found.importer.startswith(OPTIONAL[library_of(found)])] == []

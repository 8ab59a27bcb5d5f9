"""Imports go down the floors that docs/design.md lists, and the core requires next to nothing."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import modnet

PACKAGE = Path(modnet.__file__).parent
DESIGN = PACKAGE.parent / "docs" / "design.md"

GOING_UP = {
    ("modnet.plugins.hooks", "modnet.data.table"),
}
"""(importer, imported) of the few imports within a function that go up on purpose."""

CORE = {"numpy", "pluggy", "msgpack"}
"""What the core imports beside the standard library."""

OPTIONAL = {
    "click": ("modnet.cli",),
    "rich": ("modnet.cli", "modnet.training.progress"),
    "ruamel": ("modnet.specs",),
    "threadpoolctl": ("modnet.threads",),
    "matplotlib": ("modnet.training.history",),
    "pytest": ("modnet.testing.items",),
}
"""Library -> the only modules that may import it, within functions, so that the others work without it."""


class Import(NamedTuple):
    """One imported module, and whether that happens as the importer is imported."""

    importer: str
    imported: str
    at_module_level: bool


def imports_of(path: Path) -> Iterator[Import]:
    """Every import of a module of the package but those for type checkers alone."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def visit(node: ast.AST, at_module_level: bool) -> Iterator[Import]:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            children = node.orelse
        else:
            children = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            yield from (Import(name, alias.name, at_module_level) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            assert node.module != "modnet", f"{path}:{node.lineno}: import from the module where it is defined"
            yield Import(name, str(node.module), at_module_level)
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in children:
            yield from visit(child, at_module_level and not inside)

    yield from visit(ast.parse(path.read_text(encoding="utf-8")), True)


def floors() -> dict[str, int]:
    """Module or package -> its floor, 0 the highest, as docs/design.md has them."""
    (listed,) = re.findall(r"Imports go down this list and never up\.\n\n((?: {4}.+\n)+)", DESIGN.read_text())
    names = [re.split(r" {2,}", line.strip())[0].split(", ") for line in listed.splitlines()]
    return {f"modnet.{name}": floor for floor, line in enumerate(names) for name in line}


FLOORS = floors()
MODULES = sorted(PACKAGE.rglob("*.py"))
IMPORTS = [found for path in MODULES for found in imports_of(path)]


def floor_of(module: str) -> int | None:
    """None for `modnet` itself, which loads the names that it offers when they are used."""
    return FLOORS.get(".".join(module.split(".")[:2]))


def goes_up(found: Import) -> bool:
    here, there = floor_of(found.importer), floor_of(found.imported)
    return here is not None and there is not None and there < here


def test_every_module_has_a_floor_and_every_floor_its_modules():
    found = {f"modnet.{path.relative_to(PACKAGE).parts[0].removesuffix('.py')}" for path in MODULES}
    assert found - {"modnet.__init__", "modnet.__main__"} == set(FLOORS)


def test_imports_of_modules_go_down():
    assert [found for found in IMPORTS if found.at_module_level and goes_up(found)] == []


def test_imports_within_functions_go_up_only_where_that_is_meant():
    found = {(i.importer, i.imported) for i in IMPORTS if not i.at_module_level and goes_up(i)}
    assert found == GOING_UP


def library_of(found: Import) -> str:
    return found.imported.partition(".")[0]


FOREIGN = [found for found in IMPORTS if library_of(found) not in {"modnet", *CORE, *sys.stdlib_module_names}]


def test_the_core_requires_numpy_pluggy_and_msgpack_alone():
    at_once = {found for found in FOREIGN if found.at_module_level}
    commands = {found for found in at_once if found.importer.startswith("modnet.cli.") and found.imported == "click"}
    # What pytest itself collects, and imports.
    collected = {found for found in at_once if found.importer == "modnet.testing.items" and found.imported == "pytest"}
    assert at_once - commands - collected == set()


def test_optional_libraries_are_imported_where_they_are_used():
    assert {library_of(found) for found in FOREIGN} == set(OPTIONAL)
    assert [found for found in FOREIGN if not found.importer.startswith(OPTIONAL[library_of(found)])] == []

"""The front door: the public names, and what `import modnet` costs."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import modnet


def names_for_type_checkers() -> list[tuple[str, str]]:
    """(module, name) of everything that the TYPE_CHECKING block of modnet/__init__.py imports."""
    blocks = [
        node
        for node in ast.parse(inspect.getsource(modnet)).body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    ]
    return [
        (statement.module, alias.name)
        for block in blocks
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
        if alias.asname == alias.name
    ]


def test_type_checkers_and_programs_see_the_same_names():
    assert list(modnet.__all__) == sorted(name for _, name in names_for_type_checkers())
    assert len(set(modnet.__all__)) == len(modnet.__all__)


def test_the_front_door_is_small_and_every_name_has_its_page():
    assert len(modnet.__all__) <= 70
    reference = Path(modnet.__file__).parent.parent / "docs" / "reference" / "python.md"
    assert re.findall(r"^## `modnet\.(\w+)`$", reference.read_text(encoding="utf-8"), re.M) == list(modnet.__all__)


@pytest.mark.parametrize(("module", "name"), names_for_type_checkers(), ids=lambda value: value)
def test_a_public_name_is_the_object_that_type_checkers_see(module, name):
    value = getattr(modnet, name)
    assert value is getattr(sys.modules[module], name)


def test_dir_lists_the_public_names():
    assert set(modnet.__all__) <= set(dir(modnet))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'modnet' has no attribute 'Liner'"):
        _ = modnet.Liner


def test_importing_modnet_imports_next_to_nothing():
    code = "import sys, modnet; print(*sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    heavy = {"numpy", "pluggy", "msgpack", "click", "rich", "importlib.metadata"}
    assert not heavy.intersection(output.split())
    assert [name for name in output.split() if name.startswith("modnet")] == ["modnet"]

"""No file and no function so large, or so dense, that nobody sees its shape; tests/sizes.txt has what still is."""

from pathlib import Path

import modnet
from tests.sizes import LONGEST_FILE, LONGEST_FUNCTION, MOST_BRANCHES, functions_of, lines_of, modules_of

MODULES = modules_of(Path(modnet.__file__).parent)

KNOWN = set(Path(__file__).with_name("sizes.txt").read_text(encoding="utf-8").split())
"""Modules and functions above a bound. This list may only shrink."""


def too_large() -> dict[str, str]:
    """Module or function -> how large it is, of those above a bound."""
    found = {name: f"{lines_of(path)} lines" for name, path in MODULES.items() if lines_of(path) > LONGEST_FILE}
    for module, path in MODULES.items():
        for one in functions_of(path, module):
            if one.lines > LONGEST_FUNCTION or one.complexity > MOST_BRANCHES:
                found[one.name] = f"{one.lines} lines, complexity {one.complexity}"
    return found


def test_nothing_new_is_too_large():
    assert {name: size for name, size in too_large().items() if name not in KNOWN} == {}


def test_what_has_become_smaller_is_listed_no_longer():
    assert KNOWN - set(too_large()) == set()

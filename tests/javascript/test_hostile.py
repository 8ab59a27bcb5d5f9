"""Files that were made to break the rules are refused by the JavaScript reader, too, and by its own errors."""

import re
from pathlib import Path

import pytest

from modnet.model import container, stored
from tests.model import hostile

from .conftest import Refused

BY_NAME = "another order"
"""Of arrays: who looks them up by name need not know it (docs/format.md), and does not."""

ERRORS = ("ModelFileError", "NotSupported")


@pytest.mark.parametrize("group", ["files", "models"])
def test_refused(reader, group, tmp_path):
    path, read, wrong = tmp_path / "model.modnet", [], []
    for file in getattr(hostile, group)():
        hostile.put(path, file.content)
        try:
            reader.ask("about", path=path)
            read += [] if file.name == BY_NAME else [f"{file.number} {file.name}"]
        except Refused as error:
            right = error.name in ERRORS and len(str(error)) <= 4000 and str(error).isprintable()
            wrong += [] if right else [(file.number, file.name, error.name, str(error)[:300])]
    assert not wrong
    assert not read, "\n".join(read)


def test_limits_are_those_of_modnet():
    source = Path(__file__).parents[2] / "plugins" / "modnet-reader-js" / "src"
    text = "\n".join((source / name).read_text(encoding="utf-8") for name in ("container.js", "msgpack.js", "graph.js"))
    found = dict(re.findall(r"^const ([A-Z_]+) = ([^;]*);", text, re.MULTILINE))
    limits = [name for name in found if name.endswith(("_LIMIT", "_LENGTH", "ALIGNMENT", "_FOR_A_NODE"))]
    assert len(limits) >= 13
    for name in limits:
        home = stored if hasattr(stored, name) else container
        assert eval(found[name], {"ALIGNMENT": container.ALIGNMENT}) == getattr(home, name), name


def test_the_right_ones_are_read(reader, tmp_path):
    path = tmp_path / "model.modnet"
    hostile.put(path, hostile.assemble(hostile.model(), hostile.PAYLOADS[:1]))
    assert reader.ask("about", path=path)["inputs"] == {"input": [3]}

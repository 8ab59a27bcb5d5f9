"""modnet verify: whether files are whole, and what can still be read of those that are not."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from modnet.model.reader import read_header
from modnet.model.writer import Group, write


@pytest.fixture
def checkpoint(folder):
    """A file with four groups."""
    groups = [
        Group(name, np.arange(6, dtype=np.float32), [("linear_1.weight", 0, (2, 2)), ("linear_1.bias", 4, (2,))])
        for name in ("parameters", "state", "optimizer.mean", "training.float32")
    ]
    write("step.modnet", {"training": {"step": 3, "epoch": 1}}, groups, durable=False)
    return "step.modnet"


def damage(path, *groups):
    """Changes one byte of each of those groups."""
    content = bytearray(Path(path).read_bytes())
    for segment in read_header(path).segments:
        if segment.group in groups:
            content[segment.offset] ^= 1
    Path(path).write_bytes(content)


def test_a_whole_file(run, model):
    size = f"{Path(model).stat().st_size / 1000:.1f} kB"
    assert run("verify", model).stdout == f"pets.modnet   intact: 8 arrays, {size}\n"


def test_what_is_damaged_and_what_can_still_be_read(run, checkpoint):
    damage(checkpoint, "parameters", "optimizer.mean")
    places = {segment.group: segment.offset for segment in read_header(checkpoint).segments}
    assert run("verify", checkpoint, status=1).stdout.splitlines() == [
        "step.modnet   damaged",
        f"  parameters: 24 bytes from byte {places['parameters']} on do not match their checksum, in",
        "    linear_1.weight, linear_1.bias",
        f"  optimizer.mean: 24 bytes from byte {places['optimizer.mean']} on do not match their checksum, in",
        "    linear_1.weight, linear_1.bias",
        "  can still be read: the header; state: linear_1.weight, linear_1.bias;",
        "    training.float32: linear_1.weight, linear_1.bias",
    ]


def test_a_checkpoint_whose_network_is_whole_can_be_saved(run, checkpoint):
    damage(checkpoint, "optimizer.mean")
    shown = " ".join(run("verify", checkpoint, status=1).stdout.split())
    assert "intact: modnet edit step.modnet -o OUT --drop-resume-state saves it" in shown
    run("edit", checkpoint, "-o", "saved.modnet", "--drop-resume-state")
    assert run("verify", "saved.modnet").stdout.startswith("saved.modnet   intact: 4 arrays, ")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content[:-10], "damaged: the file has "),
        (lambda content: content[:40], "damaged: header: the file ends inside the header"),
        (lambda content: content[:20] + b"\xff" + content[21:], "damaged: header: "),
        (lambda content: content + b"x", "damaged: byte "),
    ],
)
def test_a_structure_that_is_broken_is_damage_too(run, checkpoint, change, message):
    Path(checkpoint).write_bytes(change(Path(checkpoint).read_bytes()))
    result = run("verify", checkpoint, status=1)
    assert message in result.stdout
    assert result.stderr == ""


def test_a_checkpoint_that_is_cut_behind_its_network(run, checkpoint):
    segment = next(s for s in read_header(checkpoint).segments if s.group == "optimizer.mean")
    size = Path(checkpoint).stat().st_size
    os.truncate(checkpoint, segment.offset + 3)
    assert run("verify", checkpoint, status=1).stdout.splitlines() == [
        f"step.modnet   damaged: the file has {segment.offset + 3} bytes; its header declares {size} bytes",
        f"  optimizer.mean: 24 bytes from byte {segment.offset} on are not all there, with",
        "    linear_1.weight, linear_1.bias",
        f"  training.float32: 24 bytes from byte {segment.offset + 64} on are not all there, with",
        "    linear_1.weight, linear_1.bias",
        "  intact: the header; parameters: linear_1.weight, linear_1.bias; state:",
        "    linear_1.weight, linear_1.bias",
        "  the network itself is intact: modnet edit step.modnet -o OUT",
        "    --drop-resume-state saves it",
    ]
    run("edit", checkpoint, "-o", "saved.modnet", "--drop-resume-state")
    assert run("verify", "saved.modnet").stdout.startswith("saved.modnet   intact: 4 arrays, ")


def test_several_files_are_all_looked_at_and_the_worst_is_the_status(run, model, checkpoint):
    damage(checkpoint, "state")
    result = run("verify", checkpoint, model, status=1)
    assert [line.split("   ")[0] for line in result.stdout.splitlines() if line[0] != " "] == [checkpoint, model]
    result = run("verify", "nothing.modnet", "pets.csv", checkpoint, model, status=2)
    assert "error: nothing.modnet: no such file or directory\n" in result.stderr
    assert "error: pets.csv: this is a text file" in result.stderr
    assert [line.split("   ")[0] for line in result.stdout.splitlines() if line[0] != " "] == [checkpoint, model]


def test_a_newer_format_is_not_called_damage(run, model):
    content = bytearray(Path(model).read_bytes())
    content[8] = 2
    Path(model).write_bytes(content)
    result = run("verify", model, status=2)
    assert "format version 2, this modnet reads up to 1" in result.stderr
    assert result.stdout == ""


def test_json(run, model, checkpoint):
    damage(checkpoint, "state")
    damaged, whole, missing = json.loads(run("verify", checkpoint, model, "no.modnet", "--json", status=2).stdout)
    assert (damaged["file"], damaged["whole"], damaged["error"]) == (checkpoint, False, None)
    found = read_header(checkpoint)
    assert (damaged["id"], damaged["bytes"]) == (found.id.hex(), found.size)
    assert [(row["group"], row["whole"]) for row in damaged["segments"]] == [
        ("parameters", True),
        ("state", False),
        ("optimizer.mean", True),
        ("training.float32", True),
    ]
    assert damaged["segments"][1] == {
        "group": "state",
        "offset": found.segments[1].offset,
        "bytes": 24,
        "whole": False,
        "missing": False,
        "arrays": ["linear_1.weight", "linear_1.bias"],
    }
    assert (whole["whole"], whole["error"]) == (True, None)
    assert (missing["whole"], missing["segments"]) == (None, [])
    assert missing["error"] == "no such file or directory"


def test_which_model_it_has_to_be(run, model):
    id = read_header(model).id.hex()
    for text in (id, id[:8], id[:20].upper()):
        assert "intact" in run("verify", model, "--id", text).stdout
    shown = " ".join(run("verify", model, "--id", "0" * 8, status=1).stdout.split())
    assert f"intact: 8 arrays, 4.5 kB this is another model: its id is {id}, expected 00000000" in shown.replace(
        f"{Path(model).stat().st_size / 1000:.1f}", "4.5"
    )
    (found,) = json.loads(run("verify", model, "--id", "0" * 8, "--json", status=1).stdout)
    assert (found["whole"], found["id"], found["error"]) == (
        True,
        id,
        f"this is another model: its id is {id}, expected 00000000",
    )


def test_what_is_no_id_and_whose_it_is(run, model):
    assert "--id: expected 8 to 64 hexadecimal digits" in run("verify", model, "--id", "xyz", status=2).output
    assert "--id: it is that of one model; 2 are given" in run("verify", model, model, "--id", "0" * 8, status=2).output

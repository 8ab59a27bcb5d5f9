"""Figures in a model file: plain values while they are few, arrays where they are many."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import modnet
from modnet.errors import MalformedFile, ModelFileError
from modnet.model import container, figures
from modnet.model.edit import edit
from modnet.model.reader import read, read_header
from modnet.model.writer import Group, write

SPEC = {"network": {"input": [3], "layers": [{"type": "linear", "out_features": 2}, "softmax"]}}


def network(**attributes):
    made = modnet.build(SPEC)
    made.card = made.card.replace(**attributes)
    return made


def long_history(epochs=figures.PLAIN_LIMIT):
    return {
        "loss": [1.0 / epoch for epoch in range(1, epochs)] + [math.nan],
        "confusion_matrix": [[[epoch, 2], [3, 2**40]] for epoch in range(epochs)],
        "validation_loss": [2.0] * epochs,
    }


def plain(history):
    return {name: column.tolist() if isinstance(column, np.ndarray) else column for name, column in history.items()}


def test_a_history_that_is_short_stands_in_the_header(tmp_path):
    half = figures.PLAIN_LIMIT // 2
    modnet.save(network(history={"a": [0.5] * half, "b": [1] * half}), tmp_path / "m.modnet")
    found = read_header(tmp_path / "m.modnet")
    assert list(found.groups) == ["parameters", "state"]
    assert len(found.header["history"]["b"]) == half


def test_a_long_history_stands_in_arrays(tmp_path):
    path = tmp_path / "m.modnet"
    modnet.save(network(history=long_history()), path)
    found = read_header(path)
    assert found.header["history"] == {}
    assert [(view.group, view.name, view.shape) for view in found.views[2:]] == [
        ("history.float64", "loss", (20_000,)),
        ("history.float64", "validation_loss", (20_000,)),
        ("history.int64", "confusion_matrix", (20_000, 2, 2)),
    ]
    for options in ({}, {"mmap": True}, {"verify": False}):
        loaded = modnet.load(path, **options).card.history.figures
        assert json.dumps(plain(loaded), sort_keys=True) == json.dumps(long_history(), sort_keys=True)
        assert type(loaded["loss"]) is list, "a column of numbers is one whether it is long or short"
        assert isinstance(loaded["confusion_matrix"], np.ndarray), "lists in lists would take ten times the memory"
    before = path.read_bytes()
    modnet.save(modnet.load(path), path)
    assert path.read_bytes() == before


def test_many_figures_of_the_end_stand_in_arrays(tmp_path):
    path = tmp_path / "m.modnet"
    matrix = [[row * column for column in range(800)] for row in range(800)]  # more than a header may have
    modnet.save(network(metrics={"accuracy": 0.5, "confusion_matrix": matrix}), path)
    metrics = modnet.load(path).card.metrics
    assert read_header(path).header["metrics"] == {"accuracy": 0.5}
    assert metrics["accuracy"] == 0.5
    np.testing.assert_array_equal(metrics["confusion_matrix"], matrix)
    shorter = modnet.load(path)
    shorter.card = shorter.card.replace(metrics={"rows": shorter.card.metrics["confusion_matrix"][:2]})
    modnet.save(shorter, path)
    assert read_header(path).header["metrics"] == {"rows": matrix[:2]}, "what has become short is plain again"


def test_what_is_no_array_of_numbers_stays_in_the_header(tmp_path):
    path = tmp_path / "m.modnet"
    odd = {"words": ["a", "b"], "ragged": [[1], [2, 3]], "flags": [True, False], "huge": [2**64 - 1, 1], "empty": []}
    modnet.save(network(history={**long_history(), **odd}), path)
    assert read_header(path).header["history"] == odd
    assert {name: modnet.load(path).card.history.figures[name] for name in odd} == odd


def test_who_knows_the_header_alone_loses_the_history_and_nothing_else(tmp_path):
    """A version of modnet that did not know of these groups reads the file."""
    path = tmp_path / "m.modnet"
    modnet.save(network(history=long_history()), path)
    contents = read(path, only=container.NETWORK_GROUPS)
    assert contents.header["history"] == {}
    assert contents.header["features"] == []


@pytest.mark.parametrize(
    ("group", "history", "what"),
    [
        (Group("history.int64", np.zeros(2), [("loss", 0, (2,))]), {}, "the dtype is float64"),
        (Group("history.float64", np.zeros(2), [("loss", 0, (2,))]), {"loss": [1.0]}, "that are not in the header"),
        (Group("metrics.float64", np.zeros(1), [("loss", 0, ())]), {}, "with a value for each epoch"),
        (Group("history.int64", np.zeros(9, int), [("a", 0, (9, 1, 1))]), {}, "more lists than numbers"),
        (Group("history.int64", np.zeros(0, int), [("a", 0, (9, 0))]), {}, "more lists than numbers"),
    ],
)
def test_groups_that_make_no_sense_are_refused(group, history, what, tmp_path):
    path = tmp_path / "m.modnet"
    modnet.save(network(), path)
    contents = read(path)
    groups = [Group(name, found.flat, found.layout) for name, found in contents.groups.items()]
    write(path, {**contents.header, "history": history}, [*groups, group])
    with pytest.raises(MalformedFile, match=what):
        modnet.load(path)


def test_dropping_the_history_drops_its_arrays(tmp_path):
    path = tmp_path / "m.modnet"
    modnet.save(network(history=long_history(), metrics={"loss": 1.0}), path)
    edit(path, path, drop_history=True)
    assert list(read_header(path).groups) == ["parameters", "state"]
    assert modnet.load(path).card.history == {}


def test_renaming_an_output_renames_its_figures_in_arrays_too(tmp_path):
    layers = [{"type": "linear", "out_features": 1, "name": name, "inputs": ["input"]} for name in ("kind", "size")]
    spec = {
        "network": {"input": [3], "layers": layers, "outputs": ["kind", "size"]},
        "training": {"loss": {"kind": "mse", "size": "mse"}},
    }
    made = modnet.build(spec)
    made.card = made.card.replace(
        history={"kind_loss": [0.5] * 15_000, "validation_kind_loss": [0.5] * 15_000, "size_loss": [1.0] * 15_000}
    )
    modnet.save(made, tmp_path / "m.modnet")
    edit(tmp_path / "m.modnet", tmp_path / "n.modnet", rename={"kind": "sort"})
    assert list(modnet.load(tmp_path / "n.modnet").card.history) == ["sort_loss", "validation_sort_loss", "size_loss"]


def test_a_run_goes_on_from_a_checkpoint_with_a_long_history(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "PLAIN_LIMIT", 20)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((12, 3)), np.arange(12) % 2
    options = {"loss": "cross_entropy", "metrics": ["accuracy", "confusion_matrix"]}
    checkpoints = {"type": "checkpoint", "directory": str(tmp_path / "run"), "keep": 1}
    whole, part = modnet.build(SPEC), modnet.build(SPEC)
    modnet.train(whole, x, y, epochs=9, **options)
    modnet.train(part, x, y, epochs=6, callbacks=[checkpoints], **options)
    (checkpoint,) = (tmp_path / "run").iterdir()
    assert "history.int64" in read_header(checkpoint).groups
    modnet.train(part, x, y, epochs=9, callbacks=[checkpoints], resume=tmp_path / "run", **options)
    for made, name in ((whole, "whole"), (part, "part")):
        modnet.save(made, tmp_path / f"{name}.modnet")
    assert (tmp_path / "whole.modnet").read_bytes() == (tmp_path / "part.modnet").read_bytes()


# What save accepts, load opens

NUMBERS = st.one_of(st.integers(-(2**63), 2**64 - 1), st.floats(), st.booleans(), st.none(), st.text(max_size=5))
VALUES = st.recursive(
    NUMBERS,
    lambda inner: st.one_of(st.lists(inner, max_size=8), st.dictionaries(st.text(max_size=4), inner, max_size=4)),
    max_leaves=20,
)
COLUMNS = st.one_of(VALUES, st.lists(st.floats() | st.integers(0, 2**65), max_size=60))
FIGURES = st.dictionaries(st.text(max_size=6), COLUMNS, max_size=4)
LIMITS = [
    ("container.VALUE_LIMIT", 300),
    ("container.DEPTH_LIMIT", 12),
    ("container.HEADER_LIMIT", 1700),
    ("container.NAME_LIMIT", 26),
    ("stored.NODE_LIMIT", 6),
    ("stored.COMPONENTS_FOR_A_NODE", 1),
    ("figures.PLAIN_LIMIT", 5),
]


def nested(layers, depth):
    for _ in range(depth):
        layers = [{"type": "residual", "layers": layers}]
    return layers


@settings(max_examples=100, deadline=None)
@given(
    layers=st.integers(1, 12),
    name=st.integers(1, 12),
    depth=st.integers(0, 4),
    history=FIGURES,
    metrics=FIGURES,
    metadata=st.one_of(FIGURES, VALUES),
    seed=st.sampled_from([0, 2**64 - 1]),
    limit=st.none() | st.sampled_from(LIMITS),
)
def test_what_save_accepts_load_opens(tmp_path_factory, layers, name, depth, history, metrics, metadata, seed, limit):
    table = {"type": "linear", "out_features": 2}
    inner = [{**table, "name": "n" * name}, *[table] * (layers - 1)]
    spec = {"network": {"input": [2], "layers": nested(inner, depth)}, "training": {"loss": "mse", "seed": seed}}
    made = modnet.build(spec)
    made.card = made.card.replace(history=history, metrics=metrics, metadata=metadata)
    path = tmp_path_factory.getbasetemp() / "accepted.modnet"
    path.unlink(missing_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("modnet.model.stored.BYTES_FOR_A_NODE", 1 << 20)
        if limit is not None:
            patch.setattr(f"modnet.model.{limit[0]}", limit[1])
            if limit[0] == "stored.COMPONENTS_FOR_A_NODE":
                patch.setattr("modnet.model.stored.NODE_LIMIT", 12)
        try:
            modnet.save(made, path)
        except ModelFileError:
            assert not path.exists()
            return
        loaded = modnet.load(path)
    x = np.ones((2, 2))
    np.testing.assert_array_equal(loaded.predict(x), made.predict(x))
    assert loaded.card.training.seed == seed
    assert loaded.card.history.keys() == history.keys()
    assert loaded.card.metrics.keys() == metrics.keys()

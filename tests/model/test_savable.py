"""Whether a network can be saved is known before there is anything to lose."""

from __future__ import annotations

import pytest

import modnet
from modnet.data.column_schema import ColumnSchema
from modnet.data.schema import DataSchema
from modnet.errors import SpecError
from modnet.model import container, figures
from modnet.model.save import require_savable


def spec(layers, **training):
    return {"network": {"input": [2], "layers": layers}, "training": {"loss": "mse", **training}}


def nested(layers, depth):
    for _ in range(depth):
        layers = [{"type": "residual", "layers": layers}]
    return layers


LINEAR = {"type": "linear", "out_features": 2}


def test_an_ordinary_network_can_be_saved(tmp_path):
    made = modnet.build(spec([LINEAR], seed=2**64 - 1))
    require_savable(made, ["loss", "validation_loss"])
    assert not list(tmp_path.iterdir())
    assert made.card.history == {}


@pytest.mark.parametrize(
    ("layers", "training", "path", "message"),
    [
        (nested([LINEAR], 30), {}, "network.layers[0]", "nested more than 64 deep"),
        ([LINEAR, {**LINEAR, "name": "n" * 506}], {}, "network.layers[1]", "its array weight has 513 bytes"),
        (
            [{"type": "repeat", "count": 10_000, "layers": ["relu"]}, "relu"],
            {},
            "network.layers",
            "has 10,001 nodes; a file with arrays of 0 bytes may have 10,000",
        ),
    ],
    ids=["nesting", "name", "nodes"],
)
def test_what_no_file_can_hold_is_refused_with_its_place(layers, training, path, message, tmp_path):
    made = modnet.build(spec(layers, **training))
    with pytest.raises(SpecError) as caught:
        require_savable(made, ["loss"])
    (problem,) = caught.value.problems
    assert problem.path == path
    assert message in problem.message
    with pytest.raises(modnet.ModelFileError):
        modnet.save(made, tmp_path / "m.modnet")


@pytest.mark.parametrize(("name", "value"), [("seed", 2**64), ("batch_size", 2**70)])
def test_whole_numbers_of_a_spec_have_64_bits(name, value):
    with pytest.raises(SpecError, match=rf"training\.{name}: expected a whole number >= \d of 64 bits, found {value}"):
        modnet.build(spec([LINEAR], **{name: value}))


def test_a_column_with_too_many_categories_is_refused_by_its_part_of_the_header():
    made = modnet.build(spec([LINEAR]))
    names = tuple(map(str, range(container.VALUE_LIMIT)))
    made.card = made.card.replace(schema=DataSchema({}, {"linear_1": (ColumnSchema("city", "category", names),)}))
    with pytest.raises(
        SpecError, match=r"more than 500000 values, which is the limit; \d+ of its \d+ bytes are in schema"
    ):
        require_savable(made)


def test_there_is_room_for_the_history_that_will_be(monkeypatch):
    made = modnet.build(spec([LINEAR]))
    require_savable(made, ["loss"])
    monkeypatch.setattr(container, "VALUE_LIMIT", figures.PLAIN_LIMIT)
    with pytest.raises(SpecError, match="are in history"):
        require_savable(made, ["loss"])


def test_a_figure_whose_name_no_array_can_have_is_refused():
    made = modnet.build(spec([LINEAR]))
    with pytest.raises(SpecError, match="longer than 512 bytes"):
        require_savable(made, ["validation_" + "n" * 502])


def test_what_could_be_written_and_not_be_loaded_is_refused(monkeypatch):
    monkeypatch.setattr("modnet.model.stored.NODE_LIMIT", 4)
    monkeypatch.setattr("modnet.model.stored.BYTES_FOR_A_NODE", 1 << 20)
    monkeypatch.setattr("modnet.model.stored.COMPONENTS_FOR_A_NODE", 1)
    made = modnet.build(spec([LINEAR, LINEAR, LINEAR]))
    with pytest.raises(SpecError, match="it could not be loaded again: there are more components than the limit of 4"):
        require_savable(made)

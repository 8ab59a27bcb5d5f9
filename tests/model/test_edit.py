"""Editing model files: save, edit, load, predict; also files whose plugins are not here."""

import math
import os
import tracemalloc
from contextlib import suppress
from functools import partial

import numpy as np
import pytest

import modnet
from modnet.model import container
from modnet.model.edit import edit
from modnet.model.header import Header
from modnet.model.reader import read, read_header
from modnet.model.writer import Group, write

SPEC = {
    "network": {
        "input": {"a": [4], "b": [3]},
        "layers": [
            {"type": "standardize", "inputs": ["a"]},
            {"type": "linear", "out_features": 6, "activation": "prelu"},
            {"type": "residual", "layers": ["batch_norm", {"type": "linear", "out_features": 6}]},
            {"type": "linear", "out_features": 6, "shares": "linear_1", "inputs": ["standardize_1"]},
            {"type": "linear", "out_features": 6, "inputs": ["b"], "activation": "relu"},
            {"type": "add", "inputs": ["linear_2", "residual_1", "relu_1"]},
            {"type": "linear", "out_features": 2, "name": "size"},
            {"type": "linear", "out_features": 3, "inputs": ["add_1"]},
            {"type": "softmax", "name": "kind"},
        ],
        "outputs": ["size", "kind"],
    },
    "training": {
        "loss": {"size": "mse", "kind": "cross_entropy"},
        "metrics": {"kind": ["accuracy"]},
        "epochs": 2,
    },
}
X = {"a": np.random.default_rng(1).standard_normal((5, 4)), "b": np.random.default_rng(2).standard_normal((5, 3))}


@pytest.fixture(scope="module")
def network():
    network = modnet.build(SPEC, seed=1)
    rng = np.random.default_rng(0)
    x = {"a": rng.standard_normal((40, 4)) * 3 + 1, "b": rng.standard_normal((40, 3))}
    y = {"size": rng.standard_normal((40, 2)), "kind": rng.integers(0, 3, 40)}
    modnet.train(network, x, y, validation=0.25)
    network.card = network.card.replace(metadata={"author": "Ada"})
    return network


@pytest.fixture
def model(network, tmp_path):
    path = tmp_path / "model.modnet"
    modnet.save(network, path)
    return path


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.modnet"


def predictions(network):
    return {name: value.tobytes() for name, value in network.predict(X).items()}


def rewritten(path, groups=(), **changes):
    """The file with other header values and further groups."""
    contents = read(path)
    own = [Group(name, group.flat, group.layout) for name, group in contents.groups.items()]
    header = {**contents.header, **changes}
    write(path, header, [*own, *groups])
    return path


def as_checkpoint(path):
    """The file as a run would leave it to go on from."""
    flat = np.arange(8, dtype=np.float32)
    groups = [
        Group("optimizer.mean", flat, [("linear_1.weight", 0, (8,))]),
        Group("training.int64", np.arange(3), [("training.order", 0, (3,))]),
    ]
    return rewritten(path, groups, training={"step": 4800, "epoch": 12})


# Dropping


def test_a_checkpoint_becomes_the_model_that_would_have_been_saved(model, out):
    before = model.read_bytes()
    as_checkpoint(model)
    edit(model, out, drop_resume_state=True)
    assert out.read_bytes() == before


def test_a_model_is_changed_in_place(model, network):
    edit(model, model, drop_history=True)
    assert modnet.load(model).card.history == {}
    assert modnet.load(model).card.metrics == network.card.metrics
    assert predictions(modnet.load(model)) == predictions(network)


def test_damage_in_what_is_dropped_does_not_matter_and_elsewhere_is_refused(model, out):
    before = model.read_bytes()
    offset = next(v.offset for v in read_header(as_checkpoint(model)).views if v.group == "optimizer.mean")
    content = bytearray(model.read_bytes())
    content[offset] ^= 1
    model.write_bytes(content)
    with pytest.raises(modnet.errors.ChecksumMismatch, match=r"optimizer\.mean: the arrays do not match"):
        edit(model, out, metadata={"a": "b"})
    assert not out.exists()
    edit(model, out, drop_resume_state=True)
    assert out.read_bytes() == before


def test_a_checkpoint_that_is_cut_in_what_is_dropped_is_saved(model, out):
    before = model.read_bytes()
    segment = next(s for s in read_header(as_checkpoint(model)).segments if s.group == "optimizer.mean")
    os.truncate(model, segment.offset + 3)
    with pytest.raises(modnet.errors.Truncated, match="its header declares"):
        edit(model, out, metadata={"a": "b"})
    edit(model, out, drop_resume_state=True)
    assert out.read_bytes() == before
    os.truncate(model, segment.offset - 64)
    with pytest.raises(modnet.errors.Truncated, match="its header declares"):
        edit(model, out, drop_resume_state=True)
    assert out.read_bytes() == before


@pytest.mark.parametrize("change", [{"drop_history": True}, {"cast": "float64"}, {"rename": {"size": "length"}}])
def test_a_checkpoint_is_not_made_one_that_cannot_go_on(model, out, change):
    as_checkpoint(model)
    with pytest.raises(modnet.ModelFileError, match="this is a checkpoint, and its run could not be resumed"):
        edit(model, out, **change)
    edit(model, out, **change, drop_resume_state=True)
    assert [name for name in read(out).groups if name not in ("parameters", "state")] == []


def test_unknown_header_keys_and_groups_stay(model, out):
    extra = Group("plugin.table", np.arange(4, dtype=np.int16), [("rows", 0, (2, 2))])
    rewritten(model, [extra], plugin={"key": [1, None, math.inf]})
    edit(model, out, drop_resume_state=True, drop_history=True, cast="float64", rename={"linear_1": "first"})
    contents = read(out)
    assert contents.header["plugin"] == {"key": [1, None, math.inf]}
    assert contents.groups["plugin.table"].views["rows"].tolist() == [[0, 1], [2, 3]]
    assert contents.groups["plugin.table"].flat.dtype == np.int16
    assert modnet.load(out).predict(X)["kind"].dtype == np.float64


# Large files


@pytest.mark.parametrize("cast", [None, "float16", "float64"])
def test_several_segments_and_chunks(model, out, cast, monkeypatch):
    edit(model, out, cast=cast, metadata={"a": 1})
    expected, contents = read(out), read(model)
    monkeypatch.setattr(container, "SEGMENT_LIMIT", 100)
    monkeypatch.setattr(container, "CHUNK_LENGTH", 24)
    cut = out.with_name("cut")
    write(cut, contents.header, [Group(name, group.flat, group.layout) for name, group in contents.groups.items()])
    assert len(read_header(cut).segments) > 6
    edit(cut, out, cast=cast, metadata={"a": 1})
    found = read(out)
    assert found.header == expected.header
    for name, group in expected.groups.items():
        assert found.groups[name].flat.tobytes() == group.flat.tobytes()
        assert found.groups[name].layout == group.layout


@pytest.mark.parametrize("change", [{"metadata": {"a": 1}}, {"cast": "float16"}, {"cast": "float64"}])
def test_memory_does_not_grow_with_the_file(tmp_path, out, change):
    flat = np.ones(40 << 20, np.float32)
    write(
        tmp_path / "large", {"spec": {"network": {"layers": []}}}, [Group("parameters", flat, [("w", 0, flat.shape)])]
    )
    tracemalloc.start()
    try:
        edit(tmp_path / "large", out, **change)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < flat.nbytes * 0.75


# Arrays of other files


@pytest.fixture
def other(tmp_path):
    path = tmp_path / "other.modnet"
    modnet.save(modnet.build(SPEC, seed=7), path)
    return path


@pytest.mark.parametrize("chunk", [20, 4 << 20])
def test_arrays_of_nodes_are_taken_from_another_file(model, other, out, network, chunk, monkeypatch):
    networks = {path: modnet.load(path) for path in (model, other)}
    monkeypatch.setattr(container, "CHUNK_LENGTH", chunk)
    for path, loaded in networks.items():
        modnet.save(loaded, path)  # with digests of such chunks
    edit(model, out, take={"linear_1": other, "residual_1": other})
    merged, theirs = modnet.load(out), modnet.load(other)
    for ours, wanted, again in (
        (network.parameters, theirs.parameters, merged.parameters),
        (network.state, theirs.state, merged.state),
    ):
        for name in ours:
            source = wanted if name.split(".")[0] in ("linear_1", "residual_1") else ours
            assert again[name].tobytes() == source[name].tobytes(), name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"linear_9": "size"}, 'take: no node with arrays is called "linear_9"; did you mean "linear_'),
        ({"linear_1": "shape"}, "take: linear_1.weight is (4, 5) float32 in {other}, and (4, 6) float32 here"),
        ({"linear_1": "dtype"}, "take: linear_1.weight is (4, 6) float64 in {other}, and (4, 6) float32 here"),
        ({"linear_1": "name"}, "take: linear_1.weight is missing in {other}, and (4, 6) float32 here"),
    ],
)
def test_arrays_that_do_not_fit(model, other, out, change, message):
    ((node, fault),) = change.items()
    spec = {"network": {"input": [4], "layers": [{"type": "linear", "out_features": 5}]}}
    if fault == "shape":
        modnet.save(modnet.build(spec), other)
    elif fault == "dtype":
        edit(other, other, cast="float64")
    elif fault == "name":
        edit(other, other, rename={"linear_1": "first"})
    with pytest.raises(modnet.ModelFileError) as caught:
        edit(model, out, take={node: other})
    assert message.format(other=other) in str(caught.value)
    assert not out.exists()


def test_what_is_taken_has_to_be_sound(model, other, out):
    content = bytearray(other.read_bytes())
    content[read_header(other).segments[0].offset] ^= 1
    other.write_bytes(content)
    with pytest.raises(modnet.errors.ChecksumMismatch, match=r"other\.modnet: parameters: the arrays do not match"):
        edit(model, out, take={"linear_1": other})


def test_a_file_takes_from_itself(model):
    before = model.read_bytes()
    edit(model, model, take={"linear_1": model})
    assert model.read_bytes() == before


# Metadata


def test_metadata_is_set_and_removed(model, out):
    edit(model, out, metadata={"licence": "MIT", "runs": 3}, remove_metadata=["author"])
    assert modnet.load(out).card.metadata == {"licence": "MIT", "runs": 3}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"remove_metadata": ["autor"]}, 'metadata: no entry is called "autor"; did you mean "author"?'),
        ({"metadata": {"a": object()}}, "header.metadata.a: builtins.object is not a plain value"),
    ],
)
def test_metadata_that_cannot_be(model, out, change, message):
    with pytest.raises(modnet.ModelFileError) as caught:
        edit(model, out, **change)
    assert message in str(caught.value)
    assert not out.exists()


# Types of numbers


def test_cast_to_float64_and_back(model, network, out):
    edit(model, out, cast="float64")
    wide = modnet.load(out)
    assert wide.dtype == np.float64
    for name, value in wide.predict(X).items():
        assert value.dtype == np.float64
        np.testing.assert_allclose(value, network.predict(X)[name], rtol=1e-4, atol=1e-6)
    edit(out, out, cast="float32")
    assert out.read_bytes() == model.read_bytes()


def test_float16_halves_the_parameters_and_leaves_state_and_spec(model, network, out):
    edit(model, out, cast="float16")
    groups = read(out).groups
    assert groups["parameters"].flat.dtype == np.float16
    assert (groups["parameters"].flat == network.parameters.flat.astype(np.float16)).all()
    assert groups["state"].flat.tobytes() == network.state.flat.tobytes()
    assert read_header(out).header == read_header(model).header
    other = modnet.build(SPEC, seed=2)
    modnet.load_parameters(other, out)
    for name, value in other.predict(X).items():
        np.testing.assert_allclose(value, network.predict(X)[name], rtol=0.01, atol=0.01)


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_float16_becomes_what_the_network_computes_in(model, out, dtype, mmap):
    edit(model, model, cast=dtype)
    edit(model, out, cast="float16")
    loaded = modnet.load(out, mmap=mmap)
    assert (loaded.dtype, loaded.parameters.dtype) == (dtype, dtype)
    for name, value in loaded.predict(X).items():
        np.testing.assert_allclose(value, modnet.load(model).predict(X)[name], rtol=0.01, atol=0.01)


@pytest.mark.parametrize(("value", "cast"), [(65520.0, "float16"), (-1e39, "float32")])
def test_numbers_that_would_become_infinite_are_refused_by_name(model, out, value, cast):
    edit(model, model, cast="float64")
    network = modnet.load(model)
    network.parameters["size.bias"] = [value, 0.0]
    modnet.save(network, model)
    with pytest.raises(modnet.ModelFileError, match=rf"the maximum of {cast}, in size\.bias; choose a wider type"):
        edit(model, out, cast=cast)
    assert not out.exists()


def test_what_is_infinite_already_is_cast(model, out):
    network = modnet.load(model)
    network.parameters["size.bias"] = [math.inf, math.nan]
    modnet.save(network, model)
    edit(model, out, cast="float16")
    assert str(read(out).groups["parameters"].views["size.bias"].tolist()) == "[inf, nan]"


def test_an_unknown_type_of_numbers(model, out):
    with pytest.raises(modnet.ModelFileError, match='expected float16, float32 or float64, found "int8"'):
        edit(model, out, cast="int8")


# Names


def test_nodes_have_the_names_that_the_network_gives_them(model, network):
    header = Header.parse(read_header(model).header)
    built = list(dict.fromkeys(node.name.partition(".")[0] for node in network.graph.nodes))
    assert [node.name for node in header.stored_nodes()] == built
    before = header.replace(spec={"network": header.spec.network})
    assert [node.name for node in before.stored_nodes()] == built


@pytest.mark.parametrize(
    ("layers", "names"),
    [
        (["relu", {"type": "linear", "activation": "relu"}, "relu"], ["relu_1", "linear_1", "relu_2", "relu_3"]),
        ([{"type": "linear", "name": "linear_2"}, "linear", "linear"], ["linear_2", "linear_1", "linear_3"]),
        ([{"type": "lstm", "activation": True}], ["lstm_1"]),
    ],
)
def test_automatic_names(layers, names):
    header = Header.parse({"spec": {"network": {"layers": layers}}})
    assert [node.name for node in header.stored_nodes()] == names


@pytest.mark.parametrize(
    "rename",
    [
        {"linear_1": "first"},
        {"linear_3": "third", "linear_4": "fourth"},
        {"residual_1": "block", "add_1": "sum", "standardize_1": "scale"},
        {"linear_1": "linear_3", "linear_3": "linear_1"},
        {"size": "kind", "kind": "size"},
        {"size": "linear_9", "kind": "relu-kind"},
    ],
    ids=str,
)
def test_renamed_nodes_compute_the_same(model, network, out, rename):
    edit(model, out, rename=rename)
    renamed = modnet.load(out)
    paths = [node.name.split(".") for node in network.graph.nodes]
    assert [node.name for node in renamed.graph.nodes] == [".".join([rename.get(p[0], p[0]), *p[1:]]) for p in paths]
    expected = predictions(network)
    assert predictions(renamed) == {rename.get(name, name): value for name, value in expected.items()}
    edit(out, out, rename={new: old for old, new in rename.items()})
    assert predictions(modnet.load(out)) == expected
    assert list(read(out).groups["parameters"].views) == list(network.parameters)


def test_what_is_said_of_an_output_follows_its_name(model, network, out):
    edit(model, out, rename={"size": "length"})
    renamed = modnet.load(out)
    assert list(renamed.graph.outputs) == ["length", "kind"]
    assert list(renamed.card.training.loss) == ["length", "kind"]
    assert [name for name in renamed.card.history if "length" in name] == ["length_loss", "validation_length_loss"]
    assert list(renamed.card.history["length_loss"]) == list(network.card.history["size_loss"])
    assert set(renamed.card.metrics) == {name.replace("size", "length") for name in network.card.metrics}
    rng = np.random.default_rng(0)
    y = {"length": rng.standard_normal((5, 2)), "kind": rng.integers(0, 3, 5)}
    assert modnet.train(renamed, X, y, epochs=1).epochs == 1


def test_only_what_owes_its_name_to_the_old_one_is_named(model, out):
    edit(model, out, rename={"linear_2": "second"})
    layers = read_header(out).header["spec"]["network"]["layers"]
    found = [layer["name"] for layer in layers if "name" in layer]
    assert found == ["second", "linear_3", "size", "linear_4", "kind"]


@pytest.mark.parametrize(
    ("rename", "message"),
    [
        ({"liner_1": "x"}, 'no node of network.layers is called "liner_1"; did you mean "linear_1"?'),
        ({"relu_1": "x"}, '"relu_1" is the activation of another node and cannot be named'),
        ({"residual_1.linear_1": "x"}, '"residual_1.linear_1" is inside a composite'),
        ({"linear_1": "size"}, 'the name "size" is already used'),
        ({"linear_1": "a"}, 'the name "a" is already used'),
        ({"linear_1": "x", "linear_2": "x"}, 'the name "x" is already used'),
        ({"linear_1": "x.y"}, 'a name consists of letters, digits, _ and -; found "x.y"'),
    ],
)
def test_names_that_cannot_be(model, out, rename, message):
    with pytest.raises(modnet.ModelFileError) as caught:
        edit(model, out, rename=rename)
    assert message in str(caught.value)
    assert not out.exists()


def test_an_activation_never_changes_its_name(tmp_path, out):
    layers = ["relu", {"type": "linear", "out_features": 2, "activation": "relu"}]
    modnet.save(modnet.build({"network": {"input": [2], "layers": layers}}), tmp_path / "model")
    with pytest.raises(modnet.ModelFileError, match='this would also rename "relu_2", the activation of another node'):
        edit(tmp_path / "model", out, rename={"relu_1": "first"})


# Files whose plugins are not here


CELL = """
import modnet
from modnet.initializers import Ones

class Cell(modnet.Layer, type="cell"):
    activation: modnet.Activation
    def parameters(self, *input_shapes):
        return {"scale": modnet.Parameter(input_shapes[0], Ones())}
    def output_shape(self, *input_shapes):
        return input_shapes[0]
    def forward(self, context, *inputs):
        return context.params["scale"] * inputs[0]
"""


@pytest.fixture
def with_cell(environment):
    """with_cell(path, *layers) saves a network with a layer of a plugin, which has a field `activation` of its own."""
    environment.install("modnet-cell", CELL, layers={"cell": "Cell"})

    def with_cell(path, *further):
        layers = [{"type": "cell", "activation": "tanh"}, {"type": "linear", "out_features": 3}, *further]
        network = modnet.build({"network": {"input": [3], "layers": layers}}, registry=environment.registry)
        modnet.save(network, path, registry=environment.registry)
        return network

    return with_cell


def test_a_file_of_a_plugin_that_is_not_installed(tmp_path, with_cell, environment, registry, out):
    network = with_cell(tmp_path / "model")
    edit(tmp_path / "model", out, cast="float64", rename={"cell_1": "gate"}, metadata={"a": "b"}, drop_history=True)
    with pytest.raises(modnet.NotInstalled):
        modnet.load(out, registry=registry)
    loaded = modnet.load(out, registry=environment.registry)
    assert set(loaded.parameters) == {"gate.scale", "linear_1.weight", "linear_1.bias"}
    np.testing.assert_allclose(loaded.predict(np.ones((1, 3))), network.predict(np.ones((1, 3))), rtol=1e-5)


def test_a_file_tells_the_names_that_else_only_the_plugin_knows(tmp_path, with_cell, environment, out):
    with_cell(tmp_path / "model", "tanh")
    edit(tmp_path / "model", out, rename={"linear_1": "x"})
    assert read_header(out).header["spec"]["nodes"] == [["cell_1"], ["x"], ["tanh_1"]]
    assert modnet.load(out, registry=environment.registry).graph.names == [["cell_1"], ["x"], ["tanh_1"]]


def test_names_that_only_the_plugin_knows_are_not_guessed_for_a_file_from_before(tmp_path, with_cell, out):
    with_cell(tmp_path / "model", "tanh")
    spec = {"network": read_header(tmp_path / "model").header["spec"]["network"]}
    rewritten(tmp_path / "model", spec=spec)
    with pytest.raises(modnet.ModelFileError, match='names of "tanh" nodes depend on "cell"'):
        edit(tmp_path / "model", out, rename={"linear_1": "x"})


# Files that make no sense


@pytest.mark.parametrize(
    ("change", "request_", "message"),
    [
        ({"spec": None}, {"cast": "float64"}, "spec: there is no network in it"),
        ({"spec": {"network": {"layers": 7}}}, {"rename": {"a": "b"}}, "network.layers: expected a list of nodes"),
        ({"spec": {"network": {"layers": [7]}}}, {"rename": {"a": "b"}}, "layers[0]: expected a table with a type"),
        (
            {"spec": {"network": {"layers": ["relu"]}}},
            {"rename": {"relu_1": "b"}},
            'the array "linear_1.weight" does not belong to a node of the spec',
        ),
        ({"metadata": [1]}, {"metadata": {"a": "b"}}, "metadata: expected a map, found [1]"),
        ({"features": ["sparse"]}, {"metadata": {"a": "b"}}, "needs a newer modnet-core: it uses sparse"),
    ],
)
def test_a_header_that_makes_no_sense_is_refused(model, out, change, request_, message):
    with pytest.raises(modnet.ModelFileError) as caught:
        edit(rewritten(model, **change), out, **request_)
    assert message in str(caught.value)
    assert not out.exists()


NONSENSE = [None, True, -1, 1.5, "x", [], [1], [[]], [{}], {}, {"a": 1}, {"type": 3}, [{"type": []}], ["relu"]]
NONSENSE += [[{"distribution": 3}], [{"distribution": "modnet-core", "components": [{"kind": [], "type": {}}]}]]
NONSENSE += [{"network": value} for value in NONSENSE[:12]]
NONSENSE += [{"network": {"layers": value, "outputs": value, "input": value}} for value in NONSENSE[:14]]
NONSENSE += [{"network": {"layers": ["relu"], "outputs": ["relu_1"]}, "training": value} for value in NONSENSE[:12]]
NONSENSE += [{"network": {"layers": [{"type": "relu", key: [1, {}]}]}} for key in ("inputs", "shares", "name")]


@pytest.mark.parametrize("key", ["spec", "needs", "schema", "history", "metrics", "metadata", "training"])
def test_any_header_is_edited_or_refused(tmp_path, out, key, monkeypatch):
    path = tmp_path / "odd"
    sound = {"spec": {"network": {"layers": ["relu"], "outputs": ["relu_1"]}, "training": {"loss": {"a": 1, "b": 2}}}}
    monkeypatch.setattr("modnet.model.edit.write", partial(write, durable=False))
    for value in NONSENSE:
        write(path, {**sound, key: value}, [], durable=False)
        for change in (
            {"cast": "float64"},
            {"rename": {"relu_1": "x"}},
            {"metadata": {"a": 1}},
            {"drop_history": True},
        ):
            with suppress(modnet.ModelFileError):
                edit(path, out, **change, drop_resume_state=True)

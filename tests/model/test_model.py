"""Saving and loading networks."""

import subprocess
import sys

import numpy as np
import pytest

import modnet
from modnet.engine.summary import Summary
from modnet.model import container
from modnet.model.reader import read, read_header
from modnet.model.writer import Group, write

SPEC = {
    "network": {
        "input": [4],
        "layers": [
            "standardize",
            {"type": "linear", "out_features": 6, "name": "hidden", "activation": "gelu"},
            {"type": "residual", "layers": ["batch_norm", {"type": "linear", "out_features": 6}]},
            {"type": "linear", "out_features": 6, "shares": "hidden", "inputs": ["standardize_1"]},
            {"type": "add", "inputs": ["linear_1", "residual_1"]},
            {"type": "linear", "out_features": 3, "l2": 0.01},
            "softmax",
        ],
    },
    "training": {"loss": "cross_entropy", "metrics": ["accuracy"], "epochs": 2},
}


@pytest.fixture
def network():
    network = modnet.build(SPEC, seed=1)
    rng = np.random.default_rng(0)
    modnet.train(network, rng.standard_normal((64, 4)) * 3 + 1, rng.integers(0, 3, 64))
    network.card = network.card.replace(metadata={"author": "somebody"})
    return network


def test_a_loaded_network_is_the_saved_one(network, tmp_path):
    path = tmp_path / "model.modnet"
    modnet.save(network, path)
    loaded = modnet.load(path)
    x = np.random.default_rng(1).standard_normal((5, 4))
    assert loaded.predict(x).tobytes() == network.predict(x).tobytes()
    assert loaded.card.spec.network == network.card.spec.network
    assert loaded.card.training == network.card.training
    assert loaded.card.history == network.card.history
    assert loaded.card.metadata == {"author": "somebody"}
    assert dict(loaded.graph.outputs) == dict(network.graph.outputs)
    modnet.save(loaded, tmp_path / "again.modnet")
    assert (tmp_path / "again.modnet").read_bytes() == path.read_bytes()


def test_a_mapped_network_predicts_the_same_and_cannot_be_changed(network, tmp_path):
    path = tmp_path / "model.modnet"
    modnet.save(network, path)
    mapped = modnet.load(path, mmap=True)
    x = np.ones((3, 4))
    assert (mapped.predict(x) == network.predict(x)).all()
    with pytest.raises(ValueError, match="read-only"):
        mapped.parameters["hidden.bias"] = np.zeros(6)


@pytest.fixture
def in_segments(network, tmp_path, monkeypatch):
    """The network's file, cut into many segments."""
    monkeypatch.setattr(container, "SEGMENT_LIMIT", 40)
    modnet.save(network, tmp_path / "model.modnet")
    assert len(read_header(tmp_path / "model.modnet").segments) > 6
    return tmp_path / "model.modnet"


def test_a_mapped_network_of_several_segments_is_not_copied(network, in_segments, tmp_path):
    mapped = modnet.load(in_segments, mmap=True)
    x = np.random.default_rng(1).standard_normal((5, 4))
    assert mapped.predict(x).tobytes() == network.predict(x).tobytes()
    assert str(Summary.of(mapped)) == str(Summary.of(network))
    assert repr(mapped) == repr(network)
    modnet.save(mapped, tmp_path / "again.modnet")
    assert (tmp_path / "again.modnet").read_bytes() == in_segments.read_bytes()
    assert len(mapped.parameters.flats) > 2
    assert all(not array.flags.owndata and not array.flags.writeable for array in mapped.parameters.values())
    assert mapped.parameters.flat.tobytes() == network.parameters.flat.tobytes()
    assert len(mapped.parameters.flats) == 1


def test_what_is_verified(network, tmp_path):
    path = tmp_path / "model.modnet"
    modnet.save(network, path)
    content = bytearray(path.read_bytes())
    content[read_header(path).segments[0].offset] ^= 1
    path.write_bytes(content)
    for arguments in ({}, {"verify": True}, {"mmap": True, "verify": True}):
        with pytest.raises(modnet.errors.ChecksumMismatch, match="parameters"):
            modnet.load(path, **arguments)
    for arguments in ({"verify": False}, {"mmap": True}):
        assert modnet.load(path, **arguments).parameters.flat[1:].tolist() == network.parameters.flat[1:].tolist()


def test_a_loaded_network_can_be_trained_further(network, tmp_path):
    modnet.save(network, tmp_path / "model.modnet")
    loaded = modnet.load(tmp_path / "model.modnet")
    rng = np.random.default_rng(0)
    history = modnet.train(loaded, rng.standard_normal((64, 4)), rng.integers(0, 3, 64), epochs=1)
    assert history.epochs == 1


def test_the_header_tells_where_every_component_comes_from(network, tmp_path):
    modnet.save(network, tmp_path / "model.modnet")
    (need,) = read_header(tmp_path / "model.modnet").header["needs"]
    assert (need["distribution"], need["version"]) == ("modnet-core", modnet.__version__)
    assert {"kind": "layer", "type": "linear", "version": 1} in need["components"]
    assert {"kind": "loss", "type": "cross_entropy", "version": 1} in need["components"]


def test_no_path_no_time_and_no_data_section_is_stored(tmp_path):
    spec = {**SPEC, "data": {"train": "/somewhere/secret.csv"}}
    spec["training"] = {**SPEC["training"], "callbacks": [{"type": "json_log", "path": "/somewhere/log"}]}
    modnet.save(modnet.build(spec), tmp_path / "model.modnet")
    assert b"somewhere" not in (tmp_path / "model.modnet").read_bytes()


def rewritten(network, path, **changes):
    """A model file whose header differs in some keys from what `save` would write."""
    modnet.save(network, path)
    header = {**read_header(path).header, **changes}
    groups = [Group(n, a.flat, a.layout) for n, a in (("parameters", network.parameters), ("state", network.state))]
    write(path, header, groups)
    return path


def plugin_needs(version="2.1.0", component_version=1, kind="layer", type="haar"):
    component = {"kind": kind, "type": type, "version": component_version}
    return {"distribution": "modnet-wave", "version": version, "components": [component]}


def with_layer(network, layer):
    plain = {"network": network.card.spec.network.plain()}
    plain["network"]["layers"].insert(0, layer)
    return plain


def test_a_missing_plugin_is_named_with_its_distribution_version_and_command(network, tmp_path, registry):
    modnet.save(network, tmp_path / "model")
    needs = [*read_header(tmp_path / "model").header["needs"], plugin_needs()]
    path = rewritten(network, tmp_path / "model", needs=needs, spec=with_layer(network, {"type": "haar"}))
    with pytest.raises(modnet.NotInstalled) as caught:
        modnet.load(path, registry=registry)
    assert str(caught.value) == (
        'this model needs layer "haar" of modnet-wave 2.1.0, which is not installed:  pip install modnet-wave==2.1.0'
    )
    assert (caught.value.distribution, caught.value.version) == ("modnet-wave", "2.1.0")


def test_a_plugin_that_only_training_needed_does_not_keep_from_predicting(network, tmp_path, registry):
    modnet.save(network, tmp_path / "model")
    header = read_header(tmp_path / "model").header
    spec = {**header["spec"], "training": {**header["spec"]["training"], "loss": {"type": "log_cosh"}}}
    needs = [*header["needs"], plugin_needs(kind="loss", type="log_cosh")]
    loaded = modnet.load(rewritten(network, tmp_path / "model", needs=needs, spec=spec), registry=registry)
    assert loaded.predict(np.ones((1, 4))).shape == (1, 3)
    with pytest.raises(modnet.NotInstalled, match=r"pip install modnet-wave==2\.1\.0"):
        modnet.train(loaded, np.ones((2, 4)), np.zeros(2, int))


def test_a_component_that_the_program_defined_itself_is_asked_for(tmp_path, registry):
    class Double(modnet.Layer, type="double"):
        """Twice its input."""

        def output_shape(self, *input_shapes):
            return input_shapes[0]

        def forward(self, context, *inputs):
            return 2 * inputs[0]

    registry.register(Double)
    spec = {"network": {"input": [2], "layers": ["double"]}}
    with pytest.warns(
        UserWarning,
        match='needs the layer "double" of .*Double .*test_model.py., which is not part of an installed distribution',
    ):
        modnet.save(modnet.build(spec, registry=registry), tmp_path / "model", registry=registry)
    assert modnet.load(tmp_path / "model", registry=registry).predict(np.ones((1, 2))).tolist() == [[2, 2]]
    with pytest.raises(modnet.NotInstalled, match="defined by the program that saved it; register it"):
        modnet.load(tmp_path / "model", registry=modnet.Registry(list))


@pytest.mark.filterwarnings("ignore:.*needs the layer")
def test_a_newer_component_version_is_refused_and_an_older_one_upgraded(tmp_path, registry):
    def define(version):
        class Scale(modnet.Layer, type="scale", version=version):
            """A multiple of its input."""

            factor: float = modnet.field(default=1.0, renamed_from="by")

            @classmethod
            def upgrade(cls, config, from_version):
                return {**config, "factor": 10 * config.get("factor", config.get("by"))}

            def output_shape(self, *input_shapes):
                return input_shapes[0]

            def forward(self, context, *inputs):
                return self.factor * inputs[0]

        return registry.register(Scale)

    define(1)
    spec = {"network": {"input": [1], "layers": [{"type": "scale", "factor": 3.0}]}}
    modnet.save(modnet.build(spec, registry=registry), tmp_path / "old", registry=registry)
    define(2)
    assert modnet.load(tmp_path / "old", registry=registry).predict([[1.0]]).tolist() == [[30.0]]
    modnet.save(modnet.build(spec, registry=registry), tmp_path / "new", registry=registry)
    define(1)
    with pytest.raises(modnet.NotInstalled, match="saved it; version 1 is registered"):
        modnet.load(tmp_path / "new", registry=registry)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spec": None}, "spec: there is no network in it"),
        ({"spec": {"network": {"input": [4], "layers": []}}}, "layers is empty"),
        ({"spec": {"network": {"input": [4], "layers": [{"type": "linear", "out": 3}]}}}, "unknown key"),
        ({"spec": {"network": {"input": [4], "layers": ["os.system"]}}}, "not listed in the file's needs"),
        ({"needs": [{"distribution": 3}]}, "header.needs[0].distribution: expected"),
        (
            {"needs": [{**plugin_needs(), "distribution": "modnet-core; reboot"}]},
            "header.needs[0].distribution: expected",
        ),
        ({"needs": [plugin_needs(version="1; reboot")]}, "header.needs[0].version: expected"),
        ({"needs": [plugin_needs(component_version=0)]}, "header.needs[0].components[0].version: expected"),
        ({"needs": [plugin_needs(), plugin_needs()]}, 'the layer "haar" is listed twice'),
        ({"features": ["sparse"]}, "needs a newer modnet-core: it uses sparse"),
        ({"history": [1]}, "history: expected a map"),
        ({"schema": {"columns": 7}}, "schema: "),
    ],
)
def test_a_header_that_makes_no_sense_is_refused(network, tmp_path, change, message):
    with pytest.raises(modnet.ModelFileError) as caught:
        modnet.load(rewritten(network, tmp_path / "model", **change))
    assert message in str(caught.value)


def core_needs(*components):
    rows = [{"kind": kind, "type": type, "version": 1} for kind, type in components]
    return {"distribution": "modnet-core", "version": "0.1.0", "components": rows}


@pytest.mark.parametrize(
    ("needs", "layer", "message"),
    [
        (core_needs(("layer", "relu")), "relu", 'layers[0]: activation "relu" is not listed in the file\'s needs'),
        (
            {**core_needs(("activation", "relu@modnet-core")), "distribution": ""},
            "relu@modnet-core",
            'layers[0]: activation "relu" is not listed in the file\'s needs',
        ),
        (
            core_needs(("layer", "linear"), ("", "he_normal"), ("initializer", "zeros")),
            {"type": "linear", "out_features": 2, "weight_initializer": "he_normal"},
            'weight_initializer: initializer "he_normal" is not listed in the file\'s needs',
        ),
    ],
)
def test_a_component_that_is_listed_as_something_else_is_refused(needs, layer, message, tmp_path):
    network = modnet.build({"network": {"input": [4], "layers": ["relu"]}})
    plain = {"network": {**network.card.spec.network.plain(), "layers": [layer]}}
    with pytest.raises(modnet.errors.MalformedFile) as caught:
        modnet.load(rewritten(network, tmp_path / "model", needs=[needs], spec=plain))
    assert message in str(caught.value)


def test_a_spec_that_does_not_fit_the_arrays_is_refused_before_they_are_read(network, tmp_path):
    plain = {"network": network.card.spec.network.plain()}
    plain["network"]["layers"][-2]["out_features"] = 10**9
    with pytest.raises(modnet.ModelFileError):
        modnet.load(rewritten(network, tmp_path / "model", spec=plain))


def nested(count, depth):
    """The relus of `repeat` in `repeat` in ..."""
    layer = "relu"
    for _ in range(depth):
        layer = {"type": "repeat", "count": count, "layers": [layer]}
    return layer


@pytest.mark.parametrize("depth", [2, 18])
def test_a_spec_that_stands_for_more_nodes_than_its_bytes_justify_is_refused(depth, tmp_path):
    path = tmp_path / "model.modnet"
    modnet.save(modnet.build({"network": {"input": [4], "layers": [nested(1, depth)]}}), path)
    header = read_header(path).header
    layer = header["spec"]["network"]["layers"][0]
    while "count" in layer:
        layer["count"] = 10_000
        (layer,) = layer["layers"]
    write(path, header, [])
    with pytest.raises(modnet.errors.MalformedFile, match=r"there are more nodes than the limit of 10,00\d"):
        modnet.load(path)


def test_a_spec_of_more_components_than_its_bytes_justify_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("modnet.model.stored.NODE_LIMIT", 10)
    path = tmp_path / "model.modnet"
    modnet.save(modnet.build({"network": {"input": [4], "layers": ["relu"]}}), path)
    header = read_header(path).header
    header["spec"]["network"]["layers"] *= 200
    del header["spec"]["nodes"]
    write(path, header, [])
    with pytest.raises(modnet.errors.MalformedFile, match=r"there are more components than the limit of \d\d"):
        modnet.load(path)


def test_a_network_that_could_not_be_loaded_is_not_saved(tmp_path):
    layers = [nested(10_000, 1), "relu"]
    with pytest.raises(modnet.ModelFileError, match=r"has 10,001 nodes; a file with arrays of 0 bytes may have 10,000"):
        modnet.save(modnet.build({"network": {"input": [1], "layers": layers}}), tmp_path / "model.modnet")
    assert not list(tmp_path.iterdir())
    modnet.save(modnet.build({"network": {"input": [1], "layers": layers[:1]}}), tmp_path / "model.modnet")
    assert len(modnet.load(tmp_path / "model.modnet").graph.nodes) == 10_000


# What others may have put in


@pytest.fixture
def files_opened():
    """The paths that are opened during a test."""
    seen = []
    _listeners.append(seen)
    yield seen
    _listeners.remove(seen)


_listeners = []


def _listen(event, arguments):
    if event == "open" and _listeners:
        for seen in _listeners:
            seen.append(str(arguments[0]))


sys.addaudithook(_listen)  # for good, as Python has no way to remove one


def test_a_stored_data_section_is_never_opened(network, tmp_path, files_opened):
    secret = tmp_path / "secret.csv"
    secret.write_text("a,b,c,d,kind\n1,2,3,4,x\n")
    spec = {"network": network.card.spec.network.plain(), "training": network.card.spec.training.plain()}
    spec["data"] = {"train": str(secret), "target": "kind", "validation": str(secret)}
    path = rewritten(network, tmp_path / "model.modnet", spec=spec)
    files_opened.clear()
    loaded = modnet.load(path)
    assert set(files_opened) == {str(path)}
    assert loaded.card.spec.data is None
    loaded.predict(np.ones((2, 4)))
    modnet.train(loaded, np.ones((8, 4)), np.zeros(8, int), epochs=1)
    modnet.evaluate(loaded, np.ones((8, 4)), np.zeros(8, int))
    modnet.save(loaded, tmp_path / "again.modnet")
    assert str(secret) not in files_opened
    assert b"secret" not in (tmp_path / "again.modnet").read_bytes()


def test_a_file_with_callbacks_is_refused(network, tmp_path, monkeypatch):
    """They would write where the maker of the file likes, as soon as somebody trains his model further."""
    monkeypatch.chdir(tmp_path)
    log = {"callback": {"type": "json_log", "path": "log.jsonl"}, "name": None}
    for callbacks in ([log], [log["callback"]], ["checkpoint"], {"type": "checkpoint"}):
        spec = {"network": network.card.spec.network.plain(), "training": network.card.spec.training.plain()}
        spec["training"]["callbacks"] = callbacks
        with pytest.raises(modnet.errors.MalformedFile) as caught:
            modnet.load(rewritten(network, tmp_path / "model.modnet", spec=spec))
        assert str(caught.value) == (
            f"{tmp_path / 'model.modnet'}: header.spec.training.callbacks: callbacks are not allowed in a model "
            "file: they belong to a run, and can write files"
        )
    needs = [*read_header(tmp_path / "model.modnet").header["needs"], plugin_needs(kind="callback", type="spy")]
    with pytest.raises(modnet.errors.MalformedFile, match="needs: a callback is listed"):
        modnet.load(rewritten(network, tmp_path / "model.modnet", needs=needs))
    assert [path.name for path in tmp_path.iterdir()] == ["model.modnet"]


def test_a_file_that_does_not_fit_into_memory_is_told_of(network, tmp_path, monkeypatch):
    modnet.save(network, tmp_path / "model.modnet")

    def full(*_):
        raise MemoryError

    monkeypatch.setattr("modnet.engine.parameters.aligned_zeros", full)
    with pytest.raises(modnet.ModelFileError, match=r"model\.modnet: the network with all its arrays needs"):
        modnet.load(tmp_path / "model.modnet")


def test_what_only_going_on_with_a_training_needs_is_not_read(network, tmp_path):
    modnet.save(network, tmp_path / "model.modnet")
    expected = modnet.load(tmp_path / "model.modnet").predict(np.ones((2, 4)))
    groups = [Group(n, a.flat, a.layout) for n, a in (("parameters", network.parameters), ("state", network.state))]
    groups.append(Group("optimizer.mean", np.ones(1000, np.float32), [("w", 0, (1000,))]))
    write(tmp_path / "model.modnet", read_header(tmp_path / "model.modnet").header, groups)
    content = bytearray((tmp_path / "model.modnet").read_bytes())
    content[-1] ^= 1
    (tmp_path / "model.modnet").write_bytes(content)
    assert (modnet.load(tmp_path / "model.modnet").predict(np.ones((2, 4))) == expected).all()
    modnet.load_parameters(network, tmp_path / "model.modnet")
    with pytest.raises(modnet.errors.ChecksumMismatch, match=r"optimizer\.mean"):
        read(tmp_path / "model.modnet")


def test_half_precision_is_converted_as_it_is_read(network, tmp_path):
    groups = [
        Group(n, a.flat.astype(np.float16), a.layout)
        for n, a in (("parameters", network.parameters), ("state", network.state))
    ]
    modnet.save(network, tmp_path / "model.modnet")
    write(tmp_path / "model.modnet", read_header(tmp_path / "model.modnet").header, groups)
    for mmap in (False, True):
        loaded = modnet.load(tmp_path / "model.modnet", mmap=mmap)
        assert loaded.parameters.dtype == np.float32
        assert (loaded.parameters.flat == groups[0].flat.astype(np.float32)).all()
        assert (loaded.state.flat == groups[1].flat.astype(np.float32)).all()
    with pytest.raises(ValueError, match="read-only"):
        loaded.parameters["hidden.bias"] = np.zeros(6)


def test_a_failed_save_leaves_the_old_file(network, tmp_path):
    path = tmp_path / "model.modnet"
    modnet.save(network, path)
    before = path.read_bytes()
    network.card = network.card.replace(metadata={"what": object()})
    with pytest.raises(modnet.ModelFileError, match="metadata"):
        modnet.save(network, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["model.modnet"]


def test_loading_a_model_of_built_ins_scans_no_packages_and_imports_no_trainer(network, tmp_path):
    modnet.save(network, tmp_path / "model.modnet")
    script = (
        "import sys, modnet; network = modnet.load(sys.argv[1]); network.predict([[1, 2, 3, 4]]); "
        "heavy = {'pluggy', 'click', 'rich', 'importlib.metadata', 'modnet.training.train'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path / "model.modnet"], check=True)

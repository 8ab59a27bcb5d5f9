"""Hooks of plugins: what they are given, what they give, and how it is told when they fail."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

import modnet
from modnet import hookimpl
from modnet.data.column import Column
from modnet.data.foreign import as_data
from modnet.data.options import ReadOptions
from modnet.data.table import Table
from modnet.datasets.read import write_foreign
from modnet.plugins.hooks import HookManager

LABEL = 'hooks "wave" of modnet-wave 1.0 (modnet_wave.hooks)'


def manager_with(*modules):
    """A manager with modules, each given as hook name -> function."""
    manager = HookManager()
    for number, hooks in enumerate(modules):
        manager.join(SimpleNamespace(**hooks), f"modnet-wave:{number}", LABEL)
    return manager


def called(manager, hook, path):
    """What a hook gives; those that read data are told how to."""
    options = {"options": ReadOptions()} if hook == "modnet_read_data" else {}
    return getattr(manager.hook, hook)(path=path, **options)


def giving(result):
    @hookimpl
    def hook(path):
        return result

    return hook


class Frame:
    """Something with columns by name."""

    columns = ("a",)

    def __getitem__(self, name):
        return [1, 2]


NETWORK = modnet.build({"network": {"input": [2], "layers": ["relu"]}})


@pytest.mark.parametrize(
    ("hook", "result"),
    [
        ("modnet_read_data", {"a": ["1", "2"]}),
        ("modnet_read_data", {"a": [1, None], "b": Column.of([True, False])}),
        ("modnet_read_data", Frame()),
        ("modnet_read_data", {"x": np.zeros(3), "y": np.zeros(3)}),
        ("modnet_read_data", {}),
        ("modnet_read_data", np.zeros(3)),
        ("modnet_read_data", Table({"a": ["1"]}, "a.rows")),
        ("modnet_read_spec", {"network": {}}),
        ("modnet_import", NETWORK),
        ("modnet_read_data", None),
    ],
)
def test_what_a_hook_may_give(tmp_path, hook, result):
    assert called(manager_with({hook: giving(result)}), hook, tmp_path) is result


@pytest.mark.parametrize(
    ("hook", "result", "message"),
    [
        ("modnet_import", "a network", f'{LABEL}: modnet_import gave "a network"; expected a modnet.Network, or None'),
        ("modnet_import", NETWORK.card.spec, "modnet_import gave a Spec; expected a modnet.Network"),
        ("modnet_read_spec", [1], "modnet_read_spec gave [1]; expected a dict with the tables of a spec"),
        (
            "modnet_read_data",
            [[1, 2]],
            "modnet_read_data gave [[1, 2]]; expected a Table, a data frame, a dict",
        ),
        ("modnet_read_data", {"a": 1}, "modnet_read_data gave a table; expected"),
        ("modnet_read_data", {"a": "12"}, "modnet_read_data gave a table; expected"),
        ("modnet_read_data", {"a": ["1"], "b": np.zeros(1)}, "modnet_read_data gave a table; expected"),
        ("modnet_read_data", {0: np.zeros(1)}, "modnet_read_data gave a table; expected"),
    ],
)
def test_a_result_of_no_use_is_its_plugins_fault(tmp_path, hook, result, message):
    with pytest.raises(modnet.BrokenPlugin) as caught:
        called(manager_with({hook: giving(result)}), hook, tmp_path)
    assert message in str(caught.value)


def test_an_export_says_that_it_has_written(tmp_path):
    @hookimpl
    def modnet_export(network, path):
        return str(path)

    with pytest.raises(modnet.BrokenPlugin, match=r"modnet_export gave .*; expected True, or None for what"):
        manager_with({"modnet_export": modnet_export}).hook.modnet_export(network=NETWORK, path=tmp_path, options={})


@pytest.fixture
def failing(registry):
    """A registry whose only plugin fails to export and to import."""

    @hookimpl
    def modnet_export(network, path):
        raise OSError("disk full")

    @hookimpl
    def modnet_import(path):
        return {}["weights"]

    registry.hooks.join(SimpleNamespace(modnet_export=modnet_export, modnet_import=modnet_import), "wave", LABEL)
    return registry


def test_a_failing_export_leaves_the_file_alone(failing, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_text("the one before")
    with pytest.raises(modnet.BrokenPlugin) as caught:
        modnet.save(NETWORK, path, registry=failing)
    assert str(caught.value) == f"{LABEL}: modnet_export raised OSError: disk full"
    assert isinstance(caught.value.__cause__, OSError)
    assert path.read_text() == "the one before"
    modnet.save(NETWORK, tmp_path / "model.modnet", registry=failing)  # not a plugin's business


def test_a_failing_import(failing, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_text("a model of another kind")
    with pytest.raises(modnet.BrokenPlugin) as caught:
        modnet.load(path, registry=failing)
    assert str(caught.value) == f"{LABEL}: modnet_import raised KeyError: 'weights'"


def test_a_plugin_may_wrap_the_others(tmp_path):
    @hookimpl(wrapper=True)
    def modnet_read_spec(path):
        found = yield
        return {**found, "title": "wrapped"}

    manager = manager_with({"modnet_read_spec": giving({"a": 1})}, {"modnet_read_spec": modnet_read_spec})
    assert manager.hook.modnet_read_spec(path=tmp_path) == {"a": 1, "title": "wrapped"}


def test_a_wrapper_that_fails_is_named_and_one_within_it_too(tmp_path):
    @hookimpl(wrapper=True)
    def modnet_read_spec(path):
        found = yield
        return found["b"]

    manager = manager_with({"modnet_read_spec": giving({"a": 1})}, {"modnet_read_spec": modnet_read_spec})
    with pytest.raises(modnet.BrokenPlugin, match="modnet_read_spec raised KeyError: 'b'"):
        manager.hook.modnet_read_spec(path=tmp_path)
    manager = manager_with({"modnet_read_spec": giving([])}, {"modnet_read_spec": modnet_read_spec})
    with pytest.raises(modnet.BrokenPlugin, match=r"modnet_read_spec gave \[\]; expected a dict"):
        manager.hook.modnet_read_spec(path=tmp_path)


def test_an_error_of_modnets_own_is_passed_on(tmp_path):
    @hookimpl
    def modnet_read_data(path):
        raise modnet.DataError(f"{path}: row 3 has no column b")

    with pytest.raises(modnet.DataError, match="row 3 has no column b"):
        called(manager_with({"modnet_read_data": modnet_read_data}), "modnet_read_data", tmp_path)


def test_a_reader_is_told_what_the_spec_says_if_it_wants_to_know(tmp_path):
    told = []

    @hookimpl
    def modnet_read_data(path, options):
        told.append(options.sheet)
        return {"a": ["1"]}

    manager = manager_with({"modnet_read_data": modnet_read_data})
    manager.hook.modnet_read_data(path=tmp_path, options=ReadOptions(sheet="2024"))
    assert told == ["2024"]


def test_a_table_in_parts_is_read_while_its_plugin_is_at_work(tmp_path):
    @hookimpl
    def modnet_read_data(path):
        return parts()

    def parts():
        yield Table({"a": ["1"]}, "a.rows")
        raise KeyError("b")

    found = called(manager_with({"modnet_read_data": modnet_read_data}), "modnet_read_data", tmp_path)
    assert len(next(found)) == 1
    with pytest.raises(modnet.BrokenPlugin, match=f"^{re.escape(LABEL)}: modnet_read_data raised KeyError: 'b'$"):
        next(found)


def test_what_is_given_becomes_a_table_or_arrays():
    assert as_data(None, "a.rows") is None
    assert list(as_data({"a": [1, 2]}, "a.rows").columns) == ["a"]
    assert list(as_data({}, "a.rows").columns) == []
    assert list(as_data(Frame(), "a.rows").columns) == ["a"]
    arrays = as_data({"x": np.zeros(3)}, "a.rows")
    assert (arrays.name, list(arrays.arrays)) == ("a.rows", ["x"])
    with pytest.raises(modnet.BrokenPlugin, match="its reader gave an ndarray as a part of a table; expected a table"):
        list(as_data(iter([np.zeros(3)]), "a.rows"))


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        (
            "network, file",
            "modnet_export(network, file) requires file, but the hook is modnet_export(network, path, options)",
        ),
        (
            "a, b, path",
            "modnet_export(a, b, path) requires a and b, but the hook is modnet_export(network, path, options)",
        ),
    ],
)
def test_an_argument_that_there_is_not(signature, message):
    names = {"hookimpl": hookimpl}
    exec(f"@hookimpl\ndef modnet_export({signature}): ...", names)
    with pytest.raises(modnet.BrokenPlugin) as caught:
        manager_with({"modnet_export": names["modnet_export"]})
    assert str(caught.value) == f"{LABEL}: {message}"


def test_a_hook_may_ask_for_less_and_have_defaults_of_its_own(tmp_path):
    @hookimpl
    def modnet_export(path, compress=True):
        return compress

    hook = manager_with({"modnet_export": modnet_export}).hook
    assert hook.modnet_export(network=NETWORK, path=tmp_path, options={}) is True


def test_what_pluggy_refuses_is_told_in_one_line():
    @hookimpl(wrapper=True)
    def modnet_read_spec(path):
        return {}

    with pytest.raises(modnet.BrokenPlugin) as caught:
        manager_with({"modnet_read_spec": modnet_read_spec})
    assert str(caught.value).startswith(f"{LABEL}: ")
    assert "\n" not in str(caught.value)


def test_two_plugins_may_call_their_hooks_the_same(environment):
    for name in ("modnet-first", "modnet-second"):
        code = f"import modnet\n@modnet.hookimpl\ndef modnet_read_spec(path): return {{'from': '{name}'}}"
        environment.install(name, code)
        module = name.replace("-", "_")
        metadata = environment.folder / f"{module}-1.0.dist-info"
        (metadata / "entry_points.txt").write_text(f"[modnet]\nhooks = {module}\n")
    assert [module.error for module in environment.registry.hook_modules] == [None, None]
    assert {module.label for module in environment.registry.hook_modules} == {
        'hooks "hooks" of modnet-first 1.0 (modnet_first)',
        'hooks "hooks" of modnet-second 1.0 (modnet_second)',
    }
    assert environment.registry.hooks.hook.modnet_read_spec(path=environment.folder)["from"].startswith("modnet-")


# Data through the registry


def test_an_address_and_a_table_in_parts_reach_a_training(registry):
    @hookimpl
    def modnet_read_url(url, options):
        if url.startswith("rows://"):
            return iter([{"a": [1.0, 2.0], "b": [2.0, 4.0]}, {"a": [3.0], "b": [int(options.query)]}])
        return None

    registry.hooks.join(SimpleNamespace(modnet_read_url=modnet_read_url), "wave", LABEL)
    data = {"train": "rows://host", "query": "6", "target": "b"}
    spec = {"network": {"input": [1], "layers": ["relu"]}, "training": {"loss": "mse"}, "data": data}
    loaded = modnet.read_data(spec, registry=registry)
    assert loaded.train.inputs["input"].tolist() == [[1.0], [2.0], [3.0]]
    assert loaded.train.targets["output"].tolist() == [[2.0], [4.0], [6.0]]
    with pytest.raises(modnet.DataError, match="no installed plugin reads other addresses"):
        modnet.read_data(spec | {"data": {"train": "other://host", "target": "b"}}, registry=registry)


def test_a_table_is_written_by_whoever_knows_the_format(registry, tmp_path):
    written = []

    @hookimpl
    def modnet_write_data(table, path):
        if path.suffix == ".rows":
            written.append((list(table.columns), path))
            return True
        return None

    table = Table({"a": [1]})
    assert not write_foreign(iter([table]), tmp_path / "a.rows", registry)
    registry.hooks.join(SimpleNamespace(modnet_write_data=modnet_write_data), "wave", LABEL)
    assert write_foreign(iter([table]), tmp_path / "a.rows", registry)
    assert not write_foreign(iter([table]), tmp_path / "a.other", registry)
    assert written == [(["a"], tmp_path / "a.rows")]

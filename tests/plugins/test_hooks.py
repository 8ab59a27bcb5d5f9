"""Hooks of plugins: what they are given, what they give, and how it is told when they fail."""

from types import SimpleNamespace

import numpy as np
import pytest

import modnet
from modnet import hookimpl
from modnet.data.table import Table
from modnet.plugins.hooks import HookManager

LABEL = 'hooks "wave" of modnet-wave 1.0 (modnet_wave.hooks)'


def manager_with(*modules):
    """A manager with modules, each given as hook name -> function."""
    manager = HookManager()
    for number, hooks in enumerate(modules):
        manager.join(SimpleNamespace(**hooks), f"modnet-wave:{number}", LABEL)
    return manager


def giving(result):
    @hookimpl
    def hook(path):
        return result

    return hook


NETWORK = modnet.build({"network": {"input": [2], "layers": ["relu"]}})


@pytest.mark.parametrize(
    ("hook", "result"),
    [
        ("modnet_read_data", {"a": ["1", "2"]}),
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
    assert getattr(manager_with({hook: giving(result)}).hook, hook)(path=tmp_path) is result


@pytest.mark.parametrize(
    ("hook", "result", "message"),
    [
        ("modnet_import", "a network", f'{LABEL}: modnet_import gave "a network"; expected a modnet.Network, or None'),
        ("modnet_import", NETWORK.card.spec, "modnet_import gave a Spec; expected a modnet.Network"),
        ("modnet_read_spec", [1], "modnet_read_spec gave [1]; expected a dict with the tables of a spec"),
        ("modnet_read_data", [[1, 2]], "modnet_read_data gave [[1, 2]]; expected a dict from name to array, or from"),
        ("modnet_read_data", {"a": [1, 2]}, "modnet_read_data gave a table; expected"),
        ("modnet_read_data", {"a": ["1"], "b": np.zeros(1)}, "modnet_read_data gave a table; expected"),
        ("modnet_read_data", {0: np.zeros(1)}, "modnet_read_data gave a table; expected"),
    ],
)
def test_a_result_of_no_use_is_its_plugins_fault(tmp_path, hook, result, message):
    with pytest.raises(modnet.BrokenPlugin) as caught:
        getattr(manager_with({hook: giving(result)}).hook, hook)(path=tmp_path)
    assert message in str(caught.value)


def test_an_export_says_that_it_has_written(tmp_path):
    @hookimpl
    def modnet_export(network, path):
        return str(path)

    with pytest.raises(modnet.BrokenPlugin, match=r"modnet_export gave .*; expected True, or None for what"):
        manager_with({"modnet_export": modnet_export}).hook.modnet_export(network=NETWORK, path=tmp_path)


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
        manager_with({"modnet_read_data": modnet_read_data}).hook.modnet_read_data(path=tmp_path)


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        ("network, file", "modnet_export(network, file) requires file, but the hook is modnet_export(network, path)"),
        ("a, b, path", "modnet_export(a, b, path) requires a and b, but the hook is modnet_export(network, path)"),
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

    assert manager_with({"modnet_export": modnet_export}).hook.modnet_export(network=NETWORK, path=tmp_path) is True


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

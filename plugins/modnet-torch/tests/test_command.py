"""`modnet import-weights`, by hand."""

import numpy as np
import pytest
import safetensors.numpy

import modnet

testing = pytest.importorskip("click.testing", reason="the command line: pip install 'modnet-core[cli]'")

SPEC = """
[network]
input = [4]
layers = [
  { type = "linear", out_features = 4, activation = "relu" },
  { type = "linear", out_features = 4 },
]
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    from modnet.cli.app import cli

    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.toml").write_text(SPEC)
    rng = np.random.default_rng(0)
    arrays = {f"{name}.weight": rng.standard_normal((4, 4)).astype(np.float32) for name in ("fc1", "fc2")}
    arrays |= {f"{name}.bias": np.zeros(4, np.float32) for name in ("fc1", "fc2")}
    safetensors.numpy.save_file(arrays, "weights.safetensors")

    def run(*arguments, status=0):
        found = testing.CliRunner().invoke(cli, ["import-weights", *arguments])
        assert found.exit_code == status, found.output
        assert "Traceback" not in found.output
        return found.output

    return run


def test_a_model_is_written_and_the_table_shown(run):
    text = run("weights.safetensors", "net.toml", "-o", "net.modnet")
    assert "linear_1  fc1    weight (4, 4), bias (4,)  order" in text
    assert "2 nodes by order" in text
    assert "net.modnet: 2 nodes with weights of weights.safetensors" in text
    weight = safetensors.numpy.load_file("weights.safetensors")["fc1.weight"]
    np.testing.assert_array_equal(modnet.load("net.modnet").parameters["linear_1.weight"], weight.T)


def test_without_an_output_it_only_shows(run, tmp_path):
    assert "nothing was written" in run("weights.safetensors", "net.toml")
    assert not (tmp_path / "net.modnet").exists()


def test_the_spec_corrects_the_guess(run, tmp_path):
    (tmp_path / "net.toml").write_text(SPEC + '[weights]\nnodes = { linear_1 = "fc2", linear_2 = "fc1" }\n')
    text = run("weights.safetensors", "net.toml")
    assert "linear_1  fc2    weight (4, 4), bias (4,)  spec" in text
    assert "by order" not in text


def test_a_model_takes_new_weights(run):
    run("weights.safetensors", "net.toml", "-o", "net.modnet")
    run("weights.safetensors", "net.modnet", "-o", "again.modnet")


def test_mistakes(run, tmp_path):
    assert "none.safetensors: no such file" in run("none.safetensors", "net.toml", status=2)
    text = run("net.toml", "net.toml", status=2)
    assert "not a safetensors file" in text
    (tmp_path / "wider.toml").write_text(SPEC.replace("out_features = 4 }", "out_features = 5 }"))
    text = run("weights.safetensors", "wider.toml", "-o", "wider.modnet", status=2)
    assert "missing: linear_2 (linear) looks for weight (5, 4), bias (5,)" in text
    assert not (tmp_path / "wider.modnet").exists()
    assert "left over: fc2" in run("weights.safetensors", "wider.toml", "-o", "wider.modnet", "--partial")
    text = run("weights.safetensors", "net.toml", "-o", "./weights.safetensors", status=2)
    assert "the weights are in this file; choose another one with -o" in text

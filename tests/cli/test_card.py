"""modnet card: what a model file says of itself, for the Hugging Face hub."""

from pathlib import Path

import pytest

import modnet
from modnet.assessment.model_card import model_card
from modnet.model.reader import read_header

TABLE = {
    "network": {"input": [6], "layers": [{"type": "linear", "out_features": 1}]},
    "training": {"loss": "mse", "epochs": 1},
    "data": {"target": "price", "columns": {"since": {"kind": "date", "parts": ["year", "month"]}}},
}
ROWS = [
    {"size": 1.5 * i, "since": f"2024-01-{i + 1:02}", "colour": ["red", "a|b `x` <script>"][i % 2], "price": float(i)}
    for i in range(8)
]


@pytest.fixture
def metadata():
    """The card's metadata, as the hub reads it."""
    hub = pytest.importorskip("huggingface_hub", reason="reads cards as the hub does")
    return lambda text: hub.ModelCard(text, ignore_metadata_errors=False).data


def test_the_hub_reads_it(run, model, metadata):
    run("edit", model, "-o", model, "--set-metadata", "license=mit", "--set-metadata", "datasets=ada/pets, ada/cats")
    found = metadata(run("card", model).stdout)
    assert (found.library_name, found.license, found.pipeline_tag) == ("modnet", "mit", "tabular-classification")
    assert found.datasets == ["ada/pets", "ada/cats"]
    assert found.tags == ["modnet", "numpy", "tabular"]
    figures = modnet.load(model).card.metrics
    assert {f"validation_{result.metric_type}": result.metric_value for result in found.eval_results} == figures
    assert {result.dataset_split for result in found.eval_results} == {"validation"}
    assert {(result.dataset_type, result.dataset_name) for result in found.eval_results} == {
        ("ada/pets", "ada/pets (validation rows)")
    }
    assert found.model_name == "pets"


def test_its_example_runs(run, model):
    code = run("card", model).stdout.partition("```python\n")[2].partition("```")[0]
    names = {}
    exec(code, names)
    assert names["network"].id == read_header(model).id.hex()


def test_what_it_says(run, model):
    run("edit", model, "-o", model, "--set-metadata", "commit=1f3a9c2", "--set-metadata", "description=Cats *or* dogs")
    text = run("card", model).stdout
    for part in (
        "# kind\n",
        "A neural network that predicts kind (2 classes: cat, dog) from 2 columns of a table.",
        "\nCats \\*or\\* dogs\n",
        "pip install modnet-core==0.1.0",
        "| collar | input | category | one-hot | 2: blue, red |",
        "| loss | cross\\_entropy |",
        "- It has seen no value outside of the ranges above",
        f"| id of the file | {read_header(model).id.hex()} |",
        "| commit | 1f3a9c2 |",
    ):
        assert part in text, part
    assert "There is no figure of rows that the training had not seen" not in text


def test_it_is_written_to_a_file(run, model):
    run("card", model, "-o", "README.md")
    assert Path("README.md").read_text(encoding="utf-8") == run("card", model).stdout
    run("card", model, "-o", "README.md")
    Path("README.md").write_text("# My project")
    assert (
        "this is not a model card of modnet, and is not overwritten"
        in run("card", model, "-o", "README.md", status=2).output
    )
    assert Path("README.md").read_text() == "# My project"
    assert "this is the model" in run("card", model, "-o", model, status=2).output
    assert "there is no folder" in run("card", model, "-o", "nowhere/README.md", status=2).output


def test_a_table_with_dates_and_numbers(tmp_path, metadata, monkeypatch):
    network = modnet.train(TABLE, ROWS).network
    modnet.save(network, tmp_path / "price.modnet")
    text = model_card(tmp_path / "price.modnet")
    assert metadata(text).pipeline_tag == "tabular-regression"
    monkeypatch.chdir(tmp_path)
    exec(text.partition("```python\n")[2].partition("```")[0], {})
    assert "There is no figure of rows that the training had not seen" in text


def test_names_from_the_file_are_no_markdown(tmp_path, metadata):
    network = modnet.train(TABLE, ROWS).network
    network.card = network.card.replace(metadata={"<b>x</b>": "a | b\n# c", "license": 'a"b\\: \x7f', "n": 3})
    modnet.save(network, tmp_path / "price.modnet")
    text = model_card(tmp_path / "price.modnet")
    assert metadata(text).license == 'a"b\\: \x7f'
    body = text.partition("\n---\n")[2]
    assert "| &lt;b&gt;x&lt;/b&gt; | a \\| b\\\\n\\# c |" in body
    assert "2: a\\|b \\`x\\` &lt;script&gt;, red" in body
    assert "<script>" not in body.replace(body.partition("```python")[2].partition("```")[0], "")


def test_a_network_for_arrays(tmp_path, metadata):
    spec = {
        "network": {
            "input": {"a": [28, "variable"], "b": [3]},
            "layers": [{"type": "concatenate", "inputs": ["a", "b"]}],
        }
    }
    spec = {"network": {"input": [28, 28, 1], "layers": ["flatten", {"type": "linear", "out_features": 3}]}}
    modnet.save(modnet.build(spec), tmp_path / "m.modnet")
    text = model_card(tmp_path / "m.modnet")
    assert metadata(text).pipeline_tag is None
    assert "A neural network that predicts numbers from an array (28, 28, 1) for each sample. It has 2 nodes" in text
    assert metadata(text).eval_results is None


def test_damaged_files_and_others(run, model):
    content = Path(model).read_bytes()
    Path(model).write_bytes(content[:100])
    assert "ends inside the header" in run("card", model, status=2).output
    Path(model).write_bytes(b"PK\x03\x04")
    assert "zip archive" in run("card", model, status=2).output
    assert "no such file" in run("card", "other.modnet", status=2).output.lower()


def test_commands_read_models_behind_urls(run, model):
    pytest.importorskip("fsspec", reason="the extra fsspec")
    url = f"file://{Path(model).resolve()}"
    assert run("card", url).stdout.partition("\n---\n")[2].splitlines()[1:3] == ["# kind", ""]
    for command in (
        ["inspect", url],
        ["verify", url],
        ["summary", url],
        ["predict", url, "pets.csv"],
        ["diff", url, model],
    ):
        run(*command)
    run("edit", url, "-o", "edited.modnet", "--set-metadata", "a=b")
    assert modnet.load("edited.modnet").card.metadata == {"a": "b"}
    run("convert", url, "converted.modnet")
    assert modnet.load("converted.modnet").id == modnet.load(model).id
    missing = run("inspect", "memory://nothing", status=2).output
    assert missing == "error: memory://nothing: no such file or directory\n"

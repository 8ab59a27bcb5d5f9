"""Vocabulary and new text, from a network that has learned a line by heart."""

import re
import tomllib
from pathlib import Path
from typing import ClassVar

import pytest
from modnet_text import Vocabulary, encode, sample

import modnet
from modnet.testing import check_component

LINE = "to be\n"
CHARACTERS = "".join(sorted(set(LINE)))
LAYERS = [
    {"type": "embedding", "vocabulary_size": len(CHARACTERS), "embedding_size": 8},
    {"type": "linear", "out_features": len(CHARACTERS)},
    "softmax",
]


def build(layers=tuple(LAYERS)):
    return modnet.build({"network": {"input": ["variable"], "layers": list(layers)}}, seed=0)


@pytest.fixture(scope="module")
def trained():
    network = build()
    ids = encode(LINE * 100, CHARACTERS)
    x, y = ids[:595].reshape(-1, 17), ids[1:596].reshape(-1, 17)
    callbacks = [Vocabulary(characters=CHARACTERS)]
    optimizer = {"type": "adam", "learning_rate": 0.02}
    modnet.train(network, x, y, loss="cross_entropy", optimizer=optimizer, epochs=60, callbacks=callbacks)
    return network


def test_the_line_comes_back(trained):
    assert "".join(sample(trained, LINE, 18, temperature=0)) == LINE * 3


def test_the_vocabulary_is_in_the_model_file(trained, tmp_path):
    modnet.save(trained, tmp_path / "line.modnet")
    loaded = modnet.load(tmp_path / "line.modnet")
    assert loaded.card.metadata["vocabulary"] == CHARACTERS
    assert "".join(sample(loaded, "\n", 30, seed=1)) == "".join(sample(trained, "\n", 30, seed=1))


def test_another_seed_gives_another_text(trained):
    texts = {"".join(sample(trained, "b", 40, temperature=3.0, seed=seed)) for seed in range(3)}
    assert len(texts) == 3


def test_the_command(trained, tmp_path):
    testing = pytest.importorskip("click.testing", reason="the command line: pip install 'modnet-core[cli]'")
    from modnet.cli.app import cli

    modnet.save(trained, tmp_path / "line.modnet")
    arguments = ["sample", str(tmp_path / "line.modnet"), "--start", LINE, "--length", "6", "--temperature", "0"]
    for more in ([], ["--context", "4"]):
        done = testing.CliRunner().invoke(cli, [*arguments, *more])
        assert done.output == LINE + LINE + "\n"
        assert done.exit_code == 0


def test_characters_that_are_not_in_the_vocabulary_are_named(trained):
    with pytest.raises(modnet.DataError, match='the vocabulary does not have "Q", "x"'):
        sample(trained, "to xQ", 5)


def test_an_empty_start_is_refused(trained):
    with pytest.raises(modnet.DataError, match="start is empty"):
        sample(trained, "", 5)


def test_a_model_without_vocabulary_is_refused():
    with pytest.raises(modnet.DataError, match="the model has no vocabulary; train it with the callback"):
        sample(build(), "to", 5)


def test_an_output_that_is_not_for_the_vocabulary_is_refused():
    network = build(LAYERS[:1])
    network.card.metadata["vocabulary"] = CHARACTERS
    with pytest.raises(modnet.ShapeError, match=rf"expected one output of shape \(time, {len(CHARACTERS)}\)"):
        sample(network, "to", 5)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_outputs_that_are_no_probabilities_are_refused(temperature):
    network = build(LAYERS[:2])
    network.card.metadata["vocabulary"] = CHARACTERS
    with pytest.raises(modnet.DataError, match=r"gives no probabilities: .* found .* to .*; end it with softmax"):
        list(sample(network, "to", 5, temperature=temperature))


def test_a_temperature_that_is_no_number_is_refused(trained):
    with pytest.raises(modnet.DataError, match="temperature: expected a number >= 0, found nan"):
        sample(trained, "to", 5, temperature=float("nan"))


def test_the_command_moves_no_terminal(trained, tmp_path):
    testing = pytest.importorskip("click.testing", reason="the command line: pip install 'modnet-core[cli]'")
    from modnet.cli.app import cli

    network = modnet.load(modnet.save(trained, tmp_path / "line.modnet") or tmp_path / "line.modnet")
    network.card.metadata["vocabulary"] = "\n\x1b\x9b\x07\r\t"
    modnet.save(network, tmp_path / "odd.modnet")
    done = testing.CliRunner().invoke(cli, ["sample", str(tmp_path / "odd.modnet"), "--length", "50"])
    assert done.exit_code == 0
    assert "\\x1b" in done.output
    assert done.output.replace("\n", "").replace("\t", "").isprintable()


def test_a_vocabulary_has_different_characters():
    with pytest.raises(modnet.ModnetError, match="all different"):
        Vocabulary(characters="aba")


class Counting(modnet.Layer, type="counting"):
    """Notes how many steps its stream has seen at each piece."""

    streams = True
    seen: ClassVar = []

    def output_shape(self, *input_shapes):
        return input_shapes[0]

    def forward(self, context, x):
        context.memory["steps"] = context.memory.get("steps", 0) + x.shape[1]
        self.seen.append(context.memory["steps"])
        return x


@pytest.mark.parametrize(
    ("start", "context", "expected"),
    [
        ("to", 4, [2, 3, 4, 2, 3, 4, 2, 3]),
        ("to be\n", 4, [2, 3, 4, 2, 3, 4, 2, 3]),
        ("t", 2, [1, 2, 1, 2, 1, 2, 1, 2]),
        ("to", None, [2, 3, 4, 5, 6, 7, 8, 9]),
    ],
)
def test_a_context_begins_anew_with_its_last_half(start, context, expected):
    network = build([LAYERS[0], Counting(), *LAYERS[1:]])
    network.card.metadata["vocabulary"] = CHARACTERS
    Counting.seen.clear()
    list(sample(network, start, 8, context=context))
    assert Counting.seen == expected


def test_the_callback_keeps_its_contract():
    check_component(Vocabulary(characters="ab"))


def test_the_spec_of_the_readme_trains():
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (spec,) = re.findall(r"^```toml\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    network = modnet.build(tomllib.loads(spec))
    ids = encode("abcd\n" * 4, "abcd\n").reshape(2, 10)
    modnet.train(network, ids[:, :-1], ids[:, 1:], epochs=1)
    assert network.card.metadata["vocabulary"] == "abcd\n"

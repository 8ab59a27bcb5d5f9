"""Vocabulary and new text, from a network that has learned a line by heart."""

import pytest
from modnet_recurrent import sample
from modnet_recurrent.text import Vocabulary, encode

import modnet

LINE = "to be, or not to be\n"
CHARACTERS = "".join(sorted(set(LINE)))
LAYERS = [
    {"type": "embedding", "vocabulary_size": len(CHARACTERS), "embedding_size": 8},
    {"type": "gru", "hidden_size": 24},
    {"type": "linear", "out_features": len(CHARACTERS)},
    "softmax",
]


def build(layers=tuple(LAYERS)):
    return modnet.build({"network": {"input": ["variable"], "layers": list(layers)}}, seed=0)


@pytest.fixture(scope="module")
def trained():
    network = build()
    ids = encode(LINE * 41, CHARACTERS)
    x, y = ids[:792].reshape(-1, 33), ids[1:793].reshape(-1, 33)
    callbacks = [Vocabulary(characters=CHARACTERS)]
    optimizer = {"type": "adam", "learning_rate": 0.02}
    modnet.train(network, x, y, loss="cross_entropy", optimizer=optimizer, epochs=60, callbacks=callbacks)
    return network


def test_the_line_comes_back(trained):
    # "to be" is followed by "," or by the end of the line, and only what came before tells which.
    assert "".join(sample(trained, LINE, 60, temperature=0)) == LINE * 3


def test_the_vocabulary_is_in_the_model_file(trained, tmp_path):
    modnet.save(trained, tmp_path / "line.modnet")
    loaded = modnet.load(tmp_path / "line.modnet")
    assert loaded.metadata["vocabulary"] == CHARACTERS
    assert "".join(sample(loaded, "\n", 30, seed=1)) == "".join(sample(trained, "\n", 30, seed=1))


def test_another_seed_gives_another_text(trained):
    texts = {"".join(sample(trained, "b", 40, temperature=3.0, seed=seed)) for seed in range(3)}
    assert len(texts) == 3


def test_the_command(trained, tmp_path):
    testing = pytest.importorskip("click.testing", reason="the command line: pip install 'modnet-core[cli]'")
    from modnet.cli.app import cli

    modnet.save(trained, tmp_path / "line.modnet")
    arguments = ["sample", str(tmp_path / "line.modnet"), "--start", LINE, "--length", "20", "--temperature", "0"]
    done = testing.CliRunner().invoke(cli, arguments)
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
    network = build(LAYERS[:2])
    network.metadata["vocabulary"] = CHARACTERS
    with pytest.raises(modnet.ShapeError, match=rf"expected one output of shape \(time, {len(CHARACTERS)}\)"):
        sample(network, "to", 5)


def test_a_vocabulary_has_different_characters():
    with pytest.raises(modnet.ModnetError, match="all different"):
        Vocabulary(characters="aba")

"""history.plot() and modnet.plot_histories: the lines that are drawn, and the files."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

import modnet

pytest.importorskip("matplotlib", reason="matplotlib (extra `plot`) is not installed")

COURSE = {"loss": [3.0, 2.0, 1.0], "validation_loss": [3.5, 2.5, 2.0], "accuracy": [0.1, 0.4, 0.8]}


def lines_of(axes):
    return {line.get_label(): line.get_ydata().tolist() for line in axes.lines if not line.get_label().startswith("_")}


def test_each_figure_has_a_panel_with_its_validation():
    figure = modnet.History({**COURSE, "confusion_matrix": [[[1, 2], [3, 4]]] * 3}).plot()
    loss, accuracy = figure.axes
    assert lines_of(loss) == {"training": COURSE["loss"], "validation": COURSE["validation_loss"]}
    assert lines_of(accuracy) == {"training": COURSE["accuracy"]}
    assert [loss.get_ylabel(), accuracy.get_ylabel()] == ["loss", "accuracy"]


def test_the_epoch_whose_weights_are_kept_is_marked():
    history = modnet.History(COURSE)
    history.best_epoch = 2
    (mark,) = (line for line in history.plot().axes[0].lines if line.get_linestyle() == ":")
    assert mark.get_xdata() == [2, 2]


def test_a_loaded_model_has_its_history(tmp_path):
    network = modnet.build({"network": {"input": [2], "layers": [{"type": "linear", "out_features": 1}]}})
    x = np.random.default_rng(0).standard_normal((20, 2))
    history = modnet.train(network, x, x[:, :1], loss="mse", epochs=3)
    modnet.save(network, tmp_path / "m.modnet")
    (axes,) = modnet.load(tmp_path / "m.modnet").history.plot().axes
    assert lines_of(axes) == {"training": history["loss"].tolist()}


def test_several_runs_are_in_one_figure():
    shorter = {"loss": [2.0, 1.5], "auc": [0.5, 0.6]}
    figure = modnet.plot_histories({"first": modnet.History(COURSE), "$second$": shorter})
    loss, accuracy, auc = figure.axes
    drawn = [(line.get_color(), line.get_linestyle(), line.get_ydata().tolist()) for line in loss.lines]
    blue, vermillion = modnet.pictures.palette.COLOURS[:2]
    assert drawn == [
        (blue, "-", COURSE["validation_loss"]),
        (blue, "--", COURSE["loss"]),
        (vermillion, "-", shorter["loss"]),
    ]
    assert [len(accuracy.lines), len(auc.lines)] == [1, 1]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["first", "$second$", "validation", "training"]


@pytest.mark.parametrize("form", ["svg", "png", "pdf"])
def test_a_file_is_written_and_is_the_same_again(form, tmp_path):
    for name in ("a", "b"):
        modnet.History(COURSE).plot(tmp_path / f"{name}.{form}")
    content = (tmp_path / f"a.{form}").read_bytes()
    assert len(content) > 3000
    assert form == "pdf" or content == (tmp_path / f"b.{form}").read_bytes()


def test_an_svg_is_light_or_dark_and_small(tmp_path):
    modnet.plot_histories({"<one>": COURSE, "two & three": COURSE}, tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    found = ET.fromstring(text)
    assert "prefers-color-scheme: dark" in text
    assert found[1].get("class") == "paper"
    assert "#010203" not in text
    assert "fill: currentColor" in text
    assert "<one>" in "".join(found.itertext())
    assert len(text) < 60_000


def test_what_cannot_be_drawn_is_said(tmp_path):
    with pytest.raises(modnet.DataError, match="the history has no epochs"):
        modnet.History({}).plot()
    with pytest.raises(modnet.DataError, match="none of the histories has an epoch"):
        modnet.plot_histories({"a": {}})
    with pytest.raises(modnet.DataError, match=r'no picture is written as "\.gif"'):
        modnet.History(COURSE).plot(tmp_path / "a.gif")
    assert list(tmp_path.iterdir()) == []


def test_a_single_epoch_can_be_seen():
    (axes,) = modnet.History({"loss": [1.0]}).plot().axes
    assert axes.lines[0].get_marker() == "o"


def test_values_of_many_sizes_have_a_logarithmic_scale():
    course = {"loss": [100.0, 1.0, float("nan")], "validation_loss": [50.0, 2.0, 3.0], "accuracy": [0.0, 0.5, 1.0]}
    assert [axes.get_yscale() for axes in modnet.History(course).plot().axes] == ["log", "linear"]
    assert [axes.get_yscale() for axes in modnet.plot_histories({"a": course, "b": COURSE}).axes] == ["log", "linear"]


def test_a_share_has_a_linear_scale():
    course = {"accuracy": [0.02, 0.5, 0.9], "r2": [0.01, 0.6, 0.8], "calibration_error": [0.5, 0.1, 0.01]}
    assert [axes.get_yscale() for axes in modnet.History(course).plot().axes] == ["linear", "linear", "log"]


def test_a_logarithmic_axis_has_plain_numbers(tmp_path):
    modnet.History({"loss": [100.0, 1.0]}).plot(tmp_path / "a.svg")
    texts = ["".join(text.itertext()) for text in ET.parse(tmp_path / "a.svg").iter("{http://www.w3.org/2000/svg}text")]
    assert {"1", "10", "100", "loss", "epoch"} <= set(texts)
    assert not [text for text in texts if "math" in text]


def test_more_runs_than_colours_have_markers():
    figure = modnet.plot_histories({f"run {place}": {"loss": [2.0, 1.0]} for place in range(9)})
    looks = [(line.get_color(), line.get_marker()) for line in figure.axes[0].lines]
    assert len(set(looks)) == 9
    assert looks[7] == (looks[0][0], "o")
    (legend,) = figure.legends
    assert [(line.get_color(), line.get_marker()) for line in legend.get_lines()] == looks

"""Explanations as pictures: all in one file, or each in a folder."""

import pytest

import modnet
from modnet.assessment.pictures import Picture, write_pictures
from tests.assessment.explanation import networks

pytest.importorskip("matplotlib", reason="matplotlib (extra `plot`) is not installed")


def test_a_folder_gets_a_file_for_each(tmp_path):
    network, table = networks.classes()
    modnet.explain(network, table, repeats=2).plot(tmp_path / "pictures")
    assert sorted(file.name for file in (tmp_path / "pictures").iterdir()) == [
        "dependence-colour.png",
        "dependence-noise.png",
        "dependence-size.png",
        "importance.png",
    ]


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_a_file_gets_all_of_it(form, tmp_path):
    network, table = networks.ids()
    figure = modnet.explain(network, table, repeats=1).plot(tmp_path / f"all.{form}")
    assert (tmp_path / f"all.{form}").stat().st_size > 5000
    assert len(figure.axes) == 4
    modnet.explain(network, table, rows=[0, 1]).plot(tmp_path / f"rows.{form}")


def test_a_name_is_no_formula_and_no_path(tmp_path):
    def draw(axes):
        axes.set(title="price in $ and $x^$")

    write_pictures([Picture("../a/b $", draw), Picture(".._a_b $", draw)], tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["_a_b__.png", "_a_b___2.png"]


def test_a_file_of_another_kind_is_refused(tmp_path):
    with pytest.raises(modnet.DataError, match=r'no picture is written as "\.gif"; expected a folder, or \.png, \.svg'):
        write_pictures([], tmp_path / "a.gif")

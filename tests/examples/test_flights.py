import re

import pytest

pytest.importorskip("modnet_recurrent", reason="the example needs the plugin: pip install plugins/modnet-recurrent")


@pytest.fixture
def folder(examples, python):
    folder = examples / "flights"
    assert python(folder, "prepare.py") == "train.npz  83 windows of 36 months\n"
    return folder


def test_forecasts_better_than_last_year_repeated(folder, python):
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib: extra plot")
    (folder / "forecast.svg").unlink()
    printed = python(folder, "forecast.py", "--seeds", "2")
    repeated, grown, *seeds = [float(number) for number in re.findall(r"thousand +([\d.]+) %", printed)]
    assert (repeated, grown) == (15.5, 11.2)
    assert len(seeds) == 2
    assert max(seeds) < 8
    assert "network, all seeds" in (folder / "forecast.svg").read_text(encoding="utf-8")


def test_the_spec_can_be_trained_by_itself(folder, modnet):
    printed = modnet(folder, "train", "flights.toml", "--set", "training.epochs=2")
    assert "flights.modnet" in printed

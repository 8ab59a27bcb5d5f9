import importlib.util
import re

import pytest

from modnet.testing import check_component


def test_the_commands_of_the_page(examples, console):
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib: extra plot")
    folder = examples / "fourier"
    (folder / "fourier.png").unlink()
    printed = console(folder, {"modnet train": ("--set", "training.epochs=15")})
    error = {
        name: float(number) for name, number in re.findall(r"(.+?) +root .* error +(\S+)", printed["python draw.py"])
    }
    assert error["nearest known pixel"] == 26.30
    assert error["with Fourier features"] < 25 < 32 < error["network without"]
    assert (folder / "fourier.png").read_bytes().startswith(b"\x89PNG")


def test_the_layer_keeps_its_contract(examples):
    spec = importlib.util.spec_from_file_location("fourier", examples / "fourier" / "fourier.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    check_component(module.FourierFeatures(waves=5, scale=1.5), (3,))


def test_the_pixels_are_those_of_the_photograph(examples, python):
    pytest.importorskip("sklearn", reason="scikit-learn ships the photograph: extra parity")
    pytest.importorskip("PIL", reason="scikit-learn reads it with Pillow")
    folder = examples / "fourier"
    shipped = (folder / "pixels.csv.gz").read_bytes()
    assert python(folder, "prepare.py") == "pixels.csv.gz: 16,384 pixels, 4,096 of them for training\n"
    made = (folder / "pixels.csv.gz").read_bytes()
    assert abs(len(made) - len(shipped)) < 0.02 * len(shipped)  # another Pillow may round otherwise

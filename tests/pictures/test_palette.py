"""The colours: told apart by everyone, on a light and on a dark background."""

import itertools

import numpy as np
import pytest

from modnet.pictures.palette import COLOURS, FIRST, QUIET, SECOND, THEMES, THIRD, colour

# Machado, Oliveira and Fernandes 2009, "A Physiologically-based Model for Simulation of Color Vision Deficiency",
# table 1, severity 1: what is seen, of linear red, green and blue.
SIGHTS = {
    "all": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def linear(code):
    values = np.array([int(code[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lightness(code):
    return float(linear(code) @ [0.2126, 0.7152, 0.0722])


def contrast(one, other):
    """As WCAG 2 defines it."""
    low, high = sorted([lightness(one), lightness(other)])
    return (high + 0.05) / (low + 0.05)


def lab(rgb):
    """CIE L*a*b* of linear red, green and blue."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(np.clip(to_xyz @ rgb, 1e-4, None) / [0.9505, 1.0, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("code", [FIRST, SECOND, THIRD, QUIET])
def test_the_first_colours_stand_out_from_both_backgrounds(code, theme):
    assert contrast(code, THEMES[theme][1]) >= 3


@pytest.mark.parametrize("theme", THEMES)
def test_texts_can_be_read(theme):
    assert contrast(*THEMES[theme]) > 7


@pytest.mark.parametrize("sight", SIGHTS)
def test_any_two_can_be_told_apart_by_everyone(sight):
    seen = {code: lab(np.clip(np.array(SIGHTS[sight]) @ linear(code), 0, 1)) for code in COLOURS}
    apart = {(one, other): np.linalg.norm(seen[one] - seen[other]) for one, other in itertools.combinations(seen, 2)}
    assert min(apart.values()) > 8, min(apart, key=apart.get)
    assert apart[FIRST, SECOND] > 40


def test_they_begin_again():
    assert [colour(place) for place in range(len(COLOURS) + 1)] == [*COLOURS, FIRST]

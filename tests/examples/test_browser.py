"""The page on which one draws a digit, in a real browser: digits are drawn with the mouse and a finger, and read."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from . import browser

REPOSITORY = Path(__file__).parents[2]
PAGE = "examples/browser/"
READY = "document.body?.dataset.ready === 'yes' || document.querySelector('#problem:not([hidden])') !== null"

ANSWER = """
new Promise((done) => requestAnimationFrame(() => setTimeout(done))).then(() => ({
  digit: document.getElementById("answer").textContent,
  sure: document.getElementById("sure").textContent,
  bars: [...document.querySelectorAll("#digits output")].map((bar) => parseFloat(bar.textContent)),
}))
"""


STROKES = json.loads(Path(__file__).with_name("strokes.json").read_text(encoding="utf-8"))
"""Two of each digit among MNIST's that the network has not learnt from (`row`), thinned to lines (Zhang and Suen 1984).

MNIST: Y. LeCun, C. Cortes, C. J. C. Burges; licence CC BY-SA 3.0.
"""


@pytest.fixture
def opened(tmp_path):
    """opened(folder): the page of a copy of the repository, in a browser."""
    program = browser.find()
    if program is None:
        pytest.skip("no browser like Chromium is installed")
    stack = []

    def open_page(folder):
        stack.append(browser.Server(folder))
        server = stack[-1].__enter__()
        stack.append(browser.Browser(program, tmp_path / "profile"))
        page = stack[-1].__enter__()
        page.send("Emulation.setDeviceMetricsOverride", width=900, height=620, deviceScaleFactor=1, mobile=False)
        page.open(f"{server.address}/{PAGE}", READY)
        return page

    yield open_page
    for entered in reversed(stack):
        entered.__exit__()


class Pad:
    """The field on which one draws."""

    def __init__(self, page):
        self.page = page
        box = page.evaluate("(({ x, y, width, height }) => [x, y, width, height])(pad.getBoundingClientRect())")
        self.left, self.top, self.width, self.height = box

    def place(self, point):
        return {"x": self.left + point[0] * self.width, "y": self.top + point[1] * self.height}

    def mouse(self, kind, point):
        button = {"button": "left", "buttons": 1, "clickCount": 1}
        self.page.send("Input.dispatchMouseEvent", type=kind, **self.place(point), **button)

    def draw(self, strokes):
        for stroke in strokes:
            self.mouse("mousePressed", stroke[0])
            for point in stroke[1:]:
                self.mouse("mouseMoved", point)
            self.mouse("mouseReleased", stroke[-1])

    def draw_by_finger(self, strokes):
        for stroke in strokes:
            self.page.send("Input.dispatchTouchEvent", type="touchStart", touchPoints=[self.place(stroke[0])])
            for point in stroke[1:]:
                self.page.send("Input.dispatchTouchEvent", type="touchMove", touchPoints=[self.place(point)])
            self.page.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def answer(self):
        return self.page.evaluate(ANSWER)

    def clear(self):
        self.page.evaluate("document.getElementById('clear').click()")


def smaller(strokes):
    """The same digit in a corner of the field, a third as large."""
    return [[(0.6 + x / 3, 0.05 + y / 3) for x, y in stroke] for stroke in strokes]


def test_drawn_digits_are_read(opened, tmp_path):
    page = opened(REPOSITORY)
    pad = Pad(page)
    assert pad.answer()["digit"] == ""
    for drawn in STROKES[::2]:
        pad.clear()
        pad.draw(drawn["strokes"])
        answer = pad.answer()
        assert answer["digit"] == str(drawn["digit"]) == str(np.argmax(answer["bars"])), answer
        assert len(answer["bars"]) == 10
        assert abs(sum(answer["bars"]) - 100) < 1
        assert answer["sure"].startswith("probability ")
    assert not page.complaints()
    picture = page.picture()
    assert picture.startswith(b"\x89PNG")
    (tmp_path / "page.png").write_bytes(picture)  # to be looked at; examples/browser/browser.png is such a picture
    pad.clear()
    assert pad.answer()["digit"] == ""


def test_small_ones_in_a_corner_and_by_a_finger(opened):
    page = opened(REPOSITORY)
    page.send("Emulation.setTouchEmulationEnabled", enabled=True)
    pad = Pad(page)
    for drawn in STROKES[1::4]:
        for draw in (pad.draw, pad.draw_by_finger):
            pad.clear()
            draw(smaller(drawn["strokes"]))
            assert pad.answer()["digit"] == str(drawn["digit"])
    assert not page.complaints()


@pytest.mark.parametrize("problem", ["an array is damaged", "could not be fetched: 404"])
def test_a_model_that_is_damaged_or_missing_is_told_on_the_page(opened, tmp_path, problem):
    folder = tmp_path / "site"
    for part in (PAGE, "plugins/modnet-reader-js/src"):
        shutil.copytree(REPOSITORY / part, folder / part)
    model = folder / PAGE / "digits.modnet"
    content = bytearray(model.read_bytes())
    content[-100] ^= 1
    model.write_bytes(content)
    if "404" in problem:
        model.unlink()
    page = opened(folder)
    assert problem in page.evaluate("document.getElementById('problem').textContent")

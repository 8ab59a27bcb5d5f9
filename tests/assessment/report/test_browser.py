"""A report in a browser: nothing is refused, a phone need not scroll sideways, it is dark where asked, it prints."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

import modnet
from tests.assessment.explanation import networks

pytest.importorskip("jinja2", reason="jinja2 (extra `report`) is not installed")
pytest.importorskip("matplotlib", reason="matplotlib (extra `report`) is not installed")

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")

PHONE, DESK = 390, 1280
"""How wide the windows are, in pixels."""

PROBE = """
<script>
const style = getComputedStyle(document.body), box = document.documentElement;
const texts = [...document.querySelectorAll("figure text")].map(text => text.getBoundingClientRect().right);
parent.postMessage({
  wide: box.scrollWidth, window: innerWidth, paper: style.backgroundColor, ink: style.color,
  pictures: [...document.querySelectorAll("figure svg")].map(svg => svg.getBoundingClientRect().width),
  texts: Math.max(...texts), size: Math.min(...[...document.querySelectorAll("figure text")].map(
    text => text.getBoundingClientRect().height)),
}, "*");
</script>
"""

FRAME = """
<!DOCTYPE html><title>waiting</title>
<script>addEventListener("message", event => document.title = "probe " + JSON.stringify(event.data));</script>
<iframe src="probed.html" width="{width}" height="800" style="border: 0"></iframe>
"""
"""A browser's own window cannot be as narrow as a phone."""


@pytest.fixture(scope="module")
def browser():
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no browser like Chromium is installed")
    return found


@pytest.fixture(scope="module")
def report():
    """The page of a network with long names and many columns, and a table that is wider than a phone."""
    rng = np.random.default_rng(0)
    names = [f"a column with a long name {place}" for place in range(12)]
    table = {name: rng.standard_normal(60) for name in names}
    table["a_name_without_any_place_where_it_could_be_broken_into_lines"] = rng.choice(["yes", "no"], 60).tolist()
    table["kind"] = np.where(table[names[0]] > 0, "the first of the classes", "another").tolist()
    layers = [{"type": "residual", "layers": [networks.linear(14, activation="relu")]}, networks.linear(2), "softmax"]
    spec = {
        "network": {"input": [14], "layers": layers},
        "training": {"loss": "cross_entropy", "metrics": ["accuracy", "log_loss"], "epochs": 5},
        "data": {"target": "kind"},
    }
    network = modnet.train(spec, table, validation=0.2).network
    return modnet.report(network, table, repeats=1).html


class Opened:
    """A page that is opened in a browser."""

    def __init__(self, browser, html, folder):
        self.browser, self.folder, self.page = browser, folder, folder / "report.html"
        self.page.write_text(html, encoding="utf-8")

    def run(self, *options, page=None, dark=False):
        """What the browser writes to its standard output, and to its standard error."""
        scheme = "--blink-settings=preferredColorScheme=" + ("0" if dark else "1")
        always = (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            "--window-size=1400,900",
        )
        command = [self.browser, *always, f"--user-data-dir={self.folder / 'profile'}", scheme, *options]
        done = subprocess.run(
            [*command, (page or self.page).as_uri()], capture_output=True, text=True, timeout=120, check=True
        )
        return done.stdout, done.stderr

    def probed(self, width=DESK, **how):
        """What a script finds out about the page, which it may run for this test alone, in a window of some width."""
        own = re.sub(r"<meta http-equiv[^>]*>", "", self.page.read_text(encoding="utf-8"))
        (self.folder / "probed.html").write_text(own.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
        frame = self.folder / "frame.html"
        frame.write_text(FRAME.replace("{width}", str(width)), encoding="utf-8")
        dom, _ = self.run("--dump-dom", "--virtual-time-budget=3000", page=frame, **how)
        return json.loads(re.search(r"<title>probe (.*?)</title>", dom)[1])


@pytest.fixture
def opened(browser, report, tmp_path):
    return Opened(browser, report, tmp_path)


def test_nothing_is_refused_and_all_of_it_is_there(opened, report):
    dom, log = opened.run("--dump-dom")
    assert "CONSOLE" not in log, log
    for tag in ("section", "svg", "table", "figure", "pre"):
        assert dom.count(f"<{tag}") == report.count(f"<{tag}") > 0
    assert "<title>kind - a model report</title>" in dom


def test_a_phone_scrolls_tables_and_not_the_page(opened):
    found = opened.probed(PHONE)
    assert found["window"] == PHONE
    assert found["wide"] <= found["window"]
    assert max(found["pictures"]) <= found["window"]
    assert found["texts"] <= found["window"] + 4
    assert found["size"] > 7  # pixels: the height of the smallest text of a picture


def test_a_wide_window_has_no_wider_page(opened):
    found = opened.probed()
    assert found["wide"] <= found["window"] == DESK


def brightness(colour):
    return sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / 3


def test_it_is_dark_for_those_who_want_it(opened):
    light, dark = opened.probed(), opened.probed(dark=True)
    assert brightness(light["paper"]) > 200 > 60 > brightness(light["ink"])
    assert brightness(dark["paper"]) < 60 < 200 < brightness(dark["ink"])


def test_it_prints(opened, tmp_path):
    opened.run(f"--print-to-pdf={tmp_path / 'report.pdf'}", "--no-pdf-header-footer")
    content = (tmp_path / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert len(content) > 30_000

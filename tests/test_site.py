"""The documentation site is built as a whole, and can be read and searched in a browser."""

import importlib.util
import subprocess
import sys
import time

import pytest

from tests.examples import browser
from tests.test_docs import ROOT

SCRIPT = ROOT / "docs" / "site.py"
WIDTH = 390
"""Of a telephone, in pixels."""

TOO_WIDE = """
const outside = element => element.getBoundingClientRect().right > document.documentElement.clientWidth + 1;
const scrolls = element => ["auto", "scroll"].includes(getComputedStyle(element).overflowX) && !outside(element);
const held = element => element !== null && (scrolls(element) || held(element.parentElement));
[...document.querySelectorAll("main *")].filter(element => outside(element) && !held(element))
  .map(element => element.outerHTML.slice(0, 80));
"""
"""What stands out of the page and does not scroll by itself."""

FOUND = """
[...document.querySelectorAll("*")].filter(element => element.shadowRoot)
  .flatMap(element => [...element.shadowRoot.querySelectorAll("[role=option]")])
  .map(element => element.getAttribute("href"));
"""


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("site_of_modnet", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_navigation_has_every_page_and_no_other(script):
    nav = [{"Start": "index.md"}, {"Guides": ["more/c.md", {"More": ["more/*.md"]}, "gone.md"]}]
    pages = {"index.md", "more/c.md", "more/b.md", "more/a.md", "forgotten.md"}
    resolved, faults = script.navigation(nav, pages)
    assert resolved == [
        {"Start": "index.md"},
        {"Guides": ["more/c.md", {"More": ["more/a.md", "more/b.md"]}, "gone.md"]},
    ]
    assert faults == [
        "zensical.toml: forgotten.md is in no entry of nav",
        "zensical.toml: nav has gone.md, but there is no such page",
    ]


def test_help_builds_nothing(tmp_path):
    done = subprocess.run([sys.executable, SCRIPT, "--help"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "usage: site.py [-h] [FOLDER]" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_links_and_tables_are_those_of_the_site(script):
    page = script.Path("docs/tutorials/table.md")
    text = "[a](../../examples/xor/README.md#beside) [b](../../examples/xor/xor.py) [c](#here) [d](https://numpy.org)\n"
    text += "| `a: str \\| None` | `b` |\n"
    fenced = "```python\nx = y[0](../../README.md)\n```\n"
    moved, linked = script.staged(page, text + fenced)
    expected = (
        "[a](../examples/xor/index.md#beside) [b](../files/examples/xor/xor.py.md) [c](#here) [d](https://numpy.org)\n"
    )
    expected += "| <code>a&#58; str &#124; None</code> | `b` |\n"
    assert moved == expected + fenced
    assert {path.as_posix() for path in linked} == {"examples/xor/README.md", "examples/xor/xor.py"}


def test_what_is_wrong_with_a_site_is_found(script, tmp_path):
    (tmp_path / "a.html").write_text(
        '<p id="here"><a href="#here"></a><a href="#there"></a><a href="b.html"></a><a href="c.html"></a>'
        '<img src="c.png"><img src="//example.org/c.png"><a href="https://example.org"></a></p>'
    )
    (tmp_path / "b.html").write_text('<a href="a.html#here"></a><a href="a.html#gone"></a>')
    assert list(script.faults_of_site(tmp_path)) == [
        "a.html: loads //example.org/c.png from elsewhere",
        "a.html: #there: the page has no such place",
        "a.html: c.html leads nowhere",
        "a.html: c.png leads nowhere",
        "b.html: a.html#gone: the page has no such place",
    ]


@pytest.mark.slow
def test_the_site_in_a_browser(tmp_path):
    pytest.importorskip("zensical", reason="the site needs zensical: pip install 'modnet-core[docs]'")
    program = browser.find()
    if program is None:
        pytest.skip("no browser like Chromium is installed")
    built = subprocess.run([sys.executable, SCRIPT, tmp_path], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    site = tmp_path / "site"
    pages = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html") if path.name != "404.html")
    assert len(pages) > 60
    with browser.Server(site) as server, browser.Browser(program, tmp_path / "profile") as window:
        window.send("Emulation.setDeviceMetricsOverride", width=WIDTH, height=800, deviceScaleFactor=1, mobile=False)
        for page in pages:
            window.open(f"{server.address}/{page}", "document.readyState === 'complete'")
            assert window.evaluate(f"{{ {TOO_WIDE} }}") == [], page
        window.evaluate("document.querySelector('main article').append(document.createElement('img'))")
        window.evaluate("document.querySelector('main article img:last-child').style = 'width: 800px; max-width: none'")
        assert len(window.evaluate(f"{{ {TOO_WIDE} }}")) == 1, "the check finds nothing"
        assert any("cli.html" in address for address in searched(window, server, "calibrate"))
        assert any("reference/layers.html" in address for address in searched(window, server, "layer_norm"))
        assert window.complaints() == []


def searched(window, server, word):
    """The addresses of what the site's search finds."""
    window.open(f"{server.address}/index.html", "document.readyState === 'complete'")
    window.evaluate("document.querySelector('.md-search__button').click()")
    deadline = time.monotonic() + browser.PATIENCE
    found = []
    while not found and time.monotonic() < deadline:
        window.evaluate(
            "[...document.querySelectorAll('*')].find(element => element.shadowRoot?.querySelector('input'))"
            "?.shadowRoot.querySelector('input').select()"
        )
        window.send("Input.insertText", text=word)
        time.sleep(0.3)
        found = window.evaluate(FOUND)
    return found

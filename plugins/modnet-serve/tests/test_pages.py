"""The pages in a real browser: a row is filled in and its answer read."""

import re
import shutil
import socket
import subprocess
import threading
import time
from html import unescape

import pytest
import uvicorn

import modnet

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs chromium")

HELP = """
const until = async (test) => { while (!test()) await new Promise((go) => setTimeout(go, 20)); };
const boxes = () => [...document.querySelectorAll("#fields > *")];
const field = (name) => boxes().find((box) => box.firstChild.textContent === name);
const set = (name, value) => {
  const input = field(name).querySelector("input, select, textarea");
  input.value = value;
  input.dispatchEvent(new Event("input", { bubbles: true }));
};
const press = () => document.querySelector("#row button").click();
const done = () => until(() => !document.getElementById("answer").hidden || !document.getElementById("trouble").hidden);
"""


class Acting:
    """The application, with a script of a test behind those of its pages."""

    def __init__(self, app, script):
        self.app, self.script = app, script

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["path"] == "/pages/test.js":
            await send(
                {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/javascript")]}
            )
            await send({"type": "http.response.body", "body": (HELP + self.script).encode()})
        elif scope["path"] in ("/", "/docs"):
            await self.app(scope, receive, self._extended(send))
        else:
            await self.app(scope, receive, send)

    def _extended(self, send):
        more = b'<script type="module" src="pages/test.js"></script>'

        async def extended(message):
            if message["type"] == "http.response.start":
                message["headers"] = [(n, v) for n, v in message["headers"] if n.lower() != b"content-length"]
            else:
                message["body"] = message["body"].replace(b"</body>", more + b"</body>")
            await send(message)

        return extended


@pytest.fixture
def seen(served, tmp_path):
    """seen(PATH..., script=...) gives the page after a script has acted on it, as HTML."""

    def look(*paths, script="", page="/", **settings):
        server = served(*paths, **settings)
        listener = socket.create_server(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}{page}"
        http = uvicorn.Server(uvicorn.Config(Acting(server.app, script), log_config=None, lifespan="on"))
        thread = threading.Thread(target=lambda: http.run(sockets=[listener]))
        thread.start()
        try:
            while not http.started:
                time.sleep(0.01)
            command = [
                BROWSER,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                f"--user-data-dir={tmp_path / 'browser'}",
            ]
            command += ["--virtual-time-budget=5000", "--dump-dom", address]
            return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        finally:
            http.should_exit = True
            thread.join()

    return look


def texts(html, element):
    """The texts of the elements of this name."""
    return [
        unescape(re.sub("<[^>]+>", "", found)) for found in re.findall(f"<{element}[ >].*?</{element}>", html, re.S)
    ]


def test_a_row_is_filled_in_by_fields_of_the_kinds_of_its_columns_and_answered(seen, people):
    script = """
      await until(() => document.querySelector("#fields label"));
      set("height", "181.5"); set("age", "999"); set("city", "1"); set("member", "1"); set("joined", "2020-02-03");
      field("tags").querySelector("input[value=red]").click();
      press();
      await done();
    """
    html = seen(people, script=script)
    row = {"height": 181.5, "age": 999, "city": "Rome", "member": True, "joined": "2020-02-03", "tags": "red"}
    expected = modnet.load(people).predict(row)
    assert expected["size"] in texts(html, "strong")
    probabilities = {name[2:-1]: f"{100 * value:.1f} %" for name, value in expected.items() if name != "size"}
    assert sorted(texts(html, "output")) == sorted(probabilities.values())
    assert any(text.startswith("age: 999 is outside of what the model was trained on") for text in texts(html, "li"))
    assert re.findall(r'<label class="outside"><span>(\w+)</span>', html) == ["age"]
    fields = re.findall(r'<span>(\w+)</span><(input|select)(?: type="([\w-]+)")?', html)
    assert fields == [
        ("height", "input", "number"),
        ("age", "input", "number"),
        ("city", "select", ""),
        ("member", "select", ""),
        ("joined", "input", "date"),
    ]
    assert [html.count(f'type="checkbox" value="{name}"') for name in ("blue", "green", "red")] == [1, 1, 1]


def test_what_is_wrong_is_shown(seen, numbers):
    script = """
      await until(() => document.querySelector("textarea"));
      document.querySelector("textarea").value = "[1, 2]";
      press();
      await done();
    """
    assert "(batch, 5)" in re.search(r'<p id="trouble"[^>]*>(.*?)</p>', seen(numbers, script=script), re.S)[1]


def test_arrays_are_taken_as_json(seen, numbers):
    script = 'await until(() => document.querySelector("textarea")); press(); await done();'
    assert len(texts(seen(numbers, script=script), "strong")) == 3


def test_the_page_asks_for_the_token(seen, people):
    script = """
      await until(() => !document.getElementById("token").hidden);
      document.getElementById("secret").value = "secret";
      document.querySelector("#token button").click();
      await until(() => document.querySelector("#fields label"));
      press();
      await done();
    """
    html = seen(people, script=script, token="secret")
    assert set(texts(html, "strong")) <= {"small", "medium", "large"}
    assert len(texts(html, "strong")) == 1


def test_names_of_columns_are_only_ever_texts(seen, folder):
    name = "<img src=x onerror=document.title=1>"
    rows = [{name: float(i), "kind": "<b>a</b>" if i % 2 else "b"} for i in range(20)]
    spec = {
        "network": {"input": [1], "layers": [{"type": "linear", "out_features": 2}, "softmax"]},
        "training": {"loss": "cross_entropy", "epochs": 1},
        "data": {"target": "kind"},
    }
    path = folder / "hostile.modnet"
    modnet.save(modnet.train(spec, rows).network, path)
    html = seen(path, script='await until(() => document.querySelector("#fields label")); press(); await done();')
    assert "<img" not in html
    assert "<b>" not in re.sub(r"<b>&lt;img.*?</b>", "", html)
    assert name in texts(html, "span")


def test_all_addresses_are_described(seen, people):
    html = seen(people, page="/docs", script='await until(() => document.querySelector("section"));')
    assert "POST /predict/people" in texts(html, "code")
    assert "Oslo, Rome, Łódź" in texts(html, "td")

"""Models are pushed to a Hugging Face hub with their card, and pulled by their id, as docs/ship.md says."""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import modnet
from modnet.assessment.model_card import model_card

COMMIT = "1f3a9c2d" * 5


class Hub(BaseHTTPRequestHandler):
    """As much of a hub as huggingface_hub asks for, for small files of one repository."""

    def log_message(self, *_):
        pass

    def answer(self, content, **headers):
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def do_GET(self):
        content = self.server.files[self.path.rpartition("/")[2]]
        self.answer(content, ETag=f'"{hashlib.sha1(content).hexdigest()}"', X_Repo_Commit=COMMIT)

    do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if "/preupload/" in self.path:
            names = [file["path"] for file in json.loads(body)["files"]]
            files = [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]
            self.answer(json.dumps({"files": files}).encode())
        elif "/commit/" in self.path:
            for row in map(json.loads, body.splitlines()):
                if row["key"] == "file":
                    self.server.files[row["value"]["path"]] = base64.b64decode(row["value"]["content"])
            url = f"https://huggingface.co/ada/birds/commit/{COMMIT}"
            self.answer(json.dumps({"commitUrl": url, "commitOid": COMMIT}).encode())
        else:  # the metadata of a card are checked
            self.answer(b'{"errors": [], "warnings": []}')


@pytest.fixture
def hub():
    """The hub's address; files that were pushed are in `hub.files`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.files = {}
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.filterwarnings("default::ResourceWarning")  # of huggingface_hub, which keeps its connections
def test_push_and_pull(hub, tmp_path, monkeypatch):
    hugging = pytest.importorskip("huggingface_hub", reason="pushes and pulls")
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    endpoint = f"http://127.0.0.1:{hub.server_port}"
    network = modnet.build({"network": {"input": [3], "layers": [{"type": "linear", "out_features": 2}]}})
    path = tmp_path / "birds.modnet"
    modnet.save(network, path)
    api = hugging.HfApi(endpoint=endpoint, token="hf_none")
    api.upload_file(path_or_fileobj=path, path_in_repo="birds.modnet", repo_id="ada/birds")
    card = model_card(path).encode()
    api.upload_file(path_or_fileobj=card, path_in_repo="README.md", repo_id="ada/birds")
    assert hub.files == {"birds.modnet": path.read_bytes(), "README.md": card}
    pulled = hugging.hf_hub_download(
        "ada/birds", "birds.modnet", endpoint=endpoint, cache_dir=tmp_path / "cache", token="hf_none"
    )
    assert modnet.load(pulled, id=network.id).id == network.id
    with pytest.raises(modnet.ModelFileError, match="this is another model"):
        modnet.load(pulled, id="0" * 8)

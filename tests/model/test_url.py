"""Models behind URLs."""

import sys
import zipfile

import pytest

import modnet
from modnet.model.url import is_url

SPEC = {"network": {"input": [3], "layers": [{"type": "linear", "out_features": 2}]}}


@pytest.fixture
def network(tmp_path):
    made = modnet.build(SPEC, seed=0)
    modnet.save(made, tmp_path / "m.modnet")
    return made


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("s3://bucket/m.modnet", True),
        ("simplecache::s3://bucket/m.modnet", True),
        ("zip://m.modnet::models.zip", True),
        ("m.modnet", False),
        ("C://models/m.modnet", False),
        ("my models/a://b", False),
        (b"s3://x", False),
    ],
)
def test_what_is_a_url(place, expected):
    assert is_url(place) is expected


class TestWithFsspec:
    @pytest.fixture(autouse=True)
    def _fsspec(self):
        pytest.importorskip("fsspec", reason="the extra fsspec")

    def test_memory(self, network):
        modnet.save(network, "memory://models/m.modnet")
        loaded = modnet.load("memory://models/m.modnet", id=network.id)
        assert loaded.id == network.id
        with pytest.raises(FileNotFoundError):
            modnet.load("memory://models/n.modnet")

    def test_local(self, network, tmp_path):
        modnet.save(network, f"file://{tmp_path}/n.modnet")
        assert modnet.load(f"file://{tmp_path}/n.modnet").id == modnet.load(tmp_path / "n.modnet").id == network.id
        with pytest.raises(FileNotFoundError):
            modnet.save(network, f"file://{tmp_path}/nowhere/n.modnet")
        assert not (tmp_path / "nowhere").exists()
        with pytest.raises(OSError, match=r"Is a directory|this is a folder"):
            modnet.load(f"file://{tmp_path}")

    def test_zip(self, network, tmp_path):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.write(tmp_path / "m.modnet", "in/m.modnet")
        assert modnet.load(f"zip://in/m.modnet::{tmp_path}/a.zip").id == network.id
        for missing in (f"zip://n.modnet::{tmp_path}/a.zip", f"zip://m.modnet::{tmp_path}/b.zip"):
            with pytest.raises(FileNotFoundError) as caught:
                modnet.load(missing)
            assert caught.value.filename == missing
        with pytest.raises(modnet.ModelFileError, match="a URL with :: in it can only be read"):
            modnet.save(network, f"zip://in/m.modnet::{tmp_path}/a.zip")

    def test_an_open_file_of_fsspec(self, network):
        import fsspec

        with fsspec.open("memory://open.modnet", "wb") as file:
            modnet.save(network, file)
        with fsspec.open("memory://open.modnet", "rb") as file:
            assert modnet.load(file).id == network.id

    def test_an_open_file_that_says_it_is_a_path(self, network, tmp_path):
        import fsspec

        system = fsspec.filesystem("file")
        with system.open(tmp_path / "n.modnet", "wb", autocommit=False) as file:  # it gets its name by `commit`
            file.write(b"before")
            modnet.save(network, file)
        file.commit()
        with system.open(tmp_path / "n.modnet", "rb") as file:
            file.seek(6)
            assert modnet.load(file).id == network.id

    def test_faults_name_the_url(self, network):
        import fsspec

        modnet.save(network, "memory://models/m.modnet")
        system = fsspec.filesystem("memory")
        system.pipe_file("/models/m.modnet", system.cat_file("/models/m.modnet")[:-1])
        with pytest.raises(modnet.ModelFileError, match=r"memory://models/m.modnet: the file has"):
            modnet.load("memory://models/m.modnet")

    def test_it_cannot_be_mapped(self, network):
        modnet.save(network, "memory://models/m.modnet")
        with pytest.raises(modnet.ModelFileError, match="mmap=True: a stream"):
            modnet.load("memory://models/m.modnet", mmap=True)

    def test_other_kinds_of_urls(self, network):
        with pytest.raises(modnet.ModelFileError, match="s4://b/m: fsspec does not know this kind of URL"):
            modnet.load("s4://b/m")
        with pytest.raises(modnet.ModelFileError, match="only model files"):
            modnet.save(network, "memory://m.onnx")

    def test_what_a_kind_of_url_needs(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "s3fs", None)
        with pytest.raises(modnet.ModelFileError, match="fsspec cannot open this kind of URL here: Install s3fs"):
            modnet.load("s3://b/m.modnet")


def test_without_fsspec(network, monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    for function in (lambda: modnet.load("s3://b/m.modnet"), lambda: modnet.save(network, "s3://b/m.modnet")):
        with pytest.raises(modnet.MissingExtra, match=r"pip install 'modnet-core\[fsspec\]'"):
            function()

"""Where native code comes from: the compiler, the cache, and what may go wrong with them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from modnet_compiled import library

import modnet
from modnet.waiting import listening

ASK = """
import numpy as np, modnet
from modnet_compiled.engine import engine_of
network = modnet.build({"network": {"input": [4], "layers": [{"type": "linear", "out_features": 3}]}})
x = np.ones((2, 4), np.float32)
np.testing.assert_allclose(engine_of(network)([x], [x])[0], network.forward(x), atol=1e-6)
"""


def asked(**environment):
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", ASK],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def quick_compiler(tmp_path, monkeypatch):
    """A compiler that takes what has been compiled for the other tests."""
    library.library("float32")
    made = next(library.cache_folder().glob("float32-*.so"))
    script = tmp_path / "quick-cc"
    script.write_text(f"#!/bin/sh\nsleep 0.2\ncp {made} made.so\n")
    script.chmod(0o755)
    monkeypatch.setenv("CC", str(script))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "modnet" / "compiled"


def test_two_processes_at_once(tmp_path, quick_compiler):
    running = [asked(XDG_CACHE_HOME=str(tmp_path)) for _ in range(3)]
    for process in running:
        _, said = process.communicate(timeout=120)
        assert not process.returncode, said
    folder = tmp_path / "modnet" / "compiled"
    (made,) = folder.iterdir()
    assert made.name.startswith("float32-")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert not made.stat().st_mode & 0o077
    # And now without the compiler.
    Path(os.environ["CC"]).unlink()
    third = asked(XDG_CACHE_HOME=str(tmp_path))
    _, said = third.communicate(timeout=120)
    assert not third.returncode, said


class Heard(list):
    def announced(self, text):
        self.append(text)

    def advanced(self, what, done, whole):
        raise AssertionError


def test_a_compilation_is_announced_and_what_is_in_the_cache_is_not(quick_compiler, cache):
    heard = Heard()
    with listening(heard):
        for _ in range(2):
            library._code("float32", "int own;", "own")
    (text,) = heard
    assert text == "compiling C code for this processor with quick-cc, which takes some seconds"


def test_no_compiler(cache, monkeypatch):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(modnet.ModnetError, match=r"needs a C compiler, and none of cc, gcc, clang .* apt install gcc"):
        library.library.__wrapped__("float32")
    monkeypatch.setenv("CC", "mycc -m64")
    with pytest.raises(modnet.ModnetError, match='CC, "mycc", is not there'):
        library.library.__wrapped__("float32")
    assert not list(cache.iterdir())


def test_windows(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delattr(os, "geteuid")
    with pytest.raises(modnet.ModnetError, match='"onnxruntime" runs on Windows'):
        library.library.__wrapped__("float32")


def test_a_compiler_that_fails(cache, tmp_path, monkeypatch):
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\necho 'run.c: no such thing' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CC", str(broken))
    with pytest.raises(modnet.ModnetError, match=r"cannot compile this: run\.c: no such thing\. modnet's own"):
        library.library.__wrapped__("float32")
    broken.write_text("#!/bin/sh\nexit 0\n")
    with pytest.raises(modnet.ModnetError, match="it ended with 0 and said nothing"):
        library.library.__wrapped__("float32")
    broken.write_text("#!/bin/sh\necho nonsense > made.so\n")
    with pytest.raises(modnet.ModnetError, match="cannot be loaded"):
        library.library.__wrapped__("float32")


def test_no_folder_of_ones_own(tmp_path, monkeypatch):
    """Code is then compiled for this process alone; nothing that others could have put there is loaded."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert library.cache_folder() is None
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.chdir(tmp_path)
    assert library.cache_folder() is None
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "open"))
    folder = library.cache_folder()
    assert folder is not None
    folder.chmod(0o777)
    assert library.cache_folder() is None
    folder.rmdir()
    folder.symlink_to(tmp_path)
    assert library.cache_folder() is None


def test_code_that_others_could_have_changed_is_made_again(quick_compiler, cache):
    folder = library.cache_folder()
    path = folder / f"float32-{library._key('float32', library._source('run.c'))}.so"
    path.write_bytes(b"nonsense")
    path.chmod(0o666)
    assert library.library.__wrapped__("float32").panel in (8, 16, 32)
    assert not path.stat().st_mode & 0o077


def test_code_is_for_one_processor_and_one_compiler(monkeypatch):
    main = library._source("run.c")
    keys = {library._key("float32", main), library._key("float64", main), library._key("float32", "")}
    monkeypatch.setenv("CC", "clang -O2")
    keys.add(library._key("float32", main))
    monkeypatch.delenv("CC")
    monkeypatch.setattr(library, "_processor", lambda: "flags: sse2")
    keys.add(library._key("float32", main))
    assert len(keys) == 5
    monkeypatch.setattr(library, "_processor", lambda: "")  # not to be found out: nothing is kept
    assert library._key("float32", main) == ""

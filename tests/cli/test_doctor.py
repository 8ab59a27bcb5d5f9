"""modnet doctor: what it says is true, gives advice, and tells of nobody."""

import json
import os
import platform
import subprocess
from pathlib import Path

import numpy as np
import pytest

import modnet
from modnet.cli import doctor, machine
from tests.cli.test_train import start

GOOD = {
    "processor": {"cores": 4, "usable_cores": 4, "container_cores": None, "features": ["AVX2", "FMA3"]},
    "products": {"library": "openblas", "version": "0.3", "kernel": "Haswell", "threads": 4},
    "threads": 4,
    "load": 4.0,
    "variables": {},
    "speed": {"float32": 300.0, "float64": 150.0, "float32_one_thread": 90.0},
    "kernels": {"used": {"modnet-numba": 36}, "switched_off": False, "offered": 36},
    "too_old": [],
    "plugins": [{"name": "modnet-numba", "version": "1.0", "offers": 36, "broken": [], "seconds": 0.3}],
}


def findings(**changes):
    known = {**GOOD, **changes}
    return [finding for part in doctor.PARTS for finding in part(known)]


def test_what_it_says_is_so(environment, run, monkeypatch):
    monkeypatch.setattr("modnet.cli.machine.SIZE", 64)
    found = json.loads(run("doctor", "--json").stdout)
    assert found["modnet"] == modnet.__version__
    assert found["numpy"] == np.__version__
    assert found["python"].endswith(platform.python_version())
    assert found["processor"]["usable_cores"] >= 1
    assert all(speed > 0 for speed in found["speed"].values())
    assert found["kernels"]["offered"] >= sum(found["kernels"]["used"].values())
    assert set(found["extras"]) == set(machine.EXTRAS)


def test_the_screen(environment, run, monkeypatch):
    monkeypatch.setattr("modnet.cli.machine.SIZE", 64)
    lines = run("doctor").stdout.splitlines()
    labels = [line.split()[0] for line in lines if line[:1].strip(" -")]
    assert labels[:6] == ["modnet", "processor", "products", "speed", "kernels", "plugins"]


@pytest.mark.parametrize("load", [None, 0.0, 4.0])
def test_nothing_is_wrong_where_nothing_is(load):
    assert findings(load=load) == []


def test_one_thread_waits_for_no_other():
    known = {"load": 9.0, "products": {**GOOD["products"], "threads": 1}, "threads": 1}
    (found,) = findings(**known, processor={**GOOD["processor"], "usable_cores": 1})
    assert "MODNET_NUM_THREADS" not in found.do


@pytest.mark.parametrize(
    ("changes", "what", "do"),
    [
        (
            {"too_old": [{"distribution": "modnet-core", "needs": "numpy>=1.26", "installed": "1.24.4"}]},
            "modnet-core needs numpy>=1.26, and 1.24.4 is installed",
            "pip install 'numpy>=1.26'",
        ),
        ({"variables": {"OPENBLAS_CORETYPE": "Prescott"}}, "chooses the kernel", "unset OPENBLAS_CORETYPE"),
        (
            {"products": {**GOOD["products"], "kernel": "Nehalem"}},
            "the kernel Nehalem, although this processor has AVX2",
            "pip install -U numpy",
        ),
        ({"products": {**GOOD["products"], "kernel": None}}, "threadpoolctl is not installed", "[threads]"),
        ({"products": {**GOOD["products"], "library": ""}}, "without a fast library", "install numpy from PyPI"),
        (
            {"speed": {"float32": 4.0, "float64": 2.0, "float32_one_thread": 2.0}},
            "reaches 2.0 GFLOP/s in a thread, which is slow",
            "another numpy",
        ),
        (
            {"variables": {"OMP_NUM_THREADS": "1"}, "products": {**GOOD["products"], "threads": 1}},
            "OMP_NUM_THREADS=1 leaves 3 cores of 4 unused",
            "unset OMP_NUM_THREADS",
        ),
        (
            {"products": {**GOOD["products"], "threads": 16}},
            "use 16 threads on 4 cores",
            "export MODNET_NUM_THREADS=4",
        ),
        (
            {"processor": {**GOOD["processor"], "container_cores": 1.5}},
            "use 4 threads on 2 cores",
            "export MODNET_NUM_THREADS=2",
        ),
        (
            {"speed": {"float32": 95.0, "float64": 50.0, "float32_one_thread": 90.0}},
            "in 4 threads is hardly faster than in one, or slower: 95 GFLOP/s against 90",
            "MODNET_NUM_THREADS=1",
        ),
        (
            {"load": 7.25},
            "programs keep all 4 cores busy (load 7.2 in the last minute)",
            "until then export MODNET_NUM_THREADS=1",
        ),
        ({"variables": {"PYTHONMALLOC": "debug"}}, "PYTHONMALLOC, which is for debugging", "unset PYTHONMALLOC"),
        (
            {"kernels": {"used": {}, "switched_off": True, "offered": 36}},
            "MODNET_KERNELS=off: 36 compiled kernels",
            "unset MODNET_KERNELS",
        ),
        ({"kernels": {"used": {}, "switched_off": False, "offered": 0}}, "no plugin with compiled", "modnet-numba"),
        ({"variables": {"NUMBA_DISABLE_JIT": "1"}}, "uncompiled", "unset NUMBA_DISABLE_JIT"),
        (
            {"plugins": [{**GOOD["plugins"][0], "broken": [{"kind": "layer", "type": "haar", "why": "no pywt"}]}]},
            "layer haar is broken: no pywt",
            "modnet plugins --errors",
        ),
        ({"plugins": [{**GOOD["plugins"][0], "seconds": 5.0}]}, "takes 5.0 s to import", "modnet plugins --times"),
    ],
)  # fmt: skip
def test_what_is_slow_or_broken_is_said_with_what_to_do(changes, what, do):
    (found,) = findings(**changes)
    assert what in found.what
    assert do in found.do


def test_a_broken_plugin_is_told_without_the_folders_of_its_error(environment, run, monkeypatch):
    monkeypatch.setattr("modnet.cli.machine.SIZE", 64)
    code = "raise ImportError('cannot load /home/jane.doe/lib/wave.so: no such file')"
    environment.install("modnet-wave", code, layers={"haar": "Haar"})
    shown = run("doctor", "--json").stdout
    (plugin,) = (plugin for plugin in json.loads(shown)["plugins"] if plugin["name"] == "modnet-wave")
    assert plugin["broken"] == [
        {"kind": "layer", "type": "haar", "why": "ImportError: cannot load .../wave.so: no such file"}
    ]
    assert "jane" not in shown
    assert "/home/jane.doe/lib/wave.so" in run("doctor", "--json", "--paths").stdout


def test_nothing_says_whose_machine_it_is(environment, run, monkeypatch):
    monkeypatch.setattr("modnet.cli.machine.SIZE", 64)
    monkeypatch.setenv("KMP_AFFINITY", "/home/jane.doe/affinity")
    shown = run("doctor", "--json").stdout + run("doctor").stdout
    assert "jane" not in shown
    assert os.path.expanduser("~") + os.sep not in shown
    assert os.path.dirname(modnet.__file__) not in shown
    assert os.path.dirname(modnet.__file__) in run("doctor", "--paths").stdout.replace("\n", "")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no module in /usr/lib/python3/a.py", "no module in .../a.py"),
        ("~/lib/b.so: bad", ".../b.so: bad"),
        (r"C:\Users\jane\c.dll is gone", ".../c.dll is gone"),
        ("1/2 of them, and/or more", "1/2 of them, and/or more"),
    ],
)
def test_folders_are_left_out_of_messages(text, shown):
    assert machine._without_folders(text) == shown


def test_requirements_that_are_too_old_are_found(monkeypatch):
    needs = [
        "numpy>=1.26",
        "numpy>=99; sys_platform == 'win32'",
        "pluggy>=1.5,<2",
        "click>=99; extra == 'cli'",
        "absent>=1",
    ]
    monkeypatch.setattr(machine, "requires", lambda name: needs)
    monkeypatch.setattr(machine, "installed_version", {"numpy": "1.9.3", "pluggy": "1.6", "a": ""}.get)
    assert list(machine._too_old([])) == [{"distribution": "modnet-core", "needs": "numpy>=1.26", "installed": "1.9.3"}]


@pytest.mark.parametrize("library", ["numpy", "pluggy"])
def test_a_library_that_cannot_be_imported_is_named(library, tmp_path):
    error = f"ModuleNotFoundError('libopenblas.so.0: cannot open shared object file', name='{library}')"
    (tmp_path / f"{library}.py").write_text(f"raise {error}")
    path = os.pathsep.join([str(tmp_path), str(Path(modnet.__file__).parents[1])])
    process = start("doctor", environment={"PYTHONPATH": path}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err == (
        "error: a library that modnet needs cannot be imported: libopenblas.so.0: cannot open shared object file\n"
        "pip install --force-reinstall numpy pluggy msgpack\n"
    )

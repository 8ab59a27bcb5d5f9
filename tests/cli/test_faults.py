"""What people read when something is wrong: the message, where it goes, and the exit status."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import modnet
from modnet.errors import NewerFormat, NotAModelFile
from tests.model import hostile

FAULTS = {
    # a wrong call
    "unknown command": ("trian", 2, 'unknown command "trian"; did you mean "train"?'),
    "no such command at all": ("xyzzy", 2, 'unknown command "xyzzy"; modnet --help lists them'),
    "a setting as an option": ("train pets.toml --batch-size 3", 2, "is replaced by --set training.batch_size=VALUE."),
    "a setting without a value": ("train pets.toml --set training.epochs", 2, "expected KEY=VALUE, such as"),
    "a setting without a key": ("train pets.toml --set =3", 2, "expected KEY=VALUE, such as"),
    "a setting for a model": ("summary old.modnet --set training.epochs=3", 2, "--set changes a spec"),
    "predictions of no kind": (
        "predict old.modnet pets.csv -o out.odd",
        2,
        ".csv, .tsv, .jsonl, .json or .npz",
    ),
    # a wrong spec
    "no such spec": ("train pest.toml", 2, 'pest.toml: no such file; did you mean "pets.toml"'),
    "a model for a spec": ("train old.modnet", 2, "old.modnet: "),
    "a fault": (
        "train bad.toml",
        2,
        'bad.toml:3:3: network.layers[0]: unknown layer "flaten"; did you mean "flatten"?',
    ),
    "faults are counted": ("train bad.toml", 2, "2 problems in bad.toml"),
    "no training": ("train network.toml", 2, "training: missing table; expected [training]"),
    "no data": ("train nodata.toml", 2, 'data: missing table; expected [data] with train = "FILE"'),
    "a setting of a wrong type": (
        "train pets.toml --set training.epochs=many",
        2,
        '--set training.epochs=many: training.epochs: expected a whole number >= 1, found "many"',
    ),
    "a setting of a wrong name": (
        "train pets.toml --set training.epoch=3",
        2,
        '--set training.epoch=3: training.epoch: unknown key; did you mean "epochs"?',
    ),
    "a setting of a table of a wrong name": (
        "train pets.toml --set trianing.epochs=3",
        2,
        '--set trianing.epochs=3: trianing: unknown key; did you mean "training"?',
    ),
    "a setting of an option of a wrong name": (
        "train pets.toml --set network.layers.1.initialiser.gain=3",
        2,
        "--set network.layers.1.initialiser.gain=3: network.layers[1].initialiser: unknown key",
    ),
    "a setting beyond a list": (
        "train pets.toml --set network.layers.9.rate=1",
        2,
        "--set network.layers.9.rate=1: network.layers.9.rate: cannot be set",
    ),
    "a setting of a wrong shape": (
        "check points.toml --set network.input=[5,5,5] --set network.layers.0.type=max",
        2,
        "--set network.layers.0.type=max: network.layers[0].type: unknown layer",
    ),
    # wrong data
    "no such data": ("train pets.toml --set data.train=pest.csv", 2, "error: pest.csv: no such file; did you mean"),
    "no such column": ("train pets.toml --set data.target=sort", 2, 'pets.csv: no column "sort"'),
    "another width": (
        "train pets.toml --set network.input=[5]",
        2,
        "shape (5,), but its columns give (3,): collar (2, one-hot), 1 single number; set input = [3]",
    ),
    "a table without the columns": ("predict old.modnet other.csv", 2, 'other.csv: no column "size"'),
    "no number": ("predict old.modnet words.csv", 2, 'row 1 (line 2), column size: expected a number, found "large"'),
    "a table for arrays": ("predict arrays.modnet pets.csv", 2, "trained on arrays and has no columns"),
    "standard input for arrays": ("predict arrays.modnet -", 2, "expected a file with arrays"),
    "no targets to compare with": ("evaluate arrays.modnet inputs.npz", 2, "no array for the network's output"),
    # wrong model files
    "no such model": ("predict pest.modnet pets.csv", 2, "error: pest.modnet: no such file or directory"),
    "a model that is called otherwise": (
        "predict odl.modnet pets.csv",
        2,
        'error: odl.modnet: no such file or directory; did you mean "old.modnet"?',
    ),
    "a model in no folder": (
        "predict nowhere/x.modnet pets.csv",
        2,
        "error: nowhere/x.modnet: no such file or directory",
    ),
    "data for a model": (
        "inspect pets.csv",
        2,
        "that looks like a table; to predict for its rows: modnet predict MODEL TABLE",
    ),
    "a spec for a model": ("predict pets.toml pets.csv", 2, "error: pets.toml: this is a text file"),
    "a damaged model": ("inspect damaged.modnet", 2, "damaged.modnet: the file has"),
    "a damaged model to look for differences": ("diff old.modnet damaged.modnet", 2, "error: damaged.modnet: the file"),
    "one model to compare": ("diff old.modnet", 2, "Missing argument 'B'"),
    "a spec to compare with": ("diff old.modnet pets.toml", 2, "error: pets.toml: this is "),
    "no model to verify": ("verify", 2, "Missing argument 'MODEL...'"),
    "a spec to verify": ("verify pets.toml", 2, "error: pets.toml: this is "),
    "no such model to verify": ("verify pest.modnet old.modnet", 2, "error: pest.modnet: no such file or directory"),
    # edits
    "an edit to nowhere": ("edit old.modnet --drop-history", 2, "Missing option '-o'"),
    "nothing to edit": ("edit old.modnet -o new.modnet", 2, "nothing to change; expected an option such as"),
    "an edit of nothing": ("edit pest.modnet -o new.modnet --drop-history", 2, "error: pest.modnet: no such file"),
    "an edit of a spec": ("edit pets.toml -o new.modnet --drop-history", 2, "error: pets.toml: this is "),
    "an edit of damage": ("edit damaged.modnet -o new.modnet --drop-history", 2, "error: damaged.modnet: the file has"),
    "an edit over data": ("edit old.modnet -o pets.csv --drop-history", 2, "not a model file; it is not overwritten"),
    "an unknown dtype": (
        "edit old.modnet -o new.modnet --cast int8",
        2,
        "is not one of 'float16', 'float32', 'float64'",
    ),
    "a name without a new one": (
        "edit old.modnet -o new.modnet --rename linear_1",
        2,
        "--rename linear_1: expected OLD=NEW, such as linear_1=hidden",
    ),
    "two new names": ("edit old.modnet -o new.modnet --rename a=b --rename a=c", 2, "--rename a=c: a is given twice"),
    "a wrong old name": (
        "edit old.modnet -o new.modnet --rename liner_1=hidden",
        2,
        'error: old.modnet: rename: no node of network.layers is called "liner_1"; did you mean "linear_1"?',
    ),
    "an old name as a new one": (
        "edit old.modnet -o new.modnet --rename linear_1=linear_2",
        2,
        '"linear_2" is already used',
    ),
    "an entry without a key": ("edit old.modnet -o new.modnet --set-metadata =x", 2, "=x: expected KEY=VALUE, such as"),
    "an entry that is not there": (
        "edit old.modnet -o new.modnet --remove-metadata author",
        2,
        'error: old.modnet: metadata: no entry is called "author"',
    ),
    # outputs
    "a URL for the model": ("train pets.toml -o s3://bucket/m.modnet", 2, "this is a URL, and commands write files of"),
    "an open file for the model": (
        "train pets.toml -o /dev/stdout",
        2,
        "/dev/stdout: this is an open file, not the name of one",
    ),
    "a folder for the model": ("train pets.toml -o .", 2, "this is a folder; name a file in it with -o"),
    "no such folder": ("train pets.toml -o nowhere/x.modnet", 2, "there is no folder nowhere; create it"),
    "another file in the way": ("train pets.toml -o pets.csv", 2, "not a model file; it is not overwritten"),
    "a spec in the way": (
        "new-spec pets.csv --target kind -o pets.toml",
        2,
        "error: pets.toml: file exists; it is not overwritten",
    ),
    "predictions in no folder": (
        "predict old.modnet pets.csv -o nowhere/x.csv",
        2,
        "error: nowhere/x.csv: there is no folder nowhere; create it",
    ),
    "predictions over the data": ("predict old.modnet pets.csv -o ./pets.csv", 2, "./pets.csv: this is the data"),
    # plugins
    "no such plugin file": ("train pets.toml --plugin mine.py", 2, "error: mine.py: no such file"),
    "a plugin file that fails": ("train pets.toml --plugin fails.py", 2, "fails.py:2: ZeroDivisionError: division by"),
    "a plugin file that is no Python": ("train pets.toml --plugin broken.py", 2, "broken.py:1: SyntaxError: "),
    "a plugin file without components": (
        "train pets.toml --plugin empty.py",
        2,
        "it defines no component and no hook; expected",
    ),
    "a plugin's file for a core name": ("train pets.toml --plugin linear.py", 2, 'layer "linear" belongs to the core'),
}


@pytest.fixture
def surroundings(folder, run):
    """Every kind of wrong file."""
    run("train", "pets.toml", "-o", "old.modnet")
    run("train", "points.toml", "-o", "arrays.modnet")
    spec = Path("pets.toml").read_text()
    Path("bad.toml").write_text('[network]\nlayers = [\n  "flaten",\n]\ninput = ["wide"]\n')
    Path("network.toml").write_text(spec.partition("[training]")[0])
    Path("nodata.toml").write_text(spec.partition("[data]")[0])
    Path("other.csv").write_text("kind,collar\ncat,red\n")
    Path("words.csv").write_text("size,collar\nlarge,red\n")
    np.savez("inputs.npz", x=np.zeros((2, 2)))
    Path("damaged.modnet").write_bytes(Path("old.modnet").read_bytes()[:-10])
    Path("fails.py").write_text("import modnet\n1 / 0\n")
    Path("broken.py").write_text("class (:\n")
    Path("empty.py").write_text("import modnet\n")
    Path("linear.py").write_text("import modnet\nclass Mine(modnet.Layer, type='linear'): ...\n")
    return run


@pytest.mark.parametrize(("command", "status", "message"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told_on_standard_error_without_a_traceback(surroundings, command, status, message):
    result = surroundings(*command.split(), status=status)
    assert message in (result.stdout if command.startswith("check") else result.stderr)
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "command", ["verify odd.modnet", "diff old.modnet odd.modnet", "edit odd.modnet -o x.modnet --cast float32"]
)
def test_a_hostile_model_file_is_told_in_a_line_too(run, command):
    hostile.put(Path("old.modnet"), hostile.assemble(hostile.document()))
    for file in hostile.files():
        hostile.put(Path("odd.modnet"), file.content)
        damaged = not issubclass(file.error, NotAModelFile | NewerFormat)
        result = run(*command.split(), status=1 if command.startswith("verify") and damaged else 2)
        assert len(result.stderr.splitlines()) <= 1, file.name
        assert "unexpected error" not in result.stderr, file.name


def test_debug_shows_where_an_error_comes_from(run):
    result = run("--debug", "predict", "nothing.modnet", "pets.csv", status=2)
    assert "Traceback" in result.stderr
    assert "error: nothing.modnet: no such file" in result.stderr


def test_an_unexpected_error_is_reported_in_a_line_too(run, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("out of luck")

    monkeypatch.setattr("modnet.cli.predict.load", broken)
    result = run("predict", "any.modnet", "pets.csv", status=1)
    assert (
        result.stderr
        == "error: RuntimeError: out of luck\nthis is an unexpected error; modnet --debug shows where it happened\n"
    )


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to_is_found_before_the_training(run, folder):
    (folder / "locked").mkdir(mode=0o500)
    assert "cannot be written to" in run("train", "pets.toml", "-o", "locked/x.modnet", status=2).stderr


LIMITED = """
import resource, sys
from modnet.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
sys.argv[0] = "modnet"
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit for the size of files")
@pytest.mark.parametrize(
    "command",
    [
        "edit pets.modnet -o old --set-metadata author=Ada",
        "predict pets.modnet pets.csv -o old.csv",
        "new-spec pets.csv --target kind -o new.toml",
        "schema -o old",
        "new-plugin wave",
    ],
)
def test_a_disk_that_is_full_is_an_error_and_leaves_what_was_there(command, run, model, folder):
    """A file that may not grow, as Linux and macOS tell it: the same way through the code as a full disk."""
    for name in ("old", "old.csv"):
        Path(name).write_bytes(Path(model).read_bytes())
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    environment = {**os.environ, "PYTHONPATH": str(Path(modnet.__file__).parents[1]), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, *command.split()], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "file too large" in done.stderr
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    assert not Path("modnet-wave").exists()

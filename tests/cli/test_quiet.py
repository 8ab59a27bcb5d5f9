"""--quiet leaves results, warnings and errors, for every command that has notes or shows its progress."""

from pathlib import Path

import pytest

from modnet.cli.commands import COMMANDS

QUIET = [
    (["new-spec", "gaps.csv", "--target", "kind", "-o", "new.toml"], ["new.toml"]),
    (["train", "gaps.toml"], ["gaps.modnet  "]),
    (["cross-validate", "gaps.toml", "--folds", "2"], ["            mean"]),
    (["predict", "pets.modnet", "gaps.csv"], ["kind,P(cat),P(dog)"]),
    (["evaluate", "pets.modnet", "gaps.csv"], ["gaps.csv: 78 rows"]),
    (["compare", "pets.modnet", "twin.modnet", "gaps.csv"], ["gaps.csv: 78 rows"]),
    (["explain", "pets.modnet", "gaps.csv", "--repeats", "2"], ["what is lost"]),
    (["calibrate", "pets.modnet", "gaps.csv", "-o", "out.modnet"], ["gaps.csv: 78 rows"]),
    (["check", "gaps.toml"], ["gaps.toml: no problems"]),
]


@pytest.fixture
def gaps(run, folder, model):
    """A table of which there is something to say, its spec, and two models."""
    lines = (folder / "pets.csv").read_text().splitlines()
    kind, _, collar = lines[3].split(",")
    lines[3] = f"{kind},,{collar}"
    lines[4] = f",{lines[4].split(',', 1)[1]}"
    lines[5] = f",{lines[5].split(',', 1)[1]}"
    other = {"cat": "dog", "dog": "cat"}
    for place in (8, 9, 60, 61):  # rows that no model can have learnt
        kind, rest = lines[place].split(",", 1)
        lines[place] = f"{other[kind]},{rest}"
    (folder / "gaps.csv").write_text("\n".join(lines) + "\n")
    (folder / "gaps.toml").write_text(
        (folder / "pets.toml").read_text().replace('"pets.csv"', '"gaps.csv"\nmissing = "drop"')
    )
    (folder / "twin.modnet").write_bytes(Path(model).read_bytes())


@pytest.mark.usefixtures("gaps")
@pytest.mark.parametrize(("command", "beginnings"), QUIET, ids=lambda value: value[0])
def test_quiet_leaves_the_results(run, command, beginnings):
    loud = run(*command)
    Path("new.toml").unlink(missing_ok=True)
    quiet = run(*command, "--quiet")
    assert quiet.stderr == ""
    assert len(quiet.output) < len(loud.output)
    assert quiet.stdout.startswith(tuple(beginnings))
    if command[0] not in ("train", "cross-validate"):  # which measure times
        assert set(quiet.stdout.splitlines()) <= set(loud.stdout.splitlines())


@pytest.mark.parametrize(
    "command", [["evaluate", "pets.modnet", "pet.csv"], ["check", "pet.toml"], ["train", "pet.toml"]]
)
def test_errors_stay(run, model, command):
    assert run(*command, "-q", status=2).output == run(*command, status=2).output


def test_warnings_stay(run, model):
    checkpoints = Path("pets.checkpoints")
    checkpoints.mkdir()
    Path(model).replace(checkpoints / "step-0000000005.modnet")
    result = run("train", "pets.toml", "-q")
    assert result.stderr.startswith("warning: pets.checkpoints has checkpoints of an earlier run")


def test_the_same_option_everywhere():
    having = {
        name
        for name, row in COMMANDS.items()
        if any(parameter.opts == ["-q", "--quiet"] for parameter in row.made().params)
    }
    assert {"search", "report", "intervals", *(command[0] for command, _ in QUIET)} == having

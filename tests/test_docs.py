"""The documentation is true: what is generated is up to date, what is code runs, what is linked to is there."""

import doctest
import fnmatch
import importlib.util
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

import modnet
from modnet.kinds import GROUPS
from modnet.training.objective import Objective

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").rglob("*.md"))
BESIDE = [
    page for folder in ("benchmarks", "examples", "plugins") for page in sorted((ROOT / folder).rglob("README.md"))
]
PAGES = [*sorted(ROOT.glob("*.md")), ROOT / "changelog.d" / "README.md", *DOCS, *BESIDE]

BLOCK = re.compile(r"(?P<comment><!-- [^>]*-->\n)?^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_RUN = ("<!-- not run: ", "<!-- needs: ")
"""In the line before a block of Python, followed by the reason, or by the libraries for test_coming_from to run it."""

ODD = """\
island,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,sex,year
Biscoe,395,18.7,181,3750,male,2007
Dream,39.5,17.4,181,3750,male,2019
"""

JSON_COMMANDS = {
    "train": "modnet train penguins.toml --set training.epochs=1 --json",
    "find-rate": "modnet find-rate penguins.toml --steps 10 --json",
    "evaluate": "modnet evaluate penguins.modnet penguins.csv --json",
    "cross-validate": "modnet cross-validate penguins.toml --folds 2 --set training.epochs=1 --json",
    "compare": "modnet compare penguins.modnet ./penguins.modnet penguins.csv --resamples 40 --json",
    "calibrate": "modnet calibrate penguins.modnet penguins.csv --json",
    "intervals": "modnet intervals penguins.modnet --spec penguins.toml --json",
    "check": "modnet check penguins.toml --json",
    "summary": "modnet summary penguins.toml --json",
    "inspect": "modnet inspect penguins.modnet --json",
    "verify": "modnet verify penguins.modnet --json",
    "diff": "modnet diff penguins.modnet penguins.modnet --json",
    "plugins": "modnet plugins --all --json",
}


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of code of a page, each on the lines that it has in the file, but for those that are not to be run."""
    text = page.read_text(encoding="utf-8")
    return [
        "\n" * text.count("\n", 0, found.start("code")) + found["code"]
        for found in BLOCK.finditer(text)
        if found["language"] == language and not (found["comment"] or "").startswith(NOT_RUN)
    ]


def with_blocks(language: str) -> list[Path]:
    """The pages whose blocks are tried here.

    Those of the reference of plugins are built where they are written; tests/test_tutorials.py tries the tutorials.
    """
    elsewhere = (ROOT / "docs" / "reference" / "plugins", ROOT / "docs" / "tutorials")
    return [page for page in (README, *DOCS) if page.parent not in elsewhere and blocks(page, language)]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


# What is generated


def test_the_generated_parts_are_up_to_date():
    pytest.importorskip("click", reason="the help texts need the extra cli")
    command = [sys.executable, ROOT / "docs" / "generate.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_option_has_a_meaning():
    pages = [ROOT / "docs" / "reference" / f"{group.removeprefix('modnet.')}.md" for group in GROUPS.values()]
    for page in [*pages, *(ROOT / "docs" / "reference" / "plugins").glob("*.md")]:
        tables = re.findall(r"^\| option \|(.*)\n.*\n((?:\|.*\n)+)", page.read_text(encoding="utf-8"), re.MULTILINE)
        for head, rows in tables:
            assert head.endswith(" meaning |"), rows
            assert [row for row in rows.splitlines() if row.endswith("|  |")] == []


def test_every_drawing_is_shown():
    folder = ROOT / "docs" / "reference"
    shown = {
        (page.parent / target).resolve()
        for page in folder.rglob("*.md")
        for target in re.findall(r"!\[[^]]*\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    }
    assert shown == set(folder.rglob("*.svg"))
    assert max(path.stat().st_size for path in shown) < 10_000


def test_a_drawing_is_out_of_date_if_more_than_rounding_has_moved_it():
    drawing = of_generation("drawing")
    curve = drawing.Curve("y", (0.0, 1.0, 2.0), (0.0, 0.5, 2.0))
    first, rounded, other = (
        drawing.svg("a curve", [drawing.Panel("y", "x", [curve._replace(ys=(0.0, y, 2.0))])]) for y in (0.5, 0.503, 0.6)
    )
    assert first != rounded
    assert drawing.looks_like(first, rounded)
    assert not drawing.looks_like(first, other)
    assert not drawing.looks_like(first, first.replace('fill="none"', "", 1))


def test_what_is_typed_in_docstrings_gets_signs():
    prose = of_generation("markdown").prose
    assert prose("theta -= eta g / sqrt(v**2 + e) * 2, g^2 >= 0") == "θ -= η g / √(v² + e) · 2, g² ≥ 0"
    assert prose("(n,) -> (m,), 1.6 n^0.56, p**gamma") == "(n,) → (m,), 1.6 n^0.56, p^gamma"
    assert prose("`a * b` of *args\n\n    y = a * b") == "`a * b` of \\*args\n\n    y = a * b"


def of_generation(name):
    """A module of docs/generation, which is in no package that is installed."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "generation" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_has_every_public_name():
    page = (ROOT / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
    assert re.findall(r"^## `modnet\.(\w+)`$", page, re.MULTILINE) == modnet.__all__


# What is code


@pytest.fixture
def own_registry(monkeypatch):
    """A page may register classes of its own, which are nobody else's."""
    monkeypatch.setattr("modnet.plugins.registry._default", None)


@pytest.mark.usefixtures("own_registry")
@pytest.mark.parametrize("page", with_blocks("python"), ids=name_of)
def test_python_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "a_reader"}
    for code in blocks(page, "python"):
        exec(compile(code, str(page), "exec", dont_inherit=True), names)
    for name, test in list(names.items()):
        if name.startswith("test_"):
            test()


@pytest.mark.parametrize("page", with_blocks("toml"), ids=name_of)
def test_specs_are_right(page, tmp_path, registry):
    for code in blocks(page, "toml"):
        if "[network]" in code:
            spec = tmp_path / "spec.toml"
            spec.write_text(code, encoding="utf-8")
            network = modnet.build(modnet.read_spec(spec, registry)[0], registry=registry)
            if network.card.training is not None:
                Objective(network, network.card.training)


def sessions(page: Path) -> Iterator[tuple[str, str]]:
    """(command, what it prints) for each `$ modnet ...` of a page's blocks `console`."""
    for block in blocks(page, "console"):
        for entry in re.split(r"^\$ ", block.lstrip("\n"), flags=re.MULTILINE)[1:]:
            command, _, printed = entry.partition("\n")
            yield command, printed


@pytest.mark.parametrize("page", ["assess", "cli", "pictures", "saving", "ship", "tables", "training"])
def test_the_commands_print_what_their_page_shows(page, penguins, run):
    faulty = (penguins / "penguins.toml").read_text().replace("out_features = 32", "out_feature = 32")
    (penguins / "faulty.toml").write_text(faulty.replace('"softmax"', '"softmx"'))
    (penguins / "odd.csv").write_text(ODD)
    small = (penguins / "penguins.toml").read_text().replace("out_features = 32", "out_features = 8")
    (penguins / "small.toml").write_text(small)
    for command, expected in sessions(ROOT / "docs" / f"{page}.md"):
        line, shows_status, _ = command.partition("; echo $?")
        result = run(line)
        printed = result.output + (f"{result.exit_code}\n" if shows_status else "")
        assert shows_status or result.exit_code == 0, printed
        options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        assert doctest.OutputChecker().check_output(rounded(expected), rounded(printed), options), f"{line}\n{printed}"


RECORDINGS = sorted(path for path in (ROOT / "docs" / "pictures").glob("*.svg") if "<desc>" in path.read_text("utf-8"))


@pytest.mark.parametrize("picture", RECORDINGS, ids=name_of)
def test_the_commands_print_what_their_recording_shows(picture, penguins, run):
    drawn = ElementTree.parse(picture)
    transcript = drawn.findtext("{http://www.w3.org/2000/svg}desc").lstrip("\n")
    shutil.copy(picture.with_name("faulty.toml"), penguins)
    for entry in transcript.removeprefix("$ ").split("\n$ "):
        command, _, expected = entry.partition("\n")
        assert without_numbers(expected) == without_numbers(run(command).output), command


def without_numbers(printed: str) -> str:
    """The text without numbers, and without line breaks, since a terminal breaks lines where a pipe does not.

    How many epochs are shown depends on the machine: rows of the table, which end with a time, are left out.
    """
    kept = [line for line in printed.splitlines() if not re.match(r" *\d.*\d ?s$", line)]
    return re.sub(r"\d[\d.e,-]*", "#", "".join("".join(kept).split()))


def rounded(printed: str) -> str:
    """The text without the numbers that differ from machine to machine: measured ones, and versions."""
    return re.sub(
        r"""
        \d+(\.\d+)+(e[-+]\d+)?          # a loss, a time, a version
        | \d+m\d\ds                     # a long time
        | (?<=,)[\d.e-]+                # a probability
        | (?<=\()\d+\ of\ \d+           # (69 of 69)
        | (?<=\.svg\ \ )\d+(?=\ kB)
        | \d+(?=\ epochs)
        | \d+(?=\ components)        # of the core, which grows
        | (?<=epoch\ )\d+
        | ^\ +\d+(?=\ +\d)              # the epoch at the beginning of a line
        """,
        "#",
        printed,
        flags=re.MULTILINE | re.VERBOSE,
    )


@pytest.mark.parametrize("command", JSON_COMMANDS)
def test_the_keys_of_json_are_those_of_its_table(command, penguins, run):
    if "penguins.modnet" in JSON_COMMANDS[command]:
        run(JSON_COMMANDS["train"])
    printed = json.loads(run(JSON_COMMANDS[command]).stdout)
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    _, _, section = page.partition(f"\n## {command}\n")
    _, _, table = section.partition("| key of `--json` | value |\n|---|---|\n")
    rows = table.partition("\n\n")[0].splitlines()
    documented = {key for row in rows for key in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert documented == set(printed[0] if isinstance(printed, list) else printed)


@pytest.fixture
def penguins(tmp_path, monkeypatch):
    """A copy of the example, the current folder."""
    folder = shutil.copytree(ROOT / "examples" / "penguins", tmp_path / "penguins")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def run(registry, monkeypatch):
    """run("modnet train penguins.toml") runs a command in an environment without plugins."""
    pytest.importorskip("click", reason="the command line needs the extra cli")
    pytest.importorskip("rich", reason="the command line needs the extra cli")
    from click.testing import CliRunner

    from modnet.cli.app import cli

    monkeypatch.setattr("modnet.plugins.registry._default", registry)

    def run(command: str):
        program, *arguments = shlex.split(command)
        return CliRunner().invoke(cli, arguments, prog_name=program)

    return run


# The two commands of the README


class Recorder:
    """A place to run steps in, and its environments: what was called is noted, and nothing happens."""

    folder = Path("folder")

    def __init__(self):
        self.called = []

    def environment(self, name):
        return self

    def install(self, *requirements, editable=()):
        self.called.append(("pip", *requirements, *(f"-e {path}" for path in editable)))

    def run(self, *command, folder=ROOT):
        self.called.append(command)


def test_the_commands_of_the_readme_are_those_that_are_checked_before_a_change_lands():
    """In an environment that has nothing else: whatever is installed there later, is installed behind them."""
    start, test = blocks(README, "sh")
    (installed,) = extras_in(start)
    (trained,) = re.findall(r"modnet train (\S+)", start)
    assert (ROOT / trained).is_file()
    (wanted,) = extras_in(test)
    assert test.rstrip().endswith(f".venv/bin/pip install -e '.[{wanted}]' && .venv/bin/pytest")
    steps = list(runpy.run_path(str(ROOT / ".ci" / "steps.py"))["STEPS"].values())
    recorder = Recorder()
    for step in steps[:2]:
        step(recorder)
    assert recorder.called == [
        ("pip", f".[{installed}]"),
        ("modnet", "train", ROOT / trained),
        ("pip", f"-e .[{wanted}]"),
        ("pytest", "--numprocesses", "2"),
    ]


def extras_in(text: str) -> list[str]:
    return re.findall(r"'\.\[([\w,]+)\]'", text)


# Links and paths


def anchors(page: Path) -> set[str]:
    """What a link to a heading of a page can end with, as GitHub makes it."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"\w+:", target):
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        assert place.exists(), target
        assert not anchor or anchor in anchors(place), target


def files_of_the_project() -> Iterator[Path]:
    """All files but those that .gitignore names: what is in a commit, or may be in the next one."""
    ignored = [".git", *(line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split())]
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if not any(fnmatch.fnmatch(name, pattern) for pattern in ignored)]
        yield from (Path(folder, name) for name in files if not any(fnmatch.fnmatch(name, p) for p in ignored))


def test_no_file_has_a_path_of_the_machine_that_it_was_made_on():
    places = {str(place).encode() for place in (ROOT, Path.home(), sys.prefix)} - {b"/"}
    machine = re.compile(rb"(?<![\w.~-])(?:" + b"|".join(map(re.escape, places)) + rb")/")
    assert [path for path in files_of_the_project() if machine.search(path.read_bytes())] == []


def test_the_script_that_generates_refuses_an_unknown_option():
    script = ROOT / "docs" / "generate.py"
    shown = subprocess.run([sys.executable, script, "--chek"], capture_output=True, text=True)
    assert shown.returncode == 2
    assert "unrecognized arguments: --chek" in shown.stderr


def test_the_reference_names_no_component_without_a_type():
    pages = sorted((ROOT / "docs" / "reference").rglob("*.md"))
    assert pages
    assert [page.name for page in pages if 'type = ""' in page.read_text(encoding="utf-8")] == []

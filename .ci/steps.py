"""What has to pass before a change lands, step by step, in environments of its own; it needs Python and pip alone.

    python .ci/steps.py                 all steps, in order, to the first that fails
    python .ci/steps.py lint examples   some of them
    python .ci/steps.py --list          their names

This is the one home of the commands: `.ci/run`, the sessions of `noxfile.py` and the workflows in `.github` call it.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STEPS: dict[str, Callable[["Place"], None]] = {}
"""Name -> the step; the first line of its docstring says what it is. In the order in which they run."""

SCRIPTS = "Scripts" if os.name == "nt" else "bin"
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
"""For processes of which two run at once."""

COMPARED = (
    "torch",
    "sklearn",
    "pandas",
    "polars",
    "pyarrow",
    "narwhals",
    "captum",
    "optuna",
    "huggingface_hub",
    "towncrier",
)
"""Modules without which tests are skipped that the extras `dev` and `parity` let run."""


class Failed(Exception):
    """A command failed; it has said why itself."""


class Environment:
    """A virtual environment.

    Args:
        folder: where it is; it is made if it is not there.
        python: the interpreter that it is made with.
    """

    def __init__(self, folder: Path, python: str):
        self.scripts = folder / SCRIPTS
        self._installed: set[str] = set()
        if not folder.exists():
            call([python, "-m", "venv", folder])

    def install(self, *requirements: str, editable: Iterable[str] = (), constraint: Path | None = None) -> None:
        """Installs by one call of pip what this run has not installed yet; `editable` are paths in the repository."""
        wanted = [*requirements, *(f"--editable={path}" for path in editable)]
        new = [each for each in wanted if each not in self._installed]
        if new:
            limits = [f"--constraint={constraint}"] if constraint else []
            self.run("pip", "install", "--quiet", "--no-compile", *limits, *new)
            self._installed.update(new)

    def run(self, program: str, *arguments: str | Path, folder: Path = ROOT, **variables: str) -> None:
        """Runs a program of the environment, with `variables` in its own.

        Raises:
            Failed: the program says that it failed.
        """
        call([self.scripts / program, *arguments], folder, variables)

    def output(self, program: str, *arguments: str | Path, folder: Path = ROOT, **variables: str) -> tuple[bool, str]:
        """(whether the program succeeded, all that it printed)."""
        done = subprocess.run(
            [self.scripts / program, *arguments],
            cwd=folder,
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        return done.returncode == 0, done.stdout


class Place:
    """Where a run makes its environments and files.

    Attributes:
        folder: for files.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._environments: dict[str, Environment] = {}

    def environment(self, name: str, python: str = sys.executable) -> Environment:
        """The environment of a name, the same each time; the first call makes it."""
        if name not in self._environments:
            self._environments[name] = Environment(self.folder / name, python)
        return self._environments[name]


def call(command: list[str | Path], folder: Path = ROOT, variables: dict[str, str] | None = None) -> None:
    sys.stdout.flush()
    done = subprocess.run(command, cwd=folder, env={**os.environ, **(variables or {})}, check=False)
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command))}: status {done.returncode}")


def step(function: Callable[[Place], None]) -> Callable[[Place], None]:
    STEPS[function.__name__] = function
    return function


# What a person does who reads the README


@step
def start(place: Place) -> None:
    """The README's first command: install, train the first example."""
    main = place.environment("main")
    main.install(".[cli]")
    main.run("modnet", "train", ROOT / "examples/digits/digits.toml", folder=place.folder)


@step
def test(place: Place) -> None:
    """The README's second command: install, test, with nothing more."""
    main = place.environment("main")
    main.install(editable=[".[test]"])
    main.run("pytest", "--numprocesses", "2")


# What is shipped, and with which versions it works


@step
def build(place: Place) -> None:
    """What is shipped: all distributions, into the folder `distributions`, and their metadata."""
    environment = place.environment("shipped")
    environment.install("build", "twine", "hatchling>=1.26")
    made = place.folder / "distributions"
    shutil.rmtree(made, ignore_errors=True)
    environment.run("python", "-m", "build", "--outdir", made, ".")
    for folder in plugin_folders():
        environment.run("python", "-m", "hatchling", "build", "--directory", made, folder=folder)
        compare_wheel(folder, made)
    environment.run("twine", "check", "--strict", *made.iterdir())


@step
def shipped(place: Place) -> None:
    """The tests that are in the source distribution of the core, which the step `build` has made, or this one."""
    environment = place.environment("shipped")
    if not list(place.folder.glob("distributions/modnet_core-*.tar.gz")):
        build(place)
    (archive,) = place.folder.glob("distributions/modnet_core-*.tar.gz")
    source = place.folder / archive.name.removesuffix(".tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(place.folder, filter="data")
    environment.install(f"{archive}[test]")
    tests = [*sorted(source.glob("tests/test_*.py")), *(f"tests/{name}" for name in ("benchmarks", "cli", "golden"))]
    quick(environment, *tests, "tests/model/test_format.py", folder=source)


def compare_wheel(folder: Path, made: Path) -> None:
    """Checks that the wheel of a plugin has each file of its package: an editable installation would not tell."""
    (package,) = folder.glob("modnet_*/")
    (wheel,) = made.glob(f"{package.name}-*.whl")
    wanted = {path.relative_to(folder).as_posix() for path in package.rglob("*") if path.is_file()}
    with zipfile.ZipFile(wheel) as opened:
        missing = sorted(name for name in wanted - set(opened.namelist()) if "__pycache__" not in name)
    if missing:
        raise Failed(f"{wheel.name} is without {', '.join(missing)}")


def plugin_folders() -> list[Path]:
    """Where the plugins are that are distributions of Python."""
    return [path.parent for path in sorted(ROOT.glob("plugins/*/pyproject.toml"))]


@step
def oldest(place: Place) -> None:
    """The oldest versions that the metadata allows."""
    environment = place.environment("oldest")
    versions = place.folder / "oldest.txt"
    with versions.open("w", encoding="utf-8") as file:
        subprocess.run([sys.executable, ROOT / ".ci/oldest.py"], stdout=file, check=True)
    environment.install(editable=[".[test]"], constraint=versions)
    quick(environment)


@step
def newest(place: Place) -> None:
    """Newer Pythons, as far as they are here, and the newest versions for them."""
    for version in ("3.12", "3.13", "3.14"):
        python = shutil.which(f"python{version}")
        if python and subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0:
            environment = place.environment(f"python{version}", python)
            environment.install(editable=[".[test]"])
            quick(environment)
        else:
            print(f"there is no Python {version} here")


def quick(environment: Environment, *tests: str | Path, folder: Path = ROOT) -> None:
    environment.run("pytest", "--numprocesses", "2", "-m", "not slow", *tests, folder=folder, **ONE_THREAD)


# The code


@step
def lint(place: Place) -> None:
    """Ruff and mypy."""
    main = place.environment("main")
    main.install(editable=[".[dev]"])
    main.run("ruff", "check", ".")
    main.run("ruff", "format", "--check", ".")
    main.run("mypy")


@step
def parity(place: Place) -> None:
    """The tests that compare with other libraries, which were skipped so far."""
    main = with_other_libraries(place)
    marks = [f'importorskip("{name}' for name in COMPARED]
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("tests/**/test_*.py"))}
    tests = [path for path, text in texts.items() if any(mark in text for mark in marks)]
    main.run("pytest", "--numprocesses", "2", *tests, **ONE_THREAD)


def with_other_libraries(place: Place) -> Environment:
    """The main environment, with what the comparisons need."""
    main = place.environment("main")
    # The comparisons want torch's build for CPUs alone; a bare `torch` may bring gigabytes of others.
    main.install("torch==2.13.0")
    main.install(editable=[".[dev,parity]"])
    return main


# What stands beside the core


@step
def javascript(place: Place) -> None:
    """The JavaScript reader of model files, where there is node."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        print("there is no node here")
        return
    reader = ROOT / "plugins/modnet-reader-js"
    call([node, "--test", *sorted(reader.glob("test/*.test.js"))], reader)
    try:
        call([npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", place.folder, "typescript@5"])
    except Failed:
        print("TypeScript cannot be installed here: the types are not checked")
        return
    call([node, place.folder / "node_modules/typescript/bin/tsc", "--project", reader / "jsconfig.json"])


@step
def kernels(place: Place) -> None:
    """The compiled kernels, and training with them."""
    main = with_other_libraries(place)
    main.install(editable=["plugins/modnet-numba[test]"])
    tests = ("tests/training", "tests/engine/test_network.py", "tests/test_xor.py")
    # In one process: two would both compile everything.
    main.run("pytest", folder=ROOT / "plugins/modnet-numba", **ONE_THREAD)
    main.run("pytest", "--numprocesses", "2", *tests, **ONE_THREAD)


@step
def plugins(place: Place) -> None:
    """The other plugins: mypy, their tests, and the contract of their components; two of them at a time."""
    folders = plugin_folders()
    main = with_other_libraries(place)
    # All of them first: modnet-onnx exports the components of the others.
    main.install(editable=[f"{folder.relative_to(ROOT).as_posix()}[test]" for folder in folders])

    def examine(folder: Path) -> tuple[bool, str]:
        passed, tests = main.output("pytest", folder=folder, **ONE_THREAD)
        fulfilled, contract = main.output("modnet", "check-plugin", folder.name, **ONE_THREAD)
        return passed and fulfilled, tests + contract

    modules = [module for folder in folders for module in sorted(folder.glob("modnet_*"))]
    folders = [folder for folder in folders if folder.name != "modnet-numba"]
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(main.output, "mypy", *modules), *(pool.submit(examine, folder) for folder in folders)]
        for name, job in zip(["mypy", *(folder.name for folder in folders)], jobs, strict=True):
            passed, printed = job.result()
            print(f"-- {name}\n{printed}", flush=True)
            if not passed:
                pool.shutdown(cancel_futures=True)
                raise Failed(name)
    # The reference of plugins, and the pages that bring weights along by them.
    main.run("python", "docs/generate.py", "--check")
    main.run("pytest", "tests/test_coming_from.py", **ONE_THREAD)


@step
def sklearn(place: Place) -> None:
    """The plugin modnet-sklearn with the oldest scikit-learn."""
    environment = place.environment("sklearn")
    environment.install("scikit-learn==1.6.0", editable=[".", "plugins/modnet-sklearn[test]"])
    folder = ROOT / "plugins/modnet-sklearn"
    environment.run("pytest", "--ignore", "tests/test_notebook.py", folder=folder, **ONE_THREAD)


@step
def examples(place: Place) -> None:
    """The example of a plugin, and what is shipped as examples and golden files."""
    main = with_other_libraries(place)
    folder = ROOT / "examples/plugin"
    main.install(editable=["examples/plugin[test]"])
    main.run("pytest", folder=folder, **ONE_THREAD)
    main.run("modnet", "check-plugin", "modnet-signals", folder=folder, **ONE_THREAD)
    main.run("pytest", "--numprocesses", "2", "tests/examples", "tests/golden", "tests/javascript", **ONE_THREAD)


@step
def docs(place: Place) -> None:
    """The documentation site: its navigation, links and pictures, the search, and what the tutorials do."""
    main = place.environment("main")
    plugins = [f"plugins/modnet-{name}" for name in ("conv", "recurrent", "serve", "tables[images]", "text")]
    main.install(editable=[".[docs,test]", *plugins])
    main.run("python", "docs/site.py")
    main.run("pytest", "tests/test_site.py", "tests/test_tutorials.py")


@step
def fuzz(place: Place) -> None:
    """Changed model files, to which the reader must answer with its own errors; with FUZZ_SECONDS, others each time."""
    main = place.environment("main")
    main.install(editable=[".[test]"])
    try:
        main.run("pip", "install", "--quiet", "--only-binary=:all:", "atheris")
    except Failed:
        print("atheris cannot be installed here: skipped")
        return
    corpus = place.folder / "corpus"
    # The same files each time, so that a change is never refused for a fault that was there before it.
    files = ["-seed=1", "-runs=12000", "-reload=0"]
    if seconds := os.environ.get("FUZZ_SECONDS"):
        main.run("pytest", "--numprocesses", "2", "--hypothesis-profile=search", "-m", "not slow")
        files = [f"-max_total_time={seconds}"]
    limits = [*files, "-timeout=20", "-verbosity=0", f"-artifact_prefix={place.folder}{os.sep}"]
    variables = {**ONE_THREAD, "PYTHONHASHSEED": "0", "TMPDIR": str(place.folder)}
    main.run("python", "tests/fuzz/seeds.py", corpus, **variables)
    main.run("python", "tests/fuzz/fuzz_model_file.py", corpus, *limits, **variables)


# The command


def run(names: list[str], place: Place) -> int:
    """Runs steps to the first that fails, and says how long each took; gives the exit status."""
    times = []
    for name in names:
        print(f"\n== {name}: {STEPS[name].__doc__}", flush=True)
        began = time.monotonic()
        try:
            STEPS[name](place)
        except Failed as failure:
            print(f"\n{name} failed: {failure}", file=sys.stderr)
            return 1
        times.append((name, time.monotonic() - began))
    print("\n" + "\n".join(f"{name:12}{seconds:6.0f} s" for name, seconds in times))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs what has to pass before a change lands.")
    parser.add_argument("steps", nargs="*", metavar="STEP", help="all of them, in order, by default")
    parser.add_argument("--list", action="store_true", help="print the steps and end")
    parser.add_argument(
        "--folder", type=Path, help="make the environments here and keep them; a temporary folder by default"
    )
    given = parser.parse_args()
    if unknown := [name for name in given.steps if name not in STEPS]:
        parser.error(f"there is no step {unknown[0]}; there are: {', '.join(STEPS)}")
    if given.list:
        print("\n".join(f"{name:12}{function.__doc__}" for name, function in STEPS.items()))
        return 0
    if given.folder:
        given.folder.mkdir(parents=True, exist_ok=True)
        return run(given.steps or list(STEPS), Place(given.folder.resolve()))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        return run(given.steps or list(STEPS), Place(Path(folder)))


if __name__ == "__main__":
    sys.exit(main())

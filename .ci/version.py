"""The version, which all distributions of this repository have together.

python .ci/version.py               print it
python .ci/version.py 0.2.0         write it into every file that has it
python .ci/version.py --is 0.2.0    fail where a file has another
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERSION = r"\d+\.\d+\.\d+"


def places() -> Iterator[tuple[Path, re.Pattern[str]]]:
    """(file, the line that has the version: what stands before and behind it are its groups)."""
    yield ROOT / "modnet" / "__init__.py", re.compile(rf'^(__version__ = "){VERSION}(")$', re.MULTILINE)
    yield ROOT / "CITATION.cff", re.compile(rf"^(version: ){VERSION}()$", re.MULTILINE)
    for path in sorted(ROOT.glob("plugins/*/pyproject.toml")):
        yield path, re.compile(rf'^(version = "){VERSION}(")$', re.MULTILINE)
    for path in sorted(ROOT.glob("plugins/*/package.json")):
        yield path, re.compile(rf'^(  "version": "){VERSION}(",)$', re.MULTILINE)


def found(path: Path, line: re.Pattern[str]) -> str:
    (match,) = line.finditer(path.read_text(encoding="utf-8"))
    return match[0].removeprefix(match[1]).removesuffix(match[2])


def main() -> int:
    parser = argparse.ArgumentParser(description="Prints, writes or checks the version of all distributions.")
    parser.add_argument("version", nargs="?", help="write this one")
    parser.add_argument("--is", dest="wanted", metavar="VERSION", help="fail where another one is found")
    given = parser.parse_args()
    if given.version is not None and not re.fullmatch(VERSION, given.version):
        parser.error(f"{given.version!r} is no version such as 0.2.0")
    if given.version is not None:
        for path, line in places():
            text = path.read_text(encoding="utf-8")
            path.write_text(line.sub(rf"\g<1>{given.version}\g<2>", text), encoding="utf-8", newline="")
    versions = {path.relative_to(ROOT).as_posix(): found(path, line) for path, line in places()}
    wanted = given.wanted or versions["modnet/__init__.py"]
    wrong = {path: version for path, version in versions.items() if version != wanted}
    for path, version in wrong.items():
        print(f"{path} has version {version}, expected {wanted}", file=sys.stderr)
    print(wanted)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

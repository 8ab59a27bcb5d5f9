"""Writes the files that fuzzing starts from: `python tests/fuzz/seeds.py FOLDER`."""

import sys
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # this is run as a script

from tests.model import hostile  # noqa: E402

GOLDEN = ROOT / "tests" / "golden"
LONGEST = 8192
"""Bytes; what is longer takes too much time."""


def seeds() -> list[bytes]:
    """The golden files, two right ones without a network, and the hostile ones."""
    golden = [path.read_bytes() for path in sorted(GOLDEN.glob("*.modnet"))]
    right = [hostile.small(), hostile.assemble(hostile.document())]
    return [content for content in (*golden, *right, *(f.content for f in hostile.files())) if len(content) <= LONGEST]


def write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for content in seeds():
        (folder / sha256(content).hexdigest()).write_bytes(content)


if __name__ == "__main__":
    write(Path(sys.argv[1]))

import re
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
FOLDERS = sorted(page.parent for page in EXAMPLES.glob("*/README.md"))
LARGEST = {".svg": 65_000, ".png": 150_000}
"""Of a picture, in bytes: the gallery shows all of them on one page."""


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_an_example_has_a_row_in_the_gallery_with_a_picture_of_its_page(folder):
    gallery = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    row = next(line for line in gallery.splitlines() if f"**[{folder.name}]({folder.name}/README.md)**" in line)
    shown = re.match(
        rf'\| \[<img src="{folder.name}/([\w.-]+)" width="180" alt="[^"]+">\]\({folder.name}/README.md\)', row
    )
    assert f"]({shown[1]})" in (folder / "README.md").read_text(encoding="utf-8")
    picture = folder / shown[1]
    assert picture.stat().st_size <= LARGEST[picture.suffix]
    *_, training, result, baseline, _ = (cell.strip() for cell in row.split("|"))
    assert training
    assert result
    assert baseline or folder.name == "inference"

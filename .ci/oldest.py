"""Prints constraints for pip: of everything that modnet-core and its extra `test` ask for, the oldest version."""

import re
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
extras = project["optional-dependencies"]
wanted = [*project["dependencies"], *extras["test"]]
for requirement in wanted:
    if found := re.fullmatch(r"modnet-core\[([\w,]+)\]", requirement):
        wanted += [inner for extra in found[1].split(",") for inner in extras[extra]]

oldest: dict[str, tuple[int, ...]] = {}
for requirement in wanted:
    if found := re.fullmatch(r"([\w.-]+)>=([\d.]+)", requirement):
        version = tuple(map(int, found[2].split(".")))
        oldest[found[1]] = max(version, oldest.get(found[1], version))
for name, version in sorted(oldest.items()):
    series = (*version, 0)[:2] if len(version) < 2 else version
    print(f"{name}=={'.'.join(map(str, series))}.*")

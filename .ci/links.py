"""Makes the links of the READMEs lead to a repository, since package indexes show them without the files beside them.

    python .ci/links.py https://github.com/OWNER/NAME v0.2.0

The workflow release.yml runs it before it builds what is published; its changes are never committed.
"""

import posixpath
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"(!?)(\[[^\]]*\])\((?!\w+:|#)([^)\s]+)\)")


def absolute(text: str, folder: str, repository: str, tag: str) -> str:
    """The text of a page of a folder, with links and pictures at a tag of a repository.

    >>> absolute("![a](a.svg), [b](../b.md#c), [d](#e)", "plugins", "https://host/o/n", "v1")
    '![a](https://host/o/n/raw/v1/plugins/a.svg), [b](https://host/o/n/blob/v1/b.md#c), [d](#e)'
    """

    def link(found: re.Match[str]) -> str:
        picture, label, target = found.groups()
        place = posixpath.normpath(posixpath.join(folder, target))
        return f"{picture}{label}({repository}/{'raw' if picture else 'blob'}/{tag}/{place})"

    return LINK.sub(link, text)


def with_addresses(project: str, repository: str, tag: str) -> str:
    """A pyproject.toml whose project has the addresses that an index shows."""
    addresses = {
        "Source": repository,
        "Issues": f"{repository}/issues",
        "Changelog": f"{repository}/blob/{tag}/CHANGELOG.md",
    }
    lines = "".join(f'{name} = "{address}"\n' for name, address in addresses.items())
    return f"{project.rstrip()}\n\n[project.urls]\n{lines}"


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    repository, tag = sys.argv[1].rstrip("/"), sys.argv[2]
    for folder in (ROOT, *(path.parent for path in ROOT.glob("plugins/*/README.md"))):
        page, project = folder / "README.md", folder / "pyproject.toml"
        place = folder.relative_to(ROOT).as_posix()
        page.write_text(
            absolute(page.read_text(encoding="utf-8"), place, repository, tag), encoding="utf-8", newline="\n"
        )
        if project.exists():
            text = with_addresses(project.read_text(encoding="utf-8"), repository, tag)
            project.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()

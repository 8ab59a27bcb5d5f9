"""Builds the documentation site: `python docs/site.py`, which needs the extra `docs`.

The pages of the site are the Markdown files of this repository. They are copied to `build/pages`, with links that fit
there, and Zensical makes `build/site` of them: `python -m http.server -d build/site` shows it. A source file that a
page links to becomes a page with its text. The exit status is 1 where a page is in no entry of `nav` (`zensical.toml`),
a link or picture leads nowhere, or something would be loaded from elsewhere.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
STAGE = BUILD / "pages"
SITE = BUILD / "site"

SOURCES = (
    "docs/**/*.md",
    "examples/**/README.md",
    "plugins/**/README.md",
    "benchmarks/**/*.md",
    "C*.md",
    "SECURITY.md",
)
"""The files that are pages. README.md is not: docs/index.md stands in its place."""

STYLE = Path("docs/site.css")
PICTURES = {".gif", ".jpg", ".png", ".svg"}
LANGUAGES = {".py": "python", ".toml": "toml", ".js": "js", ".mjs": "js", ".html": "html", ".h": "c"}
BINARY = {".ipynb", ".modnet", ".npz", ".zip"}
"""What is offered as a file where a page links to it. Anything else is shown as text."""

FRONT = "---\nhide:\n  - navigation\n  - toc\n---\n\n"
"""Before the front page, which has its width to itself."""

FENCED = re.compile(r"(^ *```.*?^ *```$)", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"^<!-- file: (\S+) -->\n```(\w+)$", re.MULTILINE)
"""A block of a tutorial that is the text of a file: the site shows the name above it."""
LINK = re.compile(r"(?<=\]\()(?P<inline>[^)\s]+)(?=\))|(?<=src=\")(?P<attribute>[^\"]+)(?=\")")
ELSEWHERE = re.compile(r"[a-z]+:|//")


def main() -> int:
    shutil.rmtree(BUILD / "pages", ignore_errors=True)
    shutil.rmtree(SITE, ignore_errors=True)
    pages = sorted(path.relative_to(ROOT) for pattern in SOURCES for path in ROOT.glob(pattern) if is_ours(path))
    shown: set[Path] = set()
    for page in pages:
        text, linked = staged(page, (ROOT / page).read_text(encoding="utf-8"))
        write(place(page), FRONT + text if page == Path("docs/index.md") else text)
        shown |= linked
    for path in shown - set(pages):
        show(path)
    shutil.copy(ROOT / STYLE, STAGE)
    faults = configure({place(page).as_posix() for page in pages})
    if not faults:
        command = [
            sys.executable,
            "-m",
            "zensical",
            "build",
            "--strict",
            "--clean",
            "--config-file",
            BUILD / "mkdocs.yml",
        ]
        if subprocess.run(command, check=False).returncode:
            return 1
        faults = list(faults_of_site())
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def is_ours(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    return not {"build", "node_modules"} & set(parts) and not any(part.startswith(".") for part in parts)


# Where a file of the repository stands in the site


def place(path: Path) -> PurePosixPath:
    """Where a file, by its path in the repository, is in the site."""
    if path.name == "README.md":
        return PurePosixPath(path.parent / "index.md")
    if path.parts[0] == "docs" and path.suffix in {".md", *PICTURES}:
        return PurePosixPath(path.relative_to("docs"))
    if path.suffix == ".md":
        return PurePosixPath(path.as_posix().lower())
    if path.suffix in PICTURES:
        return PurePosixPath(path)
    return PurePosixPath("files", path if path.suffix in BINARY else f"{path}.md")


def staged(page: Path, text: str) -> tuple[str, set[Path]]:
    """(the text with links that fit the site, the files that it links to)."""
    linked: set[Path] = set()

    def moved(found: re.Match[str]) -> str:
        target, _, anchor = found[0].partition("#")
        if not target or ELSEWHERE.match(target):
            return found[0]
        path = Path(os.path.normpath(page.parent / target))
        if (ROOT / path / "README.md").is_file():
            path /= "README.md"
        linked.add(path)
        there = os.path.relpath(place(path), place(page).parent)
        return f"{there}#{anchor}" if anchor else there

    parts = FENCED.split(NAMED.sub(r'```\2 title="\1"', text))
    parts[::2] = [LINK.sub(moved, part) for part in parts[::2]]
    return "".join(parts), linked


def show(path: Path) -> None:
    """Puts what is no page into the site: a picture or an archive as it is, else a page with its text."""
    if path == Path("README.md") or not (ROOT / path).exists():
        return  # the build tells where the link to such a file is
    if path.suffix in PICTURES | BINARY:
        target = STAGE / place(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, target)
        return
    if (ROOT / path).is_dir():
        text = "\n".join(sorted(file.name for file in (ROOT / path).glob("*.*")))
    else:
        text = (ROOT / path).read_text(encoding="utf-8")
    language = LANGUAGES.get(path.suffix, "text")
    head = f"---\ntitle: {path.name}\nsearch:\n  exclude: true\n---\n\n# {path.name}\n\n`{path.as_posix()}`\n\n"
    write(place(path), f"{head}````{language}\n{text.rstrip()}\n````\n")


def write(place: PurePosixPath, text: str) -> None:
    path = STAGE / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


# The navigation


def configure(pages: set[str]) -> list[str]:
    """Writes the configuration with the pages that there are; what is wrong with its navigation."""
    project = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]
    named = set(entries(project["nav"]))
    rest = pages - named
    project["nav"] = resolved(project["nav"], pages, rest)
    shown = set(entries(project["nav"]))
    # Zensical reads YAML too, and JSON is YAML.
    (BUILD / "mkdocs.yml").write_text(json.dumps(project, indent=1), encoding="utf-8")
    return [f"zensical.toml: {page} is in no entry of nav" for page in sorted(pages - shown)]


def entries(nav: list[Any]) -> Iterator[str]:
    """The pages and patterns of a navigation."""
    for item in nav:
        if isinstance(item, str):
            yield item
        else:
            for value in item.values():
                yield from [value] if isinstance(value, str) else entries(value)


def resolved(nav: list[Any], pages: set[str], rest: set[str]) -> list[Any]:
    """The navigation with the pages for its patterns. `rest` has the pages that have no entry of their own yet."""
    result: list[Any] = []
    for item in nav:
        if isinstance(item, Mapping):
            ((title, value),) = item.items()
            inner = value if isinstance(value, str) else resolved(value, pages, rest)
            if inner:
                result.append({title: inner})
        elif "*" in item:
            found = sorted(page for page in rest if fnmatch.fnmatchcase(page, item))
            rest.difference_update(found)
            result += found
        elif item in pages:
            result.append(item)
    return result


# The built site


class Page(HTMLParser):
    """What a page of HTML has that can be linked to, what it links to, and what it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.targets: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        self.targets += [given[name] for name in ("href", "src") if name in given]
        if tag != "a":
            self.loaded += [given[name] for name in ("href", "src") if name in given]


def faults_of_site() -> Iterator[str]:
    """Links and pictures of the built pages that lead nowhere, and what is loaded from another place."""
    pages = {path: Page(path) for path in sorted(SITE.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(SITE)
        if name.name == "404.html":
            continue  # its links start at the root of the server, wherever that is
        yield from (f"{name}: loads {target} from elsewhere" for target in page.loaded if ELSEWHERE.match(target))
        for target in page.targets:
            if ELSEWHERE.match(target):
                continue
            file, _, anchor = target.partition("#")
            there = (path.parent / unquote(file)).resolve() if file else path
            there = there / "index.html" if there.is_dir() else there
            if not there.is_file():
                yield f"{name}: {target} leads nowhere"
            elif anchor and there in pages and unquote(anchor) not in pages[there].anchors:
                yield f"{name}: {target}: the page has no such place"


if __name__ == "__main__":
    sys.exit(main())

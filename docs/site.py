"""Builds the documentation site: `python docs/site.py [FOLDER]`, which needs the extra `docs`.

The pages of the site are the Markdown files of this repository. They are copied to `build/pages` (or `FOLDER/pages`),
with links that fit there, and Zensical makes `build/site` of them: `python -m http.server -d build/site` shows it. A
source file that a page links to becomes a page with its text. The exit status is 1 where a page is in no entry of `nav`
(`zensical.toml`), a link or picture leads nowhere, or something would be loaded from elsewhere.
"""

from __future__ import annotations

import argparse
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

SOURCES = (
    "docs/**/*.md",
    "examples/**/README.md",
    "plugins/**/README.md",
    "benchmarks/**/*.md",
    "changelog.d/README.md",
    "tests/**/README.md",
    "C*.md",
    "SECURITY.md",
)
"""The files that are pages. README.md is not: docs/index.md stands in its place."""

STYLE = Path("docs/site.css")
PICTURES = {".gif", ".jpg", ".png", ".svg"}
SHOWN = {
    "": "text",
    ".csv": "text",
    ".h": "c",
    ".html": "html",
    ".js": "js",
    ".json": "json",
    ".mjs": "js",
    ".py": "python",
    ".toml": "toml",
    ".txt": "text",
    ".yml": "yaml",
}
"""What becomes a page with its text where a page links to it. Anything else is offered as a file."""

FRONT = "---\nhide:\n  - navigation\n  - toc\n---\n\n"
"""Before the front page, which has its width to itself."""

FENCED = re.compile(r"(^ *```.*?^ *```$)", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"^<!-- (?:file|shows): (\S+) -->\n```(\w+)$", re.MULTILINE)
"""A block of a tutorial that is the text of a file: the site shows the name above it."""
PIPED = re.compile(r"`([^`\n]*\\\|[^`\n]*)`")
"""Code in a table with a sign of alternatives, whose backslash Python-Markdown would show."""
LINK = re.compile(r"(?<=\]\()(?P<inline>[^)\s]+)(?=\))|(?<=src=\")(?P<attribute>[^\"]+)(?=\")")
ELSEWHERE = re.compile(r"[a-z]+:|//")


def main(folder: Path) -> int:
    """Builds the site in `folder`: the pages in `pages`, the site in `site`."""
    faults = stage(folder) or list(built(folder))
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def stage(folder: Path) -> list[str]:
    """Puts the pages and the configuration together; what is wrong with the navigation."""
    shutil.rmtree(folder / "pages", ignore_errors=True)
    pages = sorted(path.relative_to(ROOT) for pattern in SOURCES for path in ROOT.glob(pattern) if is_ours(path))
    shown: set[Path] = set()
    for page in pages:
        text, linked = staged(page, (ROOT / page).read_text(encoding="utf-8"))
        write(folder / "pages" / place(page), FRONT + text if page == Path("docs/index.md") else text)
        shown |= linked
    for path in shown - set(pages):
        show(path, folder / "pages" / place(path))
    shutil.copy(ROOT / STYLE, folder / "pages")
    project = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]
    project["nav"], faults = navigation(project["nav"], {place(page).as_posix() for page in pages})
    # Zensical reads YAML too, and JSON is YAML.
    (folder / "mkdocs.yml").write_text(json.dumps(project, indent=1), encoding="utf-8")
    return faults


def built(folder: Path) -> Iterator[str]:
    """Builds the site; what is wrong with it."""
    shutil.rmtree(folder / "site", ignore_errors=True)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "--config-file"]
    if subprocess.run([*command, str(folder / "mkdocs.yml")], check=False).returncode:
        yield "the site cannot be built"
    else:
        yield from faults_of_site(folder / "site")


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
    # Zensical leaves out folders whose name begins with a dot.
    file = PurePosixPath("files", *(part.lstrip(".") for part in path.parts))
    return file.with_name(f"{file.name}.md") if path.suffix in SHOWN else file


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
    parts[::2] = [PIPED.sub(as_html, LINK.sub(moved, part)) for part in parts[::2]]
    return "".join(parts), linked


def as_html(found: re.Match[str]) -> str:
    code = found[1].replace("\\|", "|")
    return f"<code>{''.join(sign if sign.isalnum() or sign == ' ' else f'&#{ord(sign)};' for sign in code)}</code>"


def show(path: Path, target: Path) -> None:
    """Puts what is no page into the site: a picture or an archive as it is, else a page with its text."""
    if path == Path("README.md") or not (ROOT / path).exists():
        return  # the build tells where the link to such a file is
    if path.suffix not in SHOWN:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, target)
        return
    if (ROOT / path).is_dir():
        text = "\n".join(sorted(file.name for file in (ROOT / path).glob("*.*")))
    else:
        text = (ROOT / path).read_text(encoding="utf-8")
    head = f"---\ntitle: {path.name}\nsearch:\n  exclude: true\n---\n\n# {path.name}\n\n`{path.as_posix()}`\n\n"
    write(target, f"{head}````{SHOWN[path.suffix]}\n{text.rstrip()}\n````\n")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


# The navigation


def navigation(nav: list[Any], pages: set[str]) -> tuple[list[Any], list[str]]:
    """(the navigation with pages for its patterns, what is wrong with it)."""
    named = {entry for entry in entries(nav) if "*" not in entry}
    result = resolved(nav, pages - named)
    missing = pages - set(entries(result))
    faults = [f"zensical.toml: {page} is in no entry of nav" for page in sorted(missing)]
    return result, faults + [
        f"zensical.toml: nav has {name}, but there is no such page" for name in sorted(named - pages)
    ]


def entries(nav: list[Any]) -> Iterator[str]:
    """The pages and patterns of a navigation."""
    for item in nav:
        if isinstance(item, str):
            yield item
        else:
            for value in item.values():
                yield from [value] if isinstance(value, str) else entries(value)


def resolved(nav: list[Any], rest: set[str]) -> list[Any]:
    """The navigation with the pages for its patterns, which are taken out of `rest`."""
    result: list[Any] = []
    for item in nav:
        if isinstance(item, Mapping):
            ((title, value),) = item.items()
            result.append({title: value if isinstance(value, str) else resolved(value, rest)})
        elif "*" in item:
            found = sorted(page for page in rest if fnmatch.fnmatchcase(page, item))
            rest.difference_update(found)
            result += found
        else:
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


def faults_of_site(site: Path) -> Iterator[str]:
    """Links and pictures of the built pages that lead nowhere, and what is loaded from another place."""
    site = site.resolve()
    pages = {path: Page(path) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(site)
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
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0] + ".")
    parser.add_argument(
        "folder", metavar="FOLDER", type=Path, nargs="?", default=ROOT / "build", help="by default build"
    )
    sys.exit(main(parser.parse_args().folder))

"""How large and how dense the code is: `python -m tests.sizes` prints the figures, `-v` with what is above a bound."""

from __future__ import annotations

import ast
import io
import statistics
import sys
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

LONGEST_FILE, LONGEST_FUNCTION, MOST_BRANCHES = 600, 40, 10

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
BRANCHES = (ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.Assert, ast.match_case)


@dataclass(frozen=True)
class Function:
    """A function or method.

    Attributes:
        name: `package.module:Class.method`.
        lines: from `def` to its end.
        complexity: 1 and one for each branch, as the tool radon counts: `if`, loops, `except`, the parts of `and` and
            `or`, comprehensions and their conditions. Functions within it count apart.
    """

    name: str
    lines: int
    complexity: int


def complexity(function: ast.AST) -> int:
    count = 1
    todo = list(ast.iter_child_nodes(function))
    while todo:
        node = todo.pop()
        if isinstance(node, FUNCTIONS):
            continue
        count += isinstance(node, BRANCHES)
        count += isinstance(node, ast.For | ast.While) and bool(node.orelse)
        if isinstance(node, ast.BoolOp):
            count += len(node.values) - 1
        if isinstance(node, ast.comprehension):
            count += 1 + len(node.ifs)
        todo += ast.iter_child_nodes(node)
    return count


def functions_of(path: Path, module: str) -> Iterator[Function]:
    def visit(node: ast.AST, scope: tuple[str, ...]) -> Iterator[Function]:
        if isinstance(node, FUNCTIONS):
            assert node.end_lineno is not None
            name = ".".join((*scope, node.name))
            yield Function(f"{module}:{name}", node.end_lineno - node.lineno + 1, complexity(node))
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            scope = (*scope, node.name)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, scope)

    yield from visit(ast.parse(path.read_text(encoding="utf-8")), ())


def modules_of(package: Path) -> dict[str, Path]:
    """Module name -> file."""
    return {
        ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted(package.rglob("*.py"))
    }


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def comments_of(path: Path) -> int:
    text = path.read_text(encoding="utf-8")
    return sum(token.type == tokenize.COMMENT for token in tokenize.generate_tokens(io.StringIO(text).readline))


def inner_imports_of(path: Path) -> int:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, FUNCTIONS)]
    return len({id(n) for f in functions for n in ast.walk(f) if isinstance(n, ast.Import | ast.ImportFrom)})


def figures(package: Path) -> list[str]:
    files = modules_of(package)
    lengths = [lines_of(path) for path in files.values()]
    functions = [found for module, path in files.items() for found in functions_of(path, module)]
    long = sum(found.lines > LONGEST_FUNCTION for found in functions)
    dense = sum(found.complexity > MOST_BRANCHES for found in functions)
    comments = sum(map(comments_of, files.values()))
    return [
        f"lines                        {sum(lengths):,}",
        f"modules, median, longest     {len(files)}, {statistics.median(lengths):.0f}, {max(lengths)}",
        f"functions                    {len(functions):,}",
        f"  over {LONGEST_FUNCTION} lines              {long} ({100 * long / len(functions):.1f} %)",
        f"  of complexity over {MOST_BRANCHES}      {dense} ({100 * dense / len(functions):.1f} %)",
        f"imports inside functions     {sum(map(inner_imports_of, files.values()))}",
        f"comments in 100 lines        {100 * comments / sum(lengths):.1f}",
    ]


def main(arguments: Sequence[str]) -> None:
    folders = [Path(name) for name in arguments if name != "-v"]
    for package in folders or [Path(__file__).parent.parent / "modnet"]:
        print(package, *figures(package), sep="\n")
        if "-v" in arguments:
            found = [one for module, path in modules_of(package).items() for one in functions_of(path, module)]
            for one in sorted(found, key=lambda one: (-one.complexity, -one.lines)):
                if one.complexity > MOST_BRANCHES or one.lines > LONGEST_FUNCTION:
                    print(f"{one.complexity:4} branches {one.lines:4} lines  {one.name}")


if __name__ == "__main__":
    main(sys.argv[1:])

"""Whether a component declares the same in another process."""

from __future__ import annotations

import ast
import dis
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType, FunctionType

from modnet.arrays import Shape
from modnet.kinds.component import Component
from modnet.kinds.layer import Layer
from modnet.kinds.node import Composite
from modnet.kinds.optimizer import Optimizer
from modnet.testing.contract import Broken, NotApplicable, NotExamined, Rules
from modnet.testing.rules import component as of_component

RULES = Rules()

HASH_SEEDS = ("1", "2", "3", "4")
"""Values of PYTHONHASHSEED, which decides the order of text in a set. The probability that two names have the same
order with all of them and in this process is 1/16.
"""

SECONDS = 60
"""The time that a process may take."""


def orders(component: Component, shapes: Sequence[Shape]) -> dict[str, list[str]]:
    """The names whose order matters: for the arrays in a model file, and for random numbers."""
    if isinstance(component, Composite):
        names = [f"in{number}" for number in range(len(shapes))]
        return {"the nodes of expand": [repr(node) for node in component.expand(names)]}
    if isinstance(component, Layer):
        return {"parameters": list(component.parameters(*shapes)), "state": list(component.state(*shapes))}
    if isinstance(component, Optimizer):
        return {"slots": list(component.slots)}
    return {}


@RULES.rule(
    "same in every process",
    "The order of parameters, state, slots and nodes is part of a model file and decides what a seed means. The "
    "order of a set of text differs from process to process: use a tuple, or sorted(...).",
    after=("named", "declarations", "slots", "expands"),
)
def same_in_every_process(trial: of_component.Trial) -> str:
    component = trial.component
    here = orders(component, trial.shapes)
    if all(len(names) < 2 for names in here.values()):
        raise NotApplicable("it has fewer than two names, so there is no order")
    # Another process takes time, and is needed only if there are sets.
    if not any(_may_hold_a_set(function) for function in _functions(type(component))):
        return "it makes no sets"
    for seed in HASH_SEEDS:
        for name, found in _elsewhere(component, trial.shapes, seed).items():
            if found != here[name]:
                raise Broken(
                    f"{name}: {', '.join(here[name])} in this process, {', '.join(found)} with PYTHONHASHSEED={seed}"
                )
    return f"{len(HASH_SEEDS)} processes"


def _functions(cls: type) -> Iterator[FunctionType]:
    """The methods of a class and its bases, modnet's own left out, and the functions of their modules."""
    for base in cls.__mro__:
        module = sys.modules.get(base.__module__)
        if base.__module__ in ("builtins", "abc") or base.__module__.startswith("modnet."):
            continue
        for value in (*vars(base).values(), *(vars(module).values() if module else ())):
            value = getattr(value, "fget", None) or getattr(value, "__func__", value)
            if isinstance(value, FunctionType):
                yield value


def _may_hold_a_set(function: FunctionType) -> bool:
    values = [function.__globals__.get(name) for name in function.__code__.co_names]
    return any(isinstance(value, set | frozenset) for value in values) or _makes_a_set(function.__code__)


def _makes_a_set(code: CodeType) -> bool:
    """Whether code makes a set, has one as a constant, or asks for hashes."""
    if {"set", "frozenset", "hash", "keys"} & set(code.co_names):
        return True
    if any(isinstance(value, frozenset) for value in code.co_consts):
        return True
    if any(step.opname in ("BUILD_SET", "SET_ADD") for step in dis.get_instructions(code)):
        return True
    return any(_makes_a_set(value) for value in code.co_consts if isinstance(value, CodeType))


def _elsewhere(component: Component, shapes: Sequence[Shape], hash_seed: str) -> dict[str, list[str]]:
    """`orders` of the component in a process of its own.

    Raises:
        NotExamined: it cannot be made there.
    """
    cls = type(component)
    module = sys.modules.get(cls.__module__)
    source = getattr(module, "__file__", None)
    if "<locals>" in cls.__qualname__ or (cls.__module__ == "__main__" and source is None):
        raise NotExamined(
            f"{cls.__name__} is defined in a place from which another process cannot import it; define it in a module"
        )
    try:
        given = pickle.dumps((sys.path, source if cls.__module__ == "__main__" else None, component, tuple(shapes)))
    except Exception as error:
        raise NotExamined(f"the component cannot be sent to another process: {error}") from None
    call = [sys.executable, "-c", "from modnet.testing.rules.process import answer; answer()"]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(
            call, input=_framed(given), capture_output=True, env=environment, timeout=SECONDS, check=True
        )
        return dict(json.loads(done.stdout.splitlines()[-1]))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        raise NotExamined(f"the check in another process failed: {type(error).__name__}") from None


def _framed(given: bytes) -> bytes:
    """The path of the main module comes first: the component can be unpickled only after its class is defined."""
    _, source, _, _ = pickle.loads(given)
    return json.dumps(source).encode() + b"\n" + given


def answer() -> None:
    """The work of the other process: reads a component, prints its `orders`."""
    source = json.loads(sys.stdin.buffer.readline())
    if source is not None:
        _define(Path(source))
    _, _, component, shapes = pickle.load(sys.stdin.buffer)
    print(json.dumps(orders(component, shapes)))


def _define(path: Path) -> None:
    """Defines the classes of a program that runs as __main__, without running it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kept = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef)
    tree.body = [
        step
        for step in tree.body
        if isinstance(step, kept)
        or (isinstance(step, ast.Assign) and not any(isinstance(part, ast.Call) for part in ast.walk(step.value)))
    ]
    sys.path.insert(0, str(path.parent))
    exec(compile(tree, str(path), "exec"), vars(sys.modules["__main__"]))

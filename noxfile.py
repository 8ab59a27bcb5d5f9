"""The steps of `.ci/steps.py` as sessions of nox: `nox --list`, `nox -s lint`.

The environments stay in `.nox`, so that a session that ran before starts at once. Without a name, nox runs `lint` and
`test`.
"""

import runpy
from collections.abc import Callable
from pathlib import Path

import nox

STEPS = Path(__file__).parent / ".ci" / "steps.py"
nox.options.sessions = ["lint", "test"]


def session_of(name: str) -> Callable[[nox.Session], None]:
    def session(session: nox.Session) -> None:
        session.run("python", STEPS, name, "--folder", Path(session.cache_dir) / "steps", external=True)

    return session


for name, step in runpy.run_path(str(STEPS))["STEPS"].items():
    made = session_of(name)
    made.__doc__ = step.__doc__
    nox.session(made, name=name, venv_backend="none")

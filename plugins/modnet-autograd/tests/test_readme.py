"""The README is true: its components keep their contract."""

import re
from pathlib import Path

from modnet.testing import check_component

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_components_of_the_readme_keep_their_contract():
    (code,) = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    names = {"__name__": "a_reader"}
    exec(compile(code, "README.md", "exec", dont_inherit=True), names)
    check_component(names["Gate"](sharpness=2.0), (None, 4))
    check_component(names["LogCosh"]())

"""What modnet says of plugins that misbehave, each installed by pip."""

import importlib.util

import pytest

from tests.plugins.misbehaviour import CASES, GATE, SAVE, failing, gate, plugin
from tests.plugins.projects import Site

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (importlib.util.find_spec("hatchling") and importlib.util.find_spec("pip")),
        reason="building needs pip and hatchling: pip install 'modnet-core[test]'",
    ),
]

pytest.importorskip("click", reason="the command line needs the extra cli")
pytest.importorskip("rich", reason="the command line needs the extra cli")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """An environment in which all of them are installed, beside each other."""
    site = Site(tmp_path_factory.mktemp("site"))
    site.install(*(project for case in CASES for project in case.projects))
    return site


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_what_is_said(site, case):
    assert case.act(site) == case.says


def test_an_older_file_is_read_where_the_plugin_sees_to_it(site):
    site.install(plugin("kept", gate("kept", "size: int = 3")))
    assert site.script(SAVE.format(layer="kept")) == (0, "", "")
    renamed = "width: int = modnet.field(default=1, renamed_from='size')"
    site.install(plugin("kept", gate("kept", renamed), version="2.0"))
    show = "import modnet\nprint(modnet.load('model.modnet').card.spec.network.layers[0].layer)"
    assert site.script(show) == (0, "Gate(width=3)\n", "")
    upgraded = GATE.format(cls="Gate", type="kept", options=", version=2", body="    halves: int = 1\n")
    upgraded += "    @classmethod\n    def upgrade(cls, config, from_version):\n"
    upgraded += "        config['halves'] = 2 * config.pop('size')\n        return config\n"
    site.install(plugin("kept", upgraded, version="3.0"))
    assert site.script(show) == (0, "Gate(halves=6)\n", "")


def test_an_older_spec_is_told_the_new_name(site):
    renamed = "width: int = modnet.field(default=1, renamed_from='size')"
    site.install(plugin("named", gate("named", renamed)))
    (site.work / "spec.toml").write_text('[network]\ninput = [2]\nlayers = [{ type = "named", size = 2 }]\n')
    printed = failing(site.modnet("check", "spec.toml"))
    assert printed.splitlines()[0] == 'spec.toml:3:29: network.layers[0].size: this key is now called "width"'

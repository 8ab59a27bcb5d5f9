"""The files that fuzzing starts from are themselves refused in words, or loaded."""

from tests.model import surgery

from . import seeds


def test_seeds(tmp_path):
    outcomes = [surgery.outcome(tmp_path / "model.modnet", content) for content in seeds.seeds()]
    assert len(outcomes) > 200
    assert sum(isinstance(outcome, bytes) for outcome in outcomes) == len(list(seeds.GOLDEN.glob("*.modnet")))


def test_they_are_written_to_a_folder(tmp_path):
    seeds.write(tmp_path / "corpus")
    assert sorted(path.read_bytes() for path in (tmp_path / "corpus").iterdir()) == sorted(set(seeds.seeds()))

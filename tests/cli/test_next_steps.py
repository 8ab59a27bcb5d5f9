"""`modnet` alone shows what to do next."""

import os


def test_an_empty_folder_shows_the_three_ways_to_begin(run, folder):
    for name in os.listdir(folder):
        os.remove(name)
    told = run().stdout
    assert [line for line in told.splitlines() if line.startswith("I ")] == [
        "I have a table",
        "I write a plugin",
        "I ship a model",
    ]
    assert told.endswith("modnet --help lists all commands\n")


def test_a_table_shows_how_to_make_a_spec(run, folder):
    for name in ("pets.toml", "points.toml", "points.npz"):
        os.remove(name)
    assert run().stdout == (
        "here is a table: pets.csv\n"
        "  modnet new-spec pets.csv\n"
        "  modnet new-spec pets.csv --target COLUMN -o pets.toml\n"
        "  modnet train pets.toml\n"
        "\n"
        "modnet --help lists all commands\n"
    )


def test_a_spec_shows_how_to_check_and_train_it(run, folder):
    os.remove("points.toml")
    (folder / "pyproject.toml").write_text("[project]\nname = 'no spec'\n")
    lines = run().stdout.splitlines()
    assert lines[:3] == ["here is a spec: pets.toml", "  modnet check pets.toml", "  modnet train pets.toml"]


def test_a_model_shows_what_it_is_good_for(run, model):
    os.remove("points.toml")
    assert run().stdout.splitlines()[:4] == [
        "here is a model: pets.modnet",
        "  modnet predict pets.modnet pets.csv",
        "  modnet evaluate pets.modnet pets.csv",
        "  modnet inspect pets.modnet",
    ]


def test_of_several_files_the_newest_is_shown(run, folder):
    os.utime("pets.toml", (1, 1))
    assert run().stdout.splitlines()[0] == "here is a spec: points.toml (and 1 more)"


def test_a_name_that_a_shell_would_read_otherwise_is_quoted(run, folder):
    for name in os.listdir(folder):
        os.remove(name)
    (folder / "my table.csv").write_text("a,b\n1,2\n")
    assert "  modnet new-spec 'my table.csv'\n" in run().stdout


def test_a_folder_that_cannot_be_read_is_as_an_empty_one(run, monkeypatch):
    def refuse():
        raise PermissionError

    monkeypatch.setattr("os.scandir", refuse)
    assert "I have a table" in run().stdout

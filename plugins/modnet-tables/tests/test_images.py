"""Folders of images: pixels, classes, and what is refused."""

import json

import numpy as np
import pytest

import modnet
from modnet.data.files import read
from modnet.data.options import ReadOptions
from modnet.datasets.read import foreign_reader, loader_for

Image = pytest.importorskip("PIL.Image")


def read_plugin(path, size=None, channels=None):
    return read(path, [foreign_reader()], ReadOptions(size=size, channels=channels))


def painted(path, colour=(255, 0, 0), size=(4, 6), mode="RGB", **options):
    """An image of one colour; `size` is height and width."""
    path.parent.mkdir(exist_ok=True, parents=True)
    Image.new(mode, size[::-1], colour).save(path, **options)


@pytest.fixture
def pets(tmp_path):
    folder = tmp_path / "pets"
    for number in range(3):
        painted(folder / "cat" / f"{number}.png", (255, number, 0))
    for number in range(2):
        painted(folder / "dog" / "deep" / f"{number}.jpg", (0, 0, 255))
    (folder / "dog" / "notes.txt").write_text("good dogs")
    (folder / ".git").mkdir()
    (folder / "empty").mkdir()
    return folder


def test_classes_are_the_names_of_folders(pets):
    found = read_plugin(pets)
    assert found.arrays["x"].shape == (5, 4, 6, 3)
    assert found.arrays["x"].dtype == np.uint8
    assert found.arrays["x"][:3, 0, 0].tolist() == [[255, 0, 0], [255, 1, 0], [255, 2, 0]]
    assert found.arrays["y"].tolist() == ["cat"] * 3 + ["dog"] * 2
    assert found.notes == ("5 images of 4 x 6, in colour: cat 3, dog 2",)


def test_a_folder_without_classes(pets):
    found = read_plugin(pets / "cat")
    assert list(found.arrays) == ["x", "file"]
    assert len(found.arrays["x"]) == 3


def test_each_image_has_its_path(pets):
    assert read_plugin(pets).arrays["file"].tolist() == [
        *("cat/0.png", "cat/1.png", "cat/2.png"),
        *("dog/deep/0.jpg", "dog/deep/1.jpg"),
    ]


def test_a_single_image(pets):
    found = read_plugin(pets / "cat" / "1.png")
    assert found.arrays["x"][:, 0, 0].tolist() == [[255, 1, 0]]
    assert found.arrays["file"].tolist() == ["1.png"]
    assert "y" not in found.arrays
    assert found.notes == ("1 image of 4 x 6, in colour",)


def test_channels_as_the_network_wants_them(tmp_path):
    painted(tmp_path / "a.png", 7, mode="L")
    assert read_plugin(tmp_path, channels=3).arrays["x"][0, 0, 0].tolist() == [7, 7, 7]
    painted(tmp_path / "b.png", (255, 255, 255))
    assert read_plugin(tmp_path, channels=1).arrays["x"][:, 0, 0].tolist() == [[7], [255]]


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 7, [7]),
        ("1", 1, [255]),
        ("P", 0, [0, 0, 0]),
        ("RGBA", (0, 0, 0, 0), [255, 255, 255]),
        ("RGBA", (9, 8, 7, 255), [9, 8, 7]),
        ("LA", (0, 0), [255]),
        ("I;16", 65535, [255]),
    ],
)
def test_grey_colour_and_transparence(tmp_path, mode, colour, expected):
    painted(tmp_path / "a.png", colour, mode=mode)
    assert read_plugin(tmp_path).arrays["x"][0, 0, 0].tolist() == expected


def test_grey_among_colours(tmp_path):
    painted(tmp_path / "a.png", 7, mode="L")
    painted(tmp_path / "b.png", (1, 2, 3))
    assert read_plugin(tmp_path).arrays["x"][:, 0, 0].tolist() == [[7, 7, 7], [1, 2, 3]]


def test_images_are_turned_as_their_cameras_say(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    painted(tmp_path / "a.jpg", exif=exif)
    assert read_plugin(tmp_path).arrays["x"].shape == (1, 6, 4, 3)


def test_sizes(pets):
    painted(pets / "cat" / "large.png", size=(8, 12))
    message = r"large\.png: 8 x 12 \(height x width\), but .*0\.png is 4 x 6; set data\.size"
    with pytest.raises(modnet.DataError, match=message):
        read_plugin(pets)
    found = read_plugin(pets, (2, 3))
    assert found.arrays["x"].shape == (6, 2, 3, 3)
    assert found.notes[1] == "images of 2 sizes were scaled to 2 x 3"


def test_what_is_refused(pets, monkeypatch):
    (pets / "cat" / "0.png").write_bytes((pets / "cat" / "1.png").read_bytes()[:40])
    with pytest.raises(modnet.DataError, match=r"0\.png: not an image, or a damaged one"):
        read_plugin(pets)
    (pets / "dog" / "0.png").write_bytes(b"")
    (pets / "dog" / "1.png").write_bytes(b"hello")
    several = r"cat.0\.png: not an image, or a damaged one: .*; 2 other images likewise: .*dog.0\.png, .*dog.1\.png$"
    with pytest.raises(modnet.DataError, match=several):
        read_plugin(pets)
    (pets / "dog" / "0.png").unlink()
    (pets / "dog" / "1.png").unlink()
    (pets / "cat" / "0.png").write_bytes(b"")
    with pytest.raises(modnet.DataError, match=r"0\.png: not an image, or a damaged one"):
        read_plugin(pets)
    painted(pets / "cat" / "0.png")
    monkeypatch.setattr("modnet_tables.images.MOST_PIXELS", 20)
    with pytest.raises(modnet.DataError, match=r"0\.png: 4 x 6 pixels; expected 20 at most"):
        read_plugin(pets)
    painted(pets / "beside.png")
    with pytest.raises(
        modnet.DataError, match="found 1 image beside the folders cat, dog; expected a folder for each class"
    ):
        read_plugin(pets)


def test_the_commands_scale_images_to_the_size_that_the_network_wants(pets, monkeypatch):
    testing = pytest.importorskip("click.testing", reason="the command line: pip install 'modnet-core[cli]'")
    from modnet.cli.app import cli

    def done(*arguments):
        found = testing.CliRunner().invoke(cli, arguments)
        assert found.exit_code == 0, found.output
        return found

    monkeypatch.chdir(pets.parent)
    layers = ["flatten", "standardize", {"type": "linear", "out_features": 2}, "softmax"]
    data = {"train": "pets", "size": [2, 3]}
    spec = {"network": {"input": [2, 3, 3], "layers": layers}, "training": {"loss": "cross_entropy"}, "data": data}
    (pets.parent / "pets.json").write_text(json.dumps(spec))
    assert done("train", "pets.json").stdout.endswith("next: modnet predict pets.modnet NEW_FOLDER\n")
    assert done("evaluate", "pets.modnet", "pets").stdout.startswith("pets: 5 rows\n")
    predicted = done("predict", "pets.modnet", "pets/cat")
    assert len(predicted.stdout.splitlines()) == 4
    assert "3 images of 2 x 3, in colour" in predicted.stderr
    kept = done("predict", "pets.modnet", "pets/cat", "--keep", "file").stdout.splitlines()
    assert [line.partition(",")[0] for line in kept] == ["file", "0.png", "1.png", "2.png"]
    painted(pets.parent / "grey.png", 7, mode="L")
    assert done("predict", "pets.modnet", "grey.png").stdout.startswith("y,P(cat),P(dog)\n")


def test_from_a_spec_to_predictions(pets):
    spec = {
        "network": {
            "input": [2, 3, 3],
            "layers": ["flatten", "standardize", {"type": "linear", "out_features": 2}, "softmax"],
        },
        "training": {"loss": "cross_entropy", "epochs": 200, "seed": 0},
        "data": {"train": "pets", "size": [2, 3]},
    }
    data = modnet.read_data(spec, folder=pets.parent)
    assert data.notes[1] == "5 images of 2 x 3, in colour: cat 3, dog 2"
    network = modnet.build(spec, seed=0)
    modnet.train(network, data.train)
    assert modnet.evaluate(network, data.train)["loss"] < 0.1
    new, _ = loader_for(network).load_source(str(pets / "cat"), data.schema, targets=False)
    assert network.forward(new.inputs).argmax(axis=1).tolist() == [0, 0, 0]


def test_a_spec_is_not_made_for_images(pets):
    testing = pytest.importorskip("click.testing")
    from modnet.cli.app import cli

    painted(pets / "cat" / "large.png", size=(8, 12))
    found = testing.CliRunner().invoke(cli, ["new-spec", str(pets)])
    assert found.exit_code == 2
    assert "expected a table, found images; for these, write the spec by hand" in found.stderr


def test_images_without_classes_cannot_be_trained_on(pets):
    with pytest.raises(modnet.DataError, match="put the images into a folder for each class"):
        read_plugin(pets / "cat").keys_for(["output"], "y", "output")

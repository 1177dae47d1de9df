"""python -m minivit predict --weights: the door that needs no Python."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import minivit
from minivit.__main__ import main
from minivit.interop import predict_classes, save
from minivit.models.vit import ViT
from tests.data.test_pictures import DAMAGED
from tests.families.vit import SMALL as VIT

CLASSES = ("aeroplane", "bird", "cat", "deer", "frog", "truck")


@pytest.fixture
def weights(tmp_path):
    save(ViT(**VIT | dict(num_classes=6)).initialise(1), tmp_path / "vit", classes=CLASSES)
    return tmp_path / "vit"


@pytest.fixture
def pictures(tmp_path, rng):
    paths = [str(tmp_path / name) for name in ("one.png", "two.png")]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (30, 44, 3), np.uint8)).save(path)
    return paths


def test_the_top_five_of_every_picture(weights, pictures, capsys):
    assert main(["predict", "--weights", str(weights), *pictures]) == 0
    model = minivit.load(weights)
    assert capsys.readouterr().out.splitlines() == [
        f"{path}: " + ", ".join(f"{name} {share:.1%}" for name, share in predict_classes(model, path, top=5))
        for path in pictures]


def test_as_many_as_asked_for(weights, pictures, capsys):
    assert main(["predict", pictures[0], "--weights", str(weights), "--top", "6"]) == 0
    answer = capsys.readouterr().out.strip().partition(": ")[2].split(", ")
    assert {part.partition(" ")[0] for part in answer} == set(CLASSES)


def test_a_single_file_has_no_names_of_classes(pictures, tmp_path, capsys):
    save(ViT(**VIT | dict(dim=192, depth=1)).initialise(1), tmp_path / "model.safetensors")
    assert main(["predict", "--weights", str(tmp_path / "model.safetensors"), pictures[0], "--top", "1"]) == 0
    assert ": class " in capsys.readouterr().out


@pytest.mark.parametrize("name, message", [
    ("model.bin", "a pickle can run any code"), ("cut.safetensors", "truncated or damaged"),
    ("nowhere.safetensors", "no such file or folder, and no name of the Hugging Face hub")])
def test_bad_weights_are_refused_in_one_line(name, message, pictures, tmp_path, capsys):
    if not name.startswith("nowhere"):
        (tmp_path / name).write_bytes(b"\x80\x04")
    assert main(["predict", "--weights", str(tmp_path / name), pictures[0]]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("top", ["0", "-1", "2.5", "x"])
def test_a_number_of_classes_that_is_none(weights, pictures, capsys, top):
    with pytest.raises(SystemExit) as end:
        main(["predict", "--weights", str(weights), pictures[0], "--top", top])
    assert end.value.code == 2
    assert f"argument --top: expected a whole number above 0, got {top}" in capsys.readouterr().err
    with pytest.raises((TypeError, ValueError), match="top: expected a whole number"):
        predict_classes(minivit.load(weights), pictures[0], top=float(top) if top == "2.5" else 0)


def test_more_classes_than_there_are(weights, pictures):
    assert len(predict_classes(minivit.load(weights), pictures[0], top=100)) == len(CLASSES)


@pytest.mark.parametrize("name", ["truncated.png", "400_megapixels.png", "words.jpg", "nothing.png"])
def test_what_cannot_be_read_is_named_and_the_others_are_classified(weights, pictures, tmp_path, capsys, name):
    if name != "nothing.png":
        (tmp_path / name).write_bytes(DAMAGED[name])
    assert main(["predict", "--weights", str(weights), pictures[0], str(tmp_path / name), pictures[1]]) == 2
    said = capsys.readouterr()
    assert [line.partition(": ")[0] for line in said.out.splitlines()] == pictures
    assert said.err.startswith(f"minivit: {tmp_path / name}: ")
    assert said.err.count("\n") == 1


def test_a_turned_picture_has_one_answer(weights, tmp_path, rng):
    image = Image.fromarray(rng.integers(0, 256, (30, 44, 3), np.uint8))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.png", exif=exif)
    model = minivit.load(weights)
    upright = np.rot90(np.asarray(image), -1)
    for source in (tmp_path / "turned.png", Image.open(tmp_path / "turned.png")):
        assert predict_classes(model, source) == predict_classes(model, upright)


def test_a_model_with_other_outputs_than_names(weights, pictures):
    model = minivit.load(weights)
    model.pretrained = replace(model.pretrained, classes=CLASSES[:4])
    with pytest.raises(ValueError, match="4 names of classes for 6 outputs"):
        predict_classes(model, pictures[0])


def test_a_model_that_was_not_loaded(pictures):
    with pytest.raises(ValueError, match="predict_classes: expected a model that minivit.load has returned"):
        predict_classes(ViT(**VIT).initialise(1), pictures[0])


def test_a_run_or_weights_are_needed(pictures, capsys):
    assert main(["predict", pictures[0]]) == 2
    assert "expected picture files after the folder of a run, or after --weights FILE" in capsys.readouterr().err


def test_a_checkpoint_in_the_place_of_a_run(weights, pictures, capsys):
    assert main(["predict", str(weights), pictures[0]]) == 2
    assert "a checkpoint of timm or transformers, and no run; python -m minivit predict --weights" in (
        capsys.readouterr().err)


def test_the_picture_goes_where_the_model_is(device, weights, pictures):
    model = minivit.load(weights)
    expected = predict_classes(model, pictures[0])
    found = predict_classes(model.to(device), pictures[0])
    assert [name for name, _ in found] == [name for name, _ in expected]
    np.testing.assert_allclose([p for _, p in found], [p for _, p in expected], rtol=1e-4)

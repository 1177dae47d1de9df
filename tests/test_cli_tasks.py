"""Other tasks than classification on the command line: trained, resumed, tested, shown, fine-tuned."""

import json
import threading

import numpy as np
import pytest

from minivit import data
from minivit.__main__ import main
from minivit.data import scenes, shapes10
from minivit.tasks import find_task
from minivit.train import Run, resume, train
from minivit.train.recipe import Recipe

SMALL = ["--steps", "4", "--batch-size", "20", "--threads", "1", "--device", "cpu", "--data", "shapes10"]


@pytest.fixture(autouse=True)
def small_data(monkeypatch, tmp_path):
    """Every data set is a small one; runs/ is made in a folder of its own."""
    sets = shapes10.draw(60, np.random.default_rng(0)), shapes10.draw(40, np.random.default_rng(1))
    objects = scenes.draw(60, np.random.default_rng(0)), scenes.draw(40, np.random.default_rng(1))
    monkeypatch.setattr(data, "load", lambda name: objects if name == "scenes" else sets)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def picture(tmp_path):
    from PIL import Image
    Image.fromarray(np.random.default_rng(0).integers(256, size=(40, 40, 3), dtype=np.uint8)).save("picture.png")
    return "picture.png"


def test_a_masked_autoencoder_from_training_to_fine_tuning(tmp_path, picture, capsys):
    assert main(["train", "mae", *SMALL]) == 0
    said = capsys.readouterr()
    assert "accuracy" not in said.out + said.err
    assert "python -m minivit train vit:cifar --init runs/mae-vit-cifar-1" in said.out
    run = Run("runs/mae-vit-cifar-1")
    assert run.recipe().batch_size == 20
    assert run.recipe().lr == 6e-3  # the task's own
    assert {"curves.png", "pictures.png"} <= {path.name for path in run.folder.iterdir()}
    assert main(["evaluate", str(run.folder)]) == 0
    assert f"test loss {run.result()['test_loss']:.3f}, on 40 pictures" in capsys.readouterr().out
    assert main(["predict", str(run.folder), picture]) == 0
    assert "what the decoder paints" in capsys.readouterr().out
    assert (run.folder / "predicted.png").stat().st_size > 1000
    assert main(["train", "vit", "--init", str(run.folder), *SMALL]) == 0
    tuned = Run("runs/vit-cifar-1")
    assert tuned.recipe().init == str(run.folder.resolve())
    assert "test accuracy" in capsys.readouterr().out


@pytest.mark.parametrize(("task", "measured", "shown", "row"), [
    ("segment", "test miou ceiling", "what the model sees", "iou background"),
    ("caption", "test sentence accuracy", "the model's sentence", "exact 6 words"),
    ("clip", "test zero shot accuracy of pairs", "the nearest sentence", "")])
def test_tasks_on_scenes_from_training_to_fine_tuning(task, measured, shown, row, picture, capsys):
    small = [*SMALL, "--batch-size", "8", "--data", "scenes"]
    assert main(["train", task, *small]) == 0
    run = Run(f"runs/{task}-vit-cifar-1")
    assert run.recipe().settings == find_task(task).defaults["settings"]
    assert (run.folder / "pictures.png").stat().st_size > 1000
    capsys.readouterr()
    assert main(["evaluate", str(run.folder), "--data", "scenes"]) == 0
    said = capsys.readouterr().out
    assert measured in said
    assert row in said
    assert main(["predict", str(run.folder), picture]) == 0
    said = capsys.readouterr().out
    assert f"{picture}: " in said
    assert shown in said
    assert (run.folder / "predicted.png").stat().st_size > 1000
    assert main(["train", "vit", "--init", str(run.folder), *SMALL, "--steps", "1"]) == 2  # scenes have larger grids
    assert "positions" in capsys.readouterr().err


def test_a_classifier_takes_over_the_backbone_of_a_segmentation(capsys):
    assert main(["train", "segment", *SMALL, "--batch-size", "8"]) == 0
    assert main(["train", "vit", "--init", "runs/segment-vit-cifar-1", *SMALL, "--steps", "1"]) == 0
    assert Run("runs/vit-cifar-1").recipe().settings == {"dim": 96, "depth": 4}
    assert "test accuracy" in capsys.readouterr().out


def test_a_student_and_its_teacher(capsys):
    assert main(["train", "resnet:cifar20", *SMALL]) == 0
    assert main(["train", "distil", "--teacher", "runs/resnet-cifar20-1", *SMALL]) == 0
    run = Run("runs/distil-deit-cifar-1")
    assert 0 <= run.result()["test_accuracy"] <= 1
    assert "agreement" in run.metrics()[0]
    _, states = run.load_checkpoint()
    teacher = Run("runs/resnet-cifar20-1").load_checkpoint()[1]["average"]
    for name, value in teacher.items():
        np.testing.assert_array_equal(states["task"]["teacher." + name.removeprefix("model.")], value)


def test_a_model_is_named_to_classify_and_takes_over_with_the_settings_of_the_run(tmp_path, capsys):
    (tmp_path / "small.py").write_text(
        "from minivit.train import Recipe\n"
        "recipe = Recipe(task='mae', settings={'dim': 24, 'depth': 1, 'heads': 2, 'patch_size': 8}, data='shapes10',\n"
        "                task_settings={'decoder_dim': 12, 'decoder_depth': 1, 'decoder_heads': 2}, threads=1,\n"
        "                steps=2, batch_size=20, device='cpu')\n")
    assert main(["train", "--recipe", "small.py", "--out", "mae"]) == 0
    assert main(["train", "vit", "--init", "mae", *SMALL]) == 0
    assert Run("runs/vit-cifar-1").recipe().settings == Run("mae").recipe().settings
    assert main(["train", "vit", "--recipe", "small.py", "--out", "classified"]) == 0
    assert Run("classified").recipe().task == "classify"
    assert "test_accuracy" in Run("classified").result()


@pytest.mark.parametrize(("arguments", "answer"), [
    (["train", "mea"], "did you mean 'mae'"),
    (["train", "vit", "--model", "swin"], "vit is a model, not a task; leave out --model swin"),
    (["train", "mae", "--model", "vti"], "did you mean 'vit'"),
    (["train", "mae", "--model", "resnet"], "mae: needs a model that begins with patches, as vit"),
    (["train", "vit", "--data", "scenes"], "data: scenes has no labels, which this task learns from"),
    (["train", "distil"], "distil: needs a teacher; name the folder of its run: --teacher RUN"),
    (["train", "vit", "--seed", "-1"], "seed: expected a whole number of at least 0, got -1"),
    (["train", "vit", "--init", "nowhere"], "nowhere: no run in this folder"),
])
def test_a_mistake_is_answered_in_one_line_and_leaves_no_folder(tmp_path, capsys, arguments, answer):
    assert main([arguments[0], *SMALL, *arguments[1:], "--out", "run"]) == 2
    said = capsys.readouterr().err
    assert answer in said
    assert said.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_runs_that_begin_at_once_have_folders_of_their_own():
    recipe = Recipe(settings={"dim": 16, "depth": 1, "heads": 2, "patch_size": 8}, data="shapes10", steps=3,
                    batch_size=20, threads=1, device="cpu")
    runs, errors = [], []

    def begin():
        try:
            runs.append(train(recipe)[1].folder)
        except BaseException as error:
            errors.append(error)
    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(set(runs)) == 4
    for folder in runs:
        steps = [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
        assert steps == [1, 2, 3, 3]


def test_a_folder_in_which_another_process_trains_is_left_alone(capsys):
    recipe = Recipe(settings={"dim": 16, "depth": 1, "heads": 2, "patch_size": 8}, data="shapes10", steps=3,
                    batch_size=20, threads=1, device="cpu")
    _, run = train(recipe, "run")
    (run.folder / "metrics.jsonl").write_text("")
    before = run.checkpoint_path.read_bytes()
    with run.alone(), pytest.raises(BlockingIOError, match="another process"):
        resume(run.folder)
    with run.alone():
        assert main(["train", "--resume", "run"]) == 2
    assert "another process" in capsys.readouterr().err
    assert run.checkpoint_path.read_bytes() == before
    resume(run.folder)


def test_pictures_without_labels_are_no_task_for_classification(monkeypatch):
    unlabelled = data.Dataset(np.zeros((40, 32, 32, 3), np.uint8), name="pictures")
    monkeypatch.setattr(data, "load", lambda name: (unlabelled, unlabelled))
    recipe = Recipe(data="shapes10", steps=1, batch_size=20, threads=1, device="cpu")
    with pytest.raises(ValueError, match="classify: the data have no labels"):
        train(recipe, "run")

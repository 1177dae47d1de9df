"""The command line as a user meets it: what is printed, which files are there, which exit code."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minivit import data
from minivit.__main__ import build_parser, main
from minivit.data import shapes10
from minivit.train import Run
from tests.data.test_pictures import DAMAGED

ROOT = Path(__file__).parents[1]
COMMANDS = list(build_parser()[1])
RECIPE = """
from minivit.train import Recipe
recipe = Recipe(settings={"dim": 16, "depth": 2, "heads": 2, "patch_size": 8}, data="shapes10", batch_size=32,
                steps=5, threads=1, device="cpu", evaluation_size=50)
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "recipe.py"
    path.write_text(RECIPE)
    return str(path)


@pytest.fixture(autouse=True)
def small_data(monkeypatch):
    """Every data set is a small one; runs/ is made in a folder of its own."""
    sets = shapes10.draw(100, np.random.default_rng(0)), shapes10.draw(60, np.random.default_rng(1))
    monkeypatch.setattr(data, "load", lambda name: sets)


@pytest.fixture
def run(recipe, tmp_path):
    assert main(["train", "--recipe", recipe, "--out", str(tmp_path / "run")]) == 0
    return Run(tmp_path / "run")


@pytest.fixture
def picture(tmp_path):
    from PIL import Image
    pixels = np.random.default_rng(0).integers(256, size=(40, 90, 4), dtype=np.uint8)
    Image.fromarray(pixels, "RGBA").save(tmp_path / "a picture.png")
    return tmp_path / "a picture.png"


def fails(capsys, *arguments, code=2):
    """The one line that a mistake is answered with."""
    try:
        result = main([str(argument) for argument in arguments])
    except SystemExit as exit:
        result = exit.code
    said = capsys.readouterr().err
    assert result == code
    assert said.count("\n") == 1, said
    assert "Traceback" not in said
    return said


def test_train_leaves_a_run_folder(recipe, tmp_path, capsys):
    run = Run(tmp_path / "run")
    assert main(["train", "--recipe", recipe, "--out", str(run.folder)]) == 0
    said = capsys.readouterr().out
    assert "test accuracy" in said
    assert f"next: python -m minivit predict {run.folder} PICTURE.png" in said
    assert sorted(path.name for path in run.folder.iterdir()) == [
        "checkpoint.safetensors", "config.json", "confusion.png", "curves.png", "metrics.jsonl", "run.lock"]


def test_the_command_line_changes_the_recipe(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert main(["train", "resnet:cifar20", "--recipe", recipe, "--steps", "1", "--batch-size", "4", "--lr", "0.5",
                     "--seed", "3", "--threads", "2"]) == 0
    chosen = Run("runs/resnet-cifar20-2").recipe()
    assert (chosen.model, chosen.variant, chosen.settings) == ("resnet", "cifar20", {})
    assert (chosen.steps, chosen.batch_size, chosen.lr, chosen.seed, chosen.threads) == (1, 4, 0.5, 3, 2)
    assert chosen.evaluation_size == 50


def test_evaluate(run, capsys):
    capsys.readouterr()
    assert main(["evaluate", str(run.folder)]) == 0
    said = capsys.readouterr().out
    assert f"test accuracy {run.result()['test_accuracy']:.1%}" in said
    assert all(name in said for name in shapes10.CLASSES)


def test_predict(run, picture, capsys):
    capsys.readouterr()
    assert main(["predict", str(run.folder), str(picture), "--top", "10"]) == 0
    said = capsys.readouterr().out
    percents = [float(part.split()[1].rstrip("%")) for part in said.splitlines()[0].split(": ", 1)[1].split(", ")]
    assert percents == sorted(percents, reverse=True)
    assert sum(percents) == pytest.approx(100, abs=0.5)
    assert (run.folder / "attention" / "a picture.png").read_bytes().startswith(b"\x89PNG")


def test_pictures_of_the_same_name_get_files_of_their_own(run, picture, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / picture.name).write_bytes(picture.read_bytes())
    images = [str(picture), str(tmp_path / "other" / picture.name), str(picture)]
    assert main(["predict", str(run.folder), *images, "--out", str(tmp_path / "attention")]) == 0
    assert sorted(path.name for path in (tmp_path / "attention").iterdir()) == [
        "a picture-2.png", "a picture-3.png", "a picture.png"]


@pytest.mark.parametrize("name", ["truncated.png", "400_megapixels.png", "nothing.png"])
def test_predict_names_what_cannot_be_read_and_classifies_the_others(run, picture, tmp_path, capsys, name):
    if name != "nothing.png":
        (tmp_path / name).write_bytes(DAMAGED[name])
    capsys.readouterr()
    assert main(["predict", str(run.folder), str(tmp_path / name), str(picture)]) == 2
    said = capsys.readouterr()
    assert said.out.startswith(f"{picture}: ")
    assert said.err.startswith(f"minivit: {tmp_path / name}: ")
    assert said.err.count("\n") == 1
    assert main(["predict", str(run.folder), str(tmp_path / name)]) == 2
    assert capsys.readouterr().out == ""


def test_predict_shows_a_picture_of_sixteen_bits_as_one_of_eight(run, tmp_path, capsys):
    levels = np.arange(1024, dtype=np.uint16).reshape(32, 32) // 4
    for name, picture in (("a.png", levels.astype(np.uint8)), ("b.png", levels * 257)):
        Image.fromarray(picture).save(tmp_path / name)
    capsys.readouterr()
    assert main(["predict", str(run.folder), str(tmp_path / "a.png"), str(tmp_path / "b.png")]) == 0
    answers = [line.partition(": ")[2] for line in capsys.readouterr().out.splitlines()[::2]]
    assert answers[0] == answers[1]


def test_predict_with_a_model_without_attention(recipe, tmp_path, picture, capsys):
    main(["train", "resnet:cifar20", "--recipe", recipe, "--steps", "1", "--out", str(tmp_path / "run")])
    assert main(["predict", str(tmp_path / "run"), str(picture)]) == 0
    assert "this model has no attention to show" in capsys.readouterr().out


def test_data(capsys):
    assert main(["data", "shapes10"]) == 0
    assert "100 pictures to train on and 60 to test on, 32 x 32 pixels" in capsys.readouterr().out


def test_resume_refuses_other_settings(run, capsys):
    assert main(["train", "--resume", str(run.folder)]) == 0
    capsys.readouterr()
    assert "leave out lr" in fails(capsys, "train", "--resume", run.folder, "--lr", 1)


@pytest.mark.parametrize(("arguments", "answer"), [
    (["trian"], "did you mean 'train'?"),
    (["train"], "name a model or a task, as in `python -m minivit train vit`, or a --recipe"),
    (["train", "vti"], "did you mean 'vit'?"),
    (["train", "vit:cifra"], "did you mean 'cifar'?"),
    (["train", "vit", "--epcohs", "3"], "did you mean --epochs?"),
    (["train", "vit", "--lr", "fast"], "expected a number above 0, got fast"),
    (["train", "vit", "--steps", "0"], "expected a whole number above 0, got 0"),
    (["train", "vit", "--minutes", "1", "--epochs", "1"], "not allowed with argument --minutes"),
    (["train", "--recipe", "vit_15mim"], "did you mean 'vit_15min'?"),
    (["train", "--resume", "nowhere"], "no run in this folder"),
    (["evaluate", "nowhere"], "no run in this folder"),
    ([], "required: COMMAND"),
])
def test_a_mistake_is_answered_in_one_line(capsys, arguments, answer):
    assert answer in fails(capsys, *arguments)


def test_mistakes_with_files(run, tmp_path, capsys):
    capsys.readouterr()
    (tmp_path / "text.png").write_text("no picture")
    assert "missing.png: No such file" in fails(capsys, "predict", run.folder, tmp_path / "missing.png")
    assert "cannot identify image file" in fails(capsys, "predict", run.folder, tmp_path / "text.png")
    run.checkpoint_path.write_bytes(b"")
    assert "a damaged one" in fails(capsys, "evaluate", run.folder)
    run.checkpoint_path.unlink()
    assert "no checkpoint yet; go on with: python -m minivit train --resume" in fails(capsys, "evaluate", run.folder)
    assert "text.png" in fails(capsys, "train", "vit", "--steps", 1, "--out", tmp_path / "text.png" / "run")


def test_a_model_of_other_classes(run, capsys, monkeypatch):
    capsys.readouterr()
    other = data.Dataset(np.zeros((4, 32, 32, 3), np.uint8), np.zeros(4, np.int64), ("cat", "dog"), "pets")
    monkeypatch.setattr(data, "load", lambda name: (other, other))
    assert "pets has other classes than shapes10" in fails(capsys, "evaluate", run.folder)


def test_a_gpu_that_is_not_there(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert "pip install -r requirements-gpu.txt" in fails(capsys, "train", "vit", "--steps", 1, "--device", "cuda")
    assert "'bfloat16' needs a GPU" in fails(capsys, "train", "vit", "--device", "cpu", "--precision", "bfloat16")


def test_divergence_is_exit_code_1(recipe, tmp_path, capsys):
    arguments = ["train", "--recipe", recipe, "--lr", "1e30", "--steps", "50", "--out", tmp_path / "run"]
    with np.errstate(all="ignore"):
        assert main([str(argument) for argument in arguments]) == 1
    assert "try a smaller learning rate" in capsys.readouterr().err


def test_debug_shows_where_an_error_comes_from():
    with pytest.raises(ValueError, match="did you mean"):
        main(["train", "vti", "--debug"])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    assert len(capsys.readouterr().out.splitlines()) > 5


def test_help_imports_nothing_heavy():
    program = ("import sys; from minivit.__main__ import build_parser; build_parser(); "
               "print([m for m in ('matplotlib', 'cupy', 'PIL', 'tqdm', 'IPython', 'minivit.lessons') "
               "if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_a_reader_who_has_seen_enough_is_no_error():
    process = subprocess.Popen([sys.executable, "-u", "-m", "minivit", "info", "vit", "tiny"], cwd=ROOT, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline().startswith("layer")
    process.stdout.close()
    assert (process.wait(60), process.stderr.read()) == (0, "")


def test_the_whole_way_in_processes_of_their_own(recipe, picture, tmp_path):
    def minivit(*arguments):
        return subprocess.run([sys.executable, "-m", "minivit", *arguments], cwd=ROOT, capture_output=True).returncode
    assert minivit("train", "--recipe", recipe, "--out", tmp_path / "run") == 0
    assert minivit("predict", tmp_path / "run", picture) == 0
    assert minivit("train", "vti") == 2

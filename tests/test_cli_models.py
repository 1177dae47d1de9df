"""python -m minivit models, info, device."""

import pytest

from minivit import device
from minivit.__main__ import main
from minivit.data import cifar

VARIANTS_OF_RESNET = ["18", "34", "50", "101", "152", "cifar20", "cifar56", "cifar110", "scenes"]


def test_models_lists_every_variant_with_its_cost(capsys):
    assert main(["models", "resnet"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["model", "variant", "pixels", "parameters", "multiply-adds"]
    table = {tuple(line.split()[:2]): line.split()[2:] for line in lines[1:]}
    assert table["resnet", "50"] == ["224", "x", "224", "25,557,032", "4.089", "G"]
    assert {"18", "34", "50", "101", "152", "cifar"} <= {variant for _, variant in table}


def test_info_shows_shapes_parameters_and_multiply_adds_of_each_layer(capsys):
    assert main(["info", "vit", "tiny"]) == 0
    out = capsys.readouterr().out
    rows = {line.split()[0]: line for line in out.splitlines()[1:] if line}
    assert "196 x 192" in rows["patch_embed"]
    assert f"{196 * 768 * 192:,}" in rows["patch_embed"]
    assert f"{197 * 192 * 576:,}" in rows["qkv"]
    assert out.splitlines()[-1].startswith("5,717,416 parameters, ")


def test_info_at_another_size_and_depth(capsys):
    assert main(["info", "vit", "tiny", "--image-size", "384", "--depth", "1"]) == 0
    out = capsys.readouterr().out
    assert "576 x 192" in out
    assert "qkv" not in out


@pytest.mark.parametrize("arguments, message", [
    (["models", "resnets"], "did you mean 'resnet'?"),
    (["info", "vit", "tinny"], "did you mean 'tiny'?"),
    (["info", "vit", "tiny", "--image-size", "100"], "100 x 100 pixels do not divide into patches of 16 x 16"),
])
def test_mistakes_get_one_line(capsys, arguments, message):
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_device(capsys, monkeypatch):
    monkeypatch.setattr(device, "report", lambda: ["processor   X"])
    assert main(["device"]) == 0
    first, *others = capsys.readouterr().out.splitlines()
    assert first == "processor   X"
    assert [line.split()[0] for line in others] == [*device.NEEDS, "data"]


@pytest.mark.parametrize("present", ["cifar-10-batches-bin", "cifar-10-binary.tar.gz", None])
def test_device_tells_where_cifar10_is_or_how_to_get_it(tmp_path, monkeypatch, capsys, present):
    monkeypatch.setenv("MINIVIT_DATA", str(tmp_path))
    monkeypatch.setattr(device, "product_rate", lambda: 100.0)
    version = cifar.SETS["cifar10"].versions[0]
    files = {version.folder: [f"{version.folder}/{file}" for file in version.files], version.archive: [version.archive]}
    for file in files.get(present, []):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(b"")
    assert main(["device"]) == 0
    *_, last = capsys.readouterr().out.splitlines()
    assert last == (f"data        CIFAR-10 is in {tmp_path}" if present else
                    f"data        shapes10 is built in; CIFAR-10 is not in {tmp_path}; "
                    "python -m minivit data cifar10 fetches it (170 MB)")


def test_models_lists_each_architecture_in_a_line_and_the_tasks(capsys):
    assert main(["models"]) == 0
    said = capsys.readouterr().out
    assert "mae             Masked Autoencoders Are Scalable Vision Learners." in said
    resnet = next(line for line in said.splitlines() if line.startswith("resnet "))
    assert resnet.split() == ["resnet", "11,173,962", "555.4", "M", *VARIANTS_OF_RESNET]
    assert main(["models", "resnet"]) == 0
    assert "mae" not in capsys.readouterr().out

"""Data sets by name, by folder, or whichever can be had."""

from pathlib import Path

from ..names import expect
from . import cifar, coco, scenes, shapes10, voc
from .archive import cache_folder
from .dataset import Dataset

NAMES = ("auto", "cifar10", "cifar100", "shapes10", "scenes", "scenes_unseen")


def load(name: str = "auto", *, address: str = cifar.ADDRESS) -> tuple[Dataset, Dataset]:
    """The training and the test set of a name.

    Parameters
    ----------
    name : str
        "cifar10" or "cifar100", from the cache folder, or downloaded into it; "shapes10" and "scenes",
        the built-in sets; "scenes_unseen", scenes with a test set of combinations that are never trained on; "auto":
        CIFAR-10 if it is cached or can be downloaded, else shapes10, which is said in one line; or the path of a
        folder with CIFAR-10 or CIFAR-100 in it, or with annotated pictures in the format of COCO or Pascal VOC.
    address : str
        The folder of CIFAR's archives on the web.

    Returns
    -------
    train, test : Dataset
        images uint8 (N, 32, 32, 3), labels int64 (N,); of scenes (N, 48, 48, 3), and objects in the place of labels,
        see `minivit.data.scenes`. Their `name` tells which set it is.
    """
    if is_folder(name):
        return _from_folder(Path(name))
    if Path(name).is_file():
        raise ValueError(f"data: {name} is a file; expected the folder that it lies in, or one of {', '.join(NAMES)}")
    expect("data", name, NAMES, others="or the path of a folder")
    if name == "auto":
        return _cifar10_or_shapes10(address)
    if name == "shapes10":
        return shapes10.load_shapes10()
    if name in ("scenes", "scenes_unseen"):
        return scenes.load_scenes(unseen=name == "scenes_unseen")
    return cifar.load_cifar(name, address=address)


def is_folder(name: str) -> bool:
    """Whether a name of a data set means a folder: any that is there, but for one called as a built-in name is."""
    return name not in NAMES and Path(name).is_dir()


def _cifar10_or_shapes10(address):
    try:
        return cifar.load_cifar("cifar10", address=address)
    except (OSError, ValueError) as error:
        print(f"Taking the built-in set shapes10, because CIFAR-10 cannot be had ({error}). {_remedy(address)}")
        return shapes10.load_shapes10()


def _remedy(address):
    """How to come by CIFAR-10, in one sentence."""
    try:
        folder = cache_folder()
    except OSError:
        return "Set MINIVIT_DATA to a folder, and run `python -m minivit data cifar10` online."
    archive = cifar.SETS["cifar10"].versions[0].archive
    return f"To get it, run `python -m minivit data cifar10` online, or put {address}/{archive} into {folder}."


def _from_folder(folder):
    if coco.is_coco(folder):
        return coco.load_coco(folder)
    if voc.is_voc(folder):
        return voc.load_voc(folder)
    for name in cifar.SETS:
        if found := cifar.find(name, folder):
            return cifar.read(name, *found)
    expected = ", ".join(version.folder for name in cifar.SETS for version in cifar.SETS[name].versions)
    raise ValueError(f"data: expected one of {expected} in the folder {folder}, unpacked or as the published archive, "
                     f"or annotations/instances_*.json as COCO has it, or {voc.LISTS}/train.txt as Pascal VOC has it")

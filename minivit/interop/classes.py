"""The names of the classes that a checkpoint tells apart."""

from pathlib import Path

IMAGENET_CLASSES = Path(__file__).with_name("imagenet_classes.txt")


def classes_of(content, count):
    """The names of `count` classes, in the order of the logits, by the content of a config.json; None if not known.

    A model with 1000 classes and no names is taken for one of ImageNet-1k's (as timm does).
    """
    inner = content.get("pretrained_cfg") or {}
    names = content.get("id2label") or content.get("label_names") or inner.get("label_names")
    if isinstance(names, dict):
        names = [names[key] for key in sorted(names, key=int)]
    if names:
        described = content.get("label_descriptions", inner.get("label_descriptions")) or {}
        names = [described.get(name, name) for name in names]
    elif count == 1000:
        names = [line for line in IMAGENET_CLASSES.read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    return tuple(names or ()) if len(names or ()) == count else None

"""ResNets with a 7 x 7 stem: timm's ResNet, transformers' ResNetForImageClassification."""

from ...models.resnet import BasicBlock, Bottleneck, ResNet
from ..table import CONV, batch_norm, linear, optional, tensor, within
from .facts import classes_of, layers_of

STAGES = range(4)
TIMM_BLOCK = [rule for index in (1, 2, 3) for rule in (
    *tensor(f"conv{index}.weight", f"conv{index}.weight", CONV),
    *batch_norm(f"norm{index}", f"bn{index}"),
)] + optional([
    *tensor("shortcut.layers.0.weight", "downsample.0.weight", CONV),
    *batch_norm("shortcut.layers.1", "downsample.1"),
])
TIMM = [
    *tensor("stem.weight", "conv1.weight", CONV),
    *batch_norm("norm", "bn1"),
    *[rule for stage in STAGES
      for rule in within(f"body.stages.{stage}.layers.*.", f"layer{stage + 1}.*.", TIMM_BLOCK)],
    *optional(linear("body.head", "fc")),
]

TRANSFORMERS_BLOCK = [rule for index in (1, 2, 3) for rule in (
    *tensor(f"conv{index}.weight", f"layer.{index - 1}.convolution.weight", CONV),
    *batch_norm(f"norm{index}", f"layer.{index - 1}.normalization"),
)] + optional([
    *tensor("shortcut.layers.0.weight", "shortcut.convolution.weight", CONV),
    *batch_norm("shortcut.layers.1", "shortcut.normalization"),
])
BACKBONE = [
    *tensor("stem.weight", "embedder.embedder.convolution.weight", CONV),
    *batch_norm("norm", "embedder.embedder.normalization"),
    *within("body.stages.*.layers.*.", "encoder.stages.*.layers.*.", TRANSFORMERS_BLOCK),
]
TRANSFORMERS = within("", "resnet.", BACKBONE) + optional(linear("body.head", "classifier.1"))
HEAD = "body.head"
TABLES = [("timm", TIMM), ("transformers", TRANSFORMERS), ("transformers", BACKBONE)]


def build(reading, facts):
    """A ResNet for ImageNet."""
    state = reading.state
    stages = layers_of(state, "body.stages")
    block = Bottleneck if "body.stages.0.layers.0.conv3.weight" in state else BasicBlock
    *_, channels, width = state["stem.weight"].shape
    return ResNet(block, [layers_of(state, f"body.stages.{stage}.layers") for stage in range(stages)], width=width,
                  channels=channels, num_classes=classes_of(state, HEAD))


def sizes(model):
    """Nothing: no layout merges axes."""
    return {}


def timm_config(model):
    """What timm.create_model makes the same model of."""
    block, depths, width = _shape(model)
    if width != 64:
        raise ValueError(f"a ResNet of width {width} has no counterpart in timm, whose stem has 64 channels; "
                         "transformers has one")
    architecture = "resnet50" if block is Bottleneck else "resnet18"
    args = dict(layers=depths, channels=[width * 2 ** stage for stage in range(len(depths))],
                in_chans=model.stem.weight.shape[2])
    return {"architecture": architecture, "num_features": width * 2 ** (len(depths) - 1) * block.expansion,
            "global_pool": "avg", "model_args": args}


def transformers_config(model):
    """What transformers.ResNetConfig makes the same model of."""
    block, depths, width = _shape(model)
    return {"model_type": "resnet", "architectures": ["ResNetForImageClassification"],
            "layer_type": "bottleneck" if block is Bottleneck else "basic", "hidden_act": "relu", "depths": depths,
            "embedding_size": width, "num_channels": model.stem.weight.shape[2],
            "hidden_sizes": [width * 2 ** stage * block.expansion for stage in range(len(depths))]}


def _shape(model):
    """(block, blocks in each stage, channels of the stem)."""
    if not isinstance(model, ResNet):
        raise ValueError(f"{type(model).__name__} has no counterpart in timm or transformers, whose ResNets have a "
                         "stem of 7 x 7 pixels")
    return (type(model.body.stages[0][0]), [len(stage) for stage in model.body.stages], model.stem.weight.shape[-1])

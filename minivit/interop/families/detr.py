"""DETR: transformers' DetrForObjectDetection, and the authors' own names."""

from functools import partial

from ...models.detr import DETR, frozen_resnet
from ...models.resnet import ResNet
from ...nn import BatchNorm2d
from ..config import Key, Transformers, fixed
from ..family import Family
from ..table import CONV_AS_LINEAR, LINEAR, linear, norm, split, tensor, within
from . import resnet


def attention(ours, theirs, out):
    """Four linear maps, of which `out` is their name of the last."""
    return within(f"{ours}.", f"{theirs}.", [
        rule for name in ("query", "key", "value") for rule in linear(name, f"{name[0]}_proj")] + linear("proj", out))


SELF, CROSS = ("self_attn", "self_attn_layer_norm"), ("encoder_attn", "encoder_attn_layer_norm")


def perceptron(mlp):
    """The two linear maps of an MLP, whose names there begin alike."""
    return linear("mlp.linear1", f"{mlp}1") + linear("mlp.linear2", f"{mlp}2")


def encoder_layer(attend, mlp, first=SELF, last="final_layer_norm"):
    """A layer of the encoder: attend(ours, theirs) is the table of an attention; their names of it and of its norm."""
    return [*attend("attention", first[0]), *norm("norm1", first[1]), *perceptron(mlp), *norm("norm2", last)]


def decoder_layer(attend, mlp, first=SELF, second=CROSS, last="final_layer_norm"):
    """The same of the decoder."""
    return [*attend("self_attention", first[0]), *norm("norm1", first[1]),
            *attend("cross_attention", second[0]), *norm("norm2", second[1]), *perceptron(mlp), *norm("norm3", last)]


def three_layers(ours, theirs):
    """The three linear maps of a head; `theirs` is their name with a place for the number."""
    return [rule for number in range(3)
            for rule in linear(f"{ours}.layers.{2 * number}", theirs.format(number))]


def table(backbone, place, out, mlp):
    """A DETR of transformers; `backbone` is the table of its ResNet, which is at `place`."""
    attend = partial(attention, out=out)
    return [
        *within("backbone.", f"model.{place}.model.", backbone),
        *linear("project", "model.input_projection", CONV_AS_LINEAR),
        *within("encoder.*.", "model.encoder.layers.*.", encoder_layer(attend, mlp)),
        *within("decoder.layers.*.", "model.decoder.layers.*.", decoder_layer(attend, mlp)),
        *tensor("decoder.query_positions", "model.query_position_embeddings.weight"),
        *norm("decoder.norm", "model.decoder.layernorm"),
        *linear("head", "class_labels_classifier"),
        *three_layers("box_head", "bbox_predictor.layers.{}"),
    ]


def joined_attention(ours, theirs):
    """An attention of PyTorch, which keeps queries, keys and values in one tensor."""
    parts = [[f"{ours}.{name}.{kind}" for name in ("query", "key", "value")] for kind in ("weight", "bias")]
    return [*split(parts[0], f"{theirs}.in_proj_weight", (1, 1, 1), LINEAR),
            *split(parts[1], f"{theirs}.in_proj_bias", (1, 1, 1)), *linear(f"{ours}.proj", f"{theirs}.out_proj")]


def without_head(backbone):
    """The rules of a ResNet but those of its classes."""
    return [rule for rule in backbone if not any(name.startswith("body.head") for name in rule.ours)]


TIMM = without_head(resnet.TIMM)
AUTHORS = [
    *within("backbone.", "backbone.0.body.", TIMM),
    *linear("project", "input_proj", CONV_AS_LINEAR),
    *within("encoder.*.", "transformer.encoder.layers.*.",
            encoder_layer(joined_attention, "linear", ("self_attn", "norm1"), "norm2")),
    *within("decoder.layers.*.", "transformer.decoder.layers.*.",
            decoder_layer(joined_attention, "linear", ("self_attn", "norm1"), ("multihead_attn", "norm2"), "norm3")),
    *tensor("decoder.query_positions", "query_embed.weight"),
    *norm("decoder.norm", "transformer.decoder.norm"),
    *linear("head", "class_embed"),
    *three_layers("box_head", "bbox_embed.layers.{}"),
]


def shapes(reading, known):
    """All but the number of heads."""
    parts = resnet.shapes(reading.part("backbone."), known)
    queries, dim = reading.shape("decoder.query_positions")
    return dict(backbone=partial(frozen_resnet, parts["block"], parts["depths"], width=parts["width"]),
                channels=parts["channels"], num_classes=reading.outputs() - 1, queries=queries, dim=dim,
                heads=known.get("heads"), encoder_depth=reading.modules("encoder"),
                decoder_depth=reading.modules("decoder.layers"),
                mlp_dim=reading.shape("decoder.layers.0.mlp.linear1.bias")[0])


def resnet_of(detr):
    """Its backbone, if it is one that they have."""
    backbone = detr.backbone
    if not isinstance(backbone, ResNet) or any(type(module) is BatchNorm2d for module in backbone.modules()):
        raise ValueError("backbone: theirs is a ResNet with frozen normalisation (minivit.models.detr.frozen_resnet), "
                         f"this is a {type(backbone).__name__} without")
    return backbone


RESNET = resnet.FAMILY.configs["transformers"]


def backbone_config(model):
    """What transformers says of a ResNet in a model, of which the last stage is read."""
    backbone = resnet_of(model)
    return {"model_type": "resnet", **RESNET.content(backbone), "out_features": [f"stage{len(backbone.body.stages)}"]}


def is_backbone(content, model):
    """Whether transformers' configuration of a backbone is that of a model; where there is none, its tensors tell."""
    if content is None:
        return True
    stages = len(resnet_of(model).body.stages)
    if content.get("model_type") == "resnet":
        RESNET.refuse_unknown(content, "resnet", "backbone_config")
        RESNET.refuse_others(content, resnet_of(model), "resnet", "backbone_config")
        return content.get("out_features", [f"stage{stages}"])[-1] == f"stage{stages}"
    return (content.get("model_type") == "timm_backbone" and content.get("out_indices", [stages])[-1] == stages
            and content.get("output_stride", 32) == 32
            and resnet.FAMILY.configs["timm"].describes({"architecture": content.get("backbone", "")}))


COSTS = ("class_cost", "bbox_cost", "giou_cost", "mask_loss_coefficient", "dice_loss_coefficient",
         "bbox_loss_coefficient", "giou_loss_coefficient", "eos_coefficient")

FAMILY = Family(
    name="detr",
    models={DETR: ("transformers", "transformers4", "authors")},
    tables={
        "transformers": [table(backbone, "backbone", "o_proj", "mlp.fc")
                         for backbone in (resnet.BACKBONE, TIMM)],
        "transformers4": [table(backbone, "backbone.conv_encoder", "out_proj", "fc")
                          for backbone in (resnet.BACKBONE, TIMM)],
        "authors": [AUTHORS],
    },
    shapes=shapes,
    beside_classes=1,
    counts_batches=False,
    asked={"heads": "how many heads share its width {dim}"},
    configs={"transformers": Transformers((
        Key("backbone_config", backbone_config, fits=is_backbone),
        Key("num_channels", lambda detr: resnet_of(detr).stem.weight.shape[2]),
        Key("num_queries", lambda detr: len(detr.decoder.query_positions)),
        Key("d_model", lambda detr: detr.head.weight.shape[0]),
        Key("encoder_layers", lambda detr: len(detr.encoder)),
        Key("decoder_layers", lambda detr: len(detr.decoder.layers)),
        Key("encoder_attention_heads", lambda detr: detr.decoder.layers[0].self_attention.heads, "heads", default=8),
        Key("decoder_attention_heads", lambda detr: detr.decoder.layers[0].self_attention.heads, default=8),
        Key("encoder_ffn_dim", lambda detr: detr.decoder.layers[0].mlp.linear1.bias.size, default=2048),
        Key("decoder_ffn_dim", lambda detr: detr.decoder.layers[0].mlp.linear1.bias.size, default=2048),
        fixed("activation_function", "relu"), fixed("position_embedding_type", "sine"), fixed("dilation", False),
        fixed("auxiliary_loss", False),  # which there also changes what the decoder computes
    ), ignored=COSTS + (
        "dropout", "attention_dropout", "activation_dropout", "encoder_layerdrop", "decoder_layerdrop", "init_std",
        "init_xavier_std", "num_hidden_layers", "scale_embedding", "classifier_dropout", "max_position_embeddings",
        "backbone", "use_timm_backbone", "use_pretrained_backbone", "backbone_kwargs"),
        model_type="detr", architecture="DetrForObjectDetection")},
)

"""CLIP: transformers' CLIPModel, both towers."""

from dataclasses import dataclass

from ...models.clip import CLIP, CLIPViT
from ..blocks import transformer_block
from ..config import Always, Key, Transformers, activation, number_or_list, pair
from ..family import Family
from ..table import LINEAR, PATCHES, norm, tensor, within
from .vit import grid_of, hidden, width

HEADS = {512: 8, 768: 12, 1024: 16}  # of the usual widths
BLOCK = transformer_block("layer_norm1", [f"self_attn.{name}_proj" for name in "qkv"], "self_attn.out_proj",
                          "layer_norm2", "mlp.fc1", "mlp.fc2")
TABLE = [
    *within("backbone.", "vision_model.", [
        *tensor("class_token", "embeddings.class_embedding", "D -> 1 1 D"),
        *tensor("positions", "embeddings.position_embedding.weight", "N D -> 1 N D"),
        *tensor("patch_embed.weight", "embeddings.patch_embedding.weight", PATCHES),
        *norm("norm0", "pre_layrnorm"),  # as it is called there
        *within("blocks.*.", "encoder.layers.*.", BLOCK),
        *norm("norm", "post_layernorm"),
    ]),
    *within("text.", "text_model.", [
        *tensor("word_embed.weight", "embeddings.token_embedding.weight"),
        *tensor("positions", "embeddings.position_embedding.weight"),
        *within("blocks.*.", "encoder.layers.*.", BLOCK),
        *norm("norm", "final_layer_norm"),
    ]),
    *tensor("image_projection.weight", "visual_projection.weight", LINEAR),
    *tensor("text_projection.weight", "text_projection.weight", LINEAR),
    *tensor("temperature", "logit_scale"),
]
TOWERS = ("text_config", "vision_config")
LEGACY_END = 2  # so says config.json where the end is the last of the words


@dataclass(frozen=True)
class TwoTowers(Transformers):
    """A config.json with one configuration in it for each tower; their keys are called "vision_config.hidden_size"."""

    def values(self, content):
        """All that is not known to change nothing, in the towers too."""
        deciding = super().values
        found = deciding({name: value for name, value in content.items() if name not in TOWERS})
        for part in TOWERS:
            inside = content.get(part) or {}
            found |= {f"{part}.{name}": value for name, value in deciding(inside).items()}
        end = (content.get("text_config") or {}).get("eos_token_id")  # which changes nothing in other architectures
        return found if end is None else found | {"text_config.eos_token_id": end}

    def content(self, model):
        """{their key: value} for a model of ours, towers in dictionaries of their own."""
        made = {part: {} for part in TOWERS}
        for name, value in super().content(model).items():
            part, _, inner = name.rpartition(".")
            made.get(part, made)[inner] = value
        return made


def shapes(reading, known):
    """All but the heads, which are 64 numbers wide where nothing says how many there are."""
    seen, read = reading.part("backbone."), reading.part("text.")
    (*_, placed, dim), (words, text_dim) = seen.shape("positions"), read.shape("word_embed.weight")
    P = seen.axis("patch_embed.weight", "P")
    rows, columns = grid_of(placed - 1, P, known.get("image_size"))
    end = known.get("end", LEGACY_END)
    return dict(
        backbone=CLIPViT, image_size=(rows * P, columns * P), patch_size=P,
        channels=seen.axis("patch_embed.weight", "C"), dim=dim, depth=seen.modules("blocks"),
        heads=known.get("heads") or HEADS.get(dim),
        mlp_dim=seen.shape("blocks.0.mlp.linear1.bias")[0], common_dim=reading.shape("image_projection.weight")[1],
        words=words, longest=read.shape("positions")[0], end=words - 1 if end == LEGACY_END else end, text_dim=text_dim,
        text_depth=read.modules("blocks"), text_heads=known.get("text_heads") or HEADS.get(text_dim),
        text_mlp_dim=read.shape("blocks.0.mlp.linear1.bias")[0])


def sizes(clip):
    """P of patches (P Q C)."""
    return {"P": clip.backbone.patch_embed.patch_size, "Q": clip.backbone.patch_embed.patch_size}


def ends(value, clip):
    """Whether their number of the last word of a sentence is ours."""
    last = len(clip.text.word_embed.weight) - 1
    return value == clip.text.end or (value == LEGACY_END and clip.text.end == last)


def tower(name, of, prefix):
    """The keys that both towers have; of(clip) is ours, whose settings begin with a prefix."""
    return (
        Key(f"{name}.hidden_size", lambda clip: width(of(clip))),
        Key(f"{name}.num_hidden_layers", lambda clip: len(of(clip).blocks), default=12),
        Key(f"{name}.num_attention_heads", lambda clip: of(clip).blocks[0].attention.heads, f"{prefix}heads",
            default={"vision_config": 12, "text_config": 8}[name]),
        Key(f"{name}.intermediate_size", lambda clip: hidden(of(clip))),
        activation(f"{name}.hidden_act", "transformers", lambda clip: of(clip).blocks[0].mlp.activation,
                   setting=f"{prefix}activation", default="quick_gelu"),
        Key(f"{name}.layer_norm_eps", lambda clip: of(clip).norm.eps, f"{prefix}eps", default=1e-5),
    )


NOTHING = ("initializer_factor", "logit_scale_init_value",
           *(f"{name}.{key}" for name in TOWERS for key in (
               "attention_dropout", "dropout", "initializer_factor", "projection_dim")))

FAMILY = Family(
    name="clip",
    models={CLIP: ("transformers",)},
    tables={"transformers": [TABLE]},
    shapes=shapes,
    sizes=sizes,
    head="",  # none tells classes apart
    asked={"heads": "how many heads share its width {dim}", "text_heads": "how many heads share its width {text_dim}"},
    configs={"transformers": TwoTowers((
        *tower("vision_config", lambda clip: clip.backbone, ""),
        Key("vision_config.image_size", lambda clip: number_or_list(clip.image_size), "image_size", pair, default=224),
        Key("vision_config.patch_size", lambda clip: clip.backbone.patch_embed.patch_size, default=32),
        Key("vision_config.num_channels", lambda clip: clip.backbone.patch_embed.channels, default=3),
        *tower("text_config", lambda clip: clip.text, "text_"),
        Key("text_config.vocab_size", lambda clip: len(clip.text.word_embed.weight), default=49_408),
        Key("text_config.max_position_embeddings", lambda clip: clip.text.longest, default=77),
        Key("text_config.eos_token_id", lambda clip: clip.text.end, "end", default=49_407, fits=ends),
        Key("projection_dim", lambda clip: clip.image_projection.weight.shape[1]),
    ), ignored=NOTHING, always=(Always("antialias", False),), model_type="clip", architecture="CLIPModel")},
)

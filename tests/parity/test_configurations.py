"""Every setting of timm's and transformers' classes, changed in turn: equal outputs, or an error that names it.

What their code saves after the change is loaded here. What their code refuses to build or to save is not asked about.
"""

import functools
import inspect
import typing

import numpy as np
import pytest

import minivit
from minivit.interop.config import pair
from minivit.interop.files import read_json
from minivit.interop.preprocessing import from_transformers
from tests.golden.case import relative
from tests.golden.draw import draw, pictures
from tests.known import collect
from tests.parity.official import our_numbers, save_with_timm, their_numbers, timm, torch, transformers

# What is tried where neither the default nor the annotation says what else there is
ELSE = {
    "act_layer": ["relu", "silu", "gelu_tanh"], "hidden_act": ["relu", "gelu_new", "quick_gelu"],
    "norm_layer": ["rmsnorm"], "global_pool": ["", "avg", "max", "avgmax", "token", "map"], "pos_embed": ["none"],
    "attn_layer": ["diff"], "stem_type": ["deep"], "aa_layer": ["avg"], "layer_type": ["basic", "bottleneck"],
    "weight_init": ["jax"], "fc_norm": [True, False], "init_values": [0.5], "head_dim": [2], "block_args": [{}],
}
OF_THE_MACHINE = {"self", "args", "kwargs", "device", "dtype", "transformers_version", "architectures", "id2label",
                  "label2id", "block", "num_classes"}


def others(name, value, annotation=None):
    """Values that are not `value`, of its kind."""
    if name in ELSE:
        return [other for other in ELSE[name] if other != value]
    literal = typing.get_args(annotation) if typing.get_origin(annotation) is typing.Literal else ()
    if literal:
        return [other for other in literal if other != value]
    if isinstance(value, dict):  # the configuration of a part
        return [value | {key: other} for key, inner in value.items() if key not in OF_THE_MACHINE
                and not isinstance(inner, dict) for other in others(key, inner)]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [2 * value, value + 1]
    if isinstance(value, float):
        return [value / 2 + 0.25, 0.0]
    if isinstance(value, (tuple, list)) and value and isinstance(value[0], int):
        return [[2 * number for number in value], list(value[:-1])]
    return [True, 1, 0.5, "relu"] if value is None else []


def signature_of(official):
    """{name: (default, annotation)} of the constructor of a model of timm, and of what it derives from."""
    found = {}
    for kind in reversed(type(official).__mro__[:-1]):
        if kind.__module__.startswith("timm.models"):
            found |= {name: (p.default, p.annotation) for name, p in inspect.signature(kind).parameters.items()}
    return found


def outcome(saved, official, folder, name, pixels):
    """Of loading what was saved: "equal" outputs, "refused" by name, or what is wrong; "" if theirs does not run."""
    channels = next(conv.weight.shape[1] for conv in official.modules() if isinstance(conv, torch.nn.Conv2d))
    images = pictures(1, *pixels, channels).astype(np.float32)
    try:
        theirs = their_numbers(saved, official, images)
    except Exception:  # whatever they say: such a model is of no use to anybody
        return ""
    try:
        model = minivit.load(folder)
    except ValueError as error:
        return "refused" if name in str(error) else f"does not name it: {error}"
    ours = our_numbers(saved, model, images)
    return "equal" if ours.shape == theirs.shape and relative(ours, theirs) < 1e-4 else "other outputs"


def assert_equal_or_refused(results):
    """Each setting is one or the other, and there are settings of both kinds."""
    wrong = [result for result in results if result[-1] not in ("equal", "refused", "")]
    assert not wrong, wrong
    assert {"equal", "refused"} <= {outcome for *_, outcome in results}, results


def drawn(official):
    """The same model with random weights, so that none of its parts is without effect."""
    with torch.no_grad():
        for name, x in official.state_dict().items():
            if name in dict(official.named_parameters()) or "running" in name:
                x.copy_(torch.from_numpy(draw(name, tuple(x.shape))))
    return official.eval()


def smaller(saved):
    """Settings that make a model of timm small in pixels."""
    return {"img_size": saved.pixels, "patch_size": 4}


def timm_model(saved, changed):
    """A model of timm, small in pixels too where its class knows pixels; None if timm refuses it."""
    base = {name: value for name, value in smaller(saved).items() if name in timm_signature(saved.name)}
    if saved.name.startswith("swin"):
        base["window_size"] = 2
    try:
        return timm().create_model(saved.name, **{"num_classes": 5, **base, **saved.settings, **changed})
    except Exception:  # whatever timm says
        return None


@functools.cache
def timm_signature(name):
    """Of the class behind an architecture."""
    with torch.device("meta"):
        return signature_of(timm().create_model(name))


@pytest.mark.parametrize("saved", collect("TIMM"), ids=lambda saved: saved.name)
def test_settings_of_timm(saved, tmp_path):
    results = []
    for name, (default, annotation) in timm_signature(saved.name).items():
        for number, value in enumerate([] if name in OF_THE_MACHINE else others(
                name, {**smaller(saved), **saved.settings}.get(name, default), annotation)):
            official, folder = timm_model(saved, {name: value}), tmp_path / f"{name}{number}"
            if official is not None:
                drawn(official)
                try:
                    save_with_timm(official, folder)
                except ValueError:  # no JSON
                    continue
                pixels = (value if name == "img_size" else saved.pixels,) * 2
                results.append((name, value, outcome(saved, official, folder, name, pixels)))
    assert_equal_or_refused(results)


@pytest.mark.parametrize("saved", collect("TRANSFORMERS"), ids=lambda saved: saved.name)
def test_settings_of_transformers(saved, tmp_path):
    architecture = getattr(transformers(), saved.name)
    base = {"image_size": saved.pixels, "patch_size": 4} | saved.settings
    base = {name: value for name, value in base.items() if name in inspect.signature(
        architecture.config_class.__init__).parameters} | {"num_labels": 5}
    results = []
    for name, default in architecture.config_class(**base).to_dict().items():
        for number, value in enumerate([] if name in OF_THE_MACHINE else others(name, default)):
            folder = tmp_path / f"{name}{number}"
            try:
                official = drawn(architecture(architecture.config_class(**base | {name: value})))
                official.save_pretrained(folder)
            except Exception:  # whatever transformers says
                continue
            pixels = pair(value if name == "image_size" else base.get("image_size", saved.pixels))
            results.append((name, value, outcome(saved, official, folder, name, pixels)))
    assert_equal_or_refused(results)


@pytest.mark.parametrize("kind", ["ViT", "DeiT", "ConvNext", "Beit", "CLIP", "MobileViT"])
@pytest.mark.parametrize("switch", [{}, {"do_normalize": False}, {"do_rescale": False}, {"do_resize": False},
                                    {"rescale_factor": 1 / 127.5}, {"do_center_crop": False}, {"resample": 3},
                                    {"do_center_crop": True}, {"do_flip_channel_order": True}, {"do_pad": True}],
                         ids=str)
def test_switches_of_processors(kind, switch, tmp_path):
    """A picture becomes the same numbers, or an error names the switch."""
    processor = getattr(transformers(), f"{kind}ImageProcessorPil")(**switch)
    processor.save_pretrained(tmp_path)
    picture = (40 * np.abs(pictures(1, 301, 472)[0])).clip(0, 255).astype(np.uint8)
    try:
        theirs = processor(picture, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0)
    except Exception:  # whatever they say
        pytest.skip("transformers cannot do it either")
    try:
        ours = from_transformers(read_json(tmp_path / "preprocessor_config.json"))(picture)
    except ValueError as error:
        refusal = str(error)
    else:
        refusal = ""
        np.testing.assert_allclose(ours, theirs, atol=1e-5 * max(1, np.abs(theirs).max()))
    assert not refusal or next(iter(switch), "?") in refusal or "cannot keep" in refusal, refusal

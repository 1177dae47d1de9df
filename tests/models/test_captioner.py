"""The captioner against transformers' ViT with GPT-2, and its searches against each other and against all sentences."""

import itertools

import numpy as np
import pytest

import minivit
from minivit import Tensor, grad, no_grad
from minivit.words import END, PAD, START
from minivit.models.captioner import Captioner
from minivit.models.vit import VARIANTS as VIT
from minivit.ops import cross_entropy, log_softmax
from tests.counterpart import import_official

SMALL = {"dim": 16, "depth": 1, "heads": 2, "patch_size": 8}


def small(words=12, width=24, depth=2, longest=9, **changes):
    """A small captioner whose decoder is wider than its backbone, all numbers drawn, in float64."""
    model = Captioner(lambda **settings: VIT["cifar"](**SMALL | settings), words=words, longest=longest, dim=width,
                      depth=depth, heads=4, **changes).initialise(0).astype(np.float64)
    rng = np.random.default_rng(1)
    for parameter in model.parameters():
        parameter.data = parameter.data + 0.3 * rng.standard_normal(parameter.shape)
    return model.eval()


@pytest.fixture
def images(rng):
    return Tensor(rng.standard_normal((3, 32, 32, 3)))


@pytest.fixture
def sentences(rng):
    """Three sentences of different lengths."""
    made = rng.integers(3, 12, (3, 8))
    made[:, 0] = START
    for row, length in enumerate((8, 5, 3)):
        made[row, length - 1], made[row, length:] = END, PAD
    return made


def official(model, words=12, width=24, depth=2, longest=9):
    """transformers' VisionEncoderDecoder with the same weights behind the backbone, whose output it is given."""
    torch, transformers = pytest.importorskip("torch"), import_official("transformers")
    encoder = transformers.ViTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
                                     image_size=32, patch_size=8)
    decoder = transformers.GPT2Config(vocab_size=words, n_embd=width, n_layer=depth, n_head=4, n_positions=longest,
                                      resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, add_cross_attention=True,
                                      is_decoder=True, bos_token_id=START, eos_token_id=END, pad_token_id=PAD)
    config = transformers.VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id, config.pad_token_id = START, PAD
    theirs = transformers.VisionEncoderDecoderModel(config).double().eval()
    state = {"enc_to_dec_proj.weight": model.project.weight.numpy().T,
             "enc_to_dec_proj.bias": model.project.bias.numpy()}

    def put(name, module):  # GPT-2 keeps its matrices as (in, out), as we do
        for kind in ("weight", "bias"):
            state[f"{name}.{kind}"] = getattr(module, kind).numpy()
    state["decoder.transformer.wte.weight"] = state["decoder.lm_head.weight"] = model.word_embed.weight.numpy()
    state["decoder.transformer.wpe.weight"] = model.positions.numpy()
    put("decoder.transformer.ln_f", model.norm)
    for number, block in enumerate(model.blocks):
        at = f"decoder.transformer.h.{number}"
        for name, module in [("ln_1", block.norm1), ("attn.c_attn", block.attention.qkv),
                             ("attn.c_proj", block.attention.proj), ("ln_cross_attn", block.norm2),
                             ("crossattention.q_attn", block.cross_attention.query),
                             ("crossattention.c_attn", block.cross_attention.key_value),
                             ("crossattention.c_proj", block.cross_attention.proj), ("ln_2", block.norm3),
                             ("mlp.c_fc", block.mlp.linear1), ("mlp.c_proj", block.mlp.linear2)]:
            put(f"{at}.{name}", module)
    missing, unexpected = theirs.load_state_dict({name: torch.tensor(array) for name, array in state.items()},
                                                 strict=False)
    assert not unexpected
    assert all(name.startswith("encoder.") for name in missing)
    return torch, theirs


def seen_by(torch, model, images, theirs):
    """What the backbone makes of the pictures, as transformers takes the encoder's output."""
    from transformers.modeling_outputs import BaseModelOutput
    with no_grad():
        grid = model.backbone.features(images)[-1].numpy()
    return BaseModelOutput(last_hidden_state=torch.tensor(grid.reshape(len(grid), -1, grid.shape[-1])))


def test_logits_and_loss_are_those_of_transformers(images, sentences):
    model = small()
    torch, theirs = official(model)
    known, right = sentences[:, :-1], sentences[:, 1:]
    labels = torch.tensor(np.where(right == PAD, -100, right))
    output = theirs(encoder_outputs=seen_by(torch, model, images, theirs), decoder_input_ids=torch.tensor(known),
                    labels=labels)
    logits = model(images, known)
    np.testing.assert_allclose(logits.numpy(), output.logits.detach().numpy(), rtol=1e-9, atol=1e-9)
    loss = cross_entropy(logits, right, ignore_index=PAD)
    assert loss.item() == pytest.approx(output.loss.item(), rel=1e-9)
    output.loss.backward()
    table, positions = grad(loss, [model.word_embed.weight, model.positions])
    np.testing.assert_allclose(table, theirs.decoder.transformer.wte.weight.grad.numpy(), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(positions, theirs.decoder.transformer.wpe.weight.grad.numpy(), rtol=1e-8, atol=1e-10)


def test_greedy_and_beam_write_what_transformers_writes(images):
    model = small()
    torch, theirs = official(model)
    for beams in (1, 4):
        written = theirs.generate(encoder_outputs=seen_by(torch, model, images, theirs), max_length=9, do_sample=False,
                                  num_beams=beams, length_penalty=0.0, early_stopping=False,
                                  suppress_tokens=[PAD, START], pad_token_id=PAD).numpy()
        found = model.greedy(images) if beams == 1 else model.beam(images, beams)
        np.testing.assert_array_equal(found[:, :written.shape[1]], written)


def test_one_beam_is_greedy(images):
    for seed in range(3):
        model = small(longest=7)
        model.word_embed.weight.data = np.random.default_rng(seed).standard_normal(model.word_embed.weight.shape)
        greedy, beam = model.greedy(images), model.beam(images, 1)
        np.testing.assert_array_equal(greedy, beam)


def test_enough_beams_find_the_best_of_all_sentences(images):
    """Three words and <end>, at most four of them: all sentences can be tried."""
    model = small(words=6, longest=5)
    every = [(START, *words) for length in range(5) for words in itertools.product(range(3, 6), repeat=length)]
    every = [[*words, END] if len(words) < 5 else list(words) for words in every]
    with no_grad():
        seen = model.look(images)
        best = []
        for picture in range(3):
            scores = []
            for words in every:
                one = [tuple(part[picture:picture + 1] for part in each) for each in seen]
                chances = log_softmax(model.next_words(np.array([words[:-1]]), one)).numpy()[0]
                scores.append(sum(chances[place, word] for place, word in enumerate(words[1:])))
            best.append(every[int(np.argmax(scores))])
    for found, expected in zip(model.beam(images, 200), best, strict=True):
        assert [word for word in found if word != PAD] == expected


def test_a_penalty_favours_long_sentences(images):
    model = small(words=6, longest=6)
    lengths = [(model.beam(images, 50, length_penalty=penalty) != PAD).sum() for penalty in (-3.0, 0.0, 3.0)]
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1]


def test_nothing_follows_the_end(images):
    for sentence in small(longest=9).beam(images, 3):
        ends = np.flatnonzero(sentence == END)
        assert sentence[0] == START
        assert (sentence[1:] != START).all()
        if len(ends):
            assert (sentence[ends[0] + 1:] == PAD).all()


def test_no_word_sees_what_follows(images, sentences):
    model, changed = small(), sentences.copy()
    changed[:, 4:] = 3
    with no_grad():
        one, other = (model(images, words).numpy() for words in (sentences, changed))
    np.testing.assert_allclose(one[:, :4], other[:, :4], rtol=1e-12)
    assert (one[:, 4:] != other[:, 4:]).any()


def test_the_size_of_vit_with_gpt2():
    """GPT-2 has 124,439,808 parameters; twelve cross-attentions with their norms and the map between are added."""
    model = minivit.create("captioner", "gpt2")
    decoder = sum(parameter.size for parameter in model.parameters())
    decoder -= sum(parameter.size for parameter in model.backbone.parameters())
    linear = 768 * 768 + 768
    assert decoder == 124_439_808 + 12 * (4 * linear + 2 * 768) + linear


@pytest.mark.parametrize("name", ["swin", "resnet"])
def test_other_families_look(name, rng):
    model = Captioner(lambda **settings: minivit.create(name, "cifar", **settings), words=8, dim=8, heads=2, depth=1)
    found = model.initialise(0).eval()(rng.standard_normal((2, 32, 32, 3), np.float32), np.full((2, 4), 3))
    assert found.shape == (2, 4, 8)


@pytest.mark.parametrize(("call", "message"), [
    (lambda images: small()(images, np.full((3, 10), 3)), "a sentence of 10 words is longer than the 9 that"),
    (lambda images: small().beam(images, 0), "beam: beams must be at least 1, got 0"),
    (lambda images: small(depth=0), "Captioner: depth must be at least 1, got 0")])
def test_what_cannot_be(images, call, message):
    with pytest.raises(ValueError, match=message):
        call(images)


def test_on_a_device(device):
    model = small().astype(np.float32)
    images = Tensor(np.random.default_rng(0).standard_normal((2, 32, 32, 3), np.float32))
    expected = model.beam(images, 3)
    np.testing.assert_array_equal(model.to(device).beam(images.to(device), 3), expected)

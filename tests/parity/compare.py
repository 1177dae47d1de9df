"""One comparison: the same weights, pictures and loss in our model and in the official one."""

import numpy as np

from minivit.interop import to_official
from minivit.interop.families import family_of
from minivit.interop.table import read
from tests.golden.case import relative
from tests.golden.draw import draw_all
from tests.known import collect
from tests.parity.official import channels_first, counterpart, load_strictly, torch, weights_of

WITHOUT_GRADIENT = collect("WITHOUT_GRADIENT")


def pair(case, dtype):
    """(our model, the official one) with the same weights, taken over in both directions."""
    official = counterpart(case).to(getattr(torch, np.dtype(dtype).name))
    model = case.build(dtype, {name: x.shape for name, x in weights_of(official, case).items()})
    load_strictly(case, official, to_official(model, case.library))
    return model, official.train(case.training)


def prepared(case, dtype):
    """The official model with the weights that the case draws."""
    official = counterpart(case).to(getattr(torch, np.dtype(dtype).name))
    shapes = {name: x.shape for name, x in weights_of(official, case).items()}
    load_strictly(case, official, draw_all(shapes, case.seed))
    return official.train(case.training)


def official_results(case, official, dtype):
    """[outputs and losses] and {name: gradient of the sum of the losses}, with that of the "pictures"."""
    images, targets = case.inputs(dtype)
    images = channels_first(images).requires_grad_()
    outputs, losses = case.run_official(official, images, torch.from_numpy(targets))
    sum(losses).backward()
    gradients = {name: p.grad.numpy() for name, p in official.named_parameters() if p.requires_grad}
    gradients["pictures"] = images.grad.numpy().transpose(0, 2, 3, 1)  # (B, height, width, C)
    return [x.detach().numpy() for x in outputs + losses], gradients


def differences(case, dtype):
    """The largest relative difference of the outputs and losses, and of the gradients.

    Of an output, and of a gradient with respect to a parameter or to the pictures, relative to its largest number.
    Queries, keys and values are one parameter, as they are here and in timm: by itself the gradient of a key's bias is
    zero (softmax does not see what is added to all scores), and what is computed are rounding errors. Where that is
    known of a parameter (WITHOUT_GRADIENT), the difference is relative to the largest gradient of all.

    -> {"outputs": float, "gradients": float}
    """
    model, official = pair(case, dtype)
    ours, our_gradients = case.results(model, dtype)
    theirs, their_gradients = official_results(case, official, dtype)
    assert all(x.dtype == dtype for x in [*ours, *our_gradients.values()])
    assert our_gradients.keys() == their_gradients.keys()
    our_gradients, their_gradients = (in_our_layout(case, model, x) for x in (our_gradients, their_gradients))
    architecture = family_of(model)[0].name
    largest = max(np.abs(gradient).max() for gradient in their_gradients.values())
    return {
        "outputs": max(relative(x, y) for x, y in zip(ours, theirs, strict=True)),
        "gradients": max(np.abs(our_gradients[name] - gradient).max() / largest
                         if (architecture, name) in WITHOUT_GRADIENT else relative(our_gradients[name], gradient)
                         for name, gradient in their_gradients.items()),
    }


def in_our_layout(case, model, gradients):
    """{official name: gradient} -> {our name: gradient}"""
    family, _ = family_of(model)
    state = read(family.table(model, case.library), gradients, family.sizes(model)).state
    return state | {"pictures": gradients["pictures"]}

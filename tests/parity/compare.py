"""One comparison: the same weights, pictures and loss in our model and in the official one."""

import numpy as np

from minivit.interop import to_official
from minivit.interop.table import read
from minivit.interop.translate import official_of
from tests.golden.case import MaskedCase, relative
from tests.parity.official import (channels_first, counterpart, load_strictly, logits_of, shapes_of, torch,
                                   without_rounding)


def pair(case, dtype):
    """(our model, the official one) with the same weights, taken over in both directions."""
    official = counterpart(case.make(**case.settings), case).to(getattr(torch, np.dtype(dtype).name))
    model = case.build(dtype, shapes_of(official))
    load_strictly(official, to_official(model, case.library))
    return model, official.train(case.training)


def official_run(case, official, images, targets):
    """Outputs and losses of the official model: lists of torch's tensors."""
    if isinstance(case, MaskedCase):
        output = official(images, noise=torch.from_numpy(case.noise()))
        return [output.logits], [output.loss]
    with without_rounding():
        outputs = logits_of(official(images, **case.forward))
    outputs = list(outputs) if isinstance(outputs, tuple) else [outputs]
    return outputs, [torch.nn.functional.cross_entropy(output, targets) for output in outputs]


def official_results(case, official, dtype):
    """[outputs and losses] and {name: gradient of the sum of the losses}, with that of the "pictures"."""
    images, targets = case.inputs(dtype)
    images = channels_first(images).requires_grad_()
    outputs, losses = official_run(case, official, images, torch.from_numpy(targets))
    sum(losses).backward()
    gradients = {name: p.grad.numpy() for name, p in official.named_parameters() if p.requires_grad}
    gradients["pictures"] = images.grad.numpy().transpose(0, 2, 3, 1)  # (B, height, width, C)
    return [x.detach().numpy() for x in outputs + losses], gradients


def differences(case, dtype):
    """The largest relative difference of the outputs and losses, and of the gradients.

    Of an output, and of a gradient with respect to a parameter or to the pictures, relative to its largest number.
    Queries, keys and values are one parameter, as they are here and in timm: by itself the gradient of a key's bias is
    zero (softmax does not see what is added to all scores), and what is computed are rounding errors.

    -> {"outputs": float, "gradients": float}
    """
    model, official = pair(case, dtype)
    ours, our_gradients = case.results(model, dtype)
    theirs, their_gradients = official_results(case, official, dtype)
    assert all(x.dtype == dtype for x in [*ours, *our_gradients.values()])
    assert our_gradients.keys() == their_gradients.keys()
    our_gradients, their_gradients = (in_our_layout(case, model, x) for x in (our_gradients, their_gradients))
    return {
        "outputs": max(relative(x, y) for x, y in zip(ours, theirs, strict=True)),
        "gradients": max(relative(our_gradients[name], their_gradients[name]) for name in their_gradients),
    }


def in_our_layout(case, model, gradients):
    """{official name: gradient} -> {our name: gradient}"""
    table = dict(reversed(official_of(model).TABLES))[case.library]
    return read(table, gradients).state | {"pictures": gradients["pictures"]}

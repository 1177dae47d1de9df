"""python -m benchmarks.fold: predictions by models as they are trained, and folded into their form for inference.

Of every architecture that `minivit.nn.fold` changes, the variant "cifar" and a batch of 64 pictures, on one thread.
"""

from functools import partial

import numpy as np

from benchmarks.gelu import median_ms
from minivit import Tensor, create, list_models, no_grad
from minivit.nn import fold


def main():
    """Print a line for each: milliseconds before and after, and the largest difference between their logits."""
    rng = np.random.default_rng(0)
    for name in list_models("classify"):
        model = create(name).eval()
        folded = fold(model)
        if repr(folded) == repr(model):
            continue
        images = Tensor(rng.standard_normal((64, *model.image_size, 3), np.float32))
        with no_grad():
            logits = model(images).numpy()
            difference = np.abs(folded(images).numpy() - logits).max() / np.abs(logits).max()
        before, after = (median_ms(partial(each, images), no_grad, repeats=7) for each in (model, folded))
        print(f"{name:12} {before:7.1f} ms, folded {after:7.1f} ms: {before / after:.2f} times as fast; "
              f"logits differ by {difference:.0e}", flush=True)


if __name__ == "__main__":
    main()

"""Draw overview.png from a trained run: python docs/figures/overview.py RUN [NUMBER OF THE TEST PICTURE]"""

import sys
from pathlib import Path

import numpy as np

from minivit import data, no_grad, ops, viz
from minivit.train import Run, load_model

run, number = Run(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
model, config = load_model(run), run.config()
_, test = data.load(run.recipe().data)
picture = test.images[number]
images = data.normalise(picture[None], *(np.float32(config["data"][name]) for name in ("mean", "std")))
with no_grad():
    probabilities = ops.softmax(model.eval()(images)).numpy()[0]
maps = viz.attention_maps(model, images)
weights = maps[len(maps) // 2][0]  # later layers look at a few patches that hold no object (arXiv:2309.16588)
figure = viz.overview(picture, model.patch_embed.patch_size, weights, probabilities, test.classes)
Path(__file__).with_name("overview.png").write_bytes(viz.png(figure))

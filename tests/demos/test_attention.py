"""The demos of attention and rollout compute in the page what minivit computes."""

import numpy as np
import pytest

from minivit.demos import samples, write
from minivit.nn import attention_maps, rollout

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def maps():
    """The classifier's attention to the pictures, L times (B, H, N, N)."""
    vit = samples.classifier()
    return attention_maps(vit.model, vit.normalise(samples.pictures()))


def test_the_page_finds_the_attention_of_the_model(open_page, tmp_path, maps):
    pytest.importorskip("jinja2")
    page = open_page(write("attention", tmp_path / "attention.html"))
    for layer, head, picture, query in ((0, 0, 0, 0), (1, 3, 2, 27), (5, 2, 7, 63)):
        state = f"layer: {layer}, head: {head}, picture: {picture}, query: {query}, temperature: 1, scaled: true"
        found = page.evaluate(f"Array.from(attention({{{state}}}))")
        np.testing.assert_allclose(found, maps[layer][picture, head, query], atol=0.01)  # its inputs are float16


def test_the_page_rolls_out_as_the_library_does(open_page, tmp_path, maps):
    pytest.importorskip("jinja2")
    page = open_page(write("rollout", tmp_path / "rollout.html"))
    for residual in (0, 0.5, 0.9):
        found = page.evaluate(f"rollout(3, 27, {residual})")                                       # (L, N)
        expected = [rollout(maps[:depth + 1], residual=residual)[3, 27] for depth in range(len(maps))]
        np.testing.assert_allclose(found, expected, atol=1e-3)
        np.testing.assert_allclose(np.sum(found, axis=1), 1, atol=1e-2)

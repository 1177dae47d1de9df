"""The engine in the demo of autograd finds the values and the gradients that minivit finds."""

import numpy as np
import pytest

from minivit import Tensor, demos, ops
from minivit.demos.autograd import EXAMPLES

pytest.importorskip("jinja2")
pytestmark = pytest.mark.browser
FORMULAS = [*EXAMPLES.values(),
            "a = 2; b = 3; c = a / b - relu(-a) + sqrt(b); L = -c^2 * exp(a / 4) / 2",
            "x = -0.5; y = x; z = y * x + y; L = z - (1 + 2)^2 * relu(y)"]
WALKED = """formula => {
  const values = parse(formula);
  walk(values, lastStep(values));
  return Object.fromEntries(values.filter(one => one.name).map(one => [one.name, [one.value, one.gradient]]));
}"""


@pytest.fixture
def page(open_page, tmp_path):
    """The demo, opened."""
    return open_page(demos.write("autograd", tmp_path / "autograd.html"))


def computed(formula):
    """{name: Tensor} of a formula's lines; its last one has been walked backward."""
    functions = {name: getattr(ops, name) for name in ("exp", "log", "sqrt", "tanh", "sigmoid", "relu")}
    names = {}
    for line in formula.replace("^", "**").split(";"):
        name, _, right = line.partition("=")
        value = eval(right, functions | names)  # a formula of this file
        is_leaf = not isinstance(value, Tensor)
        names[name.strip()] = Tensor(np.array(value, np.float64), requires_grad=True) if is_leaf else 1 * value
    names[name.strip()].backward()  # the last line is the loss
    return names


@pytest.mark.parametrize("formula", FORMULAS)
def test_values_and_gradients_are_those_of_minivit(formula, page):
    found = page.evaluate(WALKED, formula)
    for name, tensor in computed(formula).items():
        assert found[name][0] == pytest.approx(tensor.item(), rel=1e-12)
        if tensor.grad is not None:
            assert found[name][1] == pytest.approx(tensor.grad.item(), rel=1e-12, abs=1e-15)


def test_a_gradient_is_incomplete_until_the_second_path_has_been_walked(page):
    assert "grad 7 + …" in page.inner_html("#graph")
    page.keyboard.press("ArrowRight")
    assert "grad 13" in page.inner_html("#graph")
    assert page.inner_text("#told") == "Backward: y2 hands 6 × 1 = 6 to y1, and 6 × 1 = 6 to b."


@pytest.mark.parametrize("formula, complaint", [
    ("x = 3; x * ", "expected a number, a name with a value, or a function, got the end"),
    ("x = 3; (x + 1", "expected ), got the end"), ("x = 3; y", "got y"), ("x = 3; x^x", "expected a number after ^"),
    ("1 + 2", "expected names with values")])
def test_what_is_wrong_with_a_formula_is_said(formula, complaint, page):
    page.fill("[data-knob=formula] input", formula)
    assert complaint in page.inner_text("#told")

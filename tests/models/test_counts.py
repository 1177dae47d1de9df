"""Parameters and multiply-adds against the papers' tables.

Every figure is the paper's own, rounded as there, so that agreement to half a unit of the last digit is what is asked
for; where a paper counts otherwise than we do, the difference is stated beside it.
"""

import pytest

import minivit
from minivit.counting import count
from minivit.models import vit
from tests.known import collect, label


def rounds_to(value, printed):
    """Whether a value is the printed figure, up to rounding of its last digit."""
    digits = len(printed.partition(".")[2])
    return abs(value - float(printed)) <= 0.5000001 * 10 ** -digits


# Zhai et al., arXiv:2106.04560, table 2: millions of parameters; GFLOPs at 224, multiply and add counted apart.
# Without classification head. Its GFLOPs lie between those of our model without a class token and with one.
SCALING = {
    "s/28": ("5.4", "0.7"), "s/16": ("5.0", "2.2"), "S/32": ("22", "2.3"), "Ti/16": ("5.5", "2.5"),
    "B/32": ("87", "8.7"), "S/16": ("22", "9.2"), "B/28": ("87", "11.3"), "B/16": ("86", "35.1"),
    "L/16": ("303", "122.9"), "g/14": ("1011", "533.1"), "G/14": ("1843", "965.3"),
}


@pytest.mark.parametrize("variant", SCALING)
def test_vit_shapes_of_the_scaling_paper(variant):
    parameters, gflops = SCALING[variant]
    counted = count(minivit.create("vit", variant, num_classes=0), (1, 224, 224, 3))
    assert rounds_to(counted.parameters / 1e6, parameters), counted.parameters
    size, patch = variant.split("/")
    without_token = count(vit.ViTGAP(patch_size=int(patch), num_classes=0, **vit.SIZES[size]), (1, 224, 224, 3))
    assert 2 * without_token.multiply_adds / 1e9 - 0.05 <= float(gflops) <= 2 * counted.multiply_adds / 1e9 + 0.05


@pytest.mark.parametrize("variant, classes, millions", [("B/16", 0, "86"), ("H/14", 1000, "632")])
def test_vit_parameters_of_the_first_paper(variant, classes, millions):
    """Dosovitskiy et al., 2010.11929, table 1."""
    counted = count(minivit.create("vit", variant, num_classes=classes), (1, 224, 224, 3))
    assert rounds_to(counted.parameters / 1e6, millions), counted.parameters


@pytest.mark.parametrize("table, line", [(table, line) for table in collect("FIGURES") for line in table.lines
                                         if line.exact], ids=label)
def test_parameters_of_official_checkpoints(table, line):
    model = minivit.create(line.architecture, line.variant, **table.settings)
    assert count(model, (1, table.pixels, table.pixels, 3)).parameters == line.exact


@pytest.mark.parametrize("variant, millions, gmacs", [
    ("18", 11.69, 1.81), ("34", 21.80, 3.66), ("50", 25.56, 4.09), ("101", 44.55, 7.80), ("152", 60.19, 11.51)])
def test_resnets(variant, millions, gmacs):
    """torchvision's documentation of its ResNets (which carry the stride in the 3 x 3 convolution, as here)."""
    counted = count(minivit.create("resnet", variant), (1, 224, 224, 3))
    assert counted.parameters / 1e6 == pytest.approx(millions, abs=0.006)
    assert counted.multiply_adds / 1e9 == pytest.approx(gmacs, abs=0.015)


@pytest.mark.parametrize("variant, millions, gmacs", [
    ("1GF", "4.6", "1.1"), ("4GF", "17.8", "4.0"), ("18GF", "81.6", "17.7")])
def test_vits_with_convolutional_stem(variant, millions, gmacs):
    """Xiao et al., 2106.14881, appendix: millions of parameters, billions of multiply-adds."""
    counted = count(minivit.create("vitc", variant), (1, 224, 224, 3))
    assert rounds_to(counted.parameters / 1e6, millions)
    assert rounds_to(counted.multiply_adds / 1e9, gmacs)


@pytest.mark.parametrize("variant, parameters", [("cifar20", 0.27e6), ("cifar56", 0.85e6), ("cifar110", 1.7e6)])
def test_cifar_resnets_of_the_paper(variant, parameters):
    """He et al., 1512.03385, table 6."""
    counted = count(minivit.create("resnet", variant), (1, 32, 32, 3))
    assert counted.parameters == pytest.approx(parameters, rel=0.03)


def test_a_products_multiply_adds_are_counted_once_for_each_position():
    model = minivit.nn.Sequential(minivit.nn.Conv2d(3, 8, 3, stride=2, padding=1), minivit.nn.Conv2d(8, 8, 3, groups=8))
    counted = count(model, (5, 9, 11, 3))
    # (9 + 2 - 3) // 2 + 1 = 5, (11 + 2 - 3) // 2 + 1 = 6; then 3 and 4
    assert [row.output for row in counted.rows] == [(5, 3, 4, 8), (5, 5, 6, 8), (5, 3, 4, 8)]
    assert [row.multiply_adds for row in counted.rows[1:]] == [5 * 5 * 6 * 8 * 27, 5 * 3 * 4 * 8 * 9]
    assert counted.parameters == 27 * 8 + 8 + 9 * 8 + 8

"""The precision of products holds inside its block."""

import pytest

from minivit import precision


def test_the_precision_of_products_holds_inside_its_block():
    assert precision.precision() == "float32"
    with precision.product_precision("tf32"):
        with precision.product_precision("bfloat16"):
            assert precision.precision() == "bfloat16"
        assert precision.precision() == "tf32"
        with pytest.raises(ValueError, match="precision: expected one of float32, tf32, bfloat16, got 'tf23'"), \
                precision.product_precision("tf23"):
            pass
    assert precision.precision() == "float32"

"""What is known of axial-attention networks."""

from minivit.models.axial import AxialNet
from tests.golden.case import Case
from tests.known import Line, Small, Table

SIZES = dict(image_size=32, num_classes=5, width=8, depths=(1, 1, 1, 1), heads=2)
WIDE = dict(image_size=96, num_classes=7, width=6, depths=(2, 1, 1, 1), heads=3)


def reference(sizes):
    """reference(None) -> the authors' network, whose spans are fitted to other pictures than those of 224 pixels."""
    def make(_):
        from models.axialnet import AxialAttentionNet, AxialBlock

        class Fitted(AxialAttentionNet):
            def _make_layer(self, *args, kernel_size, **settings):
                span = kernel_size * sizes["image_size"] // 224
                return super()._make_layer(*args, kernel_size=span, **settings)
        return Fitted(AxialBlock, list(sizes["depths"]), sizes["num_classes"], groups=sizes["heads"],
                      s=sizes["width"] / 64)
    return make


def case(note, sizes, **settings):
    """A case whose results are those of the authors' code."""
    return Case("Axial-attention", note, "authors", AxialNet, sizes, (sizes["image_size"],) * 2, golden=True,
                reference=reference(sizes), source="csrhddlam/axial-deeplab@79088ed lib/models/axialnet.py, seed "
                f"{settings.get('seed', 0)}", **settings)


# Outside training no statistics of the batch keep numbers small: softmaxes see scores of thousands, of which single
# precision has few digits behind the point. The case is small, and its seed such that they are enough.
CASES = [case("32 pixels", SIZES, seed=11), case("96 pixels, training", WIDE, training=True)]
SMALL = dict(image_size=32, num_classes=3, width=4, depths=(1, 1, 2, 1), heads=2)
MODELS = [Small(AxialNet, SMALL, ("authors",)),
          Small(AxialNet, SMALL | dict(image_size=(32, 64), num_classes=0, channels=2), ("authors",))]

FIGURES = [Table("Axial-attention: Wang et al., arXiv:2003.07853, as their authors' PyTorch code lists it", [
    Line("Axial-ResNet-26-S", "axial", "26s", "5.9")])]

"""What is known of NAT; tests/families/dinat.py compares it, as a DiNAT without dilation."""

from minivit.models.nat import NAT
from tests.families.dinat import SMALL
from tests.known import Line, Small, Table

MODELS = [Small(NAT, SMALL | dict(image_size=32, layer_scale=scale), ("transformers4",), unread=("transformers4",))
          for scale in (None, 1e-5)]

FIGURES = [Table("NAT: Hassani et al., arXiv:2204.07143, as its authors' repository lists it", [
    Line("NAT-Mini", "nat", "mini", "20", "2.7", exact=19_984_174),
    Line("NAT-Tiny", "nat", "tiny", "28", "4.3", exact=27_901_582),
    Line("NAT-Small", "nat", "small", "51", "7.8", exact=50_743_297),
    Line("NAT-Base", "nat", "base", "90", "13.7", exact=89_769_652)])]
DIFFERENCES = ["NAT is in transformers until version 4; files of it are read and written under its names."]

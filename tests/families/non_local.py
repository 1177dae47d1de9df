"""What is known of non-local networks: tests/models/test_non_local.py has the paper's formulas as loops.

tests/parity/test_non_local.py compares a block with timm's. Files of whole networks are nobody's but their authors',
whose are of videos and for Caffe2.
"""

from tests.known import Line, Table

FIGURES = [Table("Non-local networks: as Cao et al., arXiv:1904.11492, list a ResNet-50 with one block", [
    Line("ResNet-50 + 1 NL", "non_local", "50-1", "27.66")])]

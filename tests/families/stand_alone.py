"""What is known of stand-alone attention: tests/models/test_stand_alone.py has the paper's formulas as loops.

Of its authors' code no model is published, and other ports compute something else.
"""

from tests.known import Line, Table

STEM = "the paper does not tell all of its stem; without it, it is {} G"
FIGURES = [Table("Stand-alone self-attention: Ramachandran et al., arXiv:1906.05909, table 1", [
    Line("ResNet-26, conv-stem + attention", "stand_alone", "26", "10.3", "4.5"),
    Line("ResNet-38, conv-stem + attention", "stand_alone", "38", "14.1", "5.7"),
    Line("ResNet-50, conv-stem + attention", "stand_alone", "50", "18.0", "7.0"),
    Line("ResNet-26, full attention", "stand_alone", "26-full", "10.3", "4.7", STEM.format("4.25")),
    Line("ResNet-38, full attention", "stand_alone", "38-full", "14.1", "6.0", STEM.format("5.49")),
    Line("ResNet-50, full attention", "stand_alone", "50-full", "18.0", "7.2", STEM.format("6.73"))],
    "operations", factor=2)]

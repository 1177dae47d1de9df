"""What is known of attention on 2 x 2 pixels: tests/models/test_attention_cnn.py has the paper's formulas as loops."""

from tests.known import Line, Table

WHY = "{} G without the products of attention, which are not counted there"
FIGURES = [Table("Attention on 2 x 2 pixels: Cordonnier et al., arXiv:1911.03584, table 1", [
    Line("SA quadratic embedding", "attention_cnn", "quadratic", "12.1", "6.2", WHY.format("6.18")),
    Line("SA learned embedding", "attention_cnn", "learned", "12.3", "6.2", WHY.format("6.18")),
    Line("SA learned embedding + content", "attention_cnn", "content", "29.5", "15", WHY.format("15.0"))],
    "operations", factor=2, pixels=32)]

"""What is known of ViT_C."""

from tests.known import Line, Table

FIGURES = [Table("ViT_C: Xiao et al., arXiv:2106.14881, appendix", [
    Line("ViT_C-1GF", "vitc", "1GF", "4.6", "1.1"), Line("ViT_C-4GF", "vitc", "4GF", "17.8", "4.0"),
    Line("ViT_C-18GF", "vitc", "18GF", "81.6", "17.7")])]

"""What is known of CPVT, which nobody has published: tests/models/test_cpvt.py has the paper's formulas as loops."""

from tests.known import Line, Table

WHY = "the sizes are those of DeiT, of which the literature prints {} M; the PEG adds {} parameters"
FIGURES = [Table("CPVT: Chu et al., arXiv:2102.10882, as later papers quote it", [
    Line("CPVT-Ti", "cpvt", "tiny", "6"), Line("CPVT-Ti-GAP", "cpvt", "tiny_gap", "6"),
    Line("CPVT-S", "cpvt", "small", "23", why=WHY.format(22, 3840)),
    Line("CPVT-S-GAP", "cpvt", "small_gap", "23", "4.6", WHY.format(22, 3840)),
    Line("CPVT-B", "cpvt", "base", "88", why=WHY.format(86, 7680)),
    Line("CPVT-B-GAP", "cpvt", "base_gap", "88", why=WHY.format(86, 7680))])]

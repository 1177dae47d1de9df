"""What a lesson found, as outputs of its cells, and the ledger that is made of them."""

import json

import pytest

from minivit import create
from minivit.lessons import claims, outcome, result, verdict
from minivit.lessons.outcome import MIME, read_lessons, read_outcomes

FOUND = verdict("four heads beat one", [44.1, 45.0, 43.2], [40.3, 41.9, 40.1])


@pytest.fixture
def displayed(monkeypatch):
    """The bundles that are displayed, as a kernel would send them."""
    import IPython.display
    monkeypatch.delenv("MINIVIT_BUDGET", raising=False)
    bundles = []
    monkeypatch.setattr(IPython.display, "display", lambda bundle, raw: bundles.append(bundle))
    return bundles


def notebook(folder, bundles):
    """A lesson with these outputs."""
    cells = [{"cell_type": "markdown", "source": ["# 03 Attention\n"]},
             {"cell_type": "markdown", "source": ["text\n", "\n", "## 11. On pictures: does it matter?\n", "more"]},
             {"cell_type": "code", "source": ["outcome(...)"],
              "outputs": [{"output_type": "stream", "text": "words"},
                          *({"output_type": "display_data", "data": bundle} for bundle in bundles)]}]
    path = folder / "03_attention.ipynb"
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    return path


def test_a_verdict_is_stored_with_its_numbers_by_seed(displayed, tmp_path):
    outcome(FOUND, "arXiv:1706.03762, table 3 (A)")
    bundle, = displayed
    assert bundle["text/plain"] == f"{FOUND} [arXiv:1706.03762, table 3 (A)]"
    record, = read_outcomes(notebook(tmp_path, displayed))
    assert record == bundle[MIME] | {"command": "python -m minivit lesson 3 --run", "lesson": "03_attention",
                                     "heading": "11. On pictures: does it matter?"}
    assert (record["claim"], record["verdict"], record["seeds"]) == ("four heads beat one", "shown", [0, 1, 2])
    assert (record["ours"], record["theirs"]) == ([44.1, 45.0, 43.2], [40.3, 41.9, 40.1])
    assert record["interval"] == list(FOUND.interval)
    assert record["source"] == "arXiv:1706.03762, table 3 (A)"


def test_a_claim_in_words_has_what_it_rests_on(displayed):
    outcome("the cost is linear", "section 12", shown=True, slope_of_windows=1.02)
    outcome("the cost is linear", "section 12", shown=False)
    outcome("the probe is better", "table 1c")
    assert [bundle[MIME]["verdict"] for bundle in displayed] == ["shown", "opposite", "open"]
    assert displayed[0]["text/plain"] == "the cost is linear: shown, slope of windows 1.02 [section 12]"
    assert displayed[0][MIME]["values"] == {"slope_of_windows": 1.02}
    assert displayed[2]["text/plain"] == "the probe is better: open, not tried [table 1c]"
    with pytest.raises(TypeError, match="a verdict has its own word"):
        outcome(FOUND, "table 3", shown=True)


def test_a_trained_model_is_a_row_of_the_table(displayed):
    model = create("vit", "cifar", dim=16, depth=1, heads=2)
    result("ViT", model=model, history=[{"epoch": 0.64, "seconds": 90.0}], accuracies=[0.5, 0.6])
    record = displayed[0][MIME]
    assert (record["model"], record["epochs"], record["minutes"]) == ("ViT, mean of 2 seeds", 0.64, 1.5)
    assert record["test_accuracy"] == 0.55
    assert record["parameters"] == sum(parameter.size for parameter in model.parameters())
    result("ViT", history=[{"epoch": 1, "seconds": 1}], accuracies=[0.5])
    assert displayed[1]["text/plain"] == "ViT: right for 50.0 % of the test pictures"
    with pytest.raises(ValueError, match=r"fractions from 0 to 1, got \[50.0\]"):
        result("ViT", history=[{"epoch": 1, "seconds": 1}], accuracies=[50])


def test_a_smoke_run_is_nobody_s_result(displayed, tmp_path, monkeypatch):
    monkeypatch.setenv("MINIVIT_BUDGET", "smoke")
    outcome(FOUND, "table 3")
    with pytest.raises(ValueError, match="claim of a smoke run"):
        read_outcomes(notebook(tmp_path, displayed))


def test_the_ledger_links_papers_and_cells(displayed, tmp_path):
    outcome(FOUND, "Vaswani et al., arXiv:1706.03762, table 3 | row A")
    result("ViT", history=[{"epoch": 1, "seconds": 1}], accuracies=[0.5])
    text = claims.page({"03_attention": read_outcomes(notebook(tmp_path, displayed)), "04_encoder_block": []})
    assert ("| four heads beat one | Vaswani et al., [arXiv:1706.03762](https://arxiv.org/abs/1706.03762), table 3 \\| "
            "row A | **shown** | +3.33 points (95 % interval +2.33 to +4.34, 3 seeds) | [11. On pictures: does it "
            "matter?](../lessons/03_attention.ipynb#11.-On-pictures:-does-it-matter?) |\n") in text
    assert text.count("four heads") == 1
    assert claims.anchor("7. By hand (no library)") == "7.-By-hand-%28no-library%29"
    assert "\n## 03 attention\n" in text
    assert text.endswith("\nNot recorded yet: 04 encoder block.\n")


def test_the_committed_ledger_says_what_the_lessons_found():
    assert claims.PAGE.read_text(encoding="utf-8") == claims.page(read_lessons())


def test_the_ledger_is_written_where_it_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "PAGE", tmp_path / "claims.md")
    assert claims.write({"04_encoder_block": []})
    assert not claims.write({"04_encoder_block": []})

"""The live comparisons: every test of this folder is marked `parity`, and needs torch, transformers and timm."""

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items):
    """Mark what is in this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.parity)

"""Checkpoints that come back as they were, or are refused; old or new, never half."""

import errno
import os

import numpy as np
import pytest

from minivit import files
from minivit.train import load_checkpoint, save_checkpoint

STATES = {"model": {"a.b": np.arange(6, dtype=np.float32).reshape(2, 3), "scalar": np.array(3)},
          "average": {"a.b": np.arange(6, dtype=np.float64).reshape(3, 2).T}}


def test_round_trip(tmp_path):
    save_checkpoint(tmp_path / "c", {"step": 3, "loss": 0.1 + 0.2}, **STATES)
    state, states = load_checkpoint(tmp_path / "c")
    assert state == {"step": 3, "loss": 0.1 + 0.2}
    assert states.keys() == STATES.keys()
    for group, arrays in STATES.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(states[group][name], array)
            assert states[group][name].dtype == array.dtype


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch, failing):
    save_checkpoint(tmp_path / "c", {"step": 1}, **STATES)

    def fail(*args):
        raise OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(files.os, failing, fail)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(tmp_path / "c", {"step": 2}, **STATES)
    monkeypatch.undo()
    assert load_checkpoint(tmp_path / "c")[0] == {"step": 1}
    assert os.listdir(tmp_path) == ["c"]


@pytest.mark.parametrize("damage", [lambda b: b[:len(b) // 2], lambda b: b"", lambda b: b"\x80\x04pickle" + b,
                                    lambda b: b.replace(b"__metadata__", b"__metadatb__")])
def test_a_damaged_file_is_refused(tmp_path, damage):
    save_checkpoint(tmp_path / "c", {"step": 1}, **STATES)
    (tmp_path / "c").write_bytes(damage((tmp_path / "c").read_bytes()))
    with pytest.raises(ValueError, match=r"c: not a checkpoint of minivit, or a damaged one"):
        load_checkpoint(tmp_path / "c")


def test_another_safetensors_file_is_refused(tmp_path):
    from safetensors.numpy import save_file
    save_file({"x": np.zeros(2)}, tmp_path / "c")
    with pytest.raises(ValueError, match="not a checkpoint of minivit"):
        load_checkpoint(tmp_path / "c")

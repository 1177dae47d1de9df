import io
import pickle

import numpy as np
import pytest

from minivit.data.pickles import load_arrays


class Python2Pickler(pickle._Pickler):
    """Writes as Python 2 did: all strings as bytes without an encoding, NumPy under its old module name."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_bytes(self, value):
        self.write(pickle.BINSTRING + len(value).to_bytes(4, "little") + value)
        self.memoize(value)

    def save_text(self, value):
        self.save_bytes(value.encode("latin1"))

    def save_global(self, value, name=None):
        module = "numpy.core.multiarray" if value.__name__ == "_reconstruct" else "numpy"
        self.write(pickle.GLOBAL + f"{module}\n{value.__name__}\n".encode())
        self.memoize(value)

    dispatch[bytes], dispatch[str], dispatch[type] = save_bytes, save_text, save_global


CONTENT = {"data": np.arange(256, dtype=np.uint8).reshape(4, 64), "labels": [3, 1, 2, 0], "names": ["cat", "dog"],
           "wide": np.linspace(0, 1, 3)}


def assert_is_content(loaded):
    assert loaded.keys() == CONTENT.keys()
    for name in ("data", "wide"):
        assert loaded[name].dtype == CONTENT[name].dtype
        np.testing.assert_array_equal(loaded[name], CONTENT[name])
    assert loaded["labels"] == CONTENT["labels"]
    assert loaded["names"] == CONTENT["names"]


@pytest.mark.parametrize("protocol", range(5))
def test_arrays_of_python_3(tmp_path, protocol):
    (tmp_path / "p").write_bytes(pickle.dumps(CONTENT, protocol=protocol))
    assert_is_content(load_arrays(tmp_path / "p"))


def test_arrays_of_python_2(tmp_path):
    stream = io.BytesIO()
    Python2Pickler(stream, protocol=2).dump(CONTENT)
    assert b"numpy.core.multiarray" in stream.getvalue()
    (tmp_path / "p").write_bytes(stream.getvalue())
    assert_is_content(load_arrays(tmp_path / "p"))


def call(function, *arguments):
    """A pickle that calls a function when it is read."""
    class Call:
        def __reduce__(self):
            return function, arguments
    return pickle.dumps({"data": Call()}, protocol=2)


@pytest.mark.parametrize(("function", "named"), [
    (eval, "builtins.eval|__builtin__.eval"), (open, "_?io.open"), (getattr, "builtins.getattr|__builtin__.getattr"),
    (np.load, "numpy.load"), (np.fromfile, "numpy.*fromfile"), (pickle.loads, "pickle.loads")])
def test_other_functions_are_refused_and_not_called(tmp_path, function, named):
    (tmp_path / "p").write_bytes(call(function, str(tmp_path / "made"), "w"))
    with pytest.raises(ValueError, match=f"p: not a pickle of plain arrays: it asks for ({named})"):
        load_arrays(tmp_path / "p")
    assert not (tmp_path / "made").exists()


def test_system_command_is_refused(tmp_path):
    (tmp_path / "p").write_bytes(b"cos\nsystem\n(S'echo > " + str(tmp_path / "made").encode() + b"'\ntR.")
    with pytest.raises(ValueError, match="it asks for os.system"):
        load_arrays(tmp_path / "p")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(("content", "message"), [
    (b"c_codecs\nencode\n(S'abc'\nS'rot13'\ntR.", "it asks for the codec 'rot13'"),
    (b"cnumpy\nndarray.tofile\n.", "it asks for numpy.ndarray.tofile"),
    (b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.", "it asks for numpy.ndarray.tofile"),
    (b"Pkey\n.", "persistent"), (b"", "Ran out of input"), (b"no pickle at all", "")])
def test_damaged_and_strange_pickles_are_refused(tmp_path, content, message):
    (tmp_path / "p").write_bytes(content)
    with pytest.raises(ValueError, match=f"p: not a pickle of plain arrays: .*{message}"):
        load_arrays(tmp_path / "p")


def test_truncated_pickle_is_refused(tmp_path):
    (tmp_path / "p").write_bytes(pickle.dumps(CONTENT)[:-100])
    with pytest.raises(ValueError, match="not a pickle of plain arrays"):
        load_arrays(tmp_path / "p")

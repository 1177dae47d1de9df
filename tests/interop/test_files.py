"""Files with arrays: read, written, and refused."""

import json
import pickle
import struct
import zipfile

import numpy as np
import pytest

from minivit.interop.files import find_weights, read_json, read_tensors, write_tensors


@pytest.fixture
def tensors(rng):
    return {"a.weight": rng.standard_normal((3, 4), np.float32), "b": rng.standard_normal(5), "n": np.array(7)}


@pytest.mark.parametrize("name", ["model.safetensors", "model.npz"])
def test_arrays_come_back_with_their_dtype(name, tensors, tmp_path):
    write_tensors(tmp_path / name, tensors | {"turned": tensors["a.weight"].T})
    found = read_tensors(tmp_path / name)
    assert found.keys() == tensors.keys() | {"turned"}
    for key, array in tensors.items():
        np.testing.assert_array_equal(found[key], array)
        assert found[key].dtype == array.dtype
    np.testing.assert_array_equal(found["turned"], tensors["a.weight"].T)


def test_sixteen_bits_become_single_precision(tmp_path):
    values = np.array([1.5, -0.09375, 3e38], np.float32)
    halves = (values.view(np.uint32) >> 16).astype("<u2").tobytes()  # bfloat16 is the upper half of a float32
    header = b'{"x":{"dtype":"BF16","shape":[3],"data_offsets":[0,6]}}'
    (tmp_path / "b.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + halves)
    found = read_tensors(tmp_path / "b.safetensors")["x"]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, values, rtol=2 ** -7)
    write_tensors(tmp_path / "h.safetensors", {"x": np.array([1.5, 2], np.float16)})
    assert read_tensors(tmp_path / "h.safetensors")["x"].dtype == np.float32


@pytest.mark.parametrize("name", ["model.safetensors", "model.npz"])
@pytest.mark.parametrize("kept", [0, 5, 60, 0.5, 0.99])
def test_a_truncated_file_is_refused(name, kept, tensors, tmp_path):
    write_tensors(tmp_path / name, tensors)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[:kept if isinstance(kept, int) else int(kept * len(content))])
    with pytest.raises(ValueError, match="truncated or damaged"):
        read_tensors(tmp_path / name)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pth", "weights.pt", "last.ckpt", "model.pkl"])
def test_a_pickle_is_refused_and_not_opened(name, tmp_path):
    (tmp_path / name).write_bytes(pickle.dumps(Trap(tmp_path / "executed")))
    with pytest.raises(ValueError, match="a pickle can run any code.*model.safetensors"):
        read_tensors(tmp_path / name)
    with pytest.raises(ValueError, match="a pickle can run any code"):
        find_weights(tmp_path)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "model.npz"])
def test_a_pickle_under_another_name_is_not_opened_either(name, tmp_path):
    (tmp_path / name).write_bytes(pickle.dumps(Trap(tmp_path / "executed")))
    with pytest.raises(ValueError, match="holds a pickle, whatever its name says; a pickle can run any code"):
        read_tensors(tmp_path / name)
    with zipfile.ZipFile(tmp_path / name, "w") as archive:  # as PyTorch wraps it
        archive.writestr("archive/data.pkl", pickle.dumps(Trap(tmp_path / "executed")))
    with pytest.raises(ValueError, match="holds a pickle"):
        read_tensors(tmp_path / name)
    assert not (tmp_path / "executed").exists()


def test_a_pickle_inside_an_npz_is_not_opened(tmp_path):
    np.savez(tmp_path / "model.npz", x=np.array([Trap(tmp_path / "executed")], object))
    with pytest.raises(ValueError, match="truncated or damaged"):
        read_tensors(tmp_path / "model.npz")
    assert not (tmp_path / "executed").exists()


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_the_weights_of_a_folder(tmp_path, tensors):
    with pytest.raises(ValueError, match="expected one file that ends in .safetensors or .npz, got none"):
        find_weights(tmp_path)
    write_tensors(tmp_path / "other.safetensors", tensors)
    assert find_weights(tmp_path).name == "other.safetensors"
    write_tensors(tmp_path / "third.npz", tensors)
    with pytest.raises(ValueError, match="got other.safetensors, third.npz"):
        find_weights(tmp_path)
    write_tensors(tmp_path / "model.safetensors", tensors)
    assert find_weights(tmp_path).name == "model.safetensors"


def test_other_files_are_refused(tmp_path):
    for operation in (read_tensors, lambda path: write_tensors(path, {})):
        with pytest.raises(ValueError, match=r"model.h5: expected a file that ends in .safetensors or .npz"):
            operation(tmp_path / "model.h5")


@pytest.mark.parametrize("dtype", ["F8_E4M3", "I8", "U16"])
def test_numbers_that_are_no_weights_are_named(dtype, tmp_path):
    header = json.dumps({"a.weight": {"dtype": dtype, "shape": [4], "data_offsets": [0, 4 * (1 + (dtype == "U16"))]}})
    content = struct.pack("<Q", len(header)) + header.encode() + bytes(4 * (1 + (dtype == "U16")))
    (tmp_path / "q.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=f"a.weight has numbers of type {dtype}, which minivit does not read"):
        read_tensors(tmp_path / "q.safetensors")


def test_a_folder_of_shards_is_read_by_its_index(tensors, tmp_path):
    files = {"a.weight": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors",
             "n": "model-00002-of-00002.safetensors"}
    for file in set(files.values()):
        write_tensors(tmp_path / file, {name: tensors[name] for name in files if files[name] == file})
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": files}))
    assert find_weights(tmp_path) == index
    found = read_tensors(index)
    assert found.keys() == tensors.keys()
    for name in tensors:
        np.testing.assert_array_equal(found[name], tensors[name])
    for wrong, message in [({"a.weight": "../x.safetensors"}, "'../x.safetensors' is no .safetensors file beside it"),
                           ({"c": files["b"]}, "lacks c, which model.safetensors.index.json says it has"),
                           ({"c": "model-00003-of-00003.safetensors"}, "model-00003-of-00003.safetensors is not there"),
                           (None, 'expected a "weight_map"')]:
        index.write_text(json.dumps({"weight_map": wrong and files | wrong}))
        with pytest.raises(ValueError, match=message):
            read_tensors(index)


def test_json(tmp_path):
    assert read_json(tmp_path / "config.json") == {}
    (tmp_path / "config.json").write_text("{nonsense")
    with pytest.raises(ValueError, match="no valid JSON"):
        read_json(tmp_path / "config.json")
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(ValueError, match="expected a JSON object, got a list"):
        read_json(tmp_path / "config.json")

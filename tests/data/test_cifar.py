import pickle
from dataclasses import replace

import numpy as np
import pytest

from minivit.data import cifar

BINARY, PYTHON = 0, 1
FORMS = [(name, form) for name in cifar.SETS for form in (BINARY, PYTHON)]


def assert_is_published(loaded, published, name):
    for dataset, part in zip(loaded, ("train", "test"), strict=True):
        assert dataset.images.dtype == np.uint8
        assert dataset.labels.dtype == np.int64
        assert dataset.name == name
        assert dataset.classes == tuple(published.classes[name])
        np.testing.assert_array_equal(dataset.images, published.images(part))
        np.testing.assert_array_equal(dataset.labels, published.labels[name, part])


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_unpacked_folder_is_used_as_it_is(published, small, tmp_path, closed, name, form):
    version = cifar.SETS[name].versions[form]
    published.write_folder(version, tmp_path / version.folder)
    for root in (tmp_path, tmp_path / version.folder):
        assert_is_published(cifar.load_cifar(name, root, address=closed), published, name)


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_archive_in_the_folder_is_verified_and_unpacked(published, small, tmp_path, closed, name, form):
    version = cifar.SETS[name].versions[form]
    (tmp_path / version.archive).write_bytes(small[version.archive])
    assert_is_published(cifar.load_cifar(name, tmp_path, address=closed), published, name)
    assert (tmp_path / version.folder).is_dir()


def test_damaged_archive_is_refused(small, tmp_path):
    version = cifar.SETS["cifar10"].versions[BINARY]
    (tmp_path / version.archive).write_bytes(small[version.archive] + b"more")
    with pytest.raises(ValueError, match=r"cifar-10-binary.tar.gz: expected the published file"):
        cifar.load_cifar("cifar10", tmp_path)


@pytest.mark.parametrize("name", cifar.SETS)
def test_binary_version_is_downloaded_into_the_cache_once(published, small, server, cache, name):
    server.files = small
    for _ in range(2):
        assert_is_published(cifar.load_cifar(name, address=server.address), published, name)
    assert [archive for archive, _ in server.asked] == [cifar.SETS[name].versions[BINARY].archive]
    assert not list(cache.glob("*.partial"))


@pytest.fixture
def folder(published, small, tmp_path):
    """Writes an unpacked folder of CIFAR-10 in which one file has another content."""
    def write(form, name=None, content=None):
        version = cifar.SETS["cifar10"].versions[form]
        published.write_folder(version, tmp_path / version.folder)
        if name:
            (tmp_path / version.folder / name).write_bytes(content)
        return tmp_path / version.folder
    return write


RECORD = bytes([9]) + bytes(3072)


@pytest.mark.parametrize(("form", "name", "content", "message"), [
    (BINARY, "data_batch_2.bin", 5 * RECORD, r"expected 18438 bytes \(6 records of 3073\), got 15365"),
    (BINARY, "test_batch.bin", 5 * RECORD + b"\x0a" + bytes(3072), "expected labels from 0 to 9, got 9 to 10"),
    (BINARY, "batches.meta.txt", b"cat\ndog\n", "expected 10 names of classes, got 2"),
    (PYTHON, "test_batch", pickle.dumps([1]), "expected a pickled dictionary with 'data' and 'labels'"),
    (PYTHON, "test_batch", pickle.dumps({"data": np.zeros((5, 3072), np.uint8), "labels": [0] * 5}),
     r"expected a uint8 array \(6, 3072\) under 'data'"),
    (PYTHON, "test_batch", pickle.dumps({"data": np.zeros((6, 3072)), "labels": [0] * 6}), "expected a uint8 array"),
    (PYTHON, "test_batch", pickle.dumps({"data": np.zeros((6, 3072), np.uint8), "labels": [0] * 5}),
     "expected 6 integers under 'labels'"),
    (PYTHON, "test_batch", pickle.dumps({"data": np.zeros((6, 3072), np.uint8), "labels": [0.5] * 6}),
     "expected 6 integers under 'labels'"),
    (PYTHON, "test_batch", pickle.dumps({"data": np.zeros((6, 3072), np.uint8), "labels": [-1] + [0] * 5}),
     "expected labels from 0 to 9, got -1 to 0"),
    (PYTHON, "batches.meta", pickle.dumps({}), "expected a pickled dictionary with 'label_names'"),
    (PYTHON, "data_batch_3", b"cos\nsystem\n(S'true'\ntR.", "it asks for os.system")])
def test_files_are_checked(folder, form, name, content, message):
    path = folder(form, name, content)
    with pytest.raises(ValueError, match=f"{name}: .*{message}"):
        cifar.load_cifar("cifar10", path)


def test_incomplete_folder_is_named(folder, closed):
    path = folder(BINARY)
    (path / "data_batch_4.bin").unlink()
    with pytest.raises(ValueError, match=r"cifar-10-batches-bin: incomplete, data_batch_4.bin missing"):
        cifar.load_cifar("cifar10", path.parent, address=closed)


def test_the_real_sets_have_the_published_sizes():
    for name, record in (("cifar10", 3073), ("cifar100", 3074)):
        real = cifar.SETS[name]
        binary = real.versions[BINARY]
        assert binary.label_bytes + 3 * 32 * 32 == record
        assert (real.train, real.test) == (50_000, 10_000)
        assert real.train // len(binary.train) in (10_000, 50_000)
        assert all(len(version.md5) == 32 for version in real.versions)


def test_number_of_records_belongs_to_the_set(folder, monkeypatch):
    path = folder(BINARY)
    monkeypatch.setitem(cifar.SETS, "cifar10", replace(cifar.SETS["cifar10"], test=5))
    with pytest.raises(ValueError, match=r"test_batch.bin: expected 15365 bytes \(5 records of 3073\), got 18438"):
        cifar.load_cifar("cifar10", path)

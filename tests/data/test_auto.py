import functools

import pytest

from minivit import data
from minivit.data import cifar, shapes10

BINARY = 0


@pytest.fixture(autouse=True)
def few_shapes(monkeypatch):
    monkeypatch.setattr(shapes10, "load_shapes10", functools.partial(shapes10.load_shapes10, train=50, test=20))


def test_auto_downloads_cifar10_and_finds_it_again(small, server, cache, closed, capsys):
    server.files = small
    for address in (server.address, closed):
        train, test = data.load("auto", address=address)
        assert (train.name, len(train), len(test)) == ("cifar10", 30, 6)
    assert capsys.readouterr().out == ""


def test_auto_takes_shapes10_where_cifar10_cannot_be_had_and_says_why(small, cache, closed, capsys):
    train, test = data.load(address=closed)
    assert (train.name, train.images.shape, len(test)) == ("shapes10", (50, 32, 32, 3), 20)
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    for part in ("shapes10", f"{closed}/cifar-10-binary.tar.gz: cannot be reached", "python -m minivit data cifar10",
                 f"put {closed}/cifar-10-binary.tar.gz into {cache}"):
        assert part in said


def test_auto_says_it_when_the_cached_set_is_damaged(published, small, cache, closed, capsys):
    version = cifar.SETS["cifar10"].versions[BINARY]
    published.write_folder(version, cache / version.folder)
    (cache / version.folder / "test_batch.bin").write_bytes(b"")
    assert data.load("auto", address=closed)[0].name == "shapes10"
    assert "test_batch.bin: expected 18438 bytes" in capsys.readouterr().out


def test_sets_by_name(small, server, cache):
    server.files = small
    assert data.load("cifar100", address=server.address)[0].name == "cifar100"
    assert data.load("shapes10")[0].name == "shapes10"


def test_a_named_set_that_cannot_be_had_is_an_error(small, cache, closed):
    with pytest.raises(ConnectionError, match="cifar-100-binary.tar.gz: cannot be reached"):
        data.load("cifar100", address=closed)


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_set_in_a_folder(published, small, tmp_path, name):
    version = cifar.SETS[name].versions[BINARY]
    published.write_folder(version, tmp_path / "mine" / version.folder)
    for path in (tmp_path / "mine", str(tmp_path / "mine" / version.folder)):
        assert data.load(path)[0].name == name


def test_folder_without_a_set(tmp_path):
    with pytest.raises(ValueError, match="data: expected one of cifar-10-batches-bin, .* in the folder .*, unpacked"):
        data.load(tmp_path)


@pytest.mark.parametrize(("name", "nearest"), [("cifra10", "cifar10"), ("shapes", "shapes10"), ("./no/folder", None)])
def test_unknown_name(name, nearest):
    with pytest.raises(ValueError, match=f"did you mean '{nearest}'" if nearest else "does not exist; there are auto"):
        data.load(name)


@pytest.mark.parametrize("name", ["shapes10", "auto", "cifar10", "cifar100"])
def test_a_folder_of_that_name_is_not_what_a_built_in_name_means(small, server, cache, tmp_path, monkeypatch, name):
    from minivit.train import Recipe
    from minivit.train.start import decide
    server.files = small
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    assert decide(Recipe(data=name, device="cpu")).data == name
    assert data.load(name, address=server.address)[0].name == ("cifar10" if name == "auto" else name)


def test_a_folder_keeps_its_place_when_the_working_directory_changes(tmp_path, monkeypatch):
    from minivit.train import Recipe
    from minivit.train.start import decide
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    assert decide(Recipe(data="mine", device="cpu")).data == str(tmp_path / "mine")


def test_a_file_is_not_a_folder(tmp_path):
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(b"")
    with pytest.raises(ValueError, match="cifar-10-binary.tar.gz is a file; expected the folder that it lies in, or "):
        data.load(tmp_path / "cifar-10-binary.tar.gz")


@pytest.fixture
def homeless(monkeypatch):
    """A process whose user has no home folder, as in a container."""
    def fail(path):
        raise RuntimeError("Could not determine home directory.")
    for name in ("MINIVIT_DATA", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pathlib.Path.home", lambda: fail(None))
    monkeypatch.setattr("pathlib.Path.expanduser", fail)


def test_auto_without_a_home_takes_shapes10(homeless, closed, capsys):
    assert data.load("auto", address=closed)[0].name == "shapes10"
    said = capsys.readouterr().out
    assert "Taking the built-in set shapes10" in said
    assert "MINIVIT_DATA" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("chosen", [None, "~nobody/data"])
def test_what_needs_a_home_says_what_to_set(homeless, closed, monkeypatch, chosen):
    if chosen:
        monkeypatch.setenv("MINIVIT_DATA", chosen)
    for use in (lambda: data.load("cifar10", address=closed), data.cache_folder):
        with pytest.raises(FileNotFoundError, match="no home folder .* set MINIVIT_DATA to a folder"):
            use()

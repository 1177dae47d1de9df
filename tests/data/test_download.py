import hashlib
import socket
import time

import numpy as np
import pytest
import tqdm

from minivit.data import download as module
from minivit.data.download import download, verify

CONTENT = np.random.default_rng(0).integers(0, 256, 600_000, dtype=np.uint8).tobytes()
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def url(server):
    server.files["file"] = CONTENT
    return f"{server.address}/file"


def partial(path):
    return path.with_name(path.name + ".partial")


def test_file_is_fetched_whole_and_verified(url, tmp_path, capsys):
    path = tmp_path / "new" / "folder" / "file"
    download(url, path, MD5)
    assert path.read_bytes() == CONTENT
    assert not partial(path).exists()


def test_progress_bar_tells_name_and_size(url, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 1000)
    eager = tqdm.tqdm
    monkeypatch.setattr(tqdm, "tqdm", lambda **settings: eager(**{**settings, "delay": 0, "mininterval": 0}))
    download(url, tmp_path / "file", MD5)
    bar = capsys.readouterr().err
    assert "file: 100%" in bar
    assert "586k/586k" in bar


@pytest.mark.parametrize("kept", [1, 300_000, len(CONTENT)])
def test_what_an_interrupted_download_left_is_continued(url, server, tmp_path, kept):
    partial(tmp_path / "file").write_bytes(CONTENT[:kept])
    download(url, tmp_path / "file", MD5)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked == [("file", kept)]


def test_broken_connection_is_taken_up_again_at_once(url, server, tmp_path):
    server.breaks = [100_000, 200_000]
    download(url, tmp_path / "file", MD5)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked == [("file", 0), ("file", 100_000), ("file", 300_000)]


def test_connection_that_falls_silent_is_taken_up_again(url, server, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    server.breaks, server.silence = [100_000], 1
    download(url, tmp_path / "file", MD5)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked == [("file", 0), ("file", 100_000)]


def test_server_without_ranges_starts_again(url, server, tmp_path):
    server.ranges = False
    server.breaks = [100_000]
    download(url, tmp_path / "file", MD5)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_connection_that_breaks_for_good_keeps_what_came(url, server, tmp_path):
    server.breaks = [100_000, 0]
    with pytest.raises(ConnectionError, match="100000 bytes that came are kept, and the next try goes on from there"):
        download(url, tmp_path / "file", MD5)
    assert partial(tmp_path / "file").read_bytes() == CONTENT[:100_000]
    download(url, tmp_path / "file", MD5)
    assert server.asked[-1] == ("file", 100_000)


def test_interrupt_keeps_what_came(url, tmp_path, monkeypatch):
    def interrupt(bar, count):
        raise KeyboardInterrupt

    monkeypatch.setattr(tqdm.tqdm, "update", interrupt)
    with pytest.raises(KeyboardInterrupt):
        download(url, tmp_path / "file", MD5)
    kept = partial(tmp_path / "file").read_bytes()
    assert kept
    assert CONTENT.startswith(kept)


def test_wrong_content_is_refused_and_not_kept(url, tmp_path):
    with pytest.raises(ValueError, match=f"expected the published file, MD5 none, got 600000 bytes with MD5 {MD5}"):
        download(url, tmp_path / "file", "none")
    assert [path.name for path in tmp_path.iterdir()] == ["file.lock"]


def test_missing_page_is_named(server, tmp_path):
    with pytest.raises(ConnectionError, match="/nothing: the server answers 404 Not Found"):
        download(f"{server.address}/nothing", tmp_path / "file", MD5)


def test_refused_connection(closed, tmp_path):
    with pytest.raises(ConnectionError, match="cannot be reached"):
        download(f"{closed}/file", tmp_path / "file", MD5)


def test_silent_server_costs_limited_time(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        start = time.monotonic()
        with pytest.raises(ConnectionError, match="cannot be reached"):
            download(f"http://127.0.0.1:{listener.getsockname()[1]}/file", tmp_path / "file", MD5)
    assert time.monotonic() - start < 5


def test_slow_name_look_up_costs_limited_time(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    monkeypatch.setattr(module.urllib.request, "urlopen", lambda *args, **settings: time.sleep(3))
    start = time.monotonic()
    with pytest.raises(ConnectionError, match="no answer within 0.2 seconds"):
        download("http://a.name/file", tmp_path / "file", MD5)
    assert time.monotonic() - start < 2


def test_patience_is_ten_seconds():
    assert module.PATIENCE <= 10


def test_verify(tmp_path):
    (tmp_path / "file").write_bytes(CONTENT)
    verify(tmp_path / "file", MD5)
    with pytest.raises(ValueError, match="file: expected the published file"):
        verify(tmp_path / "file", MD5[::-1])

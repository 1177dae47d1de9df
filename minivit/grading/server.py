"""The grader's end of the fork server: starts it in a sandbox, speaks with it, watches what lives below it."""

import contextlib
import json
import os
import select
import subprocess
import tempfile
import time
from pathlib import Path

import psutil

from .sandbox import prepare

STARTUP = 60  # seconds; a machine under load needs a few
WATCH = 0.25
ENTRIES = 100  # in the folder of the sockets; a kernel needs six


class Ended(Exception):
    """The kernel is gone: timeout, died, memory, processes, output or files."""


class Server:
    """One sandbox for one submission; a context manager."""

    def __init__(self, sandbox, limits):
        self.sandbox, self.limits = sandbox, limits
        self.folder = Path(tempfile.mkdtemp(prefix="mv-")).resolve()  # 0700
        self.shared = self.folder / "shared"
        self.shared.mkdir(mode=0o755)
        prepare(self.shared)
        self.sockets = self.shared / "sockets"
        self.process, self.looked, self.started, self.cell_start = None, 0.0, 0, None
        self.launch()

    def launch(self):
        """Start the sandbox, also in place of one that had to be killed."""
        uid = 100_000 + os.getpid() % 900_000  # an account of its own: limits on processes are counted by account
        command = self.sandbox.command(self.shared, uid, self.limits)
        environment = {**os.environ, "PYTHONPATH": str(self.shared / "library"), "OPENBLAS_NUM_THREADS": "1"}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, env=environment, start_new_session=True, bufsize=0)
        self.words, self.buffer, self.alive = [], b"", False
        if not self.wait_for("ready", STARTUP):
            raise RuntimeError(f"the sandbox ({self.sandbox.name}) did not start within {STARTUP} s")

    def start_kernel(self, connection):
        """Fork a kernel with this connection (a dict whose `ip` is a path below `sockets`)."""
        self.started += 1
        inside = {**connection, "ip": str(self.sandbox.path(self.shared, Path(connection["ip"])))}
        file = self.sockets / f"{self.started}.json"
        file.write_text(json.dumps(inside))
        file.chmod(0o644)
        self.order(start=str(self.sandbox.path(self.shared, file)))
        self.alive = self.wait_for("started", STARTUP)

    def kill_kernel(self):
        """End the kernel and all that it started; if that does not work, the sandbox, and start another."""
        self.alive = False
        self.order(kill=True)
        if not self.wait_for("clean", 2):
            self.stop()
            self.launch()
        self.sockets.chmod(0o777)
        for left in self.sockets.iterdir():
            remove(left)

    def order(self, **order):
        """Send one line; a server that is gone is found out by waiting for its answer."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(order).encode() + b"\n")

    def listen(self, timeout):
        """Take in what the server has to say; False if it is gone."""
        output = self.process.stdout.fileno()
        if select.select([output], [], [], timeout)[0]:
            received = os.read(output, 4096)
            if not received:
                self.alive = False
                return False
            *words, self.buffer = (self.buffer + received).split(b"\n")
            self.words += words
        return True

    def wait_for(self, word, timeout):
        """Whether the server says this word in time."""
        deadline = time.monotonic() + timeout
        while word.encode() not in self.words:
            if time.monotonic() > deadline or not self.listen(0.1):
                return False
        self.words.clear()
        return True

    def watch(self):
        """Raise Ended if the kernel has died or what lives in the sandbox takes too much."""
        self.listen(0)
        if not self.alive or b"dead" in self.words:
            raise Ended("died")
        if time.monotonic() - self.looked < WATCH:
            return
        self.looked = time.monotonic()
        processes, resident, seconds = 0, 0, 0.0
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in psutil.Process(self.process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    resident += process.memory_info().rss
                    processes += 1
                    seconds += sum(process.cpu_times()[:2])
        if self.cell_start is None:
            self.cell_start = seconds
        if seconds - self.cell_start > self.limits.cell_time:
            raise Ended("timeout")
        if processes > self.limits.processes:
            raise Ended("processes")
        if resident > self.limits.memory:
            raise Ended("memory")
        if too_much(self.sockets, self.limits.file_bytes):
            raise Ended("files")

    def stop(self):
        """Kill the sandbox with everything in it."""
        self.process.kill()
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.order(kill=True)
        self.wait_for("clean", 2)
        self.stop()
        remove(self.folder)


def too_much(folder, most):
    """Whether a folder holds more than `most` bytes or ENTRIES entries, at any depth, or cannot be looked into."""
    def refuse(error):
        raise error

    count, size = 0, 0
    try:
        for place, folders, files in os.walk(folder, onerror=refuse):
            count += len(folders) + len(files)
            size += sum(os.lstat(os.path.join(place, file)).st_size for file in files)
            if count > ENTRIES or size > most:
                return True
    except OSError:
        return True
    return False


def remove(path):
    """Remove what a hostile answer may have left: folders in folders in folders, without rights."""
    if path.is_dir() and not path.is_symlink():
        for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
            subprocess.run([*command, "--", path], stderr=subprocess.DEVNULL, check=False)
    else:
        path.unlink()

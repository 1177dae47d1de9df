"""A sandbox for kernels: which kinds work on this machine, and what one kernel may use of it."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from .walls import SHARED, bubblewrap, namespaces

CODE = Path(__file__).parent


@dataclass(frozen=True)
class Limits:
    """What one kernel may use; times in seconds, sizes in bytes.

    cell_time is time on the processor, so that a busy machine makes nobody fail; wall_time ends a cell that only waits.
    """

    cell_time: float = 10.0
    wall_time: float = 30.0
    memory: int = 2 * 1024 ** 3
    processes: int = 64
    file_bytes: int = 16 * 1024 ** 2
    output_bytes: int = 2 * 1024 ** 2

    def inside(self, sandboxed):
        """The limits that the fork server sets; a user's own processes are counted only where they are alone."""
        limits = {key: value for key, value in asdict(self).items() if key in ("memory", "processes", "file_bytes")}
        return limits if sandboxed else {**limits, "processes": None}


@dataclass(frozen=True)
class Sandbox:
    """A way to run a command: `name` says which, None means none at all."""

    name: str | None
    root: bool = False

    def command(self, shared, uid, limits):
        """The command line of a fork server that shares the folder `shared` with its caller."""
        settings = {"uid": uid if self.root else None, "limits": limits.inside(self.name is not None),
                    "scratch": ["/tmp", "/dev/shm"] if self.name else []}
        if self.name is None:
            return [sys.executable, str(CODE / "forkserver.py"), json.dumps(settings)]
        wrap = bubblewrap if self.name == "bubblewrap" else namespaces
        return wrap(shared, [sys.executable, SHARED / "library/forkserver.py", json.dumps(settings)], self.root)

    def path(self, shared, path):
        """A path below `shared` as the sandboxed process sees it."""
        return path if self.name is None else SHARED / path.relative_to(shared)


def prepare(shared):
    """Fill the folder shared with a sandbox: a place for sockets, and what it needs of this package."""
    (shared / "sockets").mkdir()
    (shared / "sockets").chmod(0o777)
    package = shared / "library/minivit/grading"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    shutil.copy(CODE / "show.py", package / "show.py")
    shutil.copy(CODE / "forkserver.py", shared / "library/forkserver.py")


def available():
    """The first Sandbox that works on this machine, or None; each is tried, not believed."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    for name, program in (("bubblewrap", "bwrap"), ("namespaces", "unshare")):
        for as_root in ([True, False] if root else [False]):
            if shutil.which(program) and works(Sandbox(name, as_root)):
                return Sandbox(name, as_root)
    return None


def works(sandbox):
    """Whether a fork server comes up in it."""
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        shared = Path(folder).resolve()
        shared.chmod(0o755)
        prepare(shared)
        process = subprocess.run(sandbox.command(shared, 65534, Limits()), stdin=subprocess.DEVNULL,
                                 capture_output=True, timeout=90, check=False)
    return process.stdout.startswith(b"ready")

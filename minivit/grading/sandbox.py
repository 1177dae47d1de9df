"""Where an answer runs: inside bubblewrap on Linux, as a plain process with limits elsewhere; and what it may use.

Inside there are Python, NumPy, IPython and matplotlib, read-only, an empty /tmp of a few megabytes, and of minivit the
two files that run an answer. There is no network, no other process, no home folder and no other file of the host.
"""

import contextlib
import errno
import functools
import importlib.metadata
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

CODE = Path(__file__).parent
INSIDE = Path("/exercise")  # where the sandbox sees the files that run an answer
PACKAGES = ("ipython", "numpy", "matplotlib")  # with what they require
ENVIRONMENT = {"HOME": "/tmp", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1",
               "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "IPYTHONDIR": "/tmp/.ipython"}
HOW_TO_GET_ONE = (
    "submissions are foreign code, and no sandbox works here. On Linux: install bubblewrap (apt-get install "
    "bubblewrap, or dnf, or pacman -S); elsewhere grade in a Linux virtual machine. --trust-submissions runs them in a "
    "plain process, with your own rights")
CLONE_THREAD = 0x10000
# System calls that answers do not need, and by which they would reach beyond their sandbox or beyond their limits.
REFUSED = {
    "other processes: the limits of one process hold for all": ["fork", "vfork"],
    "memory that no limit counts": ["memfd_create", "memfd_secret", "shmget", "shmat", "shmctl"],
    "talking to another sandbox: keys, locks on a file that both can read, notices of its being read": [
        "keyctl", "add_key", "request_key", "flock", "inotify_init", "inotify_init1", "inotify_add_watch",
        "fanotify_init", "fanotify_mark", "msgget", "msgsnd", "msgrcv", "semget", "semop", "mq_open"],
    "new namespaces and mounts": ["unshare", "setns", "mount", "umount2", "pivot_root", "chroot", "move_mount",
                                  "open_tree", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr"],
    "doors of the kernel that have had holes": [
        "ptrace", "process_vm_readv", "process_vm_writev", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup",
        "io_uring_enter", "io_uring_register", "name_to_handle_at", "open_by_handle_at", "pidfd_getfd", "kcmp",
        "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "quotactl", "acct", "swapon",
        "swapoff", "reboot", "syslog", "personality"],
}
LOCKS = (5, 6, 7, 36, 37, 38, 1024, 1026)  # F_GETLK, F_SETLK, F_SETLKW, the same of open files, F_SETLEASE, F_NOTIFY


@dataclass(frozen=True)
class Limits:
    """What one answer may use; times in seconds, sizes in bytes.

    processor is time on the processor, so that a busy machine makes nobody fail; deadline ends an answer that only
    waits. startup is for the sandbox itself: beyond it the grader is at fault, not the answer.
    """

    processor: int = 6
    deadline: float = 15.0
    startup: float = 60.0
    memory: int = 2 * 1024 ** 3
    file_bytes: int = 16 * 1024 ** 2
    output_bytes: int = 2 * 1024 ** 2
    message_bytes: int = 32 * 1024 ** 2

    def resources(self, threads):
        """{name of the resource: (amount, the most it can be raised to)}, as the process sets them for itself."""
        amounts = {"AS": self.memory, "FSIZE": self.file_bytes, "CORE": 0, "NOFILE": 256,
                   **({"NPROC": threads} if threads else {})}
        return {"CPU": (self.processor, self.processor + 1), **{name: (most, most) for name, most in amounts.items()}}


@dataclass(frozen=True)
class Sandbox:
    """A way to run a process: `name` is "bubblewrap" or "none"; as_root says that it starts with root's rights."""

    name: str
    as_root: bool = False

    @contextlib.contextmanager
    def start(self, limits, folder):
        """(Popen of inside.py, the limits it has to set), its input and outputs being pipes; killed at the end."""
        account = 200_000 + os.getpid() * 64 % 4_000_000 + next(_numbers) % 64 if self.as_root else None
        about = {"resources": limits.resources(64 if self._counts_threads() else None), "account": account}
        with contextlib.ExitStack() as stack:
            if self.name == "none":
                command = [sys.executable, "-P", str(CODE / "inside.py")]
                settings = {"cwd": folder, "start_new_session": True,
                            "env": {**os.environ, "OPENBLAS_NUM_THREADS": "1"}}
            else:
                rules = os.memfd_create("rules")
                stack.callback(os.close, rules)
                os.write(rules, refused_calls())
                os.lseek(rules, 0, os.SEEK_SET)
                command = bubblewrap(["python", "-P", INSIDE / "inside.py"], self.as_root, rules)
                settings = {"pass_fds": [rules], "cwd": "/", "env": {}, "start_new_session": True}
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       **settings)
        try:
            yield process, about
        finally:
            self.kill(process)

    def kill(self, process):
        """End the process, and what it started: a sandbox takes all that is in it along."""
        if self.name == "none" and hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        with contextlib.suppress(OSError):
            process.stdin.close()
        process.wait()

    def _counts_threads(self):
        """Whether a limit on threads counts the answer's alone: for an account of its own, or since Linux 5.14."""
        if self.name == "none":
            return False
        release = tuple(int(part) for part in re.findall(r"\d+", os.uname().release)[:2])
        return self.as_root or release >= (5, 14)


_numbers = iter(range(2 ** 62))


def find_sandbox(works):
    """The first Sandbox for which works(sandbox) is true, or None; each is tried, not believed."""
    if sys.platform != "linux" or not shutil.which("bwrap"):
        return None
    ways = [True, False] if os.geteuid() == 0 else [False]
    return next((box for box in (Sandbox("bubblewrap", as_root) for as_root in ways) if works(box)), None)


@functools.cache
def refused_calls():
    """The filter of system calls, as a program for the kernel."""
    import pyseccomp as seccomp
    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    refuse = seccomp.ERRNO(errno.EPERM)

    def rule(action, call, *arguments):
        with contextlib.suppress(ValueError, OSError, RuntimeError):  # a call that this library or kernel does not know
            rules.add_rule(action, call, *arguments)

    for calls in REFUSED.values():
        for call in calls:
            rule(refuse, call)
    rule(refuse, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, CLONE_THREAD, 0))
    rule(seccomp.ERRNO(errno.ENOSYS), "clone3")  # its arguments cannot be seen; programs fall back to clone
    rule(refuse, "socket", seccomp.Arg(0, seccomp.NE, int(socket.AF_UNIX)))
    for lock in LOCKS:
        rule(refuse, "fcntl", seccomp.Arg(1, seccomp.EQ, lock))
    with open(os.memfd_create("program"), "w+b") as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


@functools.cache
def visible_packages():
    """{name of a distribution: its files and folders} for PACKAGES and all that they require."""
    found, todo = {}, list(PACKAGES)
    while todo:
        name = re.split(r"[^\w.-]", todo.pop())[0].lower().replace("_", "-")
        if name in found:
            continue
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        tops = {file.parts[0] for file in distribution.files or () if file.parts[0] not in ("..", "__pycache__")}
        found[name] = {Path(distribution.locate_file(top)) for top in tops}
        todo += [need for need in distribution.requires or () if "extra ==" not in need]
    return found


@functools.cache
def visible_paths():
    """The files and folders of all visible packages."""
    return tuple(sorted(path for paths in visible_packages().values() for path in paths if path.exists()))


@functools.cache
def visible_modules():
    """The names that answers can import, besides Python's own."""
    return tuple(sorted({path.name.partition(".")[0] for path in visible_paths() if path.suffix != ".dist-info"}))


def python_paths():
    """(what of Python and the system is bound read-only, what is hidden below it)."""
    stdlib, base = Path(sysconfig.get_path("stdlib")), Path(sys.base_prefix)
    bound = [Path("/usr"), *(Path(path) for path in ("/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache"))]
    bound += [stdlib, Path(sys.executable), Path(sys.executable).parent.parent / "pyvenv.cfg", base / "bin",
              *base.glob("lib/libpython*"), Path(sys.executable).resolve()]
    hidden = [folder for root in (stdlib, Path("/usr/lib/python3"), *Path("/usr/local/lib").glob("python3*"))
              for folder in (root / "site-packages", root / "dist-packages") if folder.is_dir()]
    bound = [path for path in dict.fromkeys(bound) if path.exists()]
    return [path for path in bound if not any(parent in bound for parent in path.parents)], hidden


def parents(paths):
    """All folders above some paths, outermost first."""
    return sorted({parent for path in paths for parent in path.parents if parent != Path("/")})


def islands(paths):
    """Folders of /tmp that hold part of the Python installation: read-only, in the middle of what is writable."""
    return sorted({Path(*path.parts[:3]) for path in paths if path.parts[:2] == ("/", "tmp")})


def bubblewrap(command, as_root, rules):
    """The command line of `command` ("python" is this one) in bubblewrap; rules: a descriptor of refused_calls()."""
    arguments = [shutil.which("bwrap") or "bwrap", "--die-with-parent", "--new-session", "--unshare-pid",
                 "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--cap-drop", "ALL",
                 "--clearenv", "--seccomp", rules]
    arguments += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"] if as_root else \
        ["--unshare-user", "--uid", "65534", "--gid", "65534"]
    for name, value in ENVIRONMENT.items():
        arguments += ["--setenv", name, value]
    (bound, hidden), visible = python_paths(), visible_paths()
    read_only = islands([*bound, *visible])
    arguments += ["--size", "67108864", "--perms", "1777", "--tmpfs", "/tmp"]
    for path in read_only:
        arguments += ["--size", "1048576", "--perms", "0755", "--tmpfs", path]
    for path in parents(bound):
        arguments += ["--perms", "0755", "--dir", path]
    for path in bound:
        if path.is_symlink() and path.is_dir():
            arguments += ["--symlink", os.readlink(path), path]
        else:
            arguments += ["--ro-bind", path, path]
    for path in hidden:
        arguments += ["--size", "1048576", "--perms", "0755", "--tmpfs", path]
    for path in parents(visible):
        arguments += ["--perms", "0755", "--dir", path]
    for path in visible:
        arguments += ["--ro-bind", path, path]
    arguments += ["--proc", "/proc", "--dev", "/dev", "--size", "1048576", "--perms", "1777", "--tmpfs", "/dev/shm",
                  "--perms", "0755", "--dir", INSIDE]
    for file in ("inside.py", "show.py"):
        arguments += ["--ro-bind", CODE / file, INSIDE / file]
    for path in [*read_only, *hidden, "/dev", "/"]:
        arguments += ["--remount-ro", path]
    arguments += ["--chdir", "/tmp", "--", *(sys.executable if word == "python" else word for word in command)]
    return [str(argument) for argument in arguments]

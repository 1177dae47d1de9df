"""What a sandbox sees: command lines for bubblewrap, and for bare Linux namespaces where it is not installed.

Inside there are Python, NumPy and ipykernel, read-only, and an empty /tmp of a few megabytes. There is no network, no
other process, no home folder, no file of the host, and nothing of minivit but `show`.
"""

import functools
import importlib.metadata
import os
import re
import shlex
import sys
import sysconfig
from pathlib import Path

VISIBLE = ("ipykernel", "numpy", "psutil", "pyzmq")
SHARED = Path("/exercise")  # where the sandbox sees the folder that it shares with the grader
ENVIRONMENT = {"HOME": "/tmp", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1",
               "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "IPYTHONDIR": "/tmp/.ipython",
               "PYTHONPATH": str(SHARED / "library")}


@functools.cache
def visible_paths():
    """Files and folders of the Python installation that belong to NumPy, the kernel, and what these require."""
    found, todo = {}, list(VISIBLE)
    while todo:
        name = re.split(r"[^\w.-]", todo.pop())[0].lower().replace("_", "-")
        if name in found or name == "debugpy":
            continue
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        tops = {file.parts[0] for file in distribution.files or () if file.parts[0] not in ("..", "__pycache__")}
        found[name] = {Path(distribution.locate_file(top)) for top in tops}
        todo += [need for need in distribution.requires or () if "extra ==" not in need]
    return tuple(sorted(path for paths in found.values() for path in paths if path.exists()))


def layout():
    """(what is bound read-only, what is hidden below it)."""
    stdlib = Path(sysconfig.get_path("stdlib"))
    base = Path(sys.base_prefix)
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


def bubblewrap(shared, command, root):
    """The command line of `command` inside bubblewrap."""
    arguments = ["bwrap", "--die-with-parent", "--new-session", "--unshare-pid", "--unshare-net", "--unshare-ipc",
                 "--unshare-uts", "--unshare-cgroup-try", "--cap-drop", "ALL", "--clearenv"]
    arguments += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"] if root else \
        ["--unshare-user", "--uid", "65534", "--gid", "65534"]
    for name, value in ENVIRONMENT.items():
        arguments += ["--setenv", name, value]
    (bound, hidden), visible = layout(), visible_paths()
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
                  "--perms", "0755", "--dir", SHARED, "--bind", shared / "sockets", SHARED / "sockets",
                  "--ro-bind", shared / "library", SHARED / "library"]
    for path in [*read_only, "/dev", "/"]:
        arguments += ["--remount-ro", path]
    arguments += ["--chdir", "/tmp", "--", *command]
    return [str(argument) for argument in arguments]


def namespaces(shared, command, root):
    """The same with unshare, mount and pivot_root, for machines without bubblewrap."""
    (bound, hidden), visible = layout(), visible_paths()
    new = shared / "root"
    lines = ["set -e; umask 022; mount --make-rprivate /", f"mkdir -p {new}; mount -t tmpfs -o size=1m tmpfs {new}"]

    def place(path, make):
        inside = f"{new}{path}"
        lines.append(f"mkdir -p {shlex.quote(str(Path(inside).parent))}; {make} {shlex.quote(inside)}")
        return shlex.quote(inside)

    def bind(path, inside=None, writable=False):
        target = place(inside or path, "mkdir -p" if Path(path).is_dir() else "touch")
        lines.append(f"mount --bind {shlex.quote(str(path))} {target}")
        if not writable:
            lines.append(f"mount -o remount,bind,ro,nosuid {target}")

    def scratch(path, options):
        lines.append(f"mount -t tmpfs -o {options} tmpfs {place(path, 'mkdir -p')}")

    read_only = islands([*bound, *visible])
    scratch("/tmp", "size=64m,mode=1777")
    for path in read_only:
        scratch(path, "size=1m,mode=0755")
    for path in bound:
        if path.is_symlink() and path.is_dir():
            place(path, f"ln -s {shlex.quote(os.readlink(path))}")
        else:
            bind(path)
    for path in hidden:
        if any(path.is_relative_to(other) for other in bound):
            lines.append(f"mount -t tmpfs -o size=1m tmpfs {shlex.quote(f'{new}{path}')}")
    for path in visible:
        bind(path)
    for device in ("null", "zero", "full", "random", "urandom"):
        bind(f"/dev/{device}", writable=True)
    scratch("/dev/shm", "size=1m,mode=1777")
    lines.append(f"mount -t proc proc {place('/proc', 'mkdir -p')}")
    bind(shared / "sockets", SHARED / "sockets", writable=True)
    bind(shared / "library", SHARED / "library")
    lines += [f"mkdir {new}/old; cd {new}; pivot_root . old; umount -l /old; rmdir /old",
              *(f"mount -o remount,bind,ro {shlex.quote(str(path))}" for path in [*read_only, "/"]), "cd /tmp",
              shlex.join(["exec", "env", "-i", *(f"{key}={value}" for key, value in ENVIRONMENT.items()), "setpriv",
                          "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all,+setuid,+setgid" if root else
                          "--bounding-set=-all", *map(str, command)])]
    user = [] if root else ["--user", "--map-root-user"]
    return ["unshare", *user, "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child", "sh", "-c",
            "\n".join(lines)]

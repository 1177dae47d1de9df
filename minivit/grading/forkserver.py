"""Runs inside the sandbox: a fresh kernel, already warm, for every answer.

It reads JSON lines: {"start": connection file} forks a kernel, {"kill": true} ends it and all that it started. It
writes "ready", "started", "dead" (the kernel is gone) and "clean" (nothing of it is left). Standard library, NumPy and
ipykernel only; this file is copied into the sandbox, the rest of the package is not.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time

PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 4, 36, 38
KERNEL_OPTIONS = ["--HistoryManager.enabled=False", "--IPKernelApp.log_level=50", "--InteractiveShell.xmode=Plain",
                  "--InteractiveShell.colors=NoColor"]
# What a kernel imports while it starts and when it first reports an error: imported once, before any fork.
WARM = ["numpy.random", "ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel.debugger", "IPython.core.completerlib",
        "IPython.core.debugger", "IPython.core.oinspect", "IPython.extensions.storemagic", "tornado.gen",
        "tornado.locks", "tornado.queues", "tornado.platform.asyncio", "zmq.eventloop.zmqstream", "pygments.styles",
        "pygments.formatters.terminal256", "encodings.idna", "pydoc", "runpy"]


def main(settings):
    """Serve until the input ends."""
    control = ctypes.CDLL(None).prctl if sys.platform == "linux" else lambda *_: 0
    control(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # orphans stay below this process, where they are found
    if settings.get("uid"):
        os.setgroups([])
        os.setresgid(*[settings["uid"]] * 3)
        os.setresuid(*[settings["uid"]] * 3)
    control(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    control(PR_SET_DUMPABLE, 0, 0, 0, 0)  # a kernel may not look into this process
    import psutil
    sys.modules["debugpy"] = None  # a kernel starts in half the time without its debugger
    for module in WARM:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    gc.freeze()  # no page is copied because a child counts its garbage

    say("ready")
    kernel, buffer = None, b""
    while True:
        if select.select([0], [], [], 0.05)[0]:
            received = os.read(0, 65536)
            buffer += received
            if not received:
                sweep(psutil)
                return
        *lines, buffer = buffer.split(b"\n")
        for line in lines:
            order = json.loads(line)
            if "start" in order:
                kernel = start(order["start"], settings["limits"])
                say("started")
            else:
                kernel = None
                sweep(psutil)
                empty(settings["scratch"])
                say("clean")
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG)[0]) != 0:
                if ended == kernel:
                    kernel = None
                    say("dead")


def say(word):
    """One line to the grader."""
    os.write(1, word.encode() + b"\n")


def start(connection_file, limits):
    """Fork; the child becomes a kernel and does not return."""
    child = os.fork()
    if child:
        return child
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        limit(limits)
        os.chdir(tempfile.mkdtemp())
        from ipykernel.kernelapp import IPKernelApp
        IPKernelApp.launch_instance(["-f", connection_file, *KERNEL_OPTIONS])
    finally:
        os._exit(1)


def limit(limits):
    """Limits that a process cannot raise again."""
    import resource
    for name, amount in {"AS": limits["memory"], "FSIZE": limits["file_bytes"], "CORE": 0,
                         "NPROC": limits["processes"], "NOFILE": 256}.items():
        if amount is not None:
            with contextlib.suppress(ValueError, OSError):  # macOS does not limit memory this way
                resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (amount, amount))


def sweep(psutil):
    """Kill all processes below this one; whoever keeps forking for a second takes the whole sandbox down."""
    deadline = time.monotonic() + 1
    while below := psutil.Process().children(recursive=True):
        for sign in (signal.SIGSTOP, signal.SIGKILL):
            for process in below:
                with contextlib.suppress(psutil.Error, ProcessLookupError):
                    process.send_signal(sign)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if time.monotonic() > deadline:
            os._exit(1)
        time.sleep(0.005)


def empty(folders):
    """Remove what an answer has written; what resists takes the whole sandbox down. What is mounted is no answer's."""
    for folder in folders:
        for entry in os.scandir(folder):
            if os.path.ismount(entry.path):
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)
        if not all(os.path.ismount(entry.path) for entry in os.scandir(folder)):
            os._exit(1)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))

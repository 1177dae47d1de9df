"""Runs inside the sandbox, alone: one answer with its check cell, or the functions that stand in for earlier answers.

Started as `python -P inside.py`; the first line of its input is the job, {"cells": [[kind, source], ...], ...}, and
lines of JSON go to and fro from there:

    an answer   {"ready": true}, then {"call": ...} for every call of an earlier answer, then {"done": ...}
    stand-ins   {"ready": true}, then {"value": ...} or {"error": ...} for every call

What an answer prints goes to the error stream, which is counted and thrown away. Only the standard library, NumPy and
IPython are needed here; nothing else of minivit is seen but `show`.
"""

import base64
import builtins
import contextlib
import importlib.util
import json
import os
import sys
import types
from importlib.abc import MetaPathFinder
from pathlib import Path

SENTENCE = 500  # characters of an error that are passed on
STARTS_A_PROCESS = {"subprocess.Popen", "os.system", "os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.spawn"}
WITHOUT_EFFECT = ("matplotlib", "config", "load_ext", "reload_ext", "autoreload")  # magics about a notebook's looks
USES_THE_NETWORK = {"socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo"}


class Lines:
    """Messages over two file descriptors, a line of JSON each."""

    def __init__(self, incoming, outgoing):
        self.incoming, self.outgoing = os.fdopen(incoming, "rb"), os.fdopen(outgoing, "wb")

    def receive(self):
        """The next message; None at the end."""
        line = self.incoming.readline()
        return json.loads(line) if line else None

    def send(self, **message):
        """Send one message."""
        self.outgoing.write(json.dumps(message).encode() + b"\n")
        self.outgoing.flush()


class OnlyTheseModules(MetaPathFinder):
    """Answers find the same modules wherever they run: Python's own, and the packages that are allowed."""

    def __init__(self, allowed):
        self.allowed = {*allowed, *sys.stdlib_module_names}

    def find_spec(self, name, path=None, target=None):
        """Called by `import`; None lets the other finders look."""
        top = name.partition(".")[0]
        if top not in self.allowed and not top.startswith("_sysconfigdata"):
            raise ModuleNotFoundError(f"No module named {name!r}: answers have NumPy, matplotlib and Python's own "
                                      "modules", name=name)


def main():
    """Take the job, do it, say what came out."""
    lines = Lines(os.dup(0), os.dup(1))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    job = lines.receive()
    limit(job["limits"])
    shell = Shell(job["allowed"])
    if "answer" in job:
        lines.send(ready=True)
        lines.send(done=answer(shell, job, lines))
    else:
        for kind, source in job["cells"]:
            shell.run(kind, source)
        lines.send(ready=True)
        serve(shell.names, lines)


def limit(limits):
    """Limits that a process cannot raise again, and an account of its own where the sandbox was made by root."""
    with contextlib.suppress(ImportError):  # Windows has none of these
        import resource
        for name, amount in limits["resources"].items():
            with contextlib.suppress(ValueError, OSError):  # macOS does not limit memory
                resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), tuple(amount))
    if limits["account"]:
        os.setgroups([])
        os.setresgid(*[limits["account"]] * 3)
        os.setresuid(*[limits["account"]] * 3)


class Shell:
    """IPython without a terminal: runs cells, and remembers the first error and the values that were shown."""

    def __init__(self, allowed):
        os.environ.setdefault("MPLBACKEND", "agg")
        import numpy  # noqa: F401
        from IPython.core.displaypub import DisplayPublisher
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config
        offer_show()
        sys.meta_path.insert(0, OnlyTheseModules(allowed))
        sys.addaudithook(refuse)
        settings = Config()
        settings.HistoryManager.enabled = settings.InteractiveShell.autocall = 0
        self.ipython, self.error, self.values, self.cell = InteractiveShell.instance(config=settings), None, {}, ""
        self.names = self.ipython.user_ns

        class Publisher(DisplayPublisher):
            """Keeps the values that a check cell shows; pictures and the like go nowhere."""

            def publish(publisher, data, **_):  # noqa: N805
                shown = data.get("application/vnd.minivit.values+json")
                if self.cell == "check" and isinstance(shown, dict):
                    self.values.update(shown)

        self.ipython.display_pub = Publisher(parent=self.ipython)
        self.ipython.compile.get_code_name = lambda raw, transformed, number: f"<{self.cell}>"
        for name in WITHOUT_EFFECT:
            self.ipython.magics_manager.magics["line"][name] = lambda line: None
        self.ipython.showtraceback = self.ipython.showsyntaxerror = self.remember

    def remember(self, *_, **__):
        """The error that is being handled: some of IPython's magics handle it themselves."""
        self.error = self.error or sys.exc_info()[1]

    def run(self, kind, source):
        """Run one cell; whether it went through."""
        self.cell = kind
        result = self.ipython.run_cell(source)
        self.error = self.error or result.error_before_exec or result.error_in_exec
        return self.error is None


def offer_show():
    """Make minivit.grading.show importable, and nothing else of minivit."""
    for name in ("minivit", "minivit.grading"):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = []
    name = "minivit.grading.show"
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("show.py"))
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])


def refuse(event, arguments):
    """Python's audit hook: the same refusals in a sandbox and without one."""
    if event in STARTS_A_PROCESS:
        raise PermissionError("an answer is graded in one process: it may not start another")
    if event in USES_THE_NETWORK:
        raise PermissionError("there is no network where answers are graded")


def answer(shell, job, lines):
    """Run the cells of an answer: what was shown, or what went wrong."""
    notes, name = {}, job["answer"]
    shell.names.update({earlier: stand_in(earlier, lines) for earlier in job["stand_ins"]})
    for kind, source in job["cells"]:
        if kind == "check" and isinstance(shell.names.get(name), types.FunctionType):
            shell.names[name] = watched(shell.names[name], notes)
        if not shell.run(kind, source):
            break
    return {"values": shell.values, "notes": notes, **(said(shell.error, dict(job["cells"])) if shell.error else {})}


def watched(function, notes):
    """The same function; that it changed an argument or returned None is noted."""
    def call(*given, **named):
        before = copies([*given, *named.values()])
        value = function(*given, **named)
        if not same(before, [*given, *named.values()]):
            notes["changed"] = True
        if value is None:
            notes["none"] = True
        return value
    call.__name__, call.__doc__ = function.__name__, function.__doc__
    return call


def copies(value):
    """Arrays in lists, tuples and dicts copied; anything else is left out."""
    import numpy
    if isinstance(value, numpy.ndarray):
        return value.copy()
    if isinstance(value, (list, tuple)):
        return [copies(item) for item in value]
    return [copies(item) for item in value.values()] if isinstance(value, dict) else None


def same(before, after):
    """Whether the arrays are what they were."""
    import numpy
    if isinstance(before, numpy.ndarray):
        if not isinstance(after, numpy.ndarray) or before.shape != after.shape:
            return False
        if before.dtype.kind in "fc":  # what was moved and moved back may be off by a rounding
            return numpy.allclose(before, after, rtol=1e-9, atol=1e-12, equal_nan=True)
        return numpy.array_equal(before, after)
    if isinstance(before, list):
        after = list(after.values()) if isinstance(after, dict) else after
        return len(before) == len(after) and all(map(same, before, after))
    return True


def said(error, sources):
    """What is told about an exception, whatever it does when it is asked."""
    try:
        text = str(error)
    except BaseException:
        text = "(its message cannot be shown)"
    line, where, trace = "", "", getattr(error, "__traceback__", None)
    if isinstance(error, SyntaxError):
        text, line = f"{error.msg}, line {error.lineno}", (error.text or "").strip()
    while trace is not None:
        kind = trace.tb_frame.f_code.co_filename.strip("<>")
        if kind in ("answer", "helper"):
            lines = sources[kind].splitlines()
            while lines and not lines[0].strip():  # IPython takes empty lines in front away
                del lines[0]
            line = lines[trace.tb_lineno - 1].strip() if trace.tb_lineno <= len(lines) else ""
        where = kind if kind in sources else where
        trace = trace.tb_next
    return {"error_name": type(error).__name__[:100], "error": text[:SENTENCE], "line": line[:200], "where": where}


def stand_in(name, lines):
    """A function that asks the grader for the value of an earlier answer: its source is not here."""
    def function(*given, **named):
        lines.send(call=name, arguments=encode([list(given), named]))
        reply = lines.receive()
        if "error" in reply:
            kind = getattr(builtins, reply["error"][0], RuntimeError)
            raise kind(reply["error"][1])
        return decode(reply["value"])
    function.__name__ = function.__qualname__ = name
    function.__doc__ = "An earlier answer: where this one is graded, the right one stands in for it."
    return function


def serve(names, lines):
    """Answer calls until the input ends."""
    while (message := lines.receive()) is not None:
        try:
            given, named = decode(message["arguments"])
            lines.send(value=encode(names[message["call"]](*given, **named)))
        except BaseException as error:
            lines.send(error=[type(error).__name__, str(error)[:SENTENCE]])


def encode(value):
    """Numbers, texts, arrays, and lists, tuples and dicts of them, as JSON; anything else is a TypeError."""
    import numpy
    if isinstance(value, (numpy.ndarray, numpy.generic)):
        array = numpy.asarray(value)
        if array.dtype.kind not in "?biufc":
            raise TypeError(f"an array of {array.dtype} cannot be handed to an earlier answer")
        data = base64.b64encode(numpy.ascontiguousarray(array).tobytes()).decode()
        return {"array": [array.dtype.str, array.shape, data, isinstance(value, numpy.generic)]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return {type(value).__name__ if type(value) is tuple else "list": [encode(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[encode(key), encode(item)] for key, item in value.items()]}
    raise TypeError(f"a {type(value).__name__} cannot be handed to an earlier answer; arrays and numbers can")


def decode(value):
    """The way back; nothing but numbers, texts, arrays, lists, tuples and dicts can come of it."""
    import numpy
    if not isinstance(value, dict):
        return value
    (kind, content), = value.items()
    if kind == "array":
        kind_, shape, data, scalar = content
        dtype = numpy.dtype(kind_)
        if dtype.kind not in "?biufc":
            raise ValueError(f"an array of {dtype}")
        array = numpy.frombuffer(base64.b64decode(data), dtype=dtype).reshape(shape).copy()
        return array[()] if scalar else array
    if kind == "dict":
        return {decode(key): decode(item) for key, item in content}
    return [decode(item) for item in content] if kind == "list" else tuple(decode(item) for item in content)


if __name__ == "__main__":
    main()

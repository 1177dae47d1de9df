"""One attempt at an answer: its cells run in a sandbox until they are done or the deadline comes; what came of it.

The check cell shows values; here nothing is judged. Earlier answers are not in the sandbox: calls of them come here,
and go to another process, in which no student's code runs.
"""

import contextlib
import json
import queue
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field

from .sandbox import visible_modules

KILLED = {137, -9}  # exit codes of a process that was killed: by a limit, by the system, or by itself
OUT_OF_TIME = {152, -24}  # SIGXCPU: its time on the processor is used up


class NotGraded(Exception):
    """The grader or the machine is at fault: nothing is known of the answer."""


@dataclass
class Outcome:
    """What came of one answer: the values shown, the first error and its line, and how the process ended, if it did.

    ended is "timeout", "output", "died", "killed" or "": all but "killed" are the answer's own doing.
    notes: "changed" (an argument), "none" (it returned None), "calls" ({earlier answer: how often it was called}).
    """

    values: dict = field(default_factory=dict)
    error: str = ""
    error_name: str = ""
    line: str = ""
    where: str = ""
    ended: str = ""
    notes: dict = field(default_factory=dict)


@dataclass
class Attempt:
    """What is to be run: the answer's name, its cells as (kind, source), and the names of the answers before it."""

    name: str
    cells: list
    stand_ins: list


class Conversation:
    """A process of inside.py, and the lines that go to and fro; what it floods waits in its pipes, not here."""

    def __init__(self, process, limits):
        self.process, self.limits, self.printed, self.complaint = process, limits, 0, b""
        self.messages, self.closed = queue.Queue(maxsize=4), False
        self.listeners = [threading.Thread(target=listen, daemon=True) for listen in (self._listen, self._count)]
        for listener in self.listeners:
            listener.start()

    def _listen(self):
        with contextlib.suppress(OSError, ValueError):
            while line := self.process.stdout.readline(self.limits.message_bytes):
                self._put(line if line.endswith(b"\n") else "output")
        self._put("died")

    def _count(self):
        with contextlib.suppress(OSError, ValueError):
            while printed := self.process.stderr.read1(65536):
                self.printed += len(printed)
                self.complaint = (self.complaint + printed)[-300:]
                if self.printed > self.limits.output_bytes:
                    self._put("output")
                    return

    def _put(self, message):
        while not self.closed:
            with contextlib.suppress(queue.Full):
                self.messages.put(message, timeout=0.1)
                return

    def close(self):
        """Wait until nobody holds the other ends any more: then everything in the sandbox is gone."""
        self.closed = True
        for listener, stream in zip(self.listeners, (self.process.stdout, self.process.stderr), strict=True):
            listener.join(5)
            if not listener.is_alive():
                stream.close()

    def send(self, message):
        """Send one message; a process that is gone shows when its answer is waited for."""
        with contextlib.suppress(OSError, ValueError):
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()

    def receive(self, deadline):
        """The next message (a dict), or one word: "timeout", "output", "died"."""
        left = deadline - time.monotonic()
        if left <= 0:
            return "timeout"
        try:
            line = self.messages.get(timeout=left)
        except queue.Empty:
            return "timeout"
        if isinstance(line, str):
            return "output" if self.printed > self.limits.output_bytes else line
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            return "died"
        return message if isinstance(message, dict) else "died"


@contextlib.contextmanager
def killed_after(seconds, sandbox, process):
    """Kill a process when the time is up, whatever is being done here: it may not read what is sent to it."""
    timer = threading.Timer(seconds, sandbox.kill, [process])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextlib.contextmanager
def conversation(sandbox, limits, job):
    """A Conversation with a process that is ready for its job; NotGraded if it does not get as far as that."""
    with contextlib.ExitStack() as stack:
        ends = stack.enter_context(contextlib.ExitStack())  # what is left to do when the process has been killed
        try:
            folder = None if sandbox.name != "none" else stack.enter_context(
                tempfile.TemporaryDirectory(prefix="minivit-", ignore_cleanup_errors=True))
            process, about = stack.enter_context(sandbox.start(limits, folder))
        except (OSError, ImportError, RuntimeError) as error:  # no place, no pyseccomp, no libseccomp
            raise NotGraded(f"the sandbox could not be started: {error}") from None
        talk = Conversation(process, limits)
        ends.callback(talk.close)
        with killed_after(limits.startup, sandbox, process):
            talk.send({**job, "limits": about, "allowed": visible_modules()})
            word = talk.receive(time.monotonic() + limits.startup)
        if word != {"ready": True}:
            sandbox.kill(process)
            talk.close()
            said = talk.complaint.decode(errors="replace").strip().splitlines()[-1:]
            raise NotGraded(f"the sandbox did not start: {'; '.join(said) or word} (exit code {process.returncode})")
        yield talk


class StandIns:
    """Calls of earlier answers, answered by a process that runs nothing else; it starts with the first call."""

    def __init__(self, sandbox, limits, cells):
        self.sandbox, self.limits, self.cells = sandbox, limits, cells
        self.stack, self.talk = contextlib.ExitStack(), None

    def call(self, name, arguments, deadline):
        """The reply to a call: {"value": ...} or {"error": [kind, sentence]}."""
        if self.talk is None:
            self.talk = self.stack.enter_context(conversation(self.sandbox, self.limits, {"cells": self.cells}))
        self.talk.send({"call": name, "arguments": arguments})
        reply = self.talk.receive(deadline)
        if isinstance(reply, str):  # what it was given was too much for it; the next caller gets a new one
            self.close()
            return {"error": ["MemoryError", f"{name} was given more than it can work on"]}
        return reply

    def close(self):
        """End the process."""
        self.stack.close()
        self.talk = None


def make(attempt, sandbox, limits, stand_ins):
    """The Outcome of an Attempt; NotGraded if the sandbox fails before the answer has begun."""
    job = {"answer": attempt.name, "cells": attempt.cells, "stand_ins": attempt.stand_ins}
    calls = {}
    with conversation(sandbox, limits, job) as talk, killed_after(limits.deadline, sandbox, talk.process):
        deadline = time.monotonic() + limits.deadline
        while True:
            message = talk.receive(deadline)
            if isinstance(message, str):
                return Outcome(ended=ending(message, talk, sandbox, deadline), notes={"calls": calls})
            if "call" in message:
                name = message["call"]
                if name not in attempt.stand_ins:
                    return Outcome(ended="died")
                calls[name] = calls.get(name, 0) + 1
                talk.send(stand_ins.call(name, message.get("arguments"), deadline))
            else:
                return outcome(message.get("done"), calls)


def ending(word, talk, sandbox, deadline):
    """How a process ended that did not come to its end."""
    limits = talk.limits
    used_up = time.monotonic() > deadline - limits.deadline + limits.processor  # a limit may have killed it
    if word == "died" and time.monotonic() > deadline:  # whoever noticed it first
        word = "timeout"
    elif word == "died":
        with contextlib.suppress(subprocess.TimeoutExpired):
            talk.process.wait(2)
        code = talk.process.returncode
        if code in OUT_OF_TIME or code in KILLED and used_up:
            word = "timeout"
        elif code in KILLED:
            word = "killed"
    sandbox.kill(talk.process)
    return word


def outcome(done, calls):
    """The Outcome in a message that a hostile answer may have written."""
    if not isinstance(done, dict):
        return Outcome(ended="died")
    texts = {name: done[name][:500] for name in ("error", "error_name", "line", "where")
             if isinstance(done.get(name), str)}
    values, notes = (done[name] if isinstance(done.get(name), dict) else {} for name in ("values", "notes"))
    known = {name: True for name in ("changed", "none") if notes.get(name)}
    return Outcome(values, **texts, notes={**known, "calls": calls})

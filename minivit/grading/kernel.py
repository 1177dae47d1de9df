"""nbval's kernel, watched: the same methods, and a kernel that dies or takes too much is noticed at once."""

import contextlib
import json
import secrets
import time
from queue import Empty

import zmq
from jupyter_client import BlockingKernelClient
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, RunningKernel

from .server import Ended

PORTS = {"shell_port": 1, "iopub_port": 2, "stdin_port": 3, "control_port": 4, "hb_port": 5}


class WatchedKernel(RunningKernel):
    """A kernel with limits; `ended` says how it came to its end, None if it did not."""

    limits, ended, output = None, None, 0

    def _ensure_iopub_up(self):
        """Ask until the answer comes on both channels: the first answers are lost while sockets connect."""
        for _ in range(100):
            request = self.kc.kernel_info()
            self.await_reply(request, timeout=20)
            with contextlib.suppress(Empty):
                self.await_idle(request, timeout=0.05)
                return
        raise Ended("died")

    def get_message(self, stream, timeout=None):
        """A message of a channel; Empty after the timeout, Ended as soon as the kernel is gone."""
        if self.ended:
            raise Ended(self.ended)
        channel = self.kc.get_iopub_msg if stream == "iopub" else self.kc.get_shell_msg
        deadline = time.monotonic() + (timeout or 0)
        while True:
            try:
                message = channel(timeout=min(0.1, timeout or 0.1))
            except Empty:
                self.watch()
                if timeout is not None and time.monotonic() > deadline:
                    raise
                continue
            if stream == "iopub":
                self.output += len(json.dumps(message["content"], default=str))
            self.watch()
            return message

    def watch(self):
        """End the kernel, and raise Ended, when it has died or taken too much."""
        try:
            if self.output > self.limits.output_bytes:
                raise Ended("output")
            self.look()
        except Ended as reason:
            self.end(str(reason))
            raise

    def execute_cell_input(self, cell_input, allow_stdin=None):
        """Run a cell; its output is counted from here."""
        self.output = 0
        return super().execute_cell_input(cell_input, allow_stdin)

    def end(self, reason):
        """Kill the kernel, once."""
        if self.ended is None:
            self.ended = reason
            self.kill()

    def is_alive(self):
        """Whether it still runs."""
        return self.ended is None

    def interrupt(self):
        """What nbval does after a timeout. A cell that will not end is not asked twice."""
        self.end("timeout")

    def stop(self):
        """What nbval does at the end of a notebook."""
        self.end("stopped")


class SandboxedKernel(WatchedKernel):
    """A kernel that the fork server forks for one notebook."""

    def __init__(self, server):
        self.server, self.limits = server, server.limits
        name = str(server.started + 1)
        connection = {**PORTS, "transport": "ipc", "ip": str(server.sockets / name), "key": secrets.token_hex(),
                      "signature_scheme": "hmac-sha256", "kernel_name": "python3"}
        server.start_kernel(connection)
        self.context = zmq.Context()
        self.context.setsockopt(zmq.MAXMSGSIZE, server.limits.output_bytes)  # one message
        self.context.setsockopt(zmq.RCVHWM, 200)
        self.context.setsockopt(zmq.LINGER, 0)
        self.kc = BlockingKernelClient(context=self.context)
        self.kc.load_connection_info({**connection, "key": connection["key"].encode()})
        deadline = time.monotonic() + 20
        while len(list(server.sockets.glob(f"{name}-*"))) < len(PORTS) and time.monotonic() < deadline:
            server.watch()
            time.sleep(0.005)
        self.kc.start_channels(stdin=False, hb=False, control=False)
        self._ensure_iopub_up()

    def look(self):
        """Raise Ended if the kernel is gone or takes too much."""
        self.server.watch()

    def execute_cell_input(self, cell_input, allow_stdin=None):
        """Run a cell; its time is counted from here."""
        self.server.cell_start, self.server.looked = None, 0.0
        return super().execute_cell_input(cell_input, allow_stdin)

    def kill(self):
        """Kill the kernel with all that it started."""
        self.server.kill_kernel()
        self.kc.stop_channels()
        self.context.destroy(linger=0)


class LocalKernel(WatchedKernel):
    """A process of its own in the folder `cwd`, for systems without Linux' fork server: nothing is hidden from it."""

    def __init__(self, limits, cwd):
        self.limits = limits
        super().__init__(CURRENT_ENV_KERNEL_NAME, cwd=cwd)

    def look(self):
        """Raise Ended if the process is gone."""
        if not self.km.is_alive():
            raise Ended("died")

    def kill(self):
        """Kill the process."""
        self.kc.stop_channels()
        self.km.shutdown_kernel(now=True)

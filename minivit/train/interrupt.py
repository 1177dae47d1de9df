"""Ctrl-C at the right moment: between two steps, when weights and optimiser belong together."""

import signal
import threading


class DelayedInterrupt:
    """Inside the `with` block, Ctrl-C only sets `requested`; pressed again, it raises KeyboardInterrupt at once.

    Where Python's own handler is not the current one (a thread, a program in the background), nothing changes.
    """

    def __enter__(self):
        self.requested = False
        self.installed = (threading.current_thread() is threading.main_thread()
                          and signal.getsignal(signal.SIGINT) is signal.default_int_handler)
        if self.installed:
            signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *error):
        if self.installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _handle(self, number, frame):
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

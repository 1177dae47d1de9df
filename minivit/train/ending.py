"""How a run ends before its last step: Ctrl-C, a loss that is not finite, a full disk; and what is said then."""

import contextlib
import signal
import threading

from .trainer import Diverged


class Stopped(KeyboardInterrupt):
    """Ctrl-C was pressed, and the run has been saved."""

    def __init__(self, message, run):
        super().__init__(message)
        self.run = run


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


@contextlib.contextmanager
def explained(recipe, run):
    """Errors inside the `with` block say what is kept in the folder of the run, if there is one, and how to go on."""
    def kept():
        return f". {run.kept()}" if run else ""
    try:
        yield
    except Diverged as error:
        raise Diverged(f"{error}; try a smaller learning rate{kept()}") from error
    except MemoryError as error:
        raise MemoryError(f"{str(error) or 'no memory is left'}; batches of {recipe.batch_size} pictures are too large "
                          f"for device {recipe.device!r}: begin a new run with --batch-size "
                          f"{max(1, recipe.batch_size // 2)}{kept()}") from error
    except OSError as error:
        if not run:
            raise
        raise OSError(f"{run.folder} cannot be written: {error.strerror or error}{kept()}; go on with: "
                      f"{run.resume_command()}") from error
    except KeyboardInterrupt:
        if not run:
            raise
        raise Stopped(f"stopped{kept()}; go on with: {run.resume_command()}", run) from None

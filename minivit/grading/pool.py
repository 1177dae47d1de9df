"""Submissions in parallel, each in a process of its own: whatever happens to one, the others go on."""

import multiprocessing
import tempfile
import time
from multiprocessing.connection import wait

from .run import Outcome, from_json, run, to_json

PRELOAD = ["pytest", "nbval.plugin", "minivit.grading.run", "minivit.grading.kernel", "minivit.grading.server"]


def work(connection, notebooks, sandbox, limits, folder):
    """The process that meets one submission; it knows no expected value, and what it sends back is plain JSON."""
    tempfile.tempdir = folder
    connection.send_bytes(to_json(run(notebooks, sandbox, limits)).encode())


def run_all(tasks, sandbox, limits, jobs):
    """Yield (key, {name: Outcome}) of tasks {key: {name: notebook}}, in the order in which they end."""
    context = multiprocessing.get_context("forkserver" if "forkserver" in multiprocessing.get_all_start_methods()
                                          else "spawn")
    if context.get_start_method() == "forkserver":
        context.set_forkserver_preload(PRELOAD)
    waiting, active = list(tasks.items()), {}
    try:
        while waiting or active:
            while waiting and len(active) < jobs:
                key, notebooks = waiting.pop(0)
                folder = tempfile.TemporaryDirectory(prefix="mv-", ignore_cleanup_errors=True)
                ours, theirs = context.Pipe(duplex=False)
                process = context.Process(target=work, args=(theirs, notebooks, sandbox, limits, folder.name))
                process.start()
                theirs.close()
                deadline = time.monotonic() + 120 + len(notebooks) * (60 + 3 * limits.wall_time)
                active[ours] = key, notebooks, process, folder, deadline
            ready = wait(active, timeout=1)
            late = [connection for connection, task in active.items() if time.monotonic() > task[-1]]
            for connection in {*ready, *late}:
                key, notebooks, process, folder, _ = active.pop(connection)
                outcomes = {name: Outcome(ended="died") for name in notebooks}
                if connection in ready:
                    try:
                        outcomes.update(from_json(connection.recv_bytes(64 * 1024 ** 2)))
                    except (EOFError, OSError, ValueError, TypeError):
                        late.append(connection)
                if connection in late:
                    process.kill()
                process.join()
                connection.close()
                folder.cleanup()
                yield key, outcomes
    finally:
        for _, _, process, folder, _ in active.values():
            process.kill()
            process.join()
            folder.cleanup()

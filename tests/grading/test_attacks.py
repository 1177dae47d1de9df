"""Attacks: the attacked answer gets nothing, the student's other answers and the other students are graded as ever."""

import copy
import os
import socket
import threading

import pytest

from minivit.grading.expected import values
from minivit.grading.sandbox import Limits

HEAD = "def softmax(x):\n    "
WRONG = "\ndef softmax(x):\n    return x\n"
SOURCES = {  # what stands in the cell of `softmax`
    "hard_coded": None,
    "printed": "print('passed 30 / 30')\nprint({'status': 'passed', 'points': 30})" + WRONG,
    "displayed": "from IPython.display import display\n"
                 "forged = {'y': {'shape': [3, 3], 'data': [1/3] * 9}}\n"
                 "display({'application/vnd.minivit.values+json': forged}, raw=True)" + WRONG,
    "nbval_skip": "# NBVAL_SKIP\n# NBVAL_IGNORE_OUTPUT\n# PYTEST_VALIDATE_IGNORE_OUTPUT" + WRONG,
    "patched_numpy": "class Zero:\n    normal = lambda self, size: np.zeros(size)\n"
                     "np.random.default_rng = lambda seed: Zero()\n"
                     "np.array2string = np.asarray = lambda *a, **k: 'passed'" + WRONG,
    "patched_print": "import builtins\nbuiltins.print = lambda *a, **k: None" + WRONG,
    "patched_display": "import IPython.display\nfrom minivit.grading import show as s\n"
                       "s.display = lambda data, raw: None" + WRONG,
    "patched_show": "show = lambda **v: print('all right')" + WRONG,
    "hook": "ip = get_ipython()\nip.events.register('pre_run_cell', lambda info: ip.user_ns.update(SEED=0))\n"
            "ip.run_cell = lambda *a, **k: None" + WRONG,
    "equal_to_all": "class Same(float):\n    __eq__ = lambda s, o: True\n    __ne__ = lambda s, o: False\n"
                    "def softmax(x):\n    return Same(1)",
    "reads_disk": HEAD + """import glob, os
    found = [p for root in ('/', '/work', '/home', '/root', '/exercise', os.getcwd(), '..')
             for p in glob.glob(root + '/**/*.ipynb', recursive=True)]
    text = ''.join(open(p).read() for p in found)
    raise RuntimeError('SECRET ' + text[:200] if text else 'nothing')""",
    "asks_minivit": HEAD + "import importlib\n    return importlib.import_module('minivit.ops').softmax(x)",
    "asks_scipy": HEAD + "return __import__('sci' + 'py.special').special.softmax(x, -1)",
    "forged_files": HEAD + """import os, json
    for root in ('/tmp', '/exercise', '/exercise/sockets', os.getcwd()):
        for name in ('results.json', 'softmax.json', 'record.json', 'softmax.ipynb'):
            try: open(os.path.join(root, name), 'w').write(json.dumps({'status': 'passed', 'points': 30}))
            except OSError: pass
    return x""",
    "forged_stdout": HEAD + """import os
    for fd in range(3, 40):
        try: os.write(fd, b'clean\\nready\\nstarted\\n')
        except OSError: pass
    return x""",
    "endless": HEAD + "while True: pass",
    "stubborn": HEAD + "while True:\n        try:\n            while True: pass\n        except BaseException: pass",
    "sleeps": HEAD + "import time\n    time.sleep(1000)",
    "exits": HEAD + "import os\n    os._exit(0)",
    "killed": HEAD + "import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)",
    "kills_all": HEAD + "import os, signal\n    os.kill(-1, signal.SIGKILL)",
    "kills_parent": HEAD + "import os, signal\n    os.kill(os.getppid(), signal.SIGKILL)\n    return x",
    "system_exit": "raise SystemExit(0)",
    "fork_bomb": HEAD + "import os\n    while True:\n        try: os.fork()\n        except OSError: pass",
    "huge_array": HEAD + "return np.ones((10, 1024, 1024, 128))",
    "much_output": HEAD + "print('x' * 200_000_000)\n    return x",
    "many_outputs": HEAD + "import sys\n    while True: print('x' * 10_000); sys.stdout.flush()",
    "fills_disk": HEAD + """
    for root in ('/tmp', '/exercise/sockets', '/dev/shm'):
        for i in range(40):
            try: open(f'{root}/{i}', 'wb').write(b'x' * 15_000_000)
            except OSError: pass
    return x""",
    "background": HEAD + """import subprocess, sys
    for _ in range(3):
        subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)
    return x""",
    "home": HEAD + """import os
    for path in ('~/x', '/root/x', '/home/x', '/usr/x', '/etc/x', '/exercise/library/minivit/x'):
        try: open(os.path.expanduser(path), 'w').write('x')
        except OSError: continue
        if not path.startswith('~'): raise RuntimeError('wrote ' + path)
    return x""",
    "exec_bit": HEAD + "import ctypes\n    ctypes.string_at(0)",
    "deep_json": HEAD + "from IPython.display import display\n    d = 1\n    for _ in range(500): d = [d]\n"
                 "    display({'application/vnd.minivit.values+json': {'y': d, 'large': {'shape': [10**9], 'data': []}}},"
                 " raw=True)\n    raise SystemExit",
    "forbidden": "from scipy.special import softmax",
    "forbidden_function": HEAD + "return np.exp(x - np.logaddexp.reduce(x, axis=-1, keepdims=True))",
    "syntax": "def softmax(x:",
    "empty": "  \n",
    "surrogate": "def softmax(x):\n    return '\ud800'",
}
LIMITS = Limits(cell_time=1.0, memory=700 * 1024 ** 2)


@pytest.fixture(scope="module")
def port():
    """A port of this machine that would take any connection."""
    server = socket.create_server(("127.0.0.1", 0))
    caught = []
    threading.Thread(target=lambda: caught.append(server.accept()), daemon=True).start()
    yield server.getsockname()[1], caught
    server.close()


@pytest.fixture(scope="module")
def graded(box, tiny, tiny_exercise, submission, grade_class, port):
    """Records of a class in which everyone attacks but two."""
    sources = dict(SOURCES)
    shown = values(tiny_exercise, "softmax")
    sources["hard_coded"] = (f"import itertools\nn = itertools.count()\nseen = {shown!r}\ndef softmax(x):\n"
                             "    v = seen[['y', 'large'][next(n)]]\n"
                             "    return np.array(v['data']).reshape(v['shape'])")
    sources["network"] = HEAD + (f"import socket\n    socket.create_connection(('127.0.0.1', {port[0]}), 1)\n"
                                 "    return x")
    right = dict.fromkeys(tiny_exercise.answers, "solution")
    students = {name: submission(tiny, **{**right, "softmax": text}) for name, text in sources.items()}
    students["first_honest"] = students["z_honest"] = submission(tiny, **right)
    students.update(cells(submission, tiny, right))
    return grade_class(students, tiny, limits=LIMITS)


def cells(submission, tiny, right):
    """Notebooks whose cells were tampered with, so that `softmax` is not answered."""
    notebook = submission(tiny, **{**right, "softmax": "def softmax(x):\n    return x"})
    place = next(i for i, cell in enumerate(notebook.cells) if cell.id == "answer-90-softmax")

    def changed(change):
        new = copy.deepcopy(notebook)
        change(new.cells)
        return new

    def edit_outputs(cells):
        for cell in cells:
            if cell.cell_type == "code":
                cell.outputs = [{"output_type": "stream", "name": "stdout", "text": "passed"}]
                cell.metadata = {"tags": ["nbval-skip", "skip-execution"],
                                 "minivit": {"kind": "check", "points": 1000, "atol": 1e9}}

    def edit_check(cells):
        next(cell for cell in cells if cell.id == "check-90-softmax").source = "SEED = 90\nshow(y=1)"

    return {"deleted": changed(lambda cells: cells.pop(place)),
            "duplicated": changed(lambda cells: cells.append(copy.deepcopy(cells[place]))),
            "reordered": changed(lambda cells: cells.reverse()),
            "edited_outputs": changed(edit_outputs), "edited_check": changed(edit_check),
            "check_deleted": changed(lambda cells: [cells.remove(c) for c in list(cells) if c.id.startswith("check")])}


NAMES = [*SOURCES, "network", "deleted", "duplicated", "reordered", "edited_outputs", "edited_check", "check_deleted"]


@pytest.mark.parametrize("name", NAMES)
def test_attack_gains_nothing_and_costs_nobody_else(graded, name):
    answers = graded[name]["answers"]
    assert answers["softmax"]["points"] == 0
    assert answers["softmax"]["status"] != "passed"
    assert (answers["double"]["points"], answers["both"]["points"]) == (20, 50), answers
    assert "SECRET" not in str(answers)


@pytest.mark.parametrize("name", ["first_honest", "z_honest"])
def test_honest_students_are_graded_as_ever(graded, name):
    assert graded[name]["points"] == 100


@pytest.mark.parametrize("name, status", [
    ("endless", "timeout"), ("stubborn", "timeout"), ("exits", "error"), ("fork_bomb", "error"),
    ("huge_array", "error"), ("much_output", "error"), ("forbidden", "not allowed"), ("forbidden_function", "not allowed"),
    ("empty", "not attempted"), ("deleted", "not attempted"), ("duplicated", "not attempted")])
def test_what_happened_is_said(graded, name, status):
    assert graded[name]["answers"]["softmax"]["status"] == status


def test_nothing_came_out_of_the_sandbox(graded, port):
    assert not port[1]
    assert "wrote" not in str(graded["home"])
    assert not os.path.exists(os.path.expanduser("~/x"))

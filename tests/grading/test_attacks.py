"""Attacks: the attacked answer gets nothing; the answers after it and the other students are graded as ever.

Every attack runs as an answer of its own, all in one sandbox, with an honest answer after each: what one leaves behind
would show in the next. The worst are then graded as a class, each in a sandbox of its own beside honest students.
"""

import copy
import json
import os
import socket
import threading

import pytest

from minivit.grading import assess, run
from minivit.grading.expected import values
from minivit.grading.sandbox import Limits
from minivit.grading.submissions import read
from minivit.grading.verdict import PASSED, Judge

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
    found = [p for root in ('/', '/home', '/root', '/exercise', os.getcwd(), '..')
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
    "nested_folders": HEAD + """import os
    os.chdir('/exercise/sockets')
    for _ in range(5000):
        os.mkdir('d')
        os.chdir('d')
        open('x', 'wb').write(b'x' * 1_000_000)
    return x""",
    "locked_folders": HEAD + """import os, time
    os.makedirs('/exercise/sockets/a/b')
    open('/exercise/sockets/a/b/c', 'w')
    for path in ('a/b', 'a', ''):
        try: os.chmod('/exercise/sockets/' + path, 0)
        except OSError: pass
    time.sleep(0.5)
    return x""",
    "background": HEAD + """import subprocess, sys
    for _ in range(3):
        subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)
    return x""",
    "home": HEAD + """import os
    for path in ('~/x', '/root/x', '/home/x', '/usr/x', '/etc/x', '/exercise/x', '/exercise/library/minivit/x'):
        try: open(os.path.expanduser(path), 'w').write('x')
        except OSError: continue
        if not path.startswith('~'): raise RuntimeError('wrote ' + path)
    return x""",
    "exec_bit": HEAD + "import ctypes\n    ctypes.string_at(0)",
    "deep_json": HEAD + "from IPython.display import display\n    d = 1\n    for _ in range(500): d = [d]\n"
                 "    forged = {'y': d, 'large': {'shape': [10**9], 'data': []}}\n"
                 "    display({'application/vnd.minivit.values+json': forged}, raw=True)\n    raise SystemExit",
    "syntax": "def softmax(x:",
}
LIMITS = Limits(cell_time=1.0, wall_time=8.0, memory=700 * 1024 ** 2)
WORST = ["forged_stdout", "kills_parent", "fork_bomb", "much_output"]  # graded as a class as well
SEED = 2024


@pytest.fixture(scope="module")
def port():
    """A port of this machine that would take any connection."""
    server = socket.create_server(("127.0.0.1", 0))
    caught = []
    threading.Thread(target=lambda: caught.append(server.accept()), daemon=True).start()
    yield server.getsockname()[1], caught
    server.close()


@pytest.fixture(scope="module")
def sources(tiny_exercise, port):
    """{attack: what stands in the cell of `softmax`}."""
    shown = values(tiny_exercise, "softmax")
    hard_coded = (f"import itertools\nn = itertools.count()\nseen = {shown!r}\ndef softmax(x):\n"
                  "    v = seen[['y', 'large'][next(n)]]\n    return np.array(v['data']).reshape(v['shape'])")
    network = HEAD + (f"import socket\n    socket.create_connection(('127.0.0.1', {port[0]}), 1)\n    return x")
    return {**SOURCES, "hard_coded": hard_coded, "network": network}


def test_attacks_gain_nothing_and_cost_nobody_else(box, tiny_exercise, sources, port):
    answer, judge = tiny_exercise.answers["softmax"], Judge(tiny_exercise, SEED)
    notebooks = {}
    for attack, source in sources.items():
        notebooks[attack] = run.notebook(tiny_exercise, "softmax", source, SEED)
        notebooks[f"after_{attack}"] = run.notebook(tiny_exercise, "softmax", answer.reference, SEED)
    outcomes = run.run(notebooks, box, LIMITS)
    verdicts = {name: judge.verdict("softmax", outcome) for name, outcome in outcomes.items()}
    gained = {attack: verdicts[attack] for attack in sources if verdicts[attack].points or
              verdicts[attack].status == PASSED}
    harmed = {attack: verdicts[f"after_{attack}"] for attack in sources if verdicts[f"after_{attack}"].points != 30}
    assert (gained, harmed) == ({}, {})
    said = {attack: verdicts[attack].status for attack in sources}
    assert {said["endless"], said["stubborn"], said["sleeps"]} == {"timeout"}
    assert {said["exits"], said["huge_array"], said["much_output"]} == {"error"}
    assert "SECRET" not in str(verdicts)
    assert "wrote" not in str(verdicts["home"])
    assert not os.path.exists(os.path.expanduser("~/x"))
    assert not port[1]


def test_a_class_with_attackers_is_graded_as_ever(box, tiny, tiny_exercise, submission, sources, grade_class):
    right = dict.fromkeys(tiny_exercise.answers, "solution")
    students = {attack: submission(tiny, **{**right, "softmax": sources[attack]}) for attack in WORST}
    students["a_honest"] = students["z_honest"] = submission(tiny, **right)
    students["broken"], students["huge"] = b"{", b" " * (20 * 1024 ** 2 + 1)
    records = grade_class(students, tiny, limits=LIMITS, seed=SEED)
    points = {student: [answer["points"] for answer in record["answers"].values()]
              for student, record in records.items()}
    assert points == {**dict.fromkeys(WORST, [20, 0, 50]), "a_honest": [20, 30, 50], "z_honest": [20, 30, 50],
                      "broken": [], "huge": []}


def changes(notebook):
    """Ways to tamper with the cells of a notebook: {name: notebook}."""
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

    def edit_checks(cells):
        for cell in cells:
            if cell.id.startswith("check"):
                cell.source = "SEED = 90\nshow(y=1)"

    return {"deleted": changed(lambda cells: cells.pop(place)),
            "emptied": changed(lambda cells: cells[place].update(source="  \n")),
            "duplicated": changed(lambda cells: cells.append(copy.deepcopy(cells[place]))),
            "renamed": changed(lambda cells: cells[place].update(id="answer-90-passed")),
            "reordered": changed(lambda cells: cells.reverse()),
            "edited_outputs": changed(edit_outputs), "edited_checks": changed(edit_checks),
            "checks_deleted": changed(lambda cells: [cells.remove(c) for c in list(cells) if c.id.startswith("check")])}


def test_nothing_but_the_sources_of_answer_cells_is_taken(tiny, tiny_exercise, submission):
    answers = {**dict.fromkeys(tiny_exercise.answers, "solution"), "softmax": "def softmax(x):\n    return x"}
    honest = submission(tiny, **answers)
    number, sources, _ = read(json.dumps(honest).encode())
    verdicts, expected, _ = assess.before(tiny_exercise, sources, SEED)
    assert not verdicts
    for name, notebook in changes(honest).items():
        number, sources, _ = read(json.dumps(notebook).encode())
        verdicts, notebooks, _ = assess.before(tiny_exercise, sources, SEED)
        assert number == "90"
        if name in ("deleted", "emptied", "duplicated", "renamed"):
            assert {answer: verdict.status for answer, verdict in verdicts.items()} == {"softmax": "not attempted"}
            assert notebooks == {answer: expected[answer] for answer in ("double", "both")}
        else:
            assert (verdicts, notebooks) == ({}, expected)


@pytest.mark.parametrize("source", [
    "from scipy.special import softmax", "import minivit.ops as ops\nsoftmax = ops.softmax",
    HEAD + "return np.exp(x - np.logaddexp.reduce(x, axis=-1, keepdims=True))"])
def test_the_library_s_own_version_is_refused_before_anything_runs(tiny_exercise, source):
    verdicts, notebooks, flags = assess.before(tiny_exercise, {"softmax": source}, SEED)
    assert (verdicts["softmax"].status, verdicts["softmax"].points, notebooks) == ("not allowed", 0, {})
    assert flags["softmax"]

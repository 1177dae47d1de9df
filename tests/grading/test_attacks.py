"""Attacks: the attacked answer gets nothing; the answers after it and the other students are graded as ever.

Every attack is an answer of its own, with an honest answer after each: what one leaves behind would show in the next.
The worst are then graded as a class, beside honest students. Doors that must be closed are tried one by one.
"""

import copy
import json
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from minivit.grading import marking, sandbox
from minivit.grading.attempt import Attempt, StandIns, make
from minivit.grading.expected import values
from minivit.grading.notebook import Written, read_notebook
from minivit.grading.sandbox import Limits
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
    "patched_display": "import IPython.display\nimport sys\n"
                       "sys.modules['minivit.grading.show'].display = lambda data, raw: None" + WRONG,
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
    "reads_memory": HEAD + """import gc, sys
    here = 'x.max' + '(axis=-1, keepdims=True)'  # of the reference
    with open('/proc/self/maps') as maps, open('/proc/self/mem', 'rb') as memory:
        for line in maps:
            low, high = (int(n, 16) for n in line.split()[0].split('-'))
            if ' rw' in line and high - low < 2 ** 28:
                memory.seek(low)
                try: text = memory.read(high - low)
                except OSError: continue
                if ('def softmax(x):\\\\n    \\"\\"\\"exp(x_i)').encode() in text: raise RuntimeError('SECRET')
    return x""",
    "asks_minivit": HEAD + "import importlib\n    return importlib.import_module('minivit' + '.ops').softmax(x)",
    "asks_scipy": HEAD + "return __import__('sci' + 'py.special').special.softmax(x, -1)",
    "forged_files": HEAD + """import os, json
    for root in ('/tmp', '/exercise', '/dev/shm', os.getcwd()):
        for name in ('results.json', 'softmax.json', 'record.json', 'show.py', 'inside.py'):
            try: open(os.path.join(root, name), 'w').write(json.dumps({'status': 'passed', 'points': 30}))
            except OSError: pass
    return x""",
    "forged_lines": HEAD + """import os
    done = b'{"done": {"values": {"y": {"shape": [3, 3], "data": [0,0,0,0,0,0,0,0,0]}}}}'
    for fd in range(3, 40):
        try: os.write(fd, b'{"ready": true}\\n' + done + b'\\n')
        except OSError: pass
    return x""",
    "calls_itself": HEAD + """import os
    for fd in range(3, 40):
        try: os.write(fd, b'{"call": "softmax", "arguments": {"list": [{"list": []}, {"dict": []}]}}\\n')
        except OSError: pass
    return x""",
    "nonsense_lines": HEAD + """import os
    for fd in range(3, 40):
        try: os.write(fd, b'[' * 100_000 + b'\\n')
        except OSError: pass
    return x""",
    "stand_in_objects": HEAD + """import os
    line = b'{"call": "double", "arguments": {"array": ["O", [1], "AAAAAAAAAAA=", false]}}'
    for fd in range(3, 40):
        try: os.write(fd, line + b'\\n')
        except OSError: pass
    return x""",
    "stand_in_memory": HEAD + "return double(np.zeros((1, 1)) + np.zeros((30_000, 1)))[0] * [[0] * 3] * 3",
    "endless": HEAD + "while True: pass",
    "stubborn": HEAD + "import signal\n    signal.signal(signal.SIGXCPU, signal.SIG_IGN)\n    while True:\n"
                       "        try:\n            while True: pass\n        except BaseException: pass",
    "sleeps": HEAD + "import time\n    time.sleep(1000)",
    "drips": HEAD + "import time\n    while True:\n        print('.', flush=True)\n        time.sleep(0.05)",
    "drips_lines": HEAD + """import os, time
    while True:
        for fd in range(3, 12):
            try: os.write(fd, b'{"call": "double", "arguments": {"list": [{"list": [1]}, {"dict": []}]}}\\n')
            except OSError: pass
        time.sleep(0.1)""",
    "floods": HEAD + """import os
    line = b'{"call": "double", "arguments": {"list": [{"list": [{"array": ["<f8", [1], "AAAAAAAA8D8=", false]}]}, ' \\
           b'{"dict": []}]}}\\n'
    while True:
        for fd in range(3, 12):
            try: os.write(fd, line * 100)
            except OSError: pass""",
    "floods_in_large": HEAD + """import os
    line = b'{"call": "double", "x": "' + b'x' * 30_000_000 + b'"}\\n'
    while True:
        for fd in range(3, 12):
            try: os.write(fd, line)
            except OSError: pass""",
    "never_reads": HEAD + """import os, time
    line = b'{"call": "double", "arguments": {"list": [{"list": [{"array": ["|u1", [300000], "' + b'A' * 400_000
    for fd in range(3, 12):
        try:
            for _ in range(20): os.write(fd, line + b'", false]}]}, {"dict": []}]}}\\n')
        except OSError: pass
    time.sleep(1000)""",
    "half_a_line": HEAD + "import os, time\n    for fd in range(3, 12):\n        try: os.write(fd, b'{')\n"
                          "        except OSError: pass\n    time.sleep(1000)",
    "many_threads": HEAD + "import threading, time\n    threading.stack_size(32768)\n    while True:\n"
                           "        try: threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n"
                           "        except RuntimeError: time.sleep(1000)",
    "exits": HEAD + "import os\n    os._exit(0)",
    "killed": HEAD + "import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)",
    "kills_all": HEAD + "import os, signal\n    os.kill(-1, signal.SIGKILL)\n    return x",
    "kills_parent": HEAD + "import os, signal\n    os.kill(os.getppid(), signal.SIGKILL)\n    return x",
    "system_exit": "raise SystemExit(0)",
    "fork_bomb": HEAD + "import ctypes\n    while True: ctypes.CDLL(None).fork()",
    "huge_array": HEAD + "return np.ones((10, 1024, 1024, 128))",
    "huge_result": HEAD + "return np.ones((3000, 3000))",
    "shared_memory": HEAD + """import mmap
    held = []
    while True: held.append(mmap.mmap(-1, 2 ** 28)); held[-1][::4096] = bytes(2 ** 16)""",
    "much_output": HEAD + "print('x' * 200_000_000)\n    return x",
    "many_outputs": HEAD + "import sys\n    while True: print('x' * 10_000); sys.stdout.flush()",
    "fills_disk": HEAD + """
    held = []
    for root in ('/tmp', '/exercise', '/dev/shm', '/dev', '/'):
        for i in range(40):
            try:
                held.append(open(f'{root}/{i}', 'wb'))
                import os
                os.unlink(f'{root}/{i}')
                held[-1].write(b'x' * 15_000_000); held[-1].flush()
            except OSError: pass
    size = sum(os.fstat(file.fileno()).st_size for file in held)
    if size > 70_000_000: raise RuntimeError(f'wrote {size}')
    return x""",
    "nested_folders": HEAD + """import os
    os.chdir('/tmp')
    for _ in range(5000):
        os.mkdir('d')
        os.chdir('d')
        open('x', 'wb').write(b'x' * 1_000_000)
    return x""",
    "home": HEAD + """import os
    for path in ('~/x', '/root/x', '/home/x', '/usr/x', '/etc/x', '/exercise/x', '/exercise/show.py', '/proc/sys/x'):
        try: open(os.path.expanduser(path), 'w').write('x')
        except OSError: continue
        if not path.startswith('~'): raise RuntimeError('wrote ' + path)
    return x""",
    "crash": HEAD + "import ctypes\n    ctypes.string_at(0)",
    "deep_json": HEAD + "from IPython.display import display\n    d = 1\n    for _ in range(500): d = [d]\n"
                 "    forged = {'y': d, 'large': {'shape': [10**9], 'data': []}}\n"
                 "    display({'application/vnd.minivit.values+json': forged}, raw=True)\n    raise SystemExit",
    "bad_exception": "class E(Exception):\n    def __str__(self): raise self\n" + HEAD + "raise E()",
    "syntax": "def softmax(x:",
}
LIMITS = Limits(processor=1, deadline=8.0, memory=700 * 1024 ** 2)
WORST = ["forged_lines", "kills_parent", "fork_bomb", "much_output", "fills_disk"]  # graded as a class as well
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
    reference, judge = Written(tiny_exercise.answers["softmax"].reference), Judge(tiny_exercise, SEED)

    def attack(name):
        start = time.monotonic()
        verdict = marking.mark(judge, {"softmax": Written(sources[name])}, box, LIMITS)["softmax"]
        seconds = time.monotonic() - start
        return verdict, marking.mark(judge, {"softmax": reference}, box, LIMITS)["softmax"], seconds

    with ThreadPoolExecutor(2) as pool:
        results = dict(zip(sources, pool.map(attack, sources), strict=True))
    gained = {name: verdict for name, (verdict, _, _) in results.items()
              if verdict.points or verdict.status in (PASSED, "not graded")}
    harmed = {name: after for name, (_, after, _) in results.items() if after.points != 30}
    slow = {name: seconds for name, (_, _, seconds) in results.items() if seconds > 3 * LIMITS.deadline}
    assert (gained, harmed, slow) == ({}, {}, {})
    said = {name: verdict.status for name, (verdict, _, _) in results.items()}
    endless = ("endless", "stubborn", "never_reads", "sleeps", "drips", "drips_lines", "half_a_line", "many_threads")
    assert {name: said[name] for name in endless} == dict.fromkeys(endless, "timeout")
    ended = ("exits", "huge_array", "much_output", "killed", "shared_memory", "crash")
    assert {name: said[name] for name in ended} == dict.fromkeys(ended, "error")
    assert not any(word in str(verdict) for verdict, _, _ in results.values() for word in ("SECRET", "wrote"))
    assert not os.path.exists(os.path.expanduser("~/x"))
    assert not port[1]


# Each returns normally if the door is open, and raises an OSError or the like if it is closed.
GIVEN = "import numpy as np\nfrom minivit.grading.show import show"
CALL = """
import ctypes, os
c = ctypes.CDLL(None, use_errno=True)
def closed(code):
    if code < 0: raise OSError(ctypes.get_errno(), 'closed')
"""
DOORS = {
    "a file in memory": "closed(c.memfd_create(b'x', 0))",
    "System V memory": "closed(c.shmget(0, 1 << 20, 0o1600))",
    "System V queue": "closed(c.msgget(1234, 0o1600))",
    "System V semaphore": "closed(c.semget(1234, 1, 0o1600))",
    "POSIX memory": "import mmap; f = open('/dev/shm/x', 'wb+'); f.write(bytes(2 << 20)); f.flush()",
    "POSIX queue": "closed(c.syscall(240, b'q', 0o102, 0o600, 0))",
    "a user namespace": "closed(c.unshare(0x10000000))",
    "a mount namespace": "closed(c.unshare(0x20000))",
    "a mount": "closed(c.mount(b'x', b'/tmp', b'tmpfs', 0, None))",
    "clone with a namespace": "closed(c.syscall(56, 0x10000000 | 17, 0, 0, 0, 0))",
    "fork": "closed(c.fork())",
    "vfork": "closed(c.syscall(58))",
    "clone3": "closed(c.syscall(435, b'\\0' * 88, 88))",
    "a key": "closed(c.syscall(248, b'user', b'minivit', b'x', 1, -3))",
    "keyctl": "closed(c.syscall(250, 0, -3, 0, 0, 0))",
    "flock": "import fcntl; fcntl.flock(open('/exercise/show.py'), fcntl.LOCK_SH)",
    "lockf": "import fcntl; fcntl.fcntl(open('/exercise/show.py'), fcntl.F_SETLK, bytes(32))",
    "a lock of an open file": "import fcntl; fcntl.fcntl(open('/exercise/show.py'), 37, bytes(32))",
    "a lease": "import fcntl; fcntl.fcntl(open('/exercise/show.py'), 1024, 0)",
    "inotify": "closed(c.inotify_init())",
    "the network": "import socket; socket.socket(socket.AF_INET, socket.SOCK_STREAM)",
    "netlink": "import socket; socket.socket(16, socket.SOCK_RAW)",
    "ptrace": "closed(c.ptrace(0, 0, 0, 0))",
    "io_uring": "closed(c.syscall(425, 1, b'\\0' * 120))",
    "bpf": "closed(c.syscall(321, 0, b'\\0' * 120, 120))",
    "more memory": "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40))",
    "more time": "import resource; resource.setrlimit(resource.RLIMIT_CPU, (1000, 1000))",
    "a large file": "f = open('/tmp/x', 'wb'); f.truncate(1 << 25)",
    "a file of the host": "open('/etc/passwd')",
    "a process of the host": "open('/proc/20000/stat')",
    "the kernel's settings": "open('/proc/sys/kernel/core_pattern', 'w')",
    "the system's files": "open('/sys/kernel/mm/transparent_hugepage/enabled')",
    "the code that runs it": "open('/exercise/inside.py', 'a')",
}


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="some numbers of system calls are of x86-64")
def test_every_door_is_closed(box):
    tries = [f"try:\n    {code}\n    found.append({name!r})\nexcept (OSError, ValueError): pass"
             for name, code in DOORS.items() if name != "a large file"]
    # SIGXFSZ is ignored by Python, and a file that is too large is an error
    tries += [f"try:\n    {DOORS['a large file']}\n    found.append('a large file')\nexcept OSError: pass"]
    source = CALL + "found = ['tried']\n" + "\n".join(tries) + "\ndef look(): return np.array(found)"
    attempt = Attempt("look", [("given", GIVEN), ("answer", source), ("check", "show(found=look())")], [])
    outcome = make(attempt, box, Limits(), StandIns(box, Limits(), []))
    assert outcome.error == ""
    assert outcome.values["found"]["data"] == ["tried"]


def test_attacks_do_not_leave_a_process_or_a_file(box, tiny_exercise, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(sandbox, "INSIDE", Path("/exercise-of-this-test"))  # in the command line of all that is started
    marking.mark(Judge(tiny_exercise, SEED), {"softmax": Written(SOURCES["fork_bomb"])}, box, LIMITS)
    running = [pid for pid in os.listdir("/proc") if pid.isdigit() and b"/exercise-of-this-test" in command_line(pid)]
    assert not running
    assert not list(tmp_path.iterdir())


def command_line(pid):
    """What a process was started with."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""


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
            "renamed": changed(lambda cells: cells[place].update(id="answer-90-passed", source="passed = 1")),
            "duplicated": changed(lambda cells: cells.append(copy.deepcopy(cells[place]))),
            "reordered": changed(lambda cells: cells.reverse()),
            "edited_outputs": changed(edit_outputs), "edited_checks": changed(edit_checks),
            "checks_deleted": changed(lambda cells: [cells.remove(c) for c in list(cells) if c.id.startswith("check")])}


def test_nothing_but_the_sources_of_answer_cells_is_taken(tiny, tiny_exercise, submission):
    answers = {**dict.fromkeys(tiny_exercise.answers, "solution"), "softmax": "def softmax(x):\n    return x"}
    honest = submission(tiny, **answers)
    number, sources, _ = read_notebook(json.dumps(honest).encode())
    verdicts, expected, _ = marking.sort_out(tiny_exercise, sources, SEED)
    assert not verdicts
    for name, notebook in changes(honest).items():
        number, sources, _ = read_notebook(json.dumps(notebook).encode())
        verdicts, attempts, _ = marking.sort_out(tiny_exercise, sources, SEED)
        assert number == "90"
        if name in ("deleted", "emptied", "renamed"):
            assert {answer: verdict.status for answer, verdict in verdicts.items()} == {"softmax": "not attempted"}
            assert attempts == {answer: expected[answer] for answer in ("double", "both")}
        else:
            assert (verdicts, attempts) == ({}, expected), name


def test_earlier_answers_are_not_where_an_answer_runs(tiny_exercise):
    references = [answer.reference for answer in tiny_exercise.answers.values()]
    for name in tiny_exercise.answers:
        attempt = marking.attempt_at(tiny_exercise, name, Written("pass"), SEED)
        text = str(attempt.cells)
        assert not any(reference in text or repr(reference)[1:-1] in text for reference in references)
        assert attempt.stand_ins == tiny_exercise.earlier(name)

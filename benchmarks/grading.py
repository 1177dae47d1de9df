"""python -m benchmarks.grading: how long a class takes, and whether every grade is right.

Honest students hand in right answers, named mutants and untouched cells, mixed; hostile ones attack in one answer;
broken files are no notebooks.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path

from minivit.grading.exercise import load_exercise
from minivit.grading.grade import grade

HOSTILE = {  # what stands in for the first answer
    "endless": "while True: pass",
    "sleeping": "import time\ntime.sleep(1000)",
    "dripping": "import time\nwhile True:\n    print('.', flush=True)\n    time.sleep(0.05)",
    "leaving": "import os\nos._exit(0)",
    "killing": "import os, signal\nfor pid in (-1, os.getppid(), os.getpid()):\n"
               "    try: os.kill(pid, signal.SIGKILL)\n    except OSError: pass",
    "forking": "import ctypes\nfor _ in range(10 ** 5): ctypes.CDLL(None).fork()",
    "hoarding": "held = []\nwhile True: held.append(np.ones(10 ** 7))",
    "printing": "while True: print('x' * 10_000)",
    "filling": "held = []\nwhile True: held.append(open(f'/tmp/{len(held)}', 'wb').write(b'x' * 10 ** 7))",
    "forging": "import os\nfor fd in range(3, 20):\n    try: os.write(fd, b'{\"done\": {\"values\": {}}}\\n')\n"
               "    except OSError: pass",
}
BROKEN = [b"", b"{", b"%PDF-1.4", b"<html>please log in</html>", b"PK\3\4", b"\xff\xfe\x00"]


def main():
    """Hand in for a class, grade it, print the time and what is not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grading", description=__doc__)
    parser.add_argument("--honest", type=int, default=100, help="honest students (default 100)")
    parser.add_argument("--hostile", type=int, default=0, help="hostile students (default none)")
    parser.add_argument("--broken", type=int, default=0, help="files that are no notebooks (default none)")
    parser.add_argument("--exercise", default="03", help="the exercise (default 03)")
    parser.add_argument("--jobs", type=int, default=2, help="submissions at a time (default 2)")
    args = parser.parse_args()
    exercise = load_exercise(args.exercise)
    files, expected = make_class(exercise, args)
    with tempfile.TemporaryDirectory() as folder:
        handed_in = Path(folder) / "class"
        for student, content in files.items():
            (handed_in / student).mkdir(parents=True)
            (handed_in / student / "exercise.ipynb").write_bytes(content)
        before, start = leftovers(), time.perf_counter()
        records, _ = grade(handed_in, Path(folder) / "results", jobs=args.jobs, seed=1)
        seconds = time.perf_counter() - start
        left = leftovers() - before
    points = {record["student"]: record["points"] for record in records}
    wrong = {student: (points.get(student), right) for student, right in expected.items()
             if points.get(student) != right}
    print(f"exercise {args.exercise}: {len(records)} submissions, {len(wrong)} wrong grades, {len(left)} things left, "
          f"{seconds:.1f} s ({args.jobs} at a time, {os.cpu_count()} cores, {records[0]['sandbox']}, Python "
          f"{platform.python_version()})")
    for student, (given, right) in wrong.items():
        print(f"{student}: {given} points, {right} are right")
    print("\n".join(sorted(left)), end="")
    return 1 if wrong or left else 0


def make_class(exercise, args):
    """({student: content of the file}, {student: points that are right})."""
    files, expected = {}, {}
    for place in range(args.honest):
        sources, expected[f"honest{place:03}"] = honest(exercise, place)
        files[f"honest{place:03}"] = notebook(exercise, sources)
    for place in range(args.hostile):
        kind, attack = [*HOSTILE.items()][place % len(HOSTILE)]
        sources = {name: answer.reference for name, answer in exercise.answers.items()}
        first = next(iter(exercise.answers.values()))
        head = first.reference.partition("\n")[0]
        sources[first.name] = "\n    ".join([head, *attack.splitlines(), "return 0"])
        student = f"{kind}{place:03}"
        files[student], expected[student] = notebook(exercise, sources), exercise.points - first.points
    for place in range(args.broken):
        files[f"broken{place:03}"], expected[f"broken{place:03}"] = BROKEN[place % len(BROKEN)], 0
    return files, expected


def honest(exercise, student):
    """({answer: source}, points): every fourth answer is a mutant, and every ninth is missing."""
    sources, points = {}, 0
    for place, (name, answer) in enumerate(exercise.answers.items(), start=student):
        wrong = [source for source, _ in answer.mutants.values()]
        mutant = wrong[place % len(wrong)]
        sources[name] = answer.stub if place % 9 == 8 else mutant if place % 4 == 3 else answer.reference
        points += answer.points * (sources[name] == answer.reference)
    return sources, points


def notebook(exercise, sources):
    """A notebook of answer cells, as bytes."""
    cells = [{"cell_type": "code", "id": f"answer-{exercise.number}-{name}", "source": source}
             for name, source in sources.items()]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def leftovers():
    """Processes of sandboxes, files in the temporary folder, and keys, as far as the system shows them."""
    found = {f"file: {name}" for name in os.listdir(tempfile.gettempdir()) if name.startswith("minivit-")}
    for pid in filter(str.isdigit, os.listdir("/proc") if os.path.isdir("/proc") else ()):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if b"inside.py" in words:
            found.add(f"process: {words.decode(errors='replace')}")
    keys = Path("/proc/keys")
    return found | ({f"key: {line}" for line in keys.read_text().splitlines() if "user" in line.split()[7:8]}
                    if keys.exists() else set())


if __name__ == "__main__":
    raise SystemExit(main())

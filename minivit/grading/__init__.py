"""Graded exercises: one source, three notebooks; check cells show values, and the grader judges them outside.

    source.py       exercises/source/NN_name.py (jupytext percent) -> the pristine notebook
    build.py        pristine -> the student's notebook and the solution
    exercise.py     the pristine notebook as the grader sees it: answers, checks, points, hints, mutants
    show.py         what a check cell calls; the only part of minivit that the sandbox holds
    expected.py     the values of the reference and of the mutants, for a secret seed
    judge.py        values against values: what a teacher would say
    rules.py        what an answer may not use, found in its syntax tree
    sandbox.py      the sandbox that works here, and its limits;  walls.py: what is seen from inside it
    forkserver.py   runs inside the sandbox: a fresh, warm kernel for every answer
    kernel.py       nbval's kernel, behind the sandbox and its limits
    run.py          a submission's answers through nbval
    submissions.py  folders, notebooks, LMS archives; the roster
    grade.py        a class, in parallel, interruptible
    reports.py      JSON, CSV, JUnit, Gradescope, Moodle, Canvas;  feedback.py: a page for each student
    check.py        the same for the student, with the public seed
"""

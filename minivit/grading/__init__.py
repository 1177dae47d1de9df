"""Graded exercises: one source, three notebooks; check cells show values, and the grader judges them outside.

    source.py       exercises/source/NN_name.py (jupytext percent) -> the pristine notebook
    build.py        pristine -> the student's notebook, the solution, what `check` needs;  mutate.py: slips by machine
    exercise.py     an exercise as the grader sees it: answers, checks, points, hints, mutants
    kinds.py        what an answer asks for: retype, transfer, debug, measure, read;  seal.py: values nobody can read
    figures.py      what the figures of an exercise show, run where it is built
    show.py         what a check cell calls: it shows values
    expected.py     the values of the reference and of the mutants, for a secret seed
    differences.py  values against values: what a teacher would say
    rules.py        what an answer may not use, found in its syntax tree

    notebook.py     which cells of a handed-in notebook are answers, and which helpers they use
    submissions.py  folders, notebooks, LMS archives;  students.py: names and class lists
    sandbox.py      bubblewrap, the system calls it refuses, the limits; or a plain process
    inside.py       what runs in it: one answer, or what stands in for earlier ones
    attempt.py      one answer until it is done or its deadline comes: an Outcome
    marking.py      one submission: what need not run, what must, and the verdicts;  verdict.py: from Outcome to Verdict
    grade.py        a class, in parallel, interruptible
    reports.py      JSON, CSV, JUnit, Gradescope, Moodle, Canvas;  feedback.py: a page for each student
    check.py        the same for the student, with the public seed;  stored.py: nbval on the outputs that are stored
"""

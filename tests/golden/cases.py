"""What is compared with official implementations, of all families; and whose results are stored in this folder."""

from tests.known import collect

EVERY = collect("CASES")
CASES = [case for case in EVERY if case.library != "authors"]  # those whose library can be run beside ours
GOLDEN = [case for case in EVERY if case.golden]

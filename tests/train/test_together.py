"""Several processes train one model: the result of one process, and no hang when one of them is lost."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from minivit.processes import ALONE
from minivit.train import Run
from minivit.train.optim.sharded import owners
from tests.train.runs import assert_same_end
from tests.train.test_processes import COMMAND, RECIPE, ROOT, TASKS as SETTINGS
from tests.train.together import TASKS, trained

beside = Path(sys.executable).with_name("mpiexec")
MPIEXEC = str(beside) if beside.exists() else shutil.which("mpiexec")
CLASSIFY = RECIPE.format(task="classify", settings=SETTINGS["classify"]).replace("threads=2", "threads=1")
TOGETHER = {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT),
            "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
pytest.importorskip("mpi4py", reason="needs requirements-mpi.txt")
needs_mpi = pytest.mark.skipif(not MPIEXEC, reason="needs mpiexec: requirements-mpi.txt")


def start(count, *command):
    """`count` processes of Python."""
    return subprocess.Popen([MPIEXEC, "-n", str(count), sys.executable, *map(str, command)], cwd=ROOT, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ | TOGETHER)


def ended(process):
    """What processes said, until the end, which comes within four minutes."""
    try:
        said, _ = process.communicate(timeout=240)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return said


@pytest.fixture(scope="module", params=[2, 4])
def together(request, tmp_path_factory):
    """A folder with what so many processes have trained."""
    if not MPIEXEC:
        pytest.skip("needs mpiexec")
    folder = tmp_path_factory.mktemp("together")
    process = start(request.param, "-m", "tests.train.together", folder)
    said = ended(process)
    assert process.returncode == 0, said
    return folder


@pytest.fixture(scope="module")
def alone():
    """{name: what one process has trained}"""
    return {name: trained(name) for name in TASKS}


@pytest.mark.parametrize("shard", [None, "optimiser"])
@pytest.mark.parametrize("name", TASKS)
def test_processes_train_to_what_one_process_trains_to(name, shard, together, alone):
    with np.load(together / f"{name} {shard}.npz") as found:
        assert found.keys() == alone[name].keys()
        for key, expected in alone[name].items():
            np.testing.assert_allclose(found[key], expected, rtol=1e-12, atol=1e-12, err_msg=key)


@pytest.fixture(scope="module")
def run_of(tmp_path_factory):
    """Start a run in a folder, or go on with it, with two processes."""
    recipe = tmp_path_factory.mktemp("recipe") / "recipe.py"
    recipe.write_text(CLASSIFY)

    def begin(folder, *, resume=False):
        words = ["--resume", folder] if resume else ["--recipe", recipe, "--save-every", "0.05", "--out", folder]
        return start(2, "-c", COMMAND, "train", *words)
    return begin


@needs_mpi
def test_a_process_that_is_killed_ends_all_and_the_run_goes_on_to_the_same_bits(run_of, tmp_path):
    whole, run = Run(tmp_path / "whole"), Run(tmp_path / "run")
    assert "next: python -m minivit predict" in ended(run_of(whole.folder))
    process = run_of(run.folder)
    first = process.stdout.readline() + process.stdout.readline()
    while not run.checkpoint_path.exists():
        time.sleep(0.01)
    victim = int(re.search(r"1 is \S+:(\d+)", first)[1])
    os.kill(victim, signal.SIGKILL)
    begun = time.perf_counter()
    said = first + ended(process)
    assert time.perf_counter() - begun < 20
    assert process.returncode != 0
    assert f"go on with: mpiexec -n 2 python -m minivit train --resume {run.folder}" in said
    assert run.result() is None, "it ended before it could be killed"
    ended(run_of(run.folder, resume=True))
    assert_same_end(run, whole)


FULL_DISK = """
import resource
from minivit.processes import processes
if processes().rank == 0:
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # a checkpoint is larger
"""


@needs_mpi
def test_a_full_disk_of_the_first_process_stops_all(tmp_path):
    recipe = tmp_path / "recipe.py"
    recipe.write_text(CLASSIFY)
    said = ended(process := start(2, "-c", FULL_DISK + COMMAND, "train", "--recipe", recipe, "--out", tmp_path / "run"))
    assert process.returncode != 0
    assert re.search(r"process 0 of 2: minivit: .* cannot be written", said), said
    assert "go on with: mpiexec -n 2 python -m minivit train --resume" in said


NAN = """
import numpy as np
from minivit.processes import processes
from minivit.tasks.classify import Classify
def loss(self, images, labels, before=Classify.loss):
    value, numbers = before(self, images, labels)
    return value * (np.nan if processes().rank == 1 else 1), numbers
Classify.loss = loss
"""


@needs_mpi
def test_a_loss_that_is_not_finite_in_one_process_stops_all(tmp_path):
    recipe = tmp_path / "recipe.py"
    recipe.write_text(CLASSIFY)
    process = start(2, "-c", NAN + COMMAND, "train", "--recipe", recipe, "--out", tmp_path / "run")
    said = ended(process)
    assert process.returncode != 0
    assert said.count("try a smaller learning rate") == 1
    assert "process 0 of 2" in said


@needs_mpi
def test_an_error_of_one_process_that_nobody_expects_stops_all(tmp_path):
    code = "from minivit.processes import processes\ngroup = processes()\nassert group.rank == 0\ngroup.any_of(True)"
    process = start(2, "-c", code)
    said = ended(process)
    assert process.returncode != 0
    assert "process 1 of 2" in said
    assert "AssertionError" in said


@needs_mpi
def test_fewer_pictures_than_processes_are_an_error(tmp_path):
    few = ["--batch-size", "3", "--steps", "1", "--out", tmp_path / "run"]
    said = ended(start(4, "-c", COMMAND, "train", "vit", *few))
    assert "batch_size: expected a picture for each of 4 processes, got 3" in said


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("sizes", [[5, 100, 3, 50, 50, 4, 90, 2], [1, 1, 1, 1, 1, 1, 1, 1000], [1000] + 20 * [1]])
def test_owners_have_parts_of_nearly_equal_size(sizes, count):
    owner = owners(sizes, count)
    assert owner == sorted(owner)
    assert set(owner) == set(range(count))
    parts = [sum(size for size, rank in zip(sizes, owner, strict=True) if rank == part) for part in range(count)]
    assert max(parts) <= sum(sizes) / count + max(sizes)


def test_more_processes_than_tensors_are_an_error():
    with pytest.raises(ValueError, match="expected a tensor for each of 3 processes, got 2"):
        owners([4, 5], 3)


def test_one_process_alone_exchanges_nothing():
    array = np.arange(3.0)
    assert ALONE.all_sum(array) is array
    assert ALONE.all_gather([array])[0] is array
    assert ALONE.any_of(True, False) == [True, False]
    assert (ALONE.agreed("x"), ALONE.objects("x"), ALONE.cores(8)) == ("x", ["x"], 8)

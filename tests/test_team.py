"""What threads that share a batch compute together."""

import threading

import numpy as np

from minivit.team import Team, all_sum


def run_team(size, work):
    """The results of work(rank) in one thread for each rank, and what they raised."""
    team, results, errors = Team(size), [None] * size, [None] * size

    def member(rank):
        try:
            with team.member(rank):
                results[rank] = work(rank)
        except BaseException as error:
            errors[rank] = error

    threads = [threading.Thread(target=member, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    return results, errors


def test_all_sum_adds_over_the_team_in_the_order_of_ranks():
    parts = np.random.default_rng(0).standard_normal((4, 50, 3)).astype(np.float32)
    results, errors = run_team(4, lambda rank: [all_sum(parts[rank] * step) for step in range(20)])
    assert errors == [None] * 4
    for result in results:
        for step, total in enumerate(result):
            scaled = parts * np.float32(step)
            np.testing.assert_array_equal(total, scaled[0] + scaled[1] + scaled[2] + scaled[3])


def test_outside_a_team_all_sum_is_the_array_itself():
    x = np.ones(3)
    assert all_sum(x) is x
    assert run_team(1, lambda rank: all_sum(x))[0][0] is x


def test_an_error_in_one_member_releases_the_others():
    def work(rank):
        if rank == 1:
            raise KeyError("broken")
        return all_sum(np.ones(2))

    _, errors = run_team(3, work)
    assert isinstance(errors[1], KeyError)
    assert isinstance(errors[0], threading.BrokenBarrierError)

"""Which job runs next: decided without I/O or clock."""

import pytest

from reward_server.processes.lanes import IDLE_S, Lanes


def fill(lanes: Lanes[str], quick: int, slow: int, now: float = 0.0) -> tuple[int, int]:
    """Starts all that may start; (quick, slow) jobs that run then."""
    for is_slow in [False] * quick + [True] * slow:
        lanes.add("job", is_slow=is_slow)
    while (lane := lanes.next_lane(now)) is not None:
        lanes.start(lane)
    return lanes.quick.running, lanes.slow.running


def test_a_lane_leaves_one_worker_to_the_other() -> None:
    assert fill(Lanes(3), quick=10, slow=0) == (2, 0)
    assert fill(Lanes(3), quick=0, slow=10) == (0, 2)
    assert fill(Lanes(3), quick=10, slow=10) == (2, 1)
    assert fill(Lanes(2), quick=10, slow=10) == (1, 1)


def test_a_quick_job_finds_a_worker_though_long_ones_came_first() -> None:
    lanes: Lanes[str] = Lanes(3)
    assert fill(lanes, quick=0, slow=10) == (0, 2)
    assert fill(lanes, quick=10, slow=0) == (1, 2)
    lanes.end(lanes.slow, 0.5, now=0.0)
    assert fill(lanes, quick=0, slow=0) == (2, 1), "a worker that becomes free is the quick lane's"


def test_slow_jobs_take_half_of_the_workers_until_no_quick_one_came_for_a_while() -> None:
    lanes: Lanes[str] = Lanes(9)
    assert fill(lanes, quick=1, slow=10) == (1, 4)
    lanes.end(lanes.quick, 0.01, now=5.0)
    assert fill(lanes, quick=0, slow=0, now=5.0 + IDLE_S / 2) == (0, 4)
    assert fill(lanes, quick=0, slow=0, now=5.0 + IDLE_S) == (0, 8)


def test_one_worker_has_one_lane() -> None:
    lanes: Lanes[str] = Lanes(1)
    assert not lanes.has_slices
    assert fill(lanes, quick=3, slow=0) == (1, 0)


def test_the_wait_is_the_queue_over_the_measured_rate() -> None:
    lanes: Lanes[str] = Lanes(3)
    assert lanes.quick.estimated_wait_s == 0
    for _ in range(200):
        lanes.add("job")
        lanes.start(lanes.quick)
        lanes.end(lanes.quick, 0.5, now=0.0)
    for _ in range(10):
        lanes.add("job")
    assert 2.49 < lanes.quick.estimated_wait_s < 2.5  # 10 jobs x 0.5 s / 2 workers, nearly reached from 0.01


def test_one_long_job_among_the_first_hardly_counts() -> None:
    lanes: Lanes[str] = Lanes(2)
    lanes.add("job")
    lanes.start(lanes.quick)
    lanes.end(lanes.quick, 1.01, now=0.0)
    lanes.add("job")
    assert lanes.quick.estimated_wait_s == pytest.approx(0.01 + 0.05)  # a twentieth of the second above


def test_a_dropped_job_never_runs() -> None:
    lanes: Lanes[str] = Lanes(2)
    for job in ("left", "wanted"):
        lanes.add(job)
    assert lanes.drop(lanes.quick) == "left"
    assert (lanes.start(lanes.quick), lanes.quick.running) == ("wanted", 1)


def test_a_pool_of_one_worker_begins_known_long_jobs_in_its_only_lane() -> None:
    lanes: Lanes[str] = Lanes(1)
    lanes.add("long", is_slow=True)
    assert lanes.next_lane(0.0) is lanes.quick

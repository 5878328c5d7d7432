"""Checkpoint schedules: exact actions, execution on a toy state, and optimality against dynamic programming."""

import time
from functools import cache
from math import comb

import pytest

from engine.diff.schedule import (
    Forward,
    Record,
    Restore,
    Reverse,
    Revolve,
    Save,
    Segments,
    StoreAll,
    choose,
    format_bytes,
    parse_bytes,
)

SIZES = dict(snapshot_bytes=3, record_bytes=5)


def execute(schedule):
    """Run both passes on a state that is its step number, checking each action. Returns the steps advanced over.

    The record buffer is a list of which row i is the record of the step in it.
    """
    slots, buffer, reversed_steps, advanced = {}, [], [], 0
    state = 0
    for in_primal, actions in ((True, schedule.primal), (False, schedule.reverse)):
        for action in actions:
            match action:
                case Forward(start, stop) | Record(start, stop):
                    assert state == start < stop <= schedule.steps
                    if isinstance(action, Record):
                        buffer = list(range(start, stop))
                        assert len(buffer) <= schedule.rows
                    state = stop
                    advanced += stop - start
                case Save(slot, step):
                    assert 0 <= slot < schedule.slots and state == step
                    slots[slot] = step
                case Restore(slot, step):
                    assert not in_primal and slots[slot] == step
                    state = step
                case Reverse(start, stop):
                    assert not in_primal and buffer == list(range(start, stop))
                    reversed_steps += range(stop - 1, start - 1, -1)
                    buffer = []
        if in_primal:
            assert state == advanced == schedule.steps
    assert reversed_steps == list(range(schedule.steps - 1, -1, -1))
    return advanced


@cache
def fewest_repeated_steps(steps, rows, slots):
    """The optimum by dynamic programming over every split, step by step; the start needs a slot if it is used again."""
    if steps <= rows:
        return 0
    if slots == 0:
        return float("inf")
    splits = range(1, steps)
    return min(
        m + fewest_repeated_steps(steps - m, rows, slots - 1) + fewest_repeated_steps(m, rows, slots) for m in splits
    )


def test_store_all_records_once_and_reverses_once():
    schedule = StoreAll(7, **SIZES)
    assert schedule.primal == (Record(0, 7),)
    assert schedule.reverse == (Reverse(0, 7),)
    assert (schedule.slots, schedule.bytes, schedule.recompute) == (0, 35, 0)


def test_segments_actions_with_a_short_first_segment():
    schedule = Segments(8, rows=3, **SIZES)
    assert schedule.primal == (Save(0, 0), Forward(0, 2), Save(1, 2), Forward(2, 5), Record(5, 8))
    assert schedule.reverse == (
        Reverse(5, 8),
        Restore(1, 2), Record(2, 5), Reverse(2, 5),
        Restore(0, 0), Record(0, 2), Reverse(0, 2),
    )  # fmt: skip
    assert (schedule.slots, schedule.bytes, schedule.recompute) == (2, 2 * 3 + 3 * 5, 5 / 8)


def test_segments_of_one_step():
    schedule = Segments(3, rows=1, **SIZES)
    assert schedule.primal == (Save(0, 0), Forward(0, 1), Save(1, 1), Forward(1, 2), Record(2, 3))
    assert schedule.reverse == (
        Reverse(2, 3),
        Restore(1, 1), Record(1, 2), Reverse(1, 2),
        Restore(0, 0), Record(0, 1), Reverse(0, 1),
    )  # fmt: skip


def test_revolve_with_one_slot_starts_over_for_each_block():
    schedule = Revolve(5, rows=2, slots=1, **SIZES)
    assert schedule.primal == (Save(0, 0), Forward(0, 3), Record(3, 5))
    assert schedule.reverse == (
        Reverse(3, 5),
        Restore(0, 0), Forward(0, 1), Record(1, 3), Reverse(1, 3),
        Restore(0, 0), Record(0, 1), Reverse(0, 1),
    )  # fmt: skip
    assert schedule.repeated_steps == 4


def test_revolve_with_two_slots_covers_six_steps_in_two_repeats():
    schedule = Revolve(6, rows=1, slots=2, **SIZES)
    assert schedule.repeats == 2
    assert schedule.primal == (Save(0, 0), Forward(0, 3), Save(1, 3), Forward(3, 5), Record(5, 6))
    assert schedule.reverse == (
        Reverse(5, 6),
        Restore(1, 3), Forward(3, 4), Record(4, 5), Reverse(4, 5),
        Restore(1, 3), Record(3, 4), Reverse(3, 4),
        Restore(0, 0), Forward(0, 1), Save(1, 1), Forward(1, 2), Record(2, 3), Reverse(2, 3),
        Restore(1, 1), Record(1, 2), Reverse(1, 2),
        Restore(0, 0), Record(0, 1), Reverse(0, 1),
    )  # fmt: skip
    assert schedule.repeated_steps == 8


def test_revolve_with_enough_slots_is_segments():
    for steps, rows in ((8, 3), (9, 3), (10, 1), (17, 5)):
        segments = Segments(steps, rows, **SIZES)
        revolve = Revolve(steps, rows, slots=steps, **SIZES)
        assert (revolve.primal, revolve.reverse, revolve.bytes) == (segments.primal, segments.reverse, segments.bytes)


@pytest.mark.parametrize("rows", (1, 2, 3, 5))
def test_every_revolve_executes_and_is_optimal(rows):
    for steps in range(1, 41):
        for slots in range(1, 7):
            schedule = Revolve(steps, rows, slots, **SIZES)
            repeated = execute(schedule) - steps
            assert repeated == schedule.repeated_steps == fewest_repeated_steps(steps, rows, slots)


def test_no_step_is_advanced_over_more_often_than_the_binomial_bound():
    for slots in range(1, 6):
        for repeats in range(1, 5):
            blocks = comb(slots + repeats, slots)
            for steps, expected in ((2 * blocks, repeats), (2 * blocks + 1, repeats + 1)):
                schedule = Revolve(steps, 2, slots, **SIZES)
                passes = [0] * steps
                for action in schedule.primal + schedule.reverse:
                    if isinstance(action, Forward):
                        for step in range(action.start, action.stop):
                            passes[step] += 1
                assert max(passes) == schedule.repeats == expected


@pytest.mark.parametrize("steps", (1, 2, 3, 10, 64, 257, 1000))
@pytest.mark.parametrize("sizes", ((3, 5), (1, 40), (8, 8), (20, 1)))
def test_chosen_schedules_execute_within_the_budget(steps, sizes):
    snapshot_bytes, record_bytes = sizes
    least = min(steps * record_bytes, snapshot_bytes + record_bytes)
    everything = steps * record_bytes
    budgets = sorted({least + (everything - least) * k // 200 for k in (0, 1, 3, 10, 30, 100, 180, 200)})
    recomputes = []
    for budget in budgets:
        schedule = choose(steps, snapshot_bytes, record_bytes, budget)
        assert schedule.bytes <= budget
        if schedule.recompute < 50:
            assert execute(schedule) == steps + schedule.repeated_steps
        recomputes.append(schedule.recompute)
    assert recomputes == sorted(recomputes, reverse=True)
    assert recomputes[-1] == 0


def test_choose_finds_the_best_balance_of_slots_and_rows():
    for steps in (5, 12, 30):
        for snapshot_bytes, record_bytes in ((1, 1), (2, 3), (1, 6)):
            for budget in range(snapshot_bytes + record_bytes, steps * record_bytes + 1):
                best = min(
                    fewest_repeated_steps(steps, rows, min(steps, (budget - rows * record_bytes) // snapshot_bytes))
                    for rows in range(1, min(steps, budget // record_bytes) + 1)
                )
                assert choose(steps, snapshot_bytes, record_bytes, budget).repeated_steps == best


def test_choose_prefers_the_simplest_of_equal_schedules():
    assert isinstance(choose(100, 10, 20, 2000), StoreAll)
    assert isinstance(choose(100, 10, 20, 1999), Segments)
    assert isinstance(choose(100, 10, 20, 100), Revolve)


def test_a_small_budget_is_refused_with_the_bytes_needed():
    with pytest.raises(ValueError, match=r"1\.464 KiB.*1000 steps.*at least 2\.93 KiB \(3000 bytes\).*one snapshot"):
        choose(1000, 1000, 2000, 1499)
    with pytest.raises(ValueError, match=r"at least 7 B \(7 bytes\), the records of 1 steps"):
        choose(1, 100, 7, 6)
    assert choose(1000, 1000, 2000, 3000).bytes == 3000
    assert choose(1, 100, 7, 7).bytes == 7


@pytest.mark.parametrize(
    "arguments, message",
    (
        ((0, 1, 1, 10), "steps=0 must be at least 1"),
        ((5, 0, 1, 10), "snapshot_bytes=0"),
        ((5, 1, -1, 10), "record_bytes=-1"),
        ((5, 1, 1, 0), "memory=0 must be positive"),
    ),
)
def test_bad_sizes_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        choose(*arguments)


def test_bad_rows_and_slots_are_refused_by_name():
    with pytest.raises(ValueError, match="rows=0"):
        Revolve(5, 0, 1, **SIZES)
    with pytest.raises(ValueError, match="slots=0 must be at least 1"):
        Revolve(5, 2, 0, **SIZES)
    with pytest.raises(TypeError, match=r"steps=2\.5 must be an int"):
        StoreAll(2.5, **SIZES)


def test_long_rollouts_are_planned_at_once():
    begin = time.perf_counter()
    for budget in (300, "1KB", "10KB", "1MB", "19MB"):
        choose(100_000, 100, 200, budget)
    schedule = choose(100_000, 100, 200, "10KB")
    assert execute(schedule) == 100_000 + schedule.repeated_steps
    deep = Revolve(20_000, rows=1, slots=1, **SIZES)  # 19,999 repeats: no recursion may follow them
    assert len(deep.reverse) == 4 * 20_000 - 4
    assert time.perf_counter() - begin < 5


def test_plan_prints_what_it_costs():
    text = str(Revolve(1000, rows=8, slots=12, snapshot_bytes=1024, record_bytes=3 * 2**20))
    for part in ("Revolve: 1,000 steps in 125 blocks", "12 x 1 KiB", "8 x 3 MiB", "24.01 MiB", "recompute factor 2.1"):
        assert part in text


@pytest.mark.parametrize(
    "memory, size",
    ((4096, 4096), ("64MiB", 64 * 2**20), ("1.5 GB", 1_500_000_000), ("2 KiB", 2048), ("7B", 7), ("1GiB", 2**30)),
)
def test_parse_bytes(memory, size):
    assert parse_bytes(memory) == size


@pytest.mark.parametrize("memory", ("64", "64mib", "MiB", "-1MiB", "1 TB", ""))
def test_parse_bytes_names_what_is_allowed(memory):
    with pytest.raises(ValueError, match="KiB, MiB, GiB"):
        parse_bytes(memory)


@pytest.mark.parametrize("memory", (None, 1.5, True))
def test_parse_bytes_refuses_other_types(memory):
    with pytest.raises(TypeError, match="not a size"):
        parse_bytes(memory)


def test_format_bytes():
    assert [format_bytes(size) for size in (12, 1536, 2**20, 5 * 2**30)] == ["12 B", "1.5 KiB", "1 MiB", "5 GiB"]

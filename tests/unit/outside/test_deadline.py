from __future__ import annotations

import os

from flux_secret.outside.clock import Clock, uptime
from flux_secret.outside.deadline import ALWAYS, NEVER, Deadline


def test_without_a_lease_there_is_no_end() -> None:
    assert Deadline().seconds_left() == ALWAYS


def test_it_is_counted_on_a_clock_of_its_own() -> None:
    now = [100.0]
    held = Deadline(130.0, lambda: now[0])
    assert held.seconds_left() == 30.0
    now[0] = 131.0
    assert held.seconds_left() == -1.0
    held.move(NEVER)
    assert held.seconds_left() == NEVER


def test_a_forked_process_sees_each_renewal() -> None:
    held = Deadline(1.0, lambda: 0.0)
    ours, theirs = os.pipe()
    back, there = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.read(ours, 1)
            os.write(there, b"y" if held.at == 42.0 else b"n")
        finally:
            os._exit(0)
    held.move(42.0)
    os.write(theirs, b".")
    assert os.read(back, 1) == b"y"
    os.waitpid(child, 0)
    for handle in (ours, theirs, back, there):
        os.close(handle)


def test_the_clock_of_leases_goes_on_and_is_no_time_of_day() -> None:
    clock = Clock()
    first = clock.uptime()
    assert first <= uptime() < first + 60
    assert clock.now().tzinfo is not None


def test_a_program_that_inherits_the_handle_sees_each_renewal() -> None:
    held = Deadline(1.0, lambda: 0.0)
    inherited = Deadline(handle=os.dup(held.handle), clock=lambda: 0.0)
    assert inherited.at == 1.0
    held.move(7.0)
    assert inherited.seconds_left() == 7.0

"""A group's processes are looked at when the machine hints at growth, and now and then."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import pytest

from flux_secret.outside.supervision import group
from flux_secret.outside.supervision.supervisors import ENDS_EVERYTHING

pytestmark = pytest.mark.skipif(not ENDS_EVERYTHING, reason="needs Linux: /proc")

GIB = 1 << 30


@dataclass
class Machine:
    """What a kernel says, and when somebody looks at processes."""

    available_kib: int = 8 << 20
    swap_kib: int = 1 << 20
    threads: int = 100
    now: float = 0.0
    looks: list[float] = field(default_factory=list)
    says_nothing: bool = False

    def content(self, name: str) -> bytes:
        if self.says_nothing:
            raise FileNotFoundError
        if name == "/proc/loadavg":
            return b"0.10 0.20 0.30 1/%d 4711\n" % self.threads
        return b"MemTotal: 9 kB\nMemAvailable:   %d kB\nSwapFree: %d kB\nEnd: 0\n" % (
            self.available_kib,
            self.swap_kib,
        )

    def descendants(self, _ancestor: int) -> list[int]:
        self.looks.append(round(self.now, 3))
        return []

    def wait(self, watch: group.Watch, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            self.now += max(0.001, watch.pause)
            assert watch.exceeded() is None


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    one = Machine()
    monkeypatch.setattr(group, "_content", one.content)
    monkeypatch.setattr(group, "descendants", one.descendants)
    monkeypatch.setattr(time, "monotonic", lambda: one.now)
    return one


def watched() -> group.Watch:
    return group.Watch(GIB, 256, ())


def test_without_a_hint_processes_are_looked_at_twice_a_second(machine: Machine) -> None:
    machine.wait(watched(), 1.2)
    assert machine.looks == [0.5, 1.0]


@pytest.mark.parametrize(
    "change",
    [{"available_kib": 7 << 20}, {"swap_kib": 0}, {"threads": 165}],
    ids=["memory", "swap", "processes"],
)
def test_growth_of_the_machine_is_a_hint_once(machine: Machine, change: dict[str, int]) -> None:
    watch = watched()
    machine.wait(watch, 0.1)
    assert machine.looks == []
    for name, value in change.items():
        setattr(machine, name, value)
    machine.wait(watch, 0.2)
    assert len(machine.looks) == 1
    assert machine.looks[0] <= 0.15


def test_a_little_growth_adds_up_to_a_hint(machine: Machine) -> None:
    watch = watched()
    for _ in range(10):
        machine.available_kib -= 10 << 10
        machine.wait(watch, 0.02)
    assert len(machine.looks) == 1


def test_a_kernel_that_says_nothing_leaves_only_the_processes_to_look_at(machine: Machine) -> None:
    machine.says_nothing = True
    machine.wait(watched(), 0.1)
    assert len(machine.looks) == 5


def test_this_kernel_says_what_is_left() -> None:
    available, threads = group._Machine(GIB, 256)._left()
    assert available > 0
    assert threads > 1

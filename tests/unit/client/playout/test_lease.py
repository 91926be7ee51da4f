"""FrameLease against a model, and under threads that interleave at every step that can go wrong."""

from __future__ import annotations

import random
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from decoded import CountingSurface
from napari_cuda.client.playout.lease import (
    DoubleReleaseError,
    FrameLease,
    LeaseLedger,
    LeaseRole,
    NotAcquiredError,
    UseAfterReleaseError,
)

roles = st.sampled_from(LeaseRole)


class Leases(RuleBasedStateMachine):
    """A few leases of one ledger; the model counts per role."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = LeaseLedger()
        self.surfaces: list[CountingSurface] = []
        self.leases: list[FrameLease] = []
        self.held: list[Counter[LeaseRole]] = []
        self.ever: list[set[LeaseRole]] = []

    @precondition(lambda self: len(self.leases) < 3)
    @rule()
    def decode(self) -> None:
        self.surfaces.append(CountingSurface())
        self.leases.append(FrameLease(self.surfaces[-1], self.ledger))
        self.held.append(Counter({LeaseRole.DECODER: 1}))
        self.ever.append({LeaseRole.DECODER})

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), role=roles)
    def acquire(self, data: st.DataObject, role: LeaseRole) -> None:
        index = data.draw(st.integers(0, len(self.leases) - 1))
        if self.held[index].total():
            self.leases[index].acquire(role)
            self.held[index][role] += 1
            self.ever[index].add(role)
        else:
            with pytest.raises(UseAfterReleaseError, match=role.value):
                self.leases[index].acquire(role)

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), role=roles)
    def release(self, data: st.DataObject, role: LeaseRole) -> None:
        index = data.draw(st.integers(0, len(self.leases) - 1))
        if self.held[index][role]:
            self.leases[index].release(role)
            self.held[index][role] -= 1
        else:
            error = DoubleReleaseError if role in self.ever[index] else NotAcquiredError
            with pytest.raises(error, match=role.value):
                self.leases[index].release(role)

    @invariant()
    def as_the_model_says(self) -> None:
        assert self.ledger.live == sum(held.total() > 0 for held in self.held)
        for lease, surface, held in zip(self.leases, self.surfaces, self.held, strict=True):
            assert {role: lease.held(role) for role in LeaseRole} == {role: held[role] for role in LeaseRole}
            assert surface.closed == lease.released == (held.total() == 0)
            if not lease.released:
                assert lease.surface is surface
            else:
                with pytest.raises(UseAfterReleaseError):
                    _ = lease.surface

    def teardown(self) -> None:
        for lease, held in zip(self.leases, self.held, strict=True):
            for role in held.elements():
                lease.release(role)
        assert self.ledger.live == 0
        assert all(surface.closed == 1 for surface in self.surfaces)


TestLeases = Leases.TestCase


def test_a_role_closes_only_itself() -> None:
    surface, ledger = CountingSurface(), LeaseLedger()
    lease = FrameLease(surface, ledger)
    lease.acquire(LeaseRole.RENDERER)
    lease.release(LeaseRole.DECODER)
    with pytest.raises(DoubleReleaseError):
        lease.release(LeaseRole.DECODER)
    assert (surface.closed, ledger.live) == (0, 1), "a role's mistake took the surface from another"
    lease.release(LeaseRole.RENDERER)
    assert (surface.closed, ledger.live) == (1, 0)


def test_a_surface_counts_until_it_is_given_back_even_if_that_fails() -> None:
    ledger = LeaseLedger()
    live_while_closing: list[int] = []

    class Failing(CountingSurface):
        def close(self) -> None:
            live_while_closing.append(ledger.live)
            raise RuntimeError("the driver is gone")

    lease = FrameLease(Failing(), ledger)
    with pytest.raises(RuntimeError, match="driver"):
        lease.release(LeaseRole.DECODER)
    assert live_while_closing == [1], "whoever reads 0 may close the decoder under the surface"
    assert (ledger.live, lease.released) == (0, True)


@pytest.fixture
def frequent_switches() -> Iterator[None]:
    """Let the interpreter change threads as often as it can."""
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before_s)


def run_together(*runs: Callable[[], None]) -> None:
    """Run callables on threads that begin together; what one raises is raised here."""
    barrier = threading.Barrier(len(runs))

    def main(run: Callable[[], None]) -> None:
        barrier.wait(10)
        run()

    with ThreadPoolExecutor(len(runs)) as pool:
        for outcome in [pool.submit(main, run) for run in runs]:
            outcome.result(30)


@pytest.mark.usefixtures("frequent_switches")
def test_threads_that_pass_a_surface_on_give_it_back_once() -> None:
    """Each role has two threads that acquire and release at random while others let go for good."""
    ledger = LeaseLedger()
    for round_ in range(40):
        surface = CountingSurface()
        lease = FrameLease(surface, ledger)
        users = [role for role in LeaseRole if role is not LeaseRole.DECODER] * 2
        for role in users:
            lease.acquire(role)

        def use(role: LeaseRole, seed: int, lease: FrameLease = lease, surface: CountingSurface = surface) -> None:
            chance = random.Random(seed)
            held = 1
            while held:
                assert lease.surface is surface
                assert surface.closed == 0
                grow = held < 4 and chance.random() < 0.45
                (lease.acquire if grow else lease.release)(role)
                held += 1 if grow else -1

        run_together(
            *(lambda role=role, seed=100 * round_ + at: use(role, seed) for at, role in enumerate(users)),
            lambda lease=lease: lease.release(LeaseRole.DECODER),
        )
        assert (surface.closed, lease.released, ledger.live) == (1, True, 0)


@pytest.mark.usefixtures("frequent_switches")
def test_of_many_releases_at_once_exactly_as_many_succeed_as_were_acquired() -> None:
    for _round in range(60):
        surface, ledger = CountingSurface(), LeaseLedger()
        lease = FrameLease(surface, ledger)
        lease.acquire(LeaseRole.PRESENTER)
        outcomes: list[str] = []

        def let_go(lease: FrameLease = lease, outcomes: list[str] = outcomes) -> None:
            try:
                lease.release(LeaseRole.PRESENTER)
            except DoubleReleaseError:
                outcomes.append("refused")
            else:
                outcomes.append("done")

        run_together(*[let_go] * 4, lambda lease=lease: lease.release(LeaseRole.DECODER))
        assert sorted(outcomes) == ["done", "refused", "refused", "refused"]
        assert (surface.closed, ledger.live) == (1, 0)


@pytest.mark.usefixtures("frequent_switches")
def test_acquiring_while_the_last_role_lets_go_either_holds_or_says_no() -> None:
    seen: Counter[bool] = Counter()
    for _round in range(200):
        surface, ledger = CountingSurface(), LeaseLedger()
        lease = FrameLease(surface, ledger)
        held: list[bool] = []

        def late(lease: FrameLease = lease, surface: CountingSurface = surface, held: list[bool] = held) -> None:
            try:
                lease.acquire(LeaseRole.CACHE)
            except UseAfterReleaseError:
                held.append(False)
                return
            assert surface.closed == 0
            held.append(True)
            lease.release(LeaseRole.CACHE)

        run_together(late, lambda lease=lease: lease.release(LeaseRole.DECODER))
        seen[held[0]] += 1
        assert (surface.closed, ledger.live) == (1, 0)
    assert seen.total() == 200


def test_a_thread_stopped_inside_close_lets_no_other_close_again() -> None:
    """Forced interleaving: one thread is inside the native close while others try every misuse."""
    inside, go_on = threading.Event(), threading.Event()

    class Slow(CountingSurface):
        def close(self) -> None:
            inside.set()
            assert go_on.wait(10)
            super().close()

    surface, ledger = Slow(), LeaseLedger()
    lease = FrameLease(surface, ledger)
    lease.acquire(LeaseRole.RENDERER)
    lease.release(LeaseRole.DECODER)

    def misuse() -> None:
        assert inside.wait(10)
        assert lease.released
        with pytest.raises(UseAfterReleaseError):
            lease.acquire(LeaseRole.RENDERER)
        with pytest.raises(DoubleReleaseError):
            lease.release(LeaseRole.RENDERER)
        with pytest.raises(NotAcquiredError):
            lease.release(LeaseRole.CACHE)
        with pytest.raises(UseAfterReleaseError):
            _ = lease.surface
        assert (surface.closed, ledger.live) == (0, 1)
        go_on.set()

    run_together(lambda: lease.release(LeaseRole.RENDERER), misuse)
    assert (surface.closed, ledger.live) == (1, 0)


@pytest.mark.usefixtures("frequent_switches")
def test_the_ledger_loses_no_count() -> None:
    ledger = LeaseLedger()

    def count() -> None:
        for _ in range(2000):
            ledger.add(1)
            ledger.add(-1)
        ledger.add(1)

    run_together(*[count] * 4)
    assert ledger.live == 4

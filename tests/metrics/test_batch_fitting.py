"""The largest batch under a limit, against trying every one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cnninspect.commands.memory.report import largest_batch

MOMENTS = st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 500)), min_size=1, max_size=4)


@given(MOMENTS, st.integers(0, 60_000))
def test_it_is_the_last_batch_that_fits(moments: list[tuple[int, int]], limit: int) -> None:
    def peak(batch: int) -> int:
        return max(fixed + each * batch for fixed, each in moments)

    found = largest_batch(peak, limit)
    assert found == 0 or peak(found) <= limit
    assert peak(found + 1) > limit


@given(st.integers(1, 1000), st.integers(0, 10**9), st.integers(1, 10**7))
def test_a_straight_line_takes_few_looks(each: int, fixed: int, batch: int) -> None:
    looks = set()

    def peak(size: int) -> int:
        looks.add(size)
        return fixed + each * size

    assert largest_batch(peak, fixed + each * batch + each // 2) == batch
    assert len(looks) <= 6


def test_a_limit_that_is_just_reached_is_kept() -> None:
    for fixed, each, rises in ((7, 3, 4), (0, 5, 11), (100, 1, 2)):
        for batch in range(1, 60):

            def peak(size: int, *, by: tuple[int, int, int] = (fixed, each, rises)) -> int:
                return max(by[0] + by[1] * size, by[2] * (size - 20) + by[0] + by[1] * 20)

            assert largest_batch(peak, peak(batch)) == batch, (fixed, each, rises)
            assert largest_batch(peak, peak(batch + 1) - 1) == batch
            assert largest_batch(peak, peak(1) - 1) == 0

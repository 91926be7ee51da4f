from __future__ import annotations

from napari_cuda.client.rate_limit import RateLimit


def test_it_counts_what_it_holds_back() -> None:
    limit = RateLimit(10.0)
    assert [limit.passes(now_s) for now_s in (0.0, 1.0, 9.9, 10.0, 25.0)] == [0, None, None, 2, 0]

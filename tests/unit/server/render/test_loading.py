"""A read that takes long is told once, and its end."""

from __future__ import annotations

from napari_cuda.server.render.loading import PATIENCE_S, LoadingNotice


def test_a_quick_read_is_not_worth_a_word() -> None:
    notice = LoadingNotice()
    assert notice.look(0.0, loading=True) is None
    assert notice.look(PATIENCE_S - 0.01, loading=True) is None
    assert notice.look(PATIENCE_S, loading=False) is None
    # The next read has its own patience.
    assert notice.look(PATIENCE_S + 0.01, loading=True) is None


def test_a_long_one_is_told_once_and_its_end() -> None:
    notice = LoadingNotice()
    notice.look(10.0, loading=True)
    begun = notice.look(10.0 + PATIENCE_S, loading=True)
    assert begun is not None
    assert (begun.state, begun.intent) == ("running", 0)
    assert notice.is_told(begun.job)
    assert not notice.is_told("loading-99")
    assert notice.look(11.0, loading=True) is None
    ended = notice.look(12.0, loading=False)
    assert ended is not None
    assert (ended.job, ended.state) == (begun.job, "done")
    assert not notice.is_told(begun.job)
    assert notice.look(13.0, loading=False) is None
    notice.look(20.0, loading=True)
    again = notice.look(21.0, loading=True)
    assert again is not None
    assert again.job != begun.job

from __future__ import annotations

import pytest

from napari_cuda.server.auth import VIEW_PATHS, Refused, check_origin, check_path, cookie_value, role_of

TOKEN = "correct-horse-battery"
VIEW_TOKEN = "binoculars-and-a-bench"
TOKENS = {"control": TOKEN, "view": VIEW_TOKEN}
OURS = {"host": "127.0.0.1:8765"}


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"authorization": f"Bearer {TOKEN}"}, {}),
        ({"authorization": f"bearer  {TOKEN} "}, {}),
        ({}, {"token": TOKEN}),
        ({"authorization": "Basic dTpw"}, {"token": TOKEN}),
    ],
)
def test_the_token_opens_in_either_place(headers: dict[str, str], query: dict[str, str]) -> None:
    assert role_of(TOKENS, headers, query) == "control"


def test_the_other_token_only_lets_look() -> None:
    assert role_of(TOKENS, {"authorization": f"Bearer {VIEW_TOKEN}"}, {}) == "view"
    assert role_of(TOKENS, {}, {"token": VIEW_TOKEN}) == "view"
    # What comes first decides, and not what allows more.
    assert role_of(TOKENS, {"authorization": f"Bearer {VIEW_TOKEN}"}, {"token": TOKEN}) == "view"


@pytest.mark.parametrize(
    "path", ["/files", "/uploads", "/downloads/x", "/page", "/ws/state/", "/ws", "/what-comes-next"]
)
def test_whoever_may_only_look_gets_page_state_and_pixels_and_no_files(path: str) -> None:
    refused = check_path("view", path)
    assert refused is not None
    assert (refused.status, refused.code) == (403, "auth.view_only")
    assert "\n" not in refused.message
    assert check_path("control", path) is None
    assert all(check_path("view", allowed) is None for allowed in VIEW_PATHS)


@pytest.mark.parametrize(
    ("headers", "query", "code"),
    [
        ({}, {}, "auth.missing"),
        ({"authorization": "Bearer "}, {}, "auth.missing"),
        ({"authorization": "Bearer"}, {}, "auth.missing"),
        ({"authorization": f"Basic {TOKEN}"}, {}, "auth.missing"),
        ({"authorization": TOKEN}, {}, "auth.missing"),
        ({}, {"token": ""}, "auth.missing"),
        ({}, {"token": TOKEN[:-1]}, "auth.wrong_token"),
        ({}, {"token": TOKEN + "x"}, "auth.wrong_token"),
        ({}, {"token": TOKEN.upper()}, "auth.wrong_token"),
        ({}, {"token": "ключ"}, "auth.wrong_token"),
        ({"authorization": "Bearer wrong"}, {"token": TOKEN}, "auth.wrong_token"),
    ],
)
def test_anything_else_is_turned_away_by_name(headers: dict[str, str], query: dict[str, str], code: str) -> None:
    refused = role_of(TOKENS, headers, query)
    assert isinstance(refused, Refused)
    assert (refused.status, refused.code) == (401, code)
    assert TOKEN not in refused.message
    assert VIEW_TOKEN not in refused.message
    assert "\n" not in refused.message


@pytest.mark.parametrize(
    "origin",
    [None, "http://127.0.0.1:8765", "https://127.0.0.1:8765", "https://lab.example"],
)
def test_our_own_page_and_allowed_ones_may_connect(origin: str | None) -> None:
    headers = OURS if origin is None else OURS | {"origin": origin}
    assert check_origin(headers, ("https://lab.example",)) is None


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://127.0.0.1",
        "http://127.0.0.1:8766",
        "http://127.0.0.1:8765.evil.example",
        "http://evil.example/127.0.0.1:8765",
        "http://u@127.0.0.1:8765",
        "http://lab.example",
        "https://lab.example.evil.example",
        "null",
        "",
        "http://[",
        "http://[::1",
        "x" * 5000,
    ],
)
def test_foreign_pages_may_not(origin: str) -> None:
    refused = check_origin(OURS | {"origin": origin}, ("https://lab.example",))
    assert refused is not None
    assert (refused.status, refused.code) == (403, "auth.foreign_origin")
    assert len(refused.message) < 300


def test_a_request_without_host_has_no_own_page() -> None:
    assert check_origin({"origin": "http://x"}, ()) is not None


def in_cookie(name: str = "napari-cuda-8765", **others: str) -> dict[str, str]:
    return {"host": "127.0.0.1:8765", "cookie": f'odd[]={{"a": 1}}; bare; {name}={TOKEN}; last=x'} | others


def test_the_cookie_of_our_own_page_opens() -> None:
    assert role_of(TOKENS, in_cookie(), {}) == "control"
    assert role_of(TOKENS, in_cookie(**{"sec-fetch-site": "same-origin"}), {}) == "control"
    assert role_of(TOKENS, in_cookie("napari-cuda-token", host="viewer.example"), {}) == "control"
    # What is said on purpose decides.
    assert role_of(TOKENS, in_cookie(), {"token": VIEW_TOKEN}) == "view"


def test_a_cookie_holds_any_token() -> None:
    token = 'a; b="c" %41 ключ, long enough'
    headers = {"host": "h:1", "cookie": f"napari-cuda-1={cookie_value(token)}"}
    assert role_of({"control": token, "view": VIEW_TOKEN}, headers, {}) == "control"


@pytest.mark.parametrize(
    "headers",
    [
        in_cookie("napari-cuda-8766"),  # of a server on another port of this host
        in_cookie("napari-cuda"),
        in_cookie(**{"sec-fetch-site": "same-site"}),  # asked for by its page
        in_cookie(**{"sec-fetch-site": "cross-site"}),
        {"host": "127.0.0.1:8765", "cookie": "napari-cuda-8765"},
    ],
)
def test_a_cookie_that_another_page_may_have_had_shown_does_not(headers: dict[str, str]) -> None:
    refused = role_of(TOKENS, headers, {})
    assert isinstance(refused, Refused)
    assert refused.status == 401

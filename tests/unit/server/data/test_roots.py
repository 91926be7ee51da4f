from __future__ import annotations

from pathlib import Path

import pytest

from napari_cuda.protocol.errors import DataError
from napari_cuda.server.data.roots import ServedRoots, is_url


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """served/a.tif, served/deep/b.tif, secret/c.tif and links between them."""
    for name in ("served/a.tif", "served/deep/b.tif", "secret/c.tif", "served-not/d.tif"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "served" / "way-out").symlink_to(tmp_path / "secret")
    (tmp_path / "served" / "inside").symlink_to(tmp_path / "served" / "deep")
    (tmp_path / "other-name").symlink_to(tmp_path / "served")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("served/a.tif", "served/a.tif"),
        ("served", "served"),
        ("served/deep/../a.tif", "served/a.tif"),
        ("served/inside/b.tif", "served/deep/b.tif"),
        ("other-name/a.tif", "served/a.tif"),
    ],
)
def test_paths_inside_open_as_what_they_really_are(place: Path, path: str, found: str) -> None:
    assert ServedRoots([place / "served"]).resolve(str(place / path)) == str((place / found).resolve())


@pytest.mark.parametrize(
    "path",
    [
        "secret/c.tif",
        "served/../secret/c.tif",
        "served/way-out/c.tif",
        "served/way-out",
        "served-not/d.tif",
        "secret/does-not-exist.tif",
        ".",
        "..",
    ],
)
def test_paths_outside_are_refused_whether_they_exist_or_not(place: Path, path: str) -> None:
    with pytest.raises(DataError, match="outside the served roots") as caught:
        ServedRoots([place / "served"]).resolve(str(place / path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["/etc/passwd", "~", "~/x", "x.tif"])
def test_absolute_home_and_relative_paths_are_outside_too(place: Path, path: str) -> None:
    with pytest.raises(DataError, match="outside the served roots"):
        ServedRoots([place / "served"]).resolve(path)


def test_what_is_not_there_is_said_so(place: Path) -> None:
    with pytest.raises(DataError, match="does not exist on the server"):
        ServedRoots([place / "served"]).resolve(str(place / "served" / "z.tif"))


def test_any_of_several_roots_will_do(place: Path) -> None:
    roots = ServedRoots([place / "secret", place / "other-name"])
    assert roots.resolve(str(place / "secret" / "c.tif")).endswith("c.tif")
    assert roots.resolve(str(place / "served" / "a.tif")).endswith("a.tif")


def test_without_roots_everything_that_exists(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    assert ServedRoots().resolve("secret/c.tif") == str((place / "secret" / "c.tif").resolve())
    with pytest.raises(DataError, match="does not exist"):
        ServedRoots().resolve("secret/z.tif")


SERVED = "https://data.example/plates/one.zarr"


@pytest.mark.parametrize("path", [SERVED, f"{SERVED}/0", f"{SERVED}/A/1/0"])
def test_addresses_below_those_that_are_allowed(place: Path, path: str) -> None:
    assert is_url(path)
    assert not is_url(str(place))
    for roots in (ServedRoots(urls=[SERVED]), ServedRoots([place / "served"], urls=["s3://bucket", SERVED + "/"])):
        assert roots.resolve(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "https://data.example/plates/two.zarr",
        "https://data.example/plates/one.zarr.secret",
        "https://data.example/plates",
        "http://data.example/plates/one.zarr",
        "https://data.example:8080/plates/one.zarr",
        "https://data.example.evil.example/plates/one.zarr",
        "https://user@data.example/plates/one.zarr",
        f"{SERVED}/../two.zarr",
        f"{SERVED}/%2e%2e/two.zarr",
        f"{SERVED}/..%2ftwo.zarr",
        f"{SERVED}/%5c..%5ctwo.zarr",
        f"{SERVED}/0?key=value",
        f"{SERVED}/0::file:///etc",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "https://[",
    ],
)
def test_all_other_addresses_are_refused_whatever_the_roots(place: Path, path: str) -> None:
    for roots in (ServedRoots(urls=[SERVED]), ServedRoots(), ServedRoots([place / "served"])):
        with pytest.raises(DataError, match=r"is not served: .* --allow-url") as caught:
            roots.resolve(path)
        assert "\n" not in str(caught.value)


def test_an_address_with_a_key_opens_as_it_was_given() -> None:
    signed = "https://data.example/one.zarr?key=value"
    assert ServedRoots(urls=[signed]).resolve(signed) == signed


@pytest.mark.parametrize("path", ["a\0b", "~nobody-of-that-name/x", "loop/x", "x" * 5000])
def test_paths_that_no_system_resolves_are_refused_in_one_line(place: Path, path: str) -> None:
    (place / "loop").symlink_to(place / "loop")
    name = path if path.startswith("~") else str(place / path)
    for roots in (ServedRoots(), ServedRoots([place])):
        with pytest.raises(DataError) as caught:
            roots.resolve(name)
        assert "\n" not in str(caught.value)

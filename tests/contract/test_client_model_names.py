"""The private names of napari's model classes that the client's mirror overrides or reads exist."""

from __future__ import annotations

import pytest

from napari_cuda.client.mirror.napari_adapter import PRIVATE_NAMES


@pytest.mark.parametrize(("owner", "name"), PRIVATE_NAMES, ids=lambda value: getattr(value, "__name__", value))
def test_name_exists(owner: type[object], name: str) -> None:
    # pydantic keeps what begins with an underscore apart from the class's other names.
    known = hasattr(owner, name) or name in getattr(owner, "__private_attributes__", {})
    assert known, f"napari's {owner.__name__} has no {name} any more: adapt client/mirror/napari_adapter.py"

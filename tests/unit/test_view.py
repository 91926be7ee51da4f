"""The models that the rows of the view are attributes of, watched."""

from __future__ import annotations

import pytest
from napari.components import ViewerModel
from pydantic import ValidationError

from napari_cuda import conversion
from napari_cuda.protocol.properties import scope_properties
from napari_cuda.protocol.property import Property, Scope
from napari_cuda.view import View

ROWS = scope_properties(Scope.VIEW)


@pytest.mark.parametrize("row", ROWS.values(), ids="{0.name}".format)
def test_each_property_tells_of_its_own_change_only(row: Property) -> None:
    view = View.of(ViewerModel(ndisplay=3))
    view.dims.ndisplay = 2
    conversion.write(view, row, row.examples[1])
    told: list[str] = []
    view.watch(told.append)
    conversion.write(view, row, row.examples[0])
    assert set(told) == {row.name}
    assert conversion.read(view, row) == row.examples[0]


def test_a_quality_that_is_none_is_refused() -> None:
    rendering = View.of(ViewerModel()).rendering
    with pytest.raises(ValidationError):
        rendering.quality = "best"  # type: ignore[assignment]
    assert rendering.quality == "auto"

from __future__ import annotations

import inspect

import pytest

from napari_cuda.protocol import errors
from napari_cuda.protocol.errors import NapariCudaError, PacketError, ProtocolError

CLASSES = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if cls.__module__ == errors.__name__]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_error_is_in_the_one_tree_and_in_its_picture(cls: type[Exception]) -> None:
    assert issubclass(cls, NapariCudaError)
    assert str(cls("what was wrong")) == "what was wrong"
    assert cls.__name__ in (errors.__doc__ or "")


def test_protocol_errors_carry_the_name_of_the_refusal() -> None:
    assert ProtocolError("x").code == "protocol.malformed"
    assert ProtocolError("x", code="protocol.order").code == "protocol.order"
    assert PacketError("x").code == "packet.malformed"
    assert issubclass(PacketError, ProtocolError)

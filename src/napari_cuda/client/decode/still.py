"""The exact picture, back from its PNG and proven to be the one the server rendered."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, UnidentifiedImageError

from napari_cuda.client.playout.picture import ExactPicture
from napari_cuda.protocol.digest import picture_hash
from napari_cuda.protocol.errors import StreamError


def decode_still(
    payload: bytes | memoryview, expected_hash: int, *, expected_size: tuple[int, int] | None = None
) -> ExactPicture:
    """Return the picture of a still packet. Owner: the calling decode thread.

    `expected_hash` is `PacketHeader.picture_hash`, `expected_size` its canvas (width, height).
    Raises StreamError if the payload is no PNG, or another picture than announced.
    """
    try:
        with Image.open(io.BytesIO(payload), formats=("PNG",)) as image:
            if expected_size is not None and image.size != expected_size:
                raise StreamError(f"the still picture is {image.size}, its header says {expected_size}")
            rgba = np.asarray(image.convert("RGBA"))
    # Pillow reports damage as SyntaxError or ValueError, a cut file as OSError.
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise StreamError(f"the still picture cannot be read as a PNG: {error}") from error
    if (found := picture_hash(rgba)) != expected_hash:
        raise StreamError(f"the still picture hashes to {found:016x}, the server rendered {expected_hash:016x}")
    return ExactPicture(rgba)

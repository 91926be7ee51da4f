"""The video shaders and the numbers they are fed: colour matrix, chroma position, place.

Owner: none (pure functions and constants). GLSL 1.20, because vispy draws in a compatibility
context and a program of another version cannot share it on macOS.
"""

from __future__ import annotations

from napari_cuda.client.control.placement import Rect
from napari_cuda.client.playout.picture import ColorSpec
from napari_cuda.protocol.errors import StreamError

# Kr and Kb of ITU-R BT.709 and BT.601 (H.273 table 4).
_LUMA_WEIGHTS = {"bt709": (0.2126, 0.0722), "bt601": (0.299, 0.114)}

# One triangle that covers the viewport: no diagonal seam, no varying to interpolate.
TRIANGLE = (-1.0, -1.0, 3.0, -1.0, -1.0, 3.0)

VERTEX = """
#version 120
attribute vec2 corner;
void main() { gl_Position = vec4(corner, 0.0, 1.0); }
"""

# `to_picture` maps a window pixel to picture coordinates in 0..1, top row first. Where there is no picture,
# what was drawn before stays: the colour of the canvas.
_PLACE = """
#version 120
uniform vec4 to_picture;
bool outside(vec2 place) {
    return any(lessThan(place, vec2(0.0))) || any(greaterThan(place, vec2(1.0)));
}
"""

FRAGMENT_YUV = (
    _PLACE
    + """
uniform sampler2D plane_0;
uniform sampler2D plane_1;
uniform sampler2D plane_2;
uniform vec4 to_chroma;
uniform mat3 rgb_from_yuv;
uniform vec3 yuv_zero;
void main() {
    vec2 place = gl_FragCoord.xy * to_picture.xy + to_picture.zw;
    if (outside(place)) { discard; }
    vec2 chroma = place * to_chroma.xy + to_chroma.zw;
    vec3 yuv = vec3(texture2D(plane_0, place).r, texture2D(plane_1, chroma).r, texture2D(plane_2, chroma).r);
    gl_FragColor = vec4(rgb_from_yuv * (yuv - yuv_zero), 1.0);
}
"""
)

_NV12 = """
uniform SAMPLER plane_0;
uniform SAMPLER plane_1;
uniform vec4 to_chroma;
uniform vec4 luma_texels;
uniform vec4 chroma_texels;
uniform mat3 rgb_from_yuv;
uniform vec3 yuv_zero;
vec2 texel(vec2 place, vec4 texels) { return min(place * texels.xy, texels.xy - 0.5) * texels.zw; }
void main() {
    vec2 place = gl_FragCoord.xy * to_picture.xy + to_picture.zw;
    if (outside(place)) { discard; }
    vec2 chroma = place * to_chroma.xy + to_chroma.zw;
    vec3 yuv = vec3(READ(plane_0, texel(place, luma_texels)).r, READ(plane_1, texel(chroma, chroma_texels)).rg);
    gl_FragColor = vec4(rgb_from_yuv * (yuv - yuv_zero), 1.0);
}
"""

# Surfaces of hardware decoders: U and V interleaved, rows and columns of padding that must not show.
FRAGMENT_NV12 = _PLACE + _NV12.replace("SAMPLER", "sampler2D").replace("READ", "texture2D")
FRAGMENT_NV12_RECTANGLE = _PLACE.replace(
    "#version 120", "#version 120\n#extension GL_ARB_texture_rectangle : require"
) + _NV12.replace("SAMPLER", "sampler2DRect").replace("READ", "texture2DRect")

FRAGMENT_RGBA = (
    _PLACE
    + """
uniform sampler2D plane_0;
void main() {
    vec2 place = gl_FragCoord.xy * to_picture.xy + to_picture.zw;
    if (outside(place)) { discard; }
    gl_FragColor = vec4(texture2D(plane_0, place).rgb, 1.0);
}
"""
)


def yuv_to_rgb(color: ColorSpec) -> tuple[tuple[float, ...], tuple[float, float, float]]:
    """Return (matrix, zero) so that rgb = matrix · (yuv - zero), all in 0..1.

    `matrix` has 9 values, row by row; `zero` is the yuv of black. Raises StreamError for a
    matrix that is not known here. Source: ITU-T H.273, equations 38 to 40.
    """
    if color.matrix not in _LUMA_WEIGHTS:
        known = ", ".join(_LUMA_WEIGHTS)
        raise StreamError(f"the video uses colour matrix {color.matrix!r}; this client knows {known}")
    kr, kb = _LUMA_WEIGHTS[color.matrix]
    kg = 1.0 - kr - kb
    luma_range, chroma_range, luma_zero = (255, 255, 0) if color.full_range else (219, 224, 16)
    y = 255.0 / luma_range
    c = 255.0 / chroma_range
    red_v, blue_u = 2.0 * (1.0 - kr) * c, 2.0 * (1.0 - kb) * c
    matrix = (
        *(y, 0.0, red_v),
        *(y, -blue_u * kb / kg, -red_v * kr / kg),
        *(y, blue_u, 0.0),
    )
    return matrix, (luma_zero / 255.0, 128.0 / 255.0, 128.0 / 255.0)


def chroma_size(picture_size: tuple[int, int], shift: tuple[int, int]) -> tuple[int, int]:
    """Return the (width, height) of the chroma planes of a picture, odd sizes rounded up."""
    return -(-picture_size[0] >> shift[0]), -(-picture_size[1] >> shift[1])


def chroma_map(picture_size: tuple[int, int], shift: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return (scale x, scale y, offset x, offset y) from luma to chroma coordinates, both 0..1.

    H.264 without a chroma location has it on the left: level with every second luma column,
    half way between two luma rows.
    """
    width, height = picture_size
    chroma_width, chroma_height = chroma_size(picture_size, shift)
    left_px = 0.5 - 0.5 / (1 << shift[0])
    return (
        width / (1 << shift[0]) / chroma_width,
        height / (1 << shift[1]) / chroma_height,
        left_px / chroma_width,
        0.0,
    )


def texel_map(
    shown: tuple[int, int], texture: tuple[int, int], *, rectangle: bool
) -> tuple[float, float, float, float]:
    """Return (width, height, step x, step y): what of a padded texture is picture, and how it is addressed.

    Rectangle textures count in texels, others from 0 to 1.
    """
    return (*shown, 1.0, 1.0) if rectangle else (*shown, 1.0 / texture[0], 1.0 / texture[1])


def picture_map(destination: Rect, viewport_px: tuple[int, int, int, int]) -> tuple[float, float, float, float]:
    """Return (scale x, scale y, offset x, offset y) from window pixels to the picture, 0..1.

    Window pixels count from the bottom, as in gl_FragCoord; the picture from the top.
    """
    left, top, width, height = destination
    x, y, _viewport_width, viewport_height = viewport_px
    return 1.0 / width, -1.0 / height, -(x + left) / width, (y + viewport_height - top) / height


def is_sharp(destination: Rect, picture_size: tuple[int, int]) -> bool:
    """Return True if every picture pixel falls on exactly one window pixel."""
    left, top, width, height = destination
    same_size = width == picture_size[0] and height == picture_size[1]
    return same_size and abs(left - round(left)) < 1e-3 and abs(top - round(top)) < 1e-3

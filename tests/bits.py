"""Writing H.264 syntax, for tests of the code that reads it."""

from __future__ import annotations


def escape(payload: bytes) -> bytes:
    """The encoder's half of emulation prevention (7.4.1), byte by byte."""
    out = bytearray()
    for byte in payload:
        if out[-2:] == b"\x00\x00" and byte <= 3:
            out.append(3)
        out.append(byte)
    return bytes(out)


class BitWriter:
    """Writes an SPS field by field."""

    def __init__(self) -> None:
        self.text = ""

    def bits(self, value: int, count: int) -> BitWriter:
        self.text += f"{value:0{count}b}" if count else ""
        return self

    def unsigned(self, value: int) -> BitWriter:
        code = f"{value + 1:b}"
        self.text += "0" * (len(code) - 1) + code
        return self

    def signed(self, value: int) -> BitWriter:
        return self.unsigned(2 * value - 1 if value > 0 else -2 * value)

    def nal(self) -> bytes:
        text = self.text + "1"
        text += "0" * (-len(text) % 8)
        return b"\x67" + escape(bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8)))

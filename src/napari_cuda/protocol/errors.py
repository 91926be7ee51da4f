"""Every error the project raises on purpose, in one tree.

NapariCudaError
├── ConfigError         a setting, option or environment value is wrong
├── StartupError        a part cannot start (no EGL, port taken, …)
├── DataError           a path cannot be opened
│   └── RemoteError     … or what the server did with data raised something
├── ProtocolError       the peer sent something that is not the protocol
│   └── PacketError     … on the pixel socket
├── PropertyError       a property does not exist or refuses a value
├── CommandError        a command does not exist or cannot be carried out
├── StreamError         encoding or decoding failed
├── LeaseError          a decoded surface was let go of, or used, out of turn
├── MetricError         something was counted that the table of metrics does not have
└── ConnectError        the server cannot be reached, or refused us
"""

from __future__ import annotations


class NapariCudaError(Exception):
    """Base of all errors raised on purpose; `str(error)` is one line for the user."""


class ConfigError(NapariCudaError):
    """A setting, option or environment value is wrong."""


class StartupError(NapariCudaError):
    """A part of the program cannot start; the message says what is missing."""


class DataError(NapariCudaError):
    """A path cannot be opened: missing, outside the served roots, or unreadable."""


def with_trace(error: Exception, trace: str) -> Exception:
    """Return an error with the server's traceback as its note, if there is one."""
    if trace:
        error.add_note(f"On the server:\n{trace}")
    return error


class RemoteError(DataError):
    """What the server was asked to do with data raised something that Python has no class for here.

    Its note (`__notes__`) is the server's traceback.
    """


class ProtocolError(NapariCudaError):
    """The peer sent something that is not the protocol. `code` names the refusal."""

    def __init__(self, message: str, *, code: str = "protocol.malformed") -> None:
        super().__init__(message)
        self.code = code


class PacketError(ProtocolError):
    """A malformed message on the pixel socket."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="packet.malformed")


class PropertyError(NapariCudaError):
    """A property does not exist, is read-only, or refuses a value."""


class CommandError(NapariCudaError):
    """A command does not exist, has the wrong arguments, or cannot be carried out."""


class StreamError(NapariCudaError):
    """Encoding or decoding failed."""


class LeaseError(NapariCudaError):
    """A decoded surface was let go of, or used, out of turn: a mistake in our own code."""


class MetricError(NapariCudaError):
    """Something was counted that the table of metrics does not have: a mistake in our own code."""


class ConnectError(NapariCudaError):
    """The server cannot be reached, or refused the connection."""

"""Roles: what a connection that may only look can say, and how all else is refused. Pure; both sides ask here."""

from __future__ import annotations

from napari_cuda.protocol import messages as m
from napari_cuda.protocol import surface_messages as s
from napari_cuda.protocol.commands import COMMANDS

VIEW_ONLY = "you may only look here: to change things, connect with the control address that the server printed"

LOOKING = (m.Hello, m.Ping, m.Pong, m.Goodbye, m.CursorQuery, s.SurfaceWatch, s.SurfaceAck)
"""Messages that change nothing. A type that is not here, a new one too, is for those who control."""


def permits(role: m.Role, message: m.ClientMessage) -> bool:
    """Return whether a connection of this role may send a message."""
    if role == "control":
        return True
    if isinstance(message, m.Command):
        kind = COMMANDS.get(message.name)
        return kind is not None and kind.only_looks
    return isinstance(message, LOOKING)


def refusal(message: m.ClientMessage) -> m.Ack | m.Error:
    """Return the answer to what is not permitted: of an intent, that nothing of it was applied, as of no revision."""
    if not isinstance(message, m.Intent):
        return m.Error("auth.view_only", VIEW_ONLY)
    names = [message.name] if isinstance(message, m.Command) else list(getattr(message, "values", ())) or ["intent"]
    target = m.target_of(message)
    return m.Ack(message.intent, 0, [m.Refusal(target, name, VIEW_ONLY) for name in names])

"""What the window says of its connection: title, welcome and the lines of the dialog. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from napari_cuda.client.loop_state import LoopPhase
from napari_cuda.protocol import messages as m

STATES = {
    LoopPhase.CONNECTING: "connecting",
    LoopPhase.SYNCING: "connecting",
    LoopPhase.STREAMING: "connected",
    LoopPhase.RECONNECTING: "reconnecting",
    LoopPhase.STOPPED: "disconnected",
}
"""A phase in the user's words."""


@dataclass(frozen=True, slots=True)
class ConnectionFacts:
    """What is known of the connection. `address` is host:port as the user gave it, never with the token."""

    address: str
    phase: LoopPhase
    reason: str = ""
    """Why there is none, in one line."""
    welcome: m.Welcome | None = None
    round_trip_s: float | None = None
    decoder: str = ""
    own_version: str = ""

    @property
    def place(self) -> str:
        """The server's machine, and the address that leads there."""
        host = self.welcome.host if self.welcome is not None else ""
        return f"{host} ({self.address})" if host and not self.address.startswith(host) else self.address


def window_title(facts: ConnectionFacts) -> str:
    """Return the window's title: session, machine and address, state."""
    title = facts.welcome.title if facts.welcome is not None else ""
    return " — ".join(part for part in (title, facts.place, _state(facts)) if part)


def _state(facts: ConnectionFacts) -> str:
    looks = facts.phase is LoopPhase.STREAMING and facts.welcome is not None and facts.welcome.role == "view"
    return f"{STATES[facts.phase]}, view only" if looks else STATES[facts.phase]


def welcome_text(facts: ConnectionFacts) -> str:
    """Return what an empty window says."""
    if facts.phase in (LoopPhase.CONNECTING, LoopPhase.SYNCING):
        return f"Connecting to {facts.place} …"
    if facts.phase is LoopPhase.STREAMING and facts.welcome is not None and facts.welcome.role == "view":
        return f"Nothing is open on {facts.place}.\nYou may look at what others open there."
    if facts.phase is LoopPhase.STREAMING:
        return (
            f"Nothing is open on {facts.place}.\n"
            "Drag file(s) here to upload them there, or open what is there with File ▸ Open:"
        )
    return f"{STATES[facts.phase].capitalize()}: {facts.place}\n{facts.reason}"


def connection_rows(facts: ConnectionFacts) -> list[tuple[str, str]]:
    """Return (what, value) for the dialog; what is not known is left out."""
    welcome = facts.welcome
    rows = [
        ("State", f"{STATES[facts.phase]}: {facts.reason}" if facts.reason else _state(facts)),
        ("Address", facts.address),
        ("Machine", welcome.host if welcome else ""),
        ("Session", " ".join(filter(None, (welcome.title, f"({welcome.session[:8]})"))) if welcome else ""),
        ("Round trip", f"{facts.round_trip_s * 1e3:.0f} ms" if facts.round_trip_s is not None else ""),
        ("Decoder", facts.decoder),
        ("Server", welcome.server if welcome else ""),
        ("Here", facts.own_version),
    ]
    return [(what, value) for what, value in rows if value]

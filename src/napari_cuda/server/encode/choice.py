"""EncoderChoice: which encoder the streams use."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from napari_cuda.protocol.errors import StartupError
from napari_cuda.server.encode.backends import BACKENDS, SOFTWARE, Backend
from napari_cuda.server.encode.h264 import EncoderProbe, probe
from napari_cuda.settings import EncoderName

log = logging.getLogger(__name__)


class EncoderChoice:
    """The best encoder that works, for all streams; software from the first failure of another on. Thread-safe."""

    def __init__(self, asked: EncoderName = "auto", *, probe: Callable[[Backend], EncoderProbe] = probe) -> None:
        """Try the encoders in order of preference, or only the one asked for. StartupError if that does not work."""
        self._lock = threading.Lock()
        names = list(BACKENDS) if asked == "auto" else [asked]
        reason = ""
        for name in names:
            found = probe(BACKENDS[name])
            if found.usable:
                self._backend = BACKENDS[name]
                return
            reason = found.reason
        raise StartupError(f"the encoder {names[-1]} does not work here: {reason}. `napari-cuda doctor` says which do")

    @property
    def backend(self) -> Backend:
        """What to open now."""
        with self._lock:
            return self._backend

    def give_up(self, failed: Backend, error: Exception) -> bool:
        """Encode in software from now on, because `failed` did; False if that is what failed."""
        software = BACKENDS[SOFTWARE]
        if failed is software:
            return False
        with self._lock:
            first, self._backend = self._backend is failed, software
        if first:
            log.warning("%s failed, %s goes on: %s", failed.codec, software.codec, error)
        return True

"""What Qt has to say of its `offscreen` platform to nobody's use."""

from __future__ import annotations

import sys

from qtpy.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler

_OF_NO_USE = "This plugin does not support "


def pass_over_platform() -> None:
    """Leave out what the platform says with each window that is shown: scripts print to the same place."""

    def tell(kind: QtMsgType, context: QMessageLogContext, text: str | None) -> None:
        if text is None or text.startswith(_OF_NO_USE):
            return
        if before is not None:
            before(kind, context, text)
        else:
            print(text, file=sys.stderr)  # noqa: T201 -- as Qt does

    before = qInstallMessageHandler(tell)

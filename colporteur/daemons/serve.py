"""The web server: granian, one process beside this one, a bounded number of requests at once."""

from __future__ import annotations

import importlib
import logging
import signal
from typing import Any

from django.conf import settings
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from colporteur.daemons import log
from colporteur.daemons.binaries import die_with_parent
from colporteur.options import split_address

logger = logging.getLogger("colporteur.web")
_LOGGING: dict[str, Any] = {"handlers": {}, "loggers": {"_granian": {"propagate": True}}}  # what it says goes into our log


def main() -> None:
    """Serve ``settings.WEB`` until SIGTERM or SIGINT."""
    host, port = split_address(settings.WEB)
    logger.info("listening web=%s base=%s", settings.WEB, settings.BASE_URL)
    Granian(
        "colporteur.web.wsgi:application", address=host, port=port, interface=Interfaces.WSGI, websockets=False,
        blocking_threads=settings.WEB_THREADS, backpressure=settings.WEB_THREADS * 16, workers_kill_timeout=10, log_level=LogLevels.error, log_dictconfig=_LOGGING,
    ).serve(target_loader=_load)  # fmt: skip
    logger.info("stopped")


def _load(target: str) -> Any:
    """In the serving process: it must not outlive the one that started it, and logs like every part."""
    die_with_parent(signal.SIGKILL)
    log.set_up("web")
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)

"""Debian's Chromium through Playwright, talking to this machine only."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connections
from playwright.sync_api import Browser, sync_playwright

FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync".split()


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """A browser. Playwright keeps an event loop in this thread, which Django would take for a mistake."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if not path:
        pytest.fail("chromium is missing: apt-get install chromium")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, *flags])
        yield browser
        browser.close()
        connections.close_all()  # those of this loop; Django keeps them apart from the thread's own
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]

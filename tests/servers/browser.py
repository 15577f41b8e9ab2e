"""Debian's Chromium through Playwright, talking to this machine only."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connections
from playwright.sync_api import Browser, expect, sync_playwright

from tests.servers.ports import wait_until

FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync".split()

expect.set_options(timeout=60_000)  # a machine that does much else is no failure


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """A browser. Playwright keeps an event loop in this thread, which Django would take for a mistake."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if not path:
        pytest.fail("chromium is missing: apt-get install chromium")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, *flags], timeout=180_000)
        yield browser
        browser.close()
        connections.close_all()  # those of this loop; Django keeps them apart from the thread's own
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


def leave(browser: Browser) -> None:
    """Close every page and wait until Django's live server has answered what they asked: it must not read while the database is emptied."""
    for context in browser.contexts:
        context.close()
    wait_until(lambda: not any("process_request_thread" in thread.name for thread in threading.enumerate()), what="the live server still answers")

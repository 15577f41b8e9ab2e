"""A part as a process: how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.story.scenes import REPOSITORY, Installation

pytestmark = pytest.mark.django_db(transaction=True)

LINGERS = """
import asyncio, os, sys, threading
import django
os.environ["DJANGO_SETTINGS_MODULE"] = "colporteur.settings"
django.setup()
from colporteur.daemons import collect, parts

async def main():
    asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)
    if {fails}:
        raise OSError("the network is away")

parts._LAST_SECONDS = 0.2
collect.main = main
sys.argv = ["colporteur", "collect"]
from colporteur.cli import main
main()
"""


@pytest.mark.parametrize("fails", [False, True])
def test_a_part_whose_clean_up_takes_too_long_ends_with_the_status_of_its_work(fails: bool, tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    done = subprocess.run([sys.executable, "-c", LINGERS.format(fails=fails)], env=installation.environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    assert done.returncode == int(fails), done.stderr

"""Commands as a script runs them: real processes, pipes, no terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.db import connection

pytestmark = pytest.mark.django_db(transaction=True)


def colporteur(*words: str, input: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one command against the tests' own database."""
    where = connection.settings_dict
    url = f"postgresql:///{where['NAME']}?host={where['HOST']}&user={where['USER']}"
    made = {**os.environ, "DATABASE_URL": url, "COLPORTEUR_SECRET_KEY": settings.SECRET_KEY, **environment}
    return subprocess.run([sys.executable, "-m", "colporteur", *words], input=input, capture_output=True, text=True, env=made, timeout=300)


def test_from_nothing_to_a_list_with_members_and_an_administrator() -> None:
    for words in (("domain", "add", "saule.example"), ("list", "create", "amapiens@saule.example", "--template", "discussion", "--owner", "helene@saule.example")):
        done = colporteur(*words)
        assert (done.returncode, done.stderr) == (0, ""), done
    added = colporteur("member", "add", "amapiens@saule.example", "--file", "-", input="anna@a.example Ánna\nno\n", LC_ALL="C")
    assert added.returncode == 1 and added.stderr.startswith("line 2: ") and added.stdout.startswith("1 added")
    (row,) = json.loads(colporteur("list", "list", "--json", LC_ALL="unknown").stdout)
    assert (row["members"], row["owners"]) == (1, ["helene@saule.example"])
    assert json.loads(colporteur("member", "list", "amapiens@saule.example", "--json", PYTHONIOENCODING="ascii").stdout)[0]["name"] == "Ánna"
    assert colporteur("member", "list", "amapiens@saule.example", PYTHONIOENCODING="ascii:strict").returncode == 0


def test_a_reader_that_goes_away_is_no_stack_trace() -> None:
    colporteur("demo")
    where = connection.settings_dict
    made = {**os.environ, "DATABASE_URL": f"postgresql:///{where['NAME']}?host={where['HOST']}&user={where['USER']}", "COLPORTEUR_SECRET_KEY": settings.SECRET_KEY}
    with subprocess.Popen(
        [sys.executable, "-m", "colporteur", "member", "list", "lettre-du-saule@paniersdusaule.example", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=made
    ) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()


def test_wrong_input_says_so_in_one_line() -> None:
    done = colporteur("list", "show", "nothing@saule.example")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "Error: there is no list nothing@saule.example\n")

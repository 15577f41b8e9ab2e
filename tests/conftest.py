"""Fixtures every test may use. The database is a real PostgreSQL: the embedded one, in a directory of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import django
import pytest
from django.utils import translation
from hypothesis import HealthCheck, settings

# Settings read the environment once, at import: decide it here, before Django is touched.
_HOME = Path(tempfile.mkdtemp(prefix="colporteur-tests-", dir="/tmp"))
_HOME.chmod(0o755)  # as root the database's own user must be able to walk in
os.environ.update(
    COLPORTEUR_DATA=str(_HOME),
    COLPORTEUR_BASE_URL="http://testserver",
    COLPORTEUR_LANGUAGE="en",
    COLPORTEUR_SECRET_KEY="a key for tests only, thirty-two characters and more",
    DJANGO_SETTINGS_MODULE="colporteur.settings",
)
for _name in ("DATABASE_URL", "COLPORTEUR_DEMO", "LC_ALL"):
    os.environ.pop(_name, None)
django.setup()  # conftests further down import tables
# A machine that does much else is no failure, and the examples are the same each time: what one change broke shows with that change.
settings.register_profile("patient", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", settings.get_profile("patient"), derandomize=False)  # pytest --hypothesis-profile=search: others each time
settings.load_profile("patient")

from colporteur.flow.campaigns import preflight  # noqa: E402

preflight.AT_ONCE_SECONDS = 60.0  # so long may trying the few copies of a test take before its newsletter starts


@pytest.fixture(autouse=True)
def own_language() -> Iterator[None]:
    """A browser's language stays active in this thread after its request: not into the next test, of whatever file."""
    yield
    translation.deactivate()


def pytest_configure(config: pytest.Config) -> None:
    """Start the database; each process that runs tests has one of its own."""
    if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        del os.environ["DJANGO_SETTINGS_MODULE"]  # this one only hands tests out: those that run them read settings of their own
        return
    from colporteur.daemons.database import Server, place

    server = Server(place(_HOME))
    server.start()
    config.stash[_SERVER] = server


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop it and leave nothing behind."""
    if server := config.stash.get(_SERVER, None):
        server.stop()
    shutil.rmtree(_HOME, ignore_errors=True)


_SERVER: pytest.StashKey[object] = pytest.StashKey()

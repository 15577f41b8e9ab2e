"""Whether a process may work on this database."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

from colporteur.cli.run import worker
from colporteur.daemons import parts
from colporteur.store import health, schema
from colporteur.store.organisations import Site

pytestmark = pytest.mark.django_db
TOGETHER = ("store", "0001_squashed_0040_members_otherwise")


def test_this_releases_schema_is_current() -> None:
    assert schema.state() is schema.State.CURRENT
    schema.check()


def test_a_missing_migration_is_behind() -> None:
    MigrationRecorder(connection).record_unapplied("store", max(name for app, name in MigrationRecorder(connection).applied_migrations() if app == "store"))
    assert schema.state() is schema.State.BEHIND
    with pytest.raises(schema.SchemaError, match="colporteur migrate"):
        schema.check()


def _planned() -> list[str]:
    executor = MigrationExecutor(connection)
    return [migration.name for migration, _backwards in executor.migration_plan(executor.loader.graph.leaf_nodes()) if migration.app_label == "store"]


def test_a_database_that_has_the_first_migrations_one_by_one_needs_nothing() -> None:
    MigrationRecorder(connection).record_unapplied(*TOGETHER)
    assert schema.state() is schema.State.CURRENT and not _planned()


def test_a_database_that_has_some_of_the_first_migrations_takes_the_others_one_by_one() -> None:
    recorder = MigrationRecorder(connection)
    later = sorted(name for app, name in recorder.applied_migrations() if app == "store" and name > "0027_campaigns")
    for name in [*later, TOGETHER[1]]:
        recorder.record_unapplied("store", name)
    assert schema.state() is schema.State.BEHIND and _planned() == later and later[0] == "0028_campaign_mailings"


def test_an_unknown_migration_is_ahead() -> None:
    MigrationRecorder(connection).record_applied("store", "9999_from_the_future")
    assert schema.state() is schema.State.AHEAD
    with pytest.raises(schema.SchemaError, match="newer release"):
        schema.migrate()


def test_what_other_programs_keep_in_the_database_is_no_sign_of_a_newer_release() -> None:
    MigrationRecorder(connection).record_applied("blog", "0001_initial")
    assert schema.state() is schema.State.CURRENT


def test_the_first_key_stays_and_another_is_refused(settings: Any) -> None:
    schema.check_key()
    assert Site.objects.get().key_fingerprint == settings.SECRET_FINGERPRINT
    first, settings.SECRET_FINGERPRINT = settings.SECRET_FINGERPRINT, "0123456789abcdef"
    with pytest.raises(schema.SchemaError, match="COLPORTEUR_SECRET_KEY"):
        schema.check_key()
    assert Site.objects.get().key_fingerprint == first


def test_a_pooler_that_shares_sessions_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    schema.check_session()

    class SameSession:
        def cursor(self) -> Any:
            return connection.cursor()

        def close(self) -> None:
            pass

    monkeypatch.setattr(schema.connection, "copy", SameSession, raising=False)
    with pytest.raises(schema.SchemaError, match="pool_mode = session"):
        schema.check_session()


def test_signs_of_life_go_stale_and_are_taken_back() -> None:
    health.beat("worker", "one", 1)
    health.beat("worker", "two", 1)
    health.beat("worker", "two", 1)
    health.beat("collect", "one", 2)
    assert health.living() == {"worker": 2, "collect": 1}
    assert health.look().down == ["receive"]
    health.ended("one", 2)
    health.Heartbeat.objects.filter(host="two").update(at="2026-01-01T00:00:00Z")
    assert health.living() == {"worker": 1}
    health.beat("worker", "one", 1)
    assert not health.Heartbeat.objects.filter(host="two").exists()


def test_a_worker_that_only_delivers_does_not_stand_for_the_one_that_does_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    signs: list[str] = []
    monkeypatch.setattr(parts, "run_part", lambda name, _main, sign="": signs.append(sign or name))
    for share in ("2/2", "1/2"):
        CliRunner().invoke(worker, ["--share", share], catch_exceptions=False)
    health.beat(signs[0], "here", 1)
    assert "worker" in health.look().down
    health.beat(signs[1], "here", 2)
    assert "worker" not in health.look().down


def test_without_a_listener_no_receiver_is_expected(settings: Any) -> None:
    settings.LMTP = ""
    assert "receive" not in health.look().parts

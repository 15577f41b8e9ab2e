"""The tables are what the models say."""

import pytest
from django.core.management import call_command
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    call_command("makemigrations", "store", check=True, dry_run=True, verbosity=0)


def test_the_first_migrations_together_make_what_they_make_one_by_one() -> None:
    loader = MigrationLoader(None, replace_migrations=False)
    one_by_one, together = (loader.project_state(("store", name)) for name in ("0040_members_otherwise", "0001_squashed_0040_members_otherwise"))
    assert len(together.models) == len(one_by_one.models) > 80
    assert MigrationAutodetector(one_by_one, together).changes(loader.graph) == {}

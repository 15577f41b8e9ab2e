"""A backup: a ZIP archive, so that it can be looked into and taken apart without us.

``manifest.json`` says what it is, ``database.dump`` is PostgreSQL's custom format (``pg_restore`` reads it), ``secret_key`` is
there only when it was asked for; ``end``, empty, when everything before it went well. Written as a stream, so it may go to
a pipe.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from django.conf import settings
from django.db import connection, transaction

from colporteur import __version__
from colporteur.daemons import dump
from colporteur.daemons.dump import DumpError
from colporteur.flow import backup

FORMAT = 1
_MANIFEST, _DUMP, _KEY, _END = "manifest.json", "database.dump", "secret_key", "end"
_CHUNK = 1 << 20
_LONGEST_MANIFEST = 1 << 20
_BROKEN = (zipfile.BadZipFile, EOFError, OSError, NotImplementedError)

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says about itself. ``at``: the one moment everything in it is from; ``schema``: migrations, ``app.name``;
    ``postgresql``: major versions of the server and of the program that wrote the dump."""

    format: int
    colporteur: str
    at: str
    schema: tuple[str, ...]
    key_fingerprint: str
    with_key: bool
    postgresql: int
    pg_dump: int

    @property
    def moment(self) -> datetime:
        """``at`` as a moment."""
        return datetime.fromisoformat(self.at)


def write(out: IO[bytes], tool: dump.Tools, progress: Progress, *, with_key: bool = False) -> Manifest:
    """Write a backup of the database to ``out``, which need not be able to seek. Raises ``DumpError``, ``SchemaError``."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            cursor.execute("SELECT pg_export_snapshot()")
            snapshot = cursor.fetchone()[0]
        facts = backup.facts()
        if with_key and facts.key_fingerprint != settings.SECRET_FINGERPRINT:
            raise DumpError("COLPORTEUR_SECRET_KEY is not the key this database was made with: the backup would hold the wrong one")
        manifest = Manifest(FORMAT, __version__, facts.at.isoformat(), facts.schema, facts.key_fingerprint, with_key, dump.server_major(), tool.major)
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(_MANIFEST, json.dumps(asdict(manifest), indent=2) + "\n")
            if with_key:
                archive.writestr(_KEY, settings.SECRET_KEY)
            with dump.dumping(tool, snapshot) as source, archive.open(zipfile.ZipInfo(_DUMP, facts.at.timetuple()[:6]), "w", force_zip64=True) as target:
                done = 0
                while chunk := source.read(_CHUNK):
                    target.write(chunk)
                    progress(done := done + len(chunk))
            archive.writestr(_END, "")
    return manifest


def make(path: Path, tool: dump.Tools, progress: Progress, *, with_key: bool = False) -> Manifest:
    """Write a backup to the file ``path``: it is there whole, read again and on the disk, or not at all. Mode 0600.

    Raises ``DumpError``, ``SchemaError``, ``OSError``.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)  # mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            manifest = write(out, tool, progress, with_key=with_key)
            out.flush()
            os.fsync(out.fileno())
        with opened(temporary) as written:
            written.verify(tool, progress)
        temporary.rename(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        temporary.unlink(missing_ok=True)
    return manifest


class Archive:
    """A backup that is there to be read."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.manifest = self._read_manifest()
        archive.getinfo(_END)
        self.size = archive.getinfo(_DUMP).file_size
        """Bytes of the dump."""

    def key(self) -> str:
        """The secret key in it, "" when it has none."""
        return self._archive.read(_KEY).decode() if self.manifest.with_key else ""

    @contextlib.contextmanager
    def reading(self) -> Iterator[IO[bytes]]:
        """The dump, to be read to its end. Raises ``DumpError`` when the archive is broken."""
        try:
            with self._archive.open(_DUMP) as source:
                yield source
        except zipfile.BadZipFile as error:
            raise DumpError(f"the backup is broken: {error}") from None

    def verify(self, tool: dump.Tools, progress: Progress) -> None:
        """Read all of it as a restore does. Raises ``DumpError``."""
        with self.reading() as source:
            dump.readable(tool, source, progress)

    def _read_manifest(self) -> Manifest:
        with self._archive.open(_MANIFEST) as file:
            values = json.loads(file.read(_LONGEST_MANIFEST))
        if values["format"] != FORMAT:
            raise DumpError(f"the backup has format {values['format']!r}, this release reads {FORMAT}: restore it with the release that made it ({values.get('colporteur', 'unknown')})")
        manifest = Manifest(**{**values, "schema": tuple(values["schema"])})
        manifest.moment  # noqa: B018 - reading it checks it
        return manifest


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """A backup's file. Raises ``DumpError`` when it is none, or not a whole one."""
    try:
        archive = zipfile.ZipFile(path)
    except _BROKEN as error:
        raise DumpError(f"{path} is not a whole backup: {error}") from None
    with archive:
        try:
            found = Archive(archive)
        except (KeyError, ValueError, TypeError, AttributeError, *_BROKEN) as error:
            raise DumpError(f"{path} is not a backup of Colporteur: {error}") from None
        yield found

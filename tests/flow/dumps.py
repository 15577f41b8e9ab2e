"""Dumps and backups of SPIP sites as MySQL, phpMyAdmin and SPIP write them, small, made of Python values."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Tables = Mapping[str, tuple[str, Sequence[Sequence[Any]]]]
"""Table -> (its columns, rows)."""


def literal(value: Any) -> bytes:
    """A value as mysqldump writes it."""
    if value is None:
        return b"NULL"
    if isinstance(value, bytes):
        return b"0x" + value.hex().encode() if value else b"''"
    if isinstance(value, int):
        return str(value).encode()
    escaped = str(value).replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace('"', '\\"')
    return b"'" + escaped.encode() + b"'"


def dump(tables: Tables, prefix: str = "spip_", *, admin: bool = False, encoding: str = "utf-8") -> bytes:
    """A dump of mysqldump, or (``admin``) of phpMyAdmin, which names the columns in every INSERT."""
    out = [b"-- MySQL dump 10.19\n/*!40101 SET NAMES utf8mb4 */;\n/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;\n"]
    for name, (columns, rows) in tables.items():
        names = columns.split()
        table = f"`{prefix}{name}`".encode()
        made = ",\n  ".join(f"`{one}` text NOT NULL DEFAULT '' COMMENT 'x, y)'" for one in names)
        out.append(b"DROP TABLE IF EXISTS " + table + b";\nCREATE TABLE " + table + f" (\n  {made},\n  PRIMARY KEY (`{names[0]}`)\n) ENGINE=MyISAM DEFAULT CHARSET=utf8;\n".encode())
        out.append(b"LOCK TABLES " + table + b" WRITE;\n")
        for start in range(0, len(rows), 3):
            head = b"INSERT INTO " + table + (b" (" + ", ".join(f"`{one}`" for one in names).encode() + b")" if admin else b"") + b" VALUES\n"
            out.append(head + b",\n".join(b"(" + b",".join(literal(value) for value in row) + b")" for row in rows[start : start + 3]) + b";\n")
        out.append(b"UNLOCK TABLES;\n")
    whole = b"".join(out)
    return whole.decode().encode(encoding) if encoding != "utf-8" else whole


def backup(path: Path, tables: Tables, prefix: str = "spip_") -> Path:
    """SPIP's own backup: the same tables in SQLite."""
    with sqlite3.connect(path) as made:
        for name, (columns, rows) in tables.items():
            made.execute(f"CREATE TABLE {prefix}{name} ({', '.join(columns.split())})")
            made.executemany(f"INSERT INTO {prefix}{name} VALUES ({', '.join('?' * len(columns.split()))})", [list(row) for row in rows])
    made.close()
    return path


def serialised(value: Any) -> str:
    """What PHP's serialize() makes of it."""
    match value:
        case bool():
            return f"b:{int(value)};"
        case int():
            return f"i:{value};"
        case None:
            return "N;"
        case dict():
            return f"a:{len(value)}:{{{''.join(serialised(key) + serialised(one) for key, one in value.items())}}}"
    return f's:{len(str(value).encode())}:"{value}";'

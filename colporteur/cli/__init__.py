"""Floor 5: commands. The same nouns as everywhere; each command is one function with its help text."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

NOUNS = {
    "run": "run", "web": "run", "receive": "run", "collect": "run", "worker": "run", "migrate": "run", "doctor": "doctor", "demo": "demo",
    "person": "people", "domain": "domains", "list": "lists", "member": "members", "transport": "transports", "mailbox": "mailboxes",
    "deliver": "deliver", "post": "posts", "mailing": "mailings",
}  # fmt: skip
"""Command -> module below this package that holds it; a module is imported only when its command runs."""


class Nouns(click.Group):
    """Commands loaded on demand, so that ``colporteur deliver`` starts without Django."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(NOUNS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in NOUNS:
            return None
        module = importlib.import_module(f"colporteur.cli.{NOUNS[name]}")
        found: Any = getattr(module, name if name != "list" else "list_")
        return found  # type: ignore[no-any-return]


@click.command(cls=Nouns, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="colporteur")
def colporteur() -> None:
    """Mail for groups: mailing lists, distribution groups and newsletters."""


def main() -> None:
    """Entry point of the program; errors go to stderr with a non-zero status, never a stack trace for wrong input."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "colporteur.settings")
    sys.exit(colporteur(prog_name="colporteur"))

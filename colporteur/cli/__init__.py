"""Floor 5: commands. The same nouns as everywhere; each command is one function with its help text.

The modules below import flow and store at their top: Django is set up here, before a module is imported, and every
command is run with the database there (``cli.installation``) unless it sees to that itself.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from colporteur.options import SettingsError

NOUNS: dict[str, tuple[str, str]] = {
    "run": ("run", "Everything: database, web, receivers, collectors, workers."),
    "web": ("run", "The web server alone."),
    "receive": ("run", "The LMTP listener alone."),
    "collect": ("run", "The IMAP and POP3 collectors alone."),
    "worker": ("run", "One worker alone: judges, plans, delivers."),
    "migrate": ("run", "Bring the database to this release's schema."),
    "backup": ("backup", "Write a whole backup of the database."),
    "restore": ("backup", "Put a backup back; what was under way is held back."),
    "doctor": ("doctor", "Check the installation and say what to do."),
    "demo": ("demo", "Demo data."),
    "person": ("people", "People, administrators and sign-in links."),
    "identity": ("identities", "Sites that sign people in (OpenID Connect)."),
    "domain": ("domains", "Mail domains and their service."),
    "list": ("lists", "Lists and their settings."),
    "policy": ("policies", "Settings above the lists: of the site, organisations and domains."),
    "nest": ("nesting", "Lists inside lists, and people left out of one."),
    "role": ("roles", "Who owns, moderates and may write to a list."),
    "template": ("templates", "Kinds of list and the values they set."),
    "wording": ("wordings", "Own texts of letters and footers."),
    "request": ("requests", "Lists that are asked for."),
    "member": ("members", "Members of a list."),
    "attribute": ("attributes", "What a list knows of its members."),
    "segment": ("segments", "Some of a list's members, by a rule."),
    "bounce": ("bounces", "What comes back: addresses in trouble, and the way back."),
    "source": ("sources", "Members that follow the association's own data."),
    "transport": ("transports", "Ways out: SMTP relays and folders."),
    "destination": ("destinations", "Domains that share a provider, and what it allows."),
    "organisation": ("organisations", "Organisations: administrators, quotas, limits."),
    "mailbox": ("mailboxes", "IMAP and POP3 accounts lists are collected from."),
    "deliver": ("deliver", "Hand a message in from a pipe."),
    "post": ("posts", "Messages received, and what is decided about them."),
    "import": ("imports", "Moving in from SPIP and other newsletter tools."),
    "campaign": ("campaigns", "Newsletters: write, test, send, follow."),
    "mailing": ("mailings", "What goes out: progress, pause, resume, cancel."),
}
"""Command -> (module below this package that holds it, sentence of the overview). A module is imported only when its command runs."""

_WITHOUT_DJANGO = {"deliver"}
_OWN_DATABASE = {"run", "backup", "doctor", "deliver"}  # modules that see to the database themselves


class Nouns(click.Group):
    """Commands loaded on demand, so that ``colporteur deliver`` starts without Django and the overview loads nothing."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(NOUNS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in NOUNS:
            return None
        module_name = NOUNS[name][0]
        if module_name not in _WITHOUT_DJANGO:
            _set_up_django()
        module = importlib.import_module(f"colporteur.cli.{module_name}")
        found: Any = getattr(module, name if name not in ("list", "import") else f"{name}_")
        if module_name not in _OWN_DATABASE:
            _run_in_installation(found)
        return found  # type: ignore[no-any-return]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, sentence) for name, (_module, sentence) in NOUNS.items()])


def _set_up_django() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "colporteur.settings")
    try:
        importlib.import_module("django").setup()
    except SettingsError as error:
        raise click.ClickException(str(error)) from None


def _run_in_installation(command: click.Command) -> None:
    """Wrap each command below ``command`` once, so that its function finds the database there."""
    if isinstance(command, click.Group):
        for below in command.commands.values():
            _run_in_installation(below)
    elif command.callback is not None and not hasattr(command.callback, "in_installation"):
        installation = importlib.import_module("colporteur.cli.installation")
        command.callback = installation.with_installation(command.callback)


@click.command(cls=Nouns, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="colporteur")
def colporteur() -> None:
    """Mail for groups: mailing lists, distribution groups and newsletters."""


def main() -> None:
    """Entry point of the program; errors go to stderr with a non-zero status, never a stack trace for wrong input."""
    sys.exit(colporteur(prog_name="colporteur"))

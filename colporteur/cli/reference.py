"""Pages of the documentation that are made from the program itself, so that they cannot lag behind it.

``python -m colporteur.cli.reference commands > docs/commands.md``; likewise ``list-settings``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from colporteur.cli import colporteur
from colporteur.domain.policy import OPTIONS, SECTIONS
from colporteur.domain.templates import TEMPLATES

_INTRODUCTION = """# Commands

Made by `make docs` from the commands' own help; do not edit.

Every command has `--help`, works without a terminal, and prints errors on stderr with a status other than 0. With `--json`
one thing prints one object and what lists prints an array, the whole of it unless `--limit` and `--after` page through it,
the newest first; dates are ISO 8601 with offset. The program is `.venv/bin/colporteur`.
"""


_LIST_SETTINGS = """# Settings of a list

Made by `make docs` from the settings' declaration (`colporteur/domain/policy.py`); do not edit.

A value is inherited: the site's, replaced by the organisation's, the domain's, the template's, the list's own. The settings
page shows the value in force and where it comes from; `colporteur list set ADDRESS KEY=VALUE` changes one, and
`--inherit KEY` goes back to the inherited value.
"""


def commands() -> str:
    """``docs/commands.md``."""
    return _INTRODUCTION + "".join(_page(colporteur, ("colporteur",)))


def list_settings() -> str:
    """``docs/list-settings.md``: every option of a list's policy, and what each template sets."""
    lines = [_LIST_SETTINGS]
    for section, title in SECTIONS.items():
        lines.append(f"\n## {title}\n")
        for name, option in OPTIONS.items():
            about = option.metadata
            if about["section"] != section:
                continue
            default = "yes" if option.default is True else "no" if option.default is False else option.default
            unit = f" {about['unit']}" if about["unit"] else ""
            lines.append(f"\n### {about['label']}: `{name}`\n\n{about['sentence']} Default: {f'`{default}`{unit}' if default != '' else 'empty'}.\n")
            if about["choices"]:
                lines.append("\n" + "".join(f"- `{value}`: {words}\n" for value, words in about["choices"].items()))
            elif about["least"] is not None:
                lines.append(f"\nFrom {about['least']:,} to {about['most']:,}{unit}.\n")
    lines.append("\n## Templates\n\nWhat a template sets; everything else stays inherited.\n\n| template | for | sets |\n|---|---|---|\n")
    for template in TEMPLATES.values():
        sets = ", ".join(f"`{key}={'yes' if value is True else 'no' if value is False else 'none' if value is None else value}`" for key, value in template.policy.items())
        lines.append(f"| `{template.id}`: {template.title} | {template.sentence} {template.explanation} | {sets} |\n")
    return "".join(lines)


PAGES = {"commands": commands, "list-settings": list_settings}


def _page(command: click.Command, path: tuple[str, ...]) -> Iterator[str]:
    context = click.Context(command, info_name=" ".join(path))
    if isinstance(command, click.Group):
        if len(path) > 1:
            yield f"\n## {' '.join(path)}\n\n{_help(command)}\n"
        for name in command.list_commands(context):
            if below := command.get_command(context, name):
                yield from _page(below, (*path, name))
        return
    usage = " ".join([*path, *command.collect_usage_pieces(context)])
    yield f"\n{'##' if len(path) == 2 else '###'} {' '.join(path)}\n\n    {usage}\n\n{_help(command)}\n"
    options = [record for option in command.params if isinstance(option, click.Option) and not option.hidden and (record := option.get_help_record(context))]
    if options:
        yield "\n" + "".join(f"- `{names}`: {sentence}\n" for names, sentence in options)


def _help(command: click.Command) -> str:
    return " ".join((command.help or "").split())


if __name__ == "__main__":
    sys.stdout.write(PAGES[sys.argv[1]]())

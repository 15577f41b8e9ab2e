"""Options are declared once: one file reads the environment, and its page is made from it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from colporteur import options

CODE = Path(options.__file__).parent
READERS = {("os", "environ"), ("os", "getenv"), ("os", "environb")}


def _reads(file: Path) -> list[int]:
    tree = ast.parse(file.read_text())
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and (node.value.id, node.attr) in READERS:
            lines.append(node.lineno)
        if isinstance(node, ast.ImportFrom) and node.module == "os" and {alias.name for alias in node.names} & {"environ", "getenv"}:
            lines.append(node.lineno)
    return lines


def test_only_options_reads_the_environment() -> None:
    found = {str(file.relative_to(CODE)): _reads(file) for file in CODE.rglob("*.py")}
    # Naming our settings module to Django is no option.
    for file in ("cli/__init__.py", "web/wsgi.py"):
        lines = (CODE / file).read_text().splitlines()
        found[file] = [line for line in found[file] if 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "colporteur.settings")' not in lines[line - 1]]
    # What PostgreSQL's own programs inherit is no option either.
    lines = (CODE / "daemons/dump.py").read_text().splitlines()
    found["daemons/dump.py"] = [line for line in found["daemons/dump.py"] if "in os.environ.items() if name in" not in lines[line - 1]]
    assert {file for file, lines in found.items() if lines} == {"options.py"}


def test_the_settings_page_is_up_to_date() -> None:
    assert (CODE.parent / "docs" / "settings.md").read_text() == options.markdown(), "run `make docs`"


def test_every_option_is_declared_once_and_read_somewhere() -> None:
    names = [option.variable for option in options.OPTIONS]
    assert len(names) == len(set(names))
    source = "".join(file.read_text() for file in CODE.rglob("*.py") if file.name != "options.py")
    assert [name for name in names if f'read("{name}")' not in source] == []


@pytest.mark.parametrize("option", options.OPTIONS, ids=lambda option: option.variable)
def test_an_option_explains_itself_and_has_a_default_that_reads(option: options.Option) -> None:
    assert option.sentence.endswith(".") and option.sentence[0].isupper()
    text = {True: "1", False: "0"}.get(option.default, str(option.default)) if isinstance(option.default, bool) else str(option.default)
    assert options.read(option.variable, {}) == option.default == options.read(option.variable, {option.variable: text})


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("COLPORTEUR_SWEEP", "0"), ("COLPORTEUR_SWEEP", "-1"), ("COLPORTEUR_SWEEP", "two"), ("COLPORTEUR_WEB", "host:"), ("COLPORTEUR_WEB", "host:99999"), ("COLPORTEUR_DEMO", "maybe"), ("COLPORTEUR_LOG", "loud"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_read_names_its_variable(variable: str, text: str) -> None:
    with pytest.raises(options.SettingsError, match=variable):
        options.read(variable, {variable: text})

"""``colporteur person``."""

from __future__ import annotations

from datetime import UTC, datetime

from colporteur.flow import people
from tests.cli.conftest import Run


def test_the_first_administrator_and_a_link_to_sign_in(run: Run, ask) -> None:
    made = ask("person", "add", "Helene@Saule.example", "--name", "Hélène", "--admin")
    assert (made["addresses"], made["name"], made["admin"]) == (["helene@saule.example"], "Hélène", True)
    link = run("person", "signin-link", "helene@saule.example")
    assert link.exit_code == 0 and link.stdout.startswith("http://testserver/s/") and link.stdout.count("\n") == 1
    assert people.redeem(link.stdout.strip().rpartition("/")[2], datetime.now(UTC)) == people.find("helene@saule.example")


def test_a_link_says_when_it_ends(run: Run, ask) -> None:
    run("person", "add", "helene@saule.example")
    found = ask("person", "signin-link", "helene@saule.example", "--minutes", "5")
    assert datetime.fromisoformat(found["expires"]).utcoffset() is not None


def test_wrong_input_is_one_line_on_stderr(run: Run) -> None:
    for words, says in [(("add", "nobody"), "write name@example.org"), (("signin-link", "x@y.example"), "nobody here"), (("list", "--after", "x@y.example"), "nobody here")]:
        result = run("person", *words)
        assert result.exit_code == 1 and not result.stdout
        assert says in result.stderr and result.stderr.count("\n") == 1 and "Traceback" not in result.output


def test_people_come_newest_first_and_page_by_the_last_one_seen(run: Run, ask) -> None:
    for number in range(5):
        run("person", "add", f"p{number}@a.example")
    run("person", "add-address", "p4@a.example", "four@a.example")
    emails = [row["addresses"][0] for row in ask("person", "list")]
    assert sorted(emails) == ["four@a.example", "p0@a.example", "p1@a.example", "p2@a.example", "p3@a.example"]
    assert [row["addresses"][0] for row in ask("person", "list", "--limit", "2", "--after", "p3@a.example")] == ["p2@a.example", "p1@a.example"]
    assert ask("person", "list", "--admin") == []

"""Generated pages are what the program says today; `make docs` writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from colporteur.cli.reference import PAGES

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", PAGES)
def test_the_page_is_up_to_date(page: str) -> None:
    assert (DOCS / f"{page}.md").read_text() == PAGES[page](), f"run `make docs`: docs/{page}.md lags behind the program"

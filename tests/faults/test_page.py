from pathlib import Path

from tests.faults.page import page


def test_the_page_is_what_make_docs_writes() -> None:
    assert (Path(__file__).parents[2] / "docs/faults.md").read_text() == page()

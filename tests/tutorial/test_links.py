"""Links to other sites: those that lead nowhere are told, with page and line, and no other site is asked here."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_server import Reply, small_server

from tutorial import links
from tutorial.errors import TutorialError
from tutorial.home import PROJECT


@pytest.fixture
def site() -> Iterator[str]:
    """The address of another site, which is one of this machine and has one page, `/there`."""
    with small_server({"/there": Reply(b"here")}) as server:
        yield server.url


def book(folder: Path, page: str) -> Path:
    """Write a book of one page, with the settings of ours, and return its folder."""
    folder.mkdir()
    shutil.copyfile(PROJECT / "_config.yml", folder / "_config.yml")
    (folder / "_toc.yml").write_text("format: jb-book\nroot: page\n")
    (folder / "page.md").write_text(page)
    return folder


def test_a_link_that_leads_nowhere_is_told_with_page_and_line(tmp_path: Path, site: str) -> None:
    page = f"# A page\n\n[Good]({site}/there) and [mine]({site}/mine).\n\n[Bad]({site}/gone)\n"
    source = book(tmp_path / "book", page)
    (broken,) = links.broken_links(source, ignored=[f"{site}/mine"])
    assert broken.startswith(f"page.md:5: {site}/gone 404")
    assert sorted(path.name for path in source.iterdir()) == ["_config.yml", "_toc.yml", "page.md"]


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("http://127.0.0.1:8501/model", False),
        ("https://localhost/", False),
        ("https://localhosts.example.org/", True),
        ("https://example.org/?at=http://127.0.0.1:8501", True),
    ],
)
def test_what_a_chapter_starts_on_this_machine_is_not_asked(address: str, asked: bool) -> None:
    assert asked != any(re.match(pattern, address) for pattern in links.OWN_MACHINE)


def test_a_book_that_cannot_be_read_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = book(tmp_path / "book", "# A page\n")
    (source / "_toc.yml").write_text("parts: []\n")
    with pytest.raises(TutorialError, match=r"cannot be read: what stopped it stands above\.$"):
        links.broken_links(source)
    assert "Table of Contents file is malformed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("found", "status"), [([], None), (["page.md:5: http://127.0.0.1/gone 404"], 1)]
)
def test_the_command_prints_them_and_fails(
    found: list[str],
    status: int | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(links, "broken_links", lambda: found)
    if status is None:
        links.main()
        assert "leads somewhere" in capsys.readouterr().out
        return
    with pytest.raises(SystemExit, match="Mend the links above"):
        links.main()
    assert capsys.readouterr().out.splitlines() == found

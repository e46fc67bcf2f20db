"""`MODEL_URI`: a model is fetched from where it says, or a sentence says why not."""

import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from plain import is_one_sentence

from app.sources import MODULES, Fetched, SourceError, fetch


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that stands for a model."""
    path = tmp_path / "my model.skops"
    path.write_bytes(b"first")
    return path


def refusal(uri: str) -> str:
    with pytest.raises(SourceError) as refused:
        fetch(uri)
    return str(refused.value)


@pytest.mark.parametrize("uri", ["{}", "file:{}", "file://{}", "FILE://{}"])
def test_a_path_and_a_file_uri_name_the_file(file: Path, uri: str) -> None:
    fetched = fetch(uri.format(file))
    assert fetched is not None
    assert fetched.path.read_bytes() == b"first"


def test_a_uri_may_have_its_spaces_encoded(file: Path) -> None:
    fetched = fetch(file.as_uri())
    assert fetched is not None
    assert fetched.path == file


def test_a_relative_path_starts_where_the_app_was_started(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    for uri in (file.name, f"file:{file.name}"):
        fetched = fetch(uri)
        assert fetched is not None
        assert fetched.path.read_bytes() == b"first"


def test_nobody_can_tell_how_a_file_got_there(file: Path) -> None:
    fetched = fetch(str(file))
    assert fetched is not None
    assert fetched.proof == {}


def test_a_version_that_is_known_is_not_fetched_again(file: Path) -> None:
    first = fetch(str(file))
    assert first is not None
    assert fetch(str(file), first.version) is None


def test_a_file_with_other_content_has_another_version(file: Path) -> None:
    first = fetch(str(file))
    assert first is not None

    file.write_bytes(b"other")
    second = fetch(str(file), first.version)
    file.write_bytes(b"first")
    third = fetch(str(file), first.version)

    assert second is not None
    assert second.version != first.version
    assert third is None


@pytest.mark.parametrize(
    ("place", "complaint"),
    [
        ("nothing.skops", "There is no model at"),
        ("no/thing.skops", "There is no model at"),
        (".", "cannot be read"),
        ("my model.skops/inside", "cannot be read"),
        ("a\0b", "a\\x00b"),
    ],
)
def test_a_place_without_a_model_is_named_in_a_sentence(
    file: Path, place: str, complaint: str
) -> None:
    message = refusal(f"{file.parent}/{place}")
    assert str(file.parent) in message
    assert complaint in message
    assert is_one_sentence(message)


@pytest.mark.parametrize("uri", ["ftp://host/model", "https://host/model", "C:\\model", "http://["])
def test_what_nothing_fetches_is_named_in_a_sentence(uri: str) -> None:
    message = refusal(uri)
    assert message.startswith(f"MODEL_URI is {uri!r}")
    assert is_one_sentence(message)


@pytest.mark.parametrize(
    ("uri", "module", "milestone"),
    [("s3://bucket/key", "s3", 2), ("models:/sentiment@champion", "registry", 5)],
)
def test_a_source_that_is_not_built_yet_names_its_milestone(
    monkeypatch: pytest.MonkeyPatch, uri: str, module: str, milestone: int
) -> None:
    monkeypatch.setitem(sys.modules, f"app.sources.{module}", None)  # as if not there

    message = refusal(uri)

    assert f"app/sources/{module}.py is not there yet: milestone {milestone} " in message
    assert is_one_sentence(message)


def test_a_source_that_lacks_a_library_is_not_said_to_be_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "later.py").write_text("import a_library_that_is_not_there\n")
    monkeypatch.setattr("app.sources.__path__", [str(tmp_path)])
    monkeypatch.setitem(MODULES, "later", ("later", 9))

    with pytest.raises(ModuleNotFoundError, match="a_library_that_is_not_there"):
        fetch("later:x")


def test_a_new_scheme_takes_a_module_and_a_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """How milestones 2 and 5 add S3 and the registry."""
    (tmp_path / "mine.py").write_text(
        "from pathlib import Path\nfrom app.sources import Fetched\n"
        "def fetch(uri, known): return Fetched(Path(uri), '7', {'run': known})\n"
    )
    monkeypatch.setattr("app.sources.__path__", [str(tmp_path)])
    monkeypatch.setitem(MODULES, "mine", ("mine", 9))
    monkeypatch.delitem(sys.modules, "app.sources.mine", raising=False)

    fetched = fetch("mine:x", "6")

    assert fetched == Fetched(Path("mine:x"), "7", {"run": "6"})


@given(st.text())
@example("file://[")
@example("//[::1")
@example("\0")
@example("file:%00")
def test_any_uri_is_a_model_or_a_source_error(uri: str) -> None:
    assert isinstance(fetched_or_error(uri), SourceError | Fetched)


def fetched_or_error(uri: str) -> Fetched | SourceError | None:
    try:
        return fetch(uri)
    except SourceError as error:
        return error

"""What a training can be told: whatever is not meant is refused by name, and nothing is overlooked."""

import string
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain import is_one_sentence

from app.model import MODELS, Params
from app.parameters import NAMES, ParameterError, Parameters, read_parameters, set_since
from tutorial.home import PROJECT

ONE_FILE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
# A name that nobody would take for one of IPython's.
WORDS = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True).filter(lambda name: name not in NAMES)
VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Parameters]:
    """Read a text as params.yaml."""

    def read(text: str, over: dict[str, Any] | None = None) -> Parameters:
        (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
        return read_parameters(tmp_path / "params.yaml", over)

    return read


@pytest.fixture
def refused(read: Callable[..., Parameters]) -> Callable[..., str]:
    """Give the sentence that refuses a text, or what is set over it."""

    def refused(text: str, over: dict[str, Any] | None = None) -> str:
        with pytest.raises(ParameterError) as error:
            read(text, over)
        assert is_one_sentence(str(error.value)), error.value
        return str(error.value)

    return refused


def test_the_project_s_file_is_read() -> None:
    parameters = read_parameters(PROJECT / "params.yaml")
    assert parameters.as_dict() == {"data": "workshop", "test": "workshop", **asdict(Params())}


def test_what_is_not_in_the_file_is_as_the_model_has_it(read: Callable[..., Parameters]) -> None:
    assert read("{}") == Parameters("workshop", "workshop", MODELS["small"])
    assert read("model: full\nC: 2").params == Params(**{**asdict(MODELS["full"]), "C": 2})


def test_what_is_set_comes_before_the_file_and_none_is_what_the_file_says(
    read: Callable[..., Parameters],
) -> None:
    over = {"C": 3.0, "data": "mine.csv", "test": None, "bits": None, "model": None}
    assert read("C: 2\nbits: 12\ntest: imdb", over) == Parameters(
        "mine.csv", "imdb", Params(C=3.0, bits=12)
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("c: 1", "'c' is not a parameter: choose from data, test, model, C, "),
        ("output: here", "'output' is not a parameter: choose from "),
        ("1: 2", "1 is not a parameter: choose from "),
        ("C: 1\nbits: 12\nC: 2", "says C twice: remove one of them."),
        ("C: 1\n'C': 1", "says C twice: remove one of them."),
        ("C: 1e-3", "C is '1e-3': it must be a number."),  # YAML 1.1 takes it for a text
        ("C: '1'", "C is '1': it must be a number."),
        ("C: true", "C is True: it must be a number."),
        ("C:", "C is None: it must be a number."),
        ("C: [1, 2]", "C is [1, 2]: it must be a number."),
        ("C: .nan", "C is nan: choose a value from 0.0001 to 10000.0."),
        ("C: 0", "C is 0: choose a value from 0.0001 to 10000.0."),
        ("bits: 12.0", "bits is 12.0: it must be a whole number."),
        ("bits: yes", "bits is True: it must be a whole number."),
        ("model: large", "model is 'large': choose from small, full."),
        ("model: [small]", "model is ['small']: choose from small, full."),
        ("model:", "model is None: choose from small, full."),
        ("data: 3", "data is 3: name a corpus, a CSV file or one in S3."),
        ("test: ''", "test is '': name a corpus, a CSV file or one in S3."),
        ("data:", "data is None: name a corpus, a CSV file or one in S3."),
        ("", "holds no names and values: write `name: value`, one a line."),
        ("- C: 1", "holds no names and values: write `name: value`, one a line."),
        ("C = 1", "holds no names and values: write `name: value`, one a line."),
        ("C: [", "is no YAML: write `name: value`, one a line."),
        ("C: 1\n---\nC: 2", "is no YAML: write `name: value`, one a line."),
        ("? [C]\n: 1", "is no YAML: write `name: value`, one a line."),
        ("!!python/object/apply:os.system ['true']", "is no YAML: write `name: value`"),
        ("C: 2020-13-45", "is no YAML: write `name: value`, one a line."),
    ],
)
def test_what_is_not_meant_is_refused_by_name(
    refused: Callable[..., str], text: str, sentence: str
) -> None:
    assert sentence in refused(text)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\x00", b"C: 1\x07"])
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "params.yaml").write_bytes(content)
    with pytest.raises(ParameterError, match="is no YAML: write") as error:
        read_parameters(tmp_path / "params.yaml")
    assert is_one_sentence(str(error.value))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="cannot be read: No such file or directory"):
        read_parameters(tmp_path / "absent.yaml")


def test_nesting_without_an_end_is_refused(refused: Callable[..., str]) -> None:
    assert "is no YAML" in refused("C: " + "[" * 5000)


@pytest.mark.parametrize(
    ("over", "sentence"),
    [
        ({"c": 1}, "'c' is not a parameter: choose from "),
        ({"c": None}, "'c' is not a parameter: choose from "),  # misspelt, whatever its value
        ({"C": "2"}, "C is '2': it must be a number."),
        ({"C": True}, "C is True: it must be a number."),
        ({"model": "big"}, "model is 'big': choose from small, full."),
        ({"data": ["a.csv"]}, "data is ['a.csv']: name a corpus, "),
    ],
)
def test_what_is_set_is_held_to_the_same(
    refused: Callable[..., str], over: dict[str, Any], sentence: str
) -> None:
    assert refused("C: 1", over).startswith(sentence)


@ONE_FILE
@given(text=st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_text_is_read_or_refused_in_one_sentence(
    read: Callable[..., Parameters], text: str
) -> None:
    told = ""
    try:
        read(text)
    except ParameterError as error:
        told = str(error)
    assert not told or is_one_sentence(told)


@ONE_FILE
@given(values=st.dictionaries(st.sampled_from(NAMES) | WORDS, VALUES, min_size=1, max_size=4))
def test_any_names_and_values_are_read_or_refused_in_one_sentence(
    read: Callable[..., Parameters], values: dict[str, Any]
) -> None:
    told, as_read = "", {}
    try:
        as_read = read(yaml.safe_dump(values)).as_dict()
    except ParameterError as error:
        told = str(error)
    if told:
        assert is_one_sentence(told)
    else:
        meant = {name: value for name, value in values.items() if name != "model"}
        assert {name: as_read[name] for name in meant} == meant


def test_what_ipython_puts_beside_a_notebook_s_names_is_left_out() -> None:
    theirs = ("_", "__", "___", "_i", "_ii", "_iii", "_i1", "_i23", "_1", "_23")
    theirs += ("_ih", "_oh", "_dh", "In", "Out", "__session__", "__vsc_ipynb_file__")
    assert set_since({"In": ["a"]}, {"before": 0, **dict.fromkeys(theirs, "now")}) == {"before": 0}


def test_the_notebook_s_own_snapshot_is_no_parameter() -> None:
    names: dict[str, Any] = {"json": "a module"}
    before = dict(names)
    names["before"] = before
    assert set_since(before, names) == {}


def test_an_import_that_was_overwritten_is_seen() -> None:
    names = {"train": train, "value": 1.0}
    before = dict(names)
    names["train"] = names["value"] = 2.0  # type: ignore[assignment]
    assert set_since(before, names) == {"train": 2.0, "value": 2.0}


def train() -> None:
    """Stand in for an import of the notebook's."""


@given(
    before=st.dictionaries(st.from_regex(r"[A-Za-z_]\w{0,3}", fullmatch=True), VALUES),
    injected=st.dictionaries(WORDS | st.sampled_from(NAMES) | st.just("__C"), VALUES),
)
def test_every_name_that_papermill_sets_is_seen(
    before: dict[str, Any], injected: dict[str, Any]
) -> None:
    given = {name: value for name, value in injected.items() if name not in before}
    seen = set_since(before, {**before, **given})
    assert seen == given


def test_whatever_else_is_set_is_refused(refused: Callable[..., str]) -> None:
    for name in string.ascii_lowercase:
        assert refused("C: 1", set_since({}, {name: 1})).startswith(f"{name!r} is not a parameter")

"""The model's file: whole or not there, named by what is in it, and refused if it could do harm."""

import copy
import os
import pickle
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import is_one_sentence
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from app.model import EXAMPLE, ModelError, predict
from app.model_file import load, model_digest, save

Spoil = Callable[[Pipeline], Any]


@pytest.fixture
def own(small_model: Pipeline) -> Pipeline:
    """A copy of the small model, to be changed."""
    return copy.deepcopy(small_model)


@pytest.fixture(scope="module")
def small_file(small_model: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small model's file: do not write there."""
    path = tmp_path_factory.mktemp("small") / "small.skops"
    save(small_model, path)
    return path


def classifier(model: Pipeline) -> LogisticRegression:
    return model.named_steps["classifier"]


def weights(model: Pipeline) -> TfidfTransformer:
    return model.named_steps["weights"]


def part(model: Pipeline) -> HashingVectorizer:
    """What counts the model's words."""
    return model.named_steps["features"].named_transformers_["words"]


def changed(holder: Any, name: str, value: Any) -> None:
    """Set an attribute: a lambda cannot."""
    setattr(holder, name, value)


def refusal(path: Path) -> str:
    """What `load` says of a file that it refuses."""
    with pytest.raises(ModelError) as refused:
        load(path)
    return str(refused.value)


def test_a_model_comes_back_as_it_was(
    model: Pipeline, model_file: Path, unseen_reviews: Any
) -> None:
    texts = unseen_reviews["review"].tolist()
    loaded = load(model_file)
    assert np.array_equal(predict(loaded, texts), predict(model, texts))
    assert model_digest(loaded) == model_digest(model)
    assert loaded.example_ == model.example_


def test_a_file_holds_nothing_but_trusted_types(model_file: Path) -> None:
    assert skops.io.get_untrusted_types(file=model_file) == []


def test_a_file_is_compressed(model_file: Path) -> None:
    """It is fetched by every app that starts."""
    with zipfile.ZipFile(model_file) as archive:
        assert {part.compress_type for part in archive.infolist()} == {zipfile.ZIP_DEFLATED}


def test_two_files_of_one_model_differ_and_have_one_digest(
    small_model: Pipeline, small_file: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again.skops"
    save(load(small_file), again)

    assert again.read_bytes() != small_file.read_bytes(), "or else this proves nothing"
    assert model_digest(load(again)) == model_digest(small_model)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda m: classifier(m).coef_.__setitem__((0, 3), 0.123456), id="a weight"),
        pytest.param(lambda m: classifier(m).intercept_.__iadd__(1e-5), id="the intercept"),
        pytest.param(lambda m: weights(m).idf_.__setitem__(3, 1.5), id="how telling a word is"),
        pytest.param(lambda m: changed(weights(m), "idf_", weights(m).idf_[:-1]), id="a column"),
        pytest.param(lambda m: classifier(m).set_params(C=5.0), id="a parameter"),
        pytest.param(lambda m: part(m).set_params(lowercase=False), id="how words are read"),
        pytest.param(
            lambda m: changed(classifier(m), "classes_", classifier(m).classes_[::-1]),
            id="the classes",
        ),
        pytest.param(lambda m: m.example_.update(positive=0.5), id="the example"),
        pytest.param(lambda m: m.steps.insert(0, ("more", FunctionTransformer())), id="a step"),
    ],
)
def test_any_change_of_the_model_changes_its_digest(
    own: Pipeline, small_model: Pipeline, change: Spoil
) -> None:
    change(own)
    assert model_digest(own) != model_digest(small_model)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda m: classifier(m).coef_.__iadd__(1e-10), id="what processors differ by"),
        pytest.param(lambda m: changed(classifier(m), "n_iter_", np.array([99])), id="iterations"),
        pytest.param(
            lambda m: changed(classifier(m), "coef_", classifier(m).coef_.astype(">f8")), id="bytes"
        ),
        pytest.param(
            lambda m: changed(
                classifier(m),
                "coef_",
                np.where(classifier(m).coef_ == 0, -0.0, classifier(m).coef_),
            ),
            id="zeros below zero",
        ),
    ],
)
def test_what_does_not_change_a_verdict_does_not_change_the_digest(
    own: Pipeline, small_model: Pipeline, change: Spoil
) -> None:
    change(own)
    assert model_digest(own) == model_digest(small_model)


def test_saving_makes_the_folder_and_a_file_that_others_may_read(
    small_model: Pipeline, tmp_path: Path
) -> None:
    path = tmp_path / "models" / "sentiment.skops"
    save(small_model, path)
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("interruption", [OSError, KeyboardInterrupt])
@pytest.mark.parametrize("former", [b"the former model", None])
def test_a_save_that_fails_leaves_things_as_they_were(
    small_model: Pipeline,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    interruption: type[BaseException],
    former: bytes | None,
) -> None:
    path = tmp_path / "sentiment.skops"
    if former:
        path.write_bytes(former)

    def dump(model: Pipeline, file: Any, **_: object) -> None:
        file.write(b"half of ")
        file.flush()
        raise interruption("no space left on device")

    monkeypatch.setattr("skops.io.dump", dump)
    with pytest.raises(interruption):
        save(small_model, path)

    assert list(tmp_path.iterdir()) == ([path] if former else [])
    assert not former or path.read_bytes() == former


def test_a_reader_never_sees_half_a_file(
    small_model: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sentiment.skops"
    path.write_bytes(b"the former model")
    seen, dump = [], skops.io.dump

    def watched(*arguments: Any, **options: Any) -> None:
        seen.append(path.read_bytes())
        dump(*arguments, **options)
        seen.append(path.read_bytes())

    monkeypatch.setattr("skops.io.dump", watched)
    save(small_model, path)

    assert seen == 2 * [b"the former model"]
    assert load(path)


class Harmful:
    """Would write a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return Path.touch, (self.target,)


def test_a_pickle_is_refused_and_nothing_in_it_is_executed(tmp_path: Path) -> None:
    path, target = tmp_path / "model.skops", tmp_path / "harm"
    path.write_bytes(pickle.dumps(Harmful(target)))

    message = refusal(path)

    assert not target.exists()
    assert str(path) in message
    assert is_one_sentence(message)


def test_what_is_no_skops_file_is_refused_in_a_sentence(
    tmp_path: Path, small_file: Path, small_model: Pipeline
) -> None:
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("schema.json", "{}")
    (tmp_path / "half").write_bytes(small_file.read_bytes()[:-500])
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "random").write_bytes(bytes(range(256)) * 9)
    (tmp_path / "pickled").write_bytes(pickle.dumps(small_model))
    (tmp_path / "folder").mkdir()

    for path in (*tmp_path.iterdir(), tmp_path / "missing"):
        message = refusal(path)
        assert str(path) in message
        assert is_one_sentence(message)


@given(st.data())
def test_a_file_that_is_cut_short_anywhere_is_refused(
    small_file: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = small_file.read_bytes()
    path = tmp_path_factory.getbasetemp() / "cut.skops"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    assert is_one_sentence(refusal(path))


@settings(max_examples=40)
@given(st.data(), st.integers(1, 255))
def test_a_byte_that_changed_is_noticed_or_changes_nothing(
    small_model: Pipeline,
    small_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    change: int,
) -> None:
    content = bytearray(small_file.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= change
    path = tmp_path_factory.getbasetemp() / "changed.skops"
    path.write_bytes(content)
    assert digest_or_none(path) in (None, model_digest(small_model))


def digest_or_none(path: Path) -> str | None:
    try:
        return model_digest(load(path))
    except ModelError:
        return None


MEGABYTE = 2**20


def bomb(path: Path, method: int, megabytes: int) -> None:
    """A small file that unpacks to a large one."""
    with zipfile.ZipFile(path, "w", method) as archive, archive.open("a.npy", "w") as member:
        for _ in range(megabytes):
            member.write(bytes(MEGABYTE))


def says_that_it_is_small(path: Path) -> None:
    """Let the bomb's own table of contents tell a size of 9 bytes."""
    with zipfile.ZipFile(path) as archive:
        (member,) = archive.infolist()
    size = member.file_size.to_bytes(4, "little")
    content = path.read_bytes()
    assert size in content
    path.write_bytes(content.replace(size, (9).to_bytes(4, "little")))


@pytest.mark.parametrize(
    ("method", "megabytes", "hidden", "complaint"),
    [
        pytest.param(zipfile.ZIP_DEFLATED, 257, False, "would unpack to 269 MB", id="too large"),
        pytest.param(zipfile.ZIP_DEFLATED, 64, True, "BadZipFile", id="its size hidden"),
        pytest.param(zipfile.ZIP_LZMA, 64, True, "BadZipFile", id="in one piece"),
    ],
)
def test_a_file_that_would_fill_the_memory_is_refused_before_it_does(
    tmp_path: Path, method: int, megabytes: int, hidden: bool, complaint: str
) -> None:
    path = tmp_path / "bomb.skops"
    bomb(path, method, megabytes)
    if hidden:
        says_that_it_is_small(path)
    assert path.stat().st_size < MEGABYTE

    tracemalloc.start()
    try:
        message = refusal(path)
        (_, peak) = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert complaint in message
    assert is_one_sentence(message)
    assert peak < 8 * MEGABYTE


class OwnPipeline(Pipeline):
    """A class that is not scikit-learn's."""


def own_function(reviews: Any) -> Any:
    raise AssertionError("this was executed")


def with_first(step: Any) -> Spoil:
    return lambda model: Pipeline([("first", step), *model.steps])


@pytest.mark.parametrize(
    ("harm", "named"),
    [
        pytest.param(
            with_first(FunctionTransformer(own_function)), "own_function", id="own function"
        ),
        pytest.param(with_first(FunctionTransformer(os.system)), "system", id="the shell"),
        pytest.param(lambda m: OwnPipeline(m.steps), "OwnPipeline", id="own class"),
        pytest.param(
            lambda m: changed(m, "more_", Harmful(Path("x"))) or m, "Harmful", id="own attribute"
        ),
    ],
)
def test_code_that_is_not_known_to_be_safe_is_not_loaded(
    own: Pipeline, tmp_path: Path, harm: Spoil, named: str
) -> None:
    """Others can write to the bucket that models come from."""
    path = tmp_path / "model.skops"
    skops.io.dump(harm(own), path)

    message = refusal(path)

    assert message.startswith(f"{path} holds classes that are not known to be safe")
    assert named in message
    assert is_one_sentence(message)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(lambda m: classifier(m), id="a classifier alone"),
        pytest.param(lambda m: {"model": m}, id="a dict"),
        pytest.param(lambda m: [1, 2], id="a list"),
        pytest.param(lambda m: Pipeline(m.steps[:1]), id="a pipeline that judges nothing"),
        pytest.param(
            lambda m: changed(classifier(m), "classes_", np.array([0, 1])) or m, id="numbers"
        ),
        pytest.param(
            lambda m: changed(classifier(m), "classes_", np.array(["good", "bad"])) or m, id="words"
        ),
        pytest.param(lambda m: changed(classifier(m), "classes_", 5) or m, id="no classes at all"),
        pytest.param(lambda m: changed(classifier(m), "classes_", np.eye(2)) or m, id="a matrix"),
    ],
)
def test_what_is_no_sentiment_model_is_refused(own: Pipeline, tmp_path: Path, other: Spoil) -> None:
    path = tmp_path / "model.skops"
    skops.io.dump(other(own), path)

    message = refusal(path)

    assert "not a sentiment pipeline" in message
    assert is_one_sentence(message)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        pytest.param(lambda m: delattr(m, "example_"), "carries no example", id="none"),
        pytest.param(
            lambda m: changed(m, "example_", EXAMPLE), "carries no example", id="only a text"
        ),
        pytest.param(lambda m: m.example_.pop("positive"), "carries no example", id="no answer"),
        pytest.param(
            lambda m: m.example_.update(positive="high"), "example", id="a word for an answer"
        ),
        pytest.param(
            lambda m: m.example_.update(positive=None), "example", id="null for an answer"
        ),
        pytest.param(
            lambda m: m.example_.update(review=5), "cannot predict its own example", id="no text"
        ),
        pytest.param(
            lambda m: m.example_.update(positive=0.0), "and said 0.0000", id="another answer"
        ),
        pytest.param(
            lambda m: m.example_.update(positive=float("nan")), "said nan", id="not a number"
        ),
        pytest.param(
            lambda m: classifier(m).coef_.__imul__(-1), "The model says", id="weights reversed"
        ),
        pytest.param(
            lambda m: classifier(m).coef_.fill(np.nan), "The model says nan", id="weights lost"
        ),
        pytest.param(
            lambda m: classifier(m).coef_.resize((1, 3), refcheck=False),
            "cannot predict",
            id="weights cut off",
        ),
        pytest.param(
            lambda m: part(m).set_params(token_pattern="("), "cannot predict", id="no words"
        ),
    ],
)
def test_a_model_that_fails_its_own_example_is_refused(
    own: Pipeline, tmp_path: Path, spoil: Spoil, complaint: str
) -> None:
    path = tmp_path / "model.skops"
    spoil(own)
    skops.io.dump(own, path)

    message = refusal(path)

    assert complaint in message
    assert is_one_sentence(message)


def test_a_model_that_the_page_could_not_explain_is_refused(own: Pipeline, tmp_path: Path) -> None:
    """Every visitor would get an error, while `GET /model` says that all is well."""
    path = tmp_path / "model.skops"
    renamed = Pipeline([(f"my {name}", step) for name, step in own.steps])
    renamed.example_ = own.example_
    skops.io.dump(renamed, path)

    assert is_one_sentence(refusal(path))

"""The training half of the real archive of IMDb's reviews, where this machine has it beside the project."""

from dataclasses import replace

import pytest

from app import corpora
from app.corpora import CORPORA, labelled
from app.data import DataError
from tutorial.home import PROJECT

HALF = PROJECT.parent / "shared" / "data" / "aclImdb_train_half.tar.gz"
MD5 = "c4462853b4c3e807dffaf1e1d4f0825d"

if HALF.is_file():

    @pytest.fixture(autouse=True)
    def published(monkeypatch: pytest.MonkeyPatch) -> None:
        """The half as if it were what is published."""
        half = replace(CORPORA["imdb"], archive=HALF.name, digest=f"md5:{MD5}")
        monkeypatch.setitem(corpora.CORPORA, "imdb", half)
        monkeypatch.setenv("CORPORA_URL", str(HALF.parent))

    def test_the_real_layout_is_read() -> None:
        reviews = labelled("imdb", "train")
        assert reviews["sentiment"].value_counts().to_dict() == {
            "negative": 12_500,
            "positive": 12_500,
        }
        assert not reviews["review"].str.contains("<br", case=False).any()
        assert reviews["review"].str.strip().eq(reviews["review"]).all()
        assert reviews["review"].str.len().between(10, 20_000).all()
        assert reviews["review"].nunique() > 24_800  # some were posted twice

    def test_without_its_other_half_nothing_can_be_measured() -> None:
        with pytest.raises(DataError, match="half `test` has 0 positive and 0 negative"):
            labelled("imdb", "test")

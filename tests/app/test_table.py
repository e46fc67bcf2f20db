"""A table of reviews comes back with verdicts, whole, in order, and with progress on the way."""

import io

import pandas as pd
import pytest
from plain import is_one_sentence
from sklearn.pipeline import Pipeline

from app.data import DataError
from app.model import predict
from app.table import judge_table
from app.verdict import verdict

TABLE = '''id,review,note
007,"A great, warm film",NA
008,Boring and awful,"a ""b"""
009,xyzzy,
010,,1.50
'''


def judge(model: Pipeline, content: str, **options: object) -> pd.DataFrame:
    file = io.BytesIO(content.encode())
    return judge_table(model, file, "mine.csv", **options)  # type: ignore[arg-type]


def test_verdicts_come_in_two_more_columns_and_all_else_stays(model: Pipeline) -> None:
    judged = judge(model, TABLE)

    assert list(judged) == ["id", "review", "note", "verdict", "positive"]
    before = judged[["id", "review", "note"]].to_csv(index=False)
    assert before == TABLE
    assert list(judged["verdict"]) == ["positive", "negative", "unsure", "unsure"]


def test_each_row_has_the_verdict_on_its_own_review(
    model: Pipeline, unseen_reviews: pd.DataFrame
) -> None:
    """More rows than are judged at a time: none is lost or moved where one batch meets the next."""
    reviews = (unseen_reviews["review"].tolist() * 5)[:1001]
    table = pd.DataFrame({"review": [f"{review} {n}" for n, review in enumerate(reviews)]})

    judged = judge(model, table.to_csv(index=False))

    chances = [predict(model, [review])[0] for review in table["review"]]
    assert judged["positive"].tolist() == pytest.approx(chances, abs=0.00051)
    assert list(judged["verdict"]) == [verdict(chance) for chance in chances]


@pytest.mark.parametrize("rows", [1, 499, 500, 501, 1200])
def test_progress_grows_until_all_is_done(model: Pipeline, rows: int) -> None:
    seen: list[tuple[float, str]] = []

    judge(model, "review\n" + "fine\n" * rows, progress=lambda *p: seen.append(p))

    shares = [share for share, _ in seen]
    assert shares == sorted(set(shares))
    assert len(shares) == -(-rows // 500)
    assert shares[-1] == 1.0
    assert seen[-1][1] == f"{rows:,} of {rows:,} reviews judged"


@pytest.mark.parametrize("taken", ["verdict", "positive"])
def test_a_column_that_the_answer_needs_is_not_overwritten(model: Pipeline, taken: str) -> None:
    with pytest.raises(DataError) as refused:
        judge(model, f"review,{taken}\nfine,mine\n")
    assert str(refused.value).startswith(f"mine.csv has a column `{taken}` already")
    assert is_one_sentence(str(refused.value))


@pytest.mark.parametrize("content", ["", "review\n", "text\nfine\n", "review\nso, so\n"])
def test_a_table_that_cannot_be_judged_gets_a_sentence(model: Pipeline, content: str) -> None:
    with pytest.raises(DataError) as refused:
        judge(model, content)
    assert str(refused.value).startswith("mine.csv")
    assert is_one_sentence(str(refused.value))

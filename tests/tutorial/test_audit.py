"""The audit answers what the running system proves, and nothing else."""

import json
import os
from collections.abc import Callable
from typing import Any

from small_server import in_json, small_server

from tutorial.audit import audit
from tutorial.home import Home
from tutorial.serving import RunningApp

NOBODY = [None] * 8


def test_without_an_app_nobody_can_tell(home: Home) -> None:
    assert [answer.answer for answer in audit(home)] == NOBODY


def test_an_app_that_knows_only_a_file_proves_nothing(app: RunningApp) -> None:
    answers = audit(app.home)
    assert [answer.answer for answer in answers] == NOBODY
    assert "a file" in answers[1].evidence


def test_what_the_card_of_the_live_app_proves_is_answered_with_evidence(home: Home) -> None:
    card = {"status": "serving", "checked": "now", "version": "7", "code": "abc1234"}
    card |= {"data": "sha256 d0d0", "accuracy": "0.94", "digest": "d" * 64, "uri": "s3://b/k"}
    with small_server({"/model": in_json(card)}) as server:
        home.record("app", {"url": server.url, "pid": os.getpid()})
        answers = audit(home)
    model = f"model {'d' * 12}, version 7 of s3://b/k"
    assert [answer.answer for answer in answers[1:5]] == [model, "sha256 d0d0", "abc1234", "0.94"]
    assert all(answer.evidence.startswith("GET /model") for answer in answers[1:5])
    assert [answer.answer for answer in (answers[0], *answers[5:])] == [None] * 4


def test_the_command_prints_json(home: Home, tutorial: Callable[..., Any]) -> None:
    said = tutorial("audit", "--json")
    result = json.loads(said.out)
    assert (said.status, result["answered"], result["of"]) == (0, 0, 8)
    assert [set(q) for q in result["questions"]] == [{"question", "answer", "evidence"}] * 8

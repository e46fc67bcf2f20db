"""Settings come from the environment, and a bad one is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain import is_one_sentence

from app.settings import Settings, SettingsError

NAMES = ("MODEL_URI", "MODEL_REFRESH_SECONDS", "MODEL_FALLBACK_URI")


@pytest.mark.parametrize("environment", [{}, dict.fromkeys(NAMES, "")])
def test_what_is_not_set_has_a_default(environment: dict[str, str]) -> None:
    settings = Settings.from_environment(environment)
    assert settings == Settings("models/sentiment.skops", 60.0, "")


def test_the_environment_says_where_the_model_is_and_how_often_to_look() -> None:
    values = ("models:/sentiment@champion", "2", "s3://bucket/key")
    settings = Settings.from_environment(dict(zip(NAMES, values, strict=True)))
    assert settings == Settings("models:/sentiment@champion", 2.0, "s3://bucket/key")


def test_the_process_s_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_URI", "mine.skops")
    assert Settings.from_environment().model_uri == "mine.skops"


@pytest.mark.parametrize(
    "seconds", ["0", "0.09", "-1", "86401", "nan", "inf", "-inf", "often", "1 s", "1,5"]
)
def test_seconds_that_make_no_sense_are_named(seconds: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({"MODEL_REFRESH_SECONDS": seconds})
    assert str(refused.value).startswith(f"MODEL_REFRESH_SECONDS is {seconds!r}")
    assert is_one_sentence(str(refused.value))


@pytest.mark.parametrize("seconds", ["0.1", "86400"])
def test_the_smallest_and_the_largest_pause_are_allowed(seconds: str) -> None:
    settings = Settings.from_environment({"MODEL_REFRESH_SECONDS": seconds})
    assert settings.refresh_seconds == float(seconds)


@given(st.one_of(st.text(), st.floats().map(str)))
def test_any_text_gives_a_pause_in_range_or_an_error(seconds: str) -> None:
    result = settings_or_error({"MODEL_REFRESH_SECONDS": seconds})
    if isinstance(result, SettingsError):
        assert str(result).isprintable()
    else:
        assert 0.1 <= result.refresh_seconds <= 86_400


def settings_or_error(environment: dict[str, str]) -> Settings | SettingsError:
    try:
        return Settings.from_environment(environment)
    except SettingsError as error:
        return error

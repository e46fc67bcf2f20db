"""What a training can be told: `params.yaml`, and what papermill or a person sets over it."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from app.model import MODELS, ModelError, Params

DATA = ("data", "test")
NAMES = (*DATA, "model", *(field.name for field in fields(Params)))
# What IPython itself puts beside a notebook's own names.
IPYTHONS = re.compile(r"_+|_i+|_i?\d+|_[iod]h|__\w+__|In|Out")


class ParameterError(ValueError):
    """Parameters that cannot be trained with. The message says what is wrong and what to do."""


@dataclass(frozen=True)
class Parameters:
    """What to train on, what to test on, each as `app.training_data.read` takes it, and the model's `Params`."""

    data: str
    test: str
    params: Params

    def as_dict(self) -> dict[str, Any]:
        """Every value by its name: the same training needs no more."""
        return {"data": self.data, "test": self.test, **asdict(self.params)}


def read_parameters(path: str | Path, over: Mapping[str, Any] | None = None) -> Parameters:
    """Read a YAML file of names and values; those of `over` come first, where they are not None.

    `model` names the model, `small` or `full`, whose values the others change. Raises `ParameterError`
    for what nobody knows, for a name that stands there twice, and for a value of the wrong type.
    """
    values = _names_and_values(path)
    for name, value in (over or {}).items():
        if name not in NAMES:
            raise ParameterError(_unknown(name))
        if value is not None:
            values[name] = value
    model = values.pop("model", "small")
    if not isinstance(model, str) or model not in MODELS:
        raise ParameterError(f"model is {model!r}: choose from {', '.join(MODELS)}.")
    places = {name: values.pop(name, "workshop") for name in DATA}
    for name, place in places.items():
        if not isinstance(place, str) or not place:
            raise ParameterError(f"{name} is {place!r}: name a corpus, a CSV file or one in S3.")
    try:
        return Parameters(**places, params=replace(MODELS[model], **values))
    except ModelError as error:
        raise ParameterError(str(error)) from None


def set_since(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a notebook's names were set to since `before`, IPython's own left out.

    papermill warns of a parameter that the notebook does not know, and goes on: so its misspelt name
    would change nothing. Here it is seen, whatever it is called.
    """
    return {
        name: value
        for name, value in now.items()
        if not IPYTHONS.fullmatch(name)
        and value is not before
        and (name not in before or before[name] is not value)
    }


def _names_and_values(path: str | Path) -> dict[str, Any]:
    try:
        text = Path(path).read_text(encoding="utf-8")
        tree, values = yaml.compose(text, yaml.SafeLoader), yaml.safe_load(text)
    except OSError as error:
        raise ParameterError(f"{path} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ParameterError(f"{path} is no YAML: write `name: value`, one a line.") from None
    if not isinstance(tree, yaml.MappingNode) or not isinstance(values, dict):
        raise ParameterError(f"{path} holds no names and values: write `name: value`, one a line.")
    seen = [key.value for key, _ in tree.value]
    for name in values:
        if name not in NAMES:
            raise ParameterError(f"{path}: {_unknown(name)}")
        if seen.count(name) > 1:
            raise ParameterError(f"{path} says {name} twice: remove one of them.")
    return values


def _unknown(name: object) -> str:
    return f"{name!r} is not a parameter: choose from {', '.join(NAMES)}."

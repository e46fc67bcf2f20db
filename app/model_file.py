"""Save and load a model, and name it by a digest of its content."""

import hashlib
import json
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from app.explanation import explain
from app.model import DECIMALS, ModelError, predict

# Of a model unpacked, in bytes: three times what `full` needs, half of what a small server has.
MOST_UNPACKED = 256_000_000


def try_example(model: Pipeline) -> None:
    """Raise `ModelError` unless the model says of its own example what it said when saved."""
    example = getattr(model, "example_", None)
    if not isinstance(example, dict) or set(example) != {"review", "positive"}:
        raise ModelError(
            "The model carries no example of its own: train it again with this app's `train`."
        )
    said = example["positive"]
    try:
        positive = float(predict(model, [example["review"]])[0])
        explain(model, example["review"])  # what the page does with every review
    except Exception as error:
        raise ModelError(
            f"The model cannot predict its own example ({type(error).__name__}): train it again."
        ) from error
    if not isinstance(said, float) or not abs(positive - said) <= 1e-4:  # NaN fails too
        then = f"{said:.4f}" if isinstance(said, float) else repr(said)
        raise ModelError(
            f"The model says {positive:.4f} of its own example and said {then} when it was trained: "
            "the file was changed, or the libraries' versions differ."
        )


def model_digest(model: Pipeline) -> str:
    """sha256 (hexadecimal) over what the model is: classes, parameters, vocabulary, weights to 6 decimals.

    The bytes of two files of one model differ; this does not. How the fit got there (iterations,
    caches) is left out.
    """
    return hashlib.sha256(json.dumps(_canonical(model), sort_keys=True).encode()).hexdigest()


def _canonical(value: Any) -> Any:
    if isinstance(value, BaseEstimator):
        state = {
            name: _canonical(part)
            for name, part in vars(value).items()
            if (not name.startswith("_") or isinstance(part, BaseEstimator)) and name != "n_iter_"
        }
        return {
            "class": f"{type(value).__module__}.{type(value).__qualname__}",
            **state,
        }
    if isinstance(value, dict):
        return sorted([str(key), _canonical(item)] for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        # As bytes: a model may have millions of weights. + 0.0 turns -0.0 into 0.0.
        rounded = np.round(value, DECIMALS).astype("<f8") + 0.0
        return [list(value.shape), hashlib.sha256(rounded.tobytes()).hexdigest()]
    if isinstance(value, np.ndarray):
        return _canonical(value.tolist())
    if isinstance(value, (float, np.floating)):
        return repr(round(float(value), DECIMALS) + 0.0)  # + 0.0 turns -0.0 into 0.0
    if isinstance(value, (bool, int, np.integer)):
        return int(value)
    return str(value)


def save(model: Pipeline, path: str | Path) -> None:
    """Write the model as a compressed skops file, all of it or nothing: a reader never sees half a file."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as part:
        try:
            skops.io.dump(model, part, compression=zipfile.ZIP_DEFLATED)
            part.flush()
            os.fsync(part.fileno())
            Path(part.name).chmod(0o644)
            Path(part.name).replace(path)
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise


def _refuse_what_unpacks_to_too_much(path: str | Path) -> None:
    """Raise `ModelError` for a file that would fill the memory, without unpacking it there.

    What a member says of its size is checked against its content, piece by piece: skops would
    unpack all of it at once.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        unpacked = sum(member.file_size for member in members)
        if unpacked > MOST_UNPACKED:
            raise ModelError(
                f"{path} would unpack to {unpacked / 1e6:,.0f} MB, and a model has "
                f"{MOST_UNPACKED / 1e6:.0f} MB at most: train it again with fewer `bits`."
            )
        # Other methods cannot be unpacked in pieces.
        if not {member.compress_type for member in members} <= {
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
        }:
            raise zipfile.BadZipFile("compressed in another way than `save` does")
        if damaged := archive.testzip():
            raise zipfile.BadZipFile(f"{damaged} is damaged")


def load(path: str | Path) -> Pipeline:
    """Load a model and try its example: data and scikit-learn's classes only, never code.

    Raises `ModelError`.
    """
    try:
        _refuse_what_unpacks_to_too_much(path)
        model = skops.io.load(path)
    except ModelError:
        raise
    except FileNotFoundError:
        raise ModelError(
            f"There is no model at {path}: train one, or set MODEL_URI to where one is."
        ) from None
    except skops.io.exceptions.UntrustedTypesFoundException as error:
        raise ModelError(
            f"{path} holds classes that are not known to be safe, and was not loaded: {error}"
        ) from None
    except Exception as error:
        raise ModelError(
            f"{path} is not a whole skops model ({type(error).__name__}): train or upload it again."
        ) from None
    classes = getattr(model, "classes_", None)
    if not isinstance(model, Pipeline) or np.asarray(classes).tolist() != [
        "negative",
        "positive",
    ]:
        raise ModelError(
            f"{path} holds a {type(model).__name__}, not a sentiment pipeline: use this app's `train`."
        )
    try_example(model)
    return model

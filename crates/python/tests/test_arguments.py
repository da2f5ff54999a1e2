"""What is wrong is refused, before any work, in words that say what to do."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import brickwork as bw
import numpy as np
import pytest
from conftest import ASSETS, tiny

Pixels = tuple[np.ndarray, np.ndarray]


def test_files_that_are_no_models(tmp_path: Path) -> None:
    with pytest.raises(bw.ReadError, match="nothing.onnx"):
        bw.load(tmp_path / "nothing.onnx")
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(bw.ReadError) as failed:
        bw.load(tmp_path / "text.onnx")
    assert failed.value.hint and failed.value.hint in str(failed.value)
    for content in (b"", b"no model", bytes(100)):
        with pytest.raises(bw.Error):
            bw.load(content)
    with pytest.raises(bw.ReadError, match="folder"):
        bw.load(tmp_path)
    for wrong in (None, 7, 1.5, ["a.onnx"]):
        with pytest.raises((TypeError, AttributeError)):
            bw.load(wrong)  # type: ignore[arg-type]


def test_all_problems_of_a_request_are_told_at_once(digits: bw.Model) -> None:
    with pytest.raises(bw.RequestError) as failed:
        digits.disassemble("", refit_samples=0, alpha_conv=2.0)
    options = {problem["option"] for problem in failed.value.problems}
    assert {"classes", "refit_samples", "alpha_conv"} <= options
    assert failed.value.kind == "request"
    assert isinstance(failed.value, ValueError)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"samples": "many"}, "`samples=`"),
        ({"split": "middle"}, "`split=`"),
        ({"size": "wide"}, "`size=`"),
        ({"size": (28, 0)}, "`size=`"),
        ({"mean": "grey"}, "`mean=`"),
        ({"scale": float("nan")}, "cannot be understood"),
        ({"crop": object()}, "cannot be understood"),
        ({"allow_missing": 3}, "`allow_missing=`"),
        ({"classes": "unicorn"}, "unicorn"),
        ({"classes": [11]}, "11"),
        ({"data": "/no/such/folder"}, "/no/such/folder"),
        ({"threads": 0}, "`threads=0`"),
        ({"threads": -1}, "`threads=-1`"),
        ({"seed": -1}, "`seed=-1`"),
        ({"merge": ["a.safetensors"]}, "merge"),
    ],
)
def test_wrong_values(digits: bw.Model, arguments: dict[str, Any], words: str) -> None:
    arguments = {"data": ASSETS / "digits", **arguments}
    with pytest.raises(bw.Error, match=words):
        digits.profile(**arguments)


def test_names_that_are_no_options(digits: bw.Model) -> None:
    with pytest.raises(TypeError, match="epochs"):
        digits.profile(ASSETS / "digits", epochs=3)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        digits.profile(ASSETS / "digits", "samples")  # type: ignore[call-arg]


def test_errors_say_what_they_are_about(digits: bw.Model, pixels: Pixels) -> None:
    with pytest.raises(bw.DataError) as failed:
        digits.evaluate(pixels, split="train")
    assert failed.value.hint == "leave `split=` out to use all of it"
    copy = pickle.loads(pickle.dumps(failed.value))
    assert str(copy) == str(failed.value) and copy.kind == "data"
    other = bw.load(tiny())
    with pytest.raises(bw.Error, match="fingerprint|`digits`"):
        other.disassemble(0, profile=digits.profile(ASSETS / "digits", samples=1), refit="none")


def test_data_of_the_wrong_form(digits: bw.Model, pixels: Pixels) -> None:
    images, labels = pixels
    for wrong, words in [
        (images.astype(np.float64), "float64"),
        (images.astype(np.int32), "int32"),
        (images.astype(np.complex64), "complex64"),
        (images.astype(object), "object"),
        (images[0, 0], "shape"),
        (images[:, None, None], "shape"),
        (images[..., None], "layout"),
    ]:
        with pytest.raises(bw.OptionsError, match=words):
            bw.images(wrong, labels)
    with pytest.raises(bw.DataError, match="1000 images but 999 labels"):
        bw.images(images, labels[1:])
    for wrong_labels, words in [
        (labels.astype(np.float32), "integers"),
        (labels.astype(str), "integers"),
    ]:
        with pytest.raises(bw.OptionsError, match=words):
            bw.images(images, wrong_labels)
    with pytest.raises(bw.DataError, match="label 0 is -1"):
        bw.images(images, np.full(len(labels), -1))
    with pytest.raises(bw.DataError, match="channels in the layout nhwc"):
        bw.images(images[:, None], labels, layout="nhwc")
    with pytest.raises(bw.DataError, match="no images"):
        bw.images(images[:0], labels[:0])
    with pytest.raises(bw.DataError, match="nan|NaN"):
        bw.images(np.full((2, 28, 28), np.nan, np.float32), [0, 1])
    with pytest.raises(bw.DataError, match="are of 10 classes, but 2 are named"):
        bw.images(images, labels, classes=["a", "b"])
    with pytest.raises(bw.OptionsError, match="given twice"):
        data = bw.images(images, labels)
        digits.evaluate([data, data])


def test_prepared_images_of_the_wrong_form(digits: bw.Model) -> None:
    wrong: Any
    for wrong, words in [
        (np.zeros((1, 1, 28, 28)), "float64"),
        (np.zeros((1, 1, 28, 28), np.uint8), "`predict` prepares"),
        (np.zeros((1, 28, 28, 1), np.float32), r"expected \[n, 1, 28, 28\]"),
        (np.zeros((1, 28, 28), np.float32), "shape"),
        ("images", "float32"),
    ]:
        with pytest.raises(bw.OptionsError, match=words):
            digits.run(wrong)
    with pytest.raises(bw.OptionsError, match="`threads=0`"):
        digits.run(np.zeros((1, 1, 28, 28), np.float32), threads=0)


def test_an_exception_of_the_listener_stops_the_work(digits: bw.Model) -> None:
    class Enough(Exception):
        pass

    def tell(phase: str, done: int, total: int) -> None:
        raise Enough(phase)

    with pytest.raises(Enough):
        digits.profile(ASSETS / "digits", progress=tell)

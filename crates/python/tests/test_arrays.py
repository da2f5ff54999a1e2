"""Arrays in and out."""

from __future__ import annotations

import pickle
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import brickwork as bw
import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import ASSETS, tiny

Pixels = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def batch() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((5, 3, 4, 4), np.float32)


def test_scores_are_those_of_onnxruntime(digits: bw.Model) -> None:
    batch = np.random.default_rng(1).standard_normal((70, 1, 28, 28), np.float32)
    session = onnxruntime.InferenceSession(ASSETS / "digits.onnx")
    (wanted,) = session.run(None, {session.get_inputs()[0].name: batch})
    found = digits.run(batch)
    assert found.dtype == np.float32 and found.shape == (70, 10)
    np.testing.assert_allclose(found, np.asarray(wanted).reshape(70, 10), rtol=1e-4, atol=1e-4)
    found[0, 0] = 1.0  # It is the caller's own.
    for threads in (1, 2, 3):
        np.testing.assert_array_equal(digits.run(batch, threads=threads)[1:], found[1:])


def test_arrays_of_every_form_give_the_same(batch: np.ndarray) -> None:
    model = bw.load(tiny())
    wanted = model.run(batch)
    frozen = batch.copy()
    frozen.flags.writeable = False
    wide = np.zeros((5, 3, 4, 8), np.float32)
    wide[..., ::2] = batch
    turned = np.ascontiguousarray(batch.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    for same in (frozen, wide[..., ::2], turned, batch.astype(">f4"), batch[::-1][::-1]):
        np.testing.assert_array_equal(model.run(same), wanted)

    class Foreign:
        def __dlpack__(self, **options: object) -> object:
            return batch.__dlpack__()

        def __dlpack_device__(self) -> tuple[int, int]:
            return batch.__dlpack_device__()

    np.testing.assert_array_equal(model.run(Foreign()), wanted)
    assert model.run(batch[:0]).shape == (0, 3)
    assert np.isnan(model.run(np.full_like(batch, np.nan))).all()
    for k in range(5):
        np.testing.assert_array_equal(model.run(batch[k : k + 1]), wanted[k : k + 1])


def test_models_from_files_bytes_and_messages(tmp_path: Path, batch: np.ndarray) -> None:
    proto = tiny()
    onnx.save(proto, tmp_path / "tiny.onnx")
    model = bw.load(tmp_path / "tiny.onnx")
    assert (model.name, model.input, model.classes) == ("tiny", (3, 4, 4), ["0", "1", "2"])
    others = [bw.load(str(tmp_path / "tiny.onnx")), bw.load(proto), bw.load(proto.SerializeToString())]
    others.append(bw.load((tmp_path / "tiny.onnx").read_bytes(), called="tiny"))
    for other in others:
        assert other.fingerprint == model.fingerprint
        np.testing.assert_array_equal(other.run(batch), model.run(batch))
    named = bw.load(proto, class_names=["cat", "dog, small", "owl"], called="pets")
    assert (named.name, named.classes) == ("pets", ["cat", "dog, small", "owl"])
    copy = pickle.loads(pickle.dumps(named))
    assert (copy.name, copy.classes, bytes(copy)) == (named.name, named.classes, bytes(named))
    named.save(tmp_path / "named.onnx")
    assert (tmp_path / "named.onnx").read_bytes() == bytes(named)
    assert bw.load(tmp_path / "named.onnx").card["classes"] == named.card["classes"] == named.classes
    onnx.checker.check_model(onnx.load(tmp_path / "named.onnx"))


def test_what_a_file_leaves_open_can_be_said() -> None:
    proto = tiny()
    for axis in (2, 3):
        proto.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = f"side{axis}"
    with pytest.raises(bw.Error, match="size="):
        bw.load(proto)
    for size in (6, "6", "6x6", (6, 6)):
        assert bw.load(proto, size=size).input == (3, 6, 6)


def test_images_in_memory_answer_as_files_do(digits: bw.Model, pixels: Pixels) -> None:
    images, labels = pixels
    of_files = digits.evaluate(ASSETS / "digits", split="test", no_latency=True).to_dict()
    del of_files["data"]
    layouts: list[Any] = [
        (images, labels),
        (images[..., None], labels, "nhwc"),
        (images[:, None], labels.astype(np.uint8), "nchw"),
        (images[:, None, ::-1][:, :, ::-1], labels.tolist(), "nchw"),
        (images.astype(np.float32) / 255, labels[:, None]),
    ]
    for data in layouts:
        found = digits.evaluate(data, no_latency=True).to_dict()
        del found["data"]
        if data[0].dtype == np.float32:
            assert found["accuracy_per_image"] == pytest.approx(of_files["accuracy_per_image"], abs=0.2)
        else:
            assert found == of_files
    held = bw.images(images, labels, name="digits")
    assert (len(held), held.name, held.labels[:3]) == (len(labels), "digits", labels[:3].tolist())
    assert digits.evaluate({"digits": held} | {}, no_latency=True).images == len(labels)


def test_predictions(digits: bw.Model, pixels: Pixels) -> None:
    images, labels = pixels
    found = digits.predict(images[:50])
    right = [found.labels[k] == digits.classes[labels[k]] for k in range(50)]
    assert sum(right) > 45
    assert all(score is not None and 0 <= score <= 100 for score in found.scores)
    assert len(found.images) == 50 and found.images[0].classes[0].class_ == found.labels[0]
    with_labels = digits.predict(bw.images(images[:50], labels[:50]))
    assert with_labels.labels == found.labels


def test_answers_are_objects_tables_and_pages(digits: bw.Model, pixels: Pixels) -> None:
    found = digits.evaluate(pixels, no_latency=True)
    assert found.data.sets[0].images == len(pixels[0])
    table = found.to_pandas("accuracy_per_class")
    assert list(table.columns) == ["name", "value"] and len(table) == 10
    assert len(found.to_pandas("confusion")) == 10
    with pytest.raises(TypeError, match="accuracy_per_class"):
        found.to_pandas("nothing")
    assert "accuracy" in repr(found)
    assert pickle.loads(pickle.dumps(found)) == found
    inspected = digits.inspect()
    assert digits.groups and inspected.layers is not None
    assert digits.groups == inspected.groups
    assert repr(digits).startswith("layer")
    profile = digits.profile(pixels, samples=2)
    copy = pickle.loads(pickle.dumps(profile))
    assert bytes(copy) == bytes(profile) and repr(copy) == repr(profile)
    assert bw.load_profile(bytes(profile)).model == "digits"


def test_images_that_come_one_by_one_or_in_batches(digits: bw.Model, pixels: Pixels) -> None:
    images, labels = pixels[0][:60], pixels[1][:60]
    wanted = digits.evaluate((images, labels), no_latency=True, allow_missing=True).to_dict()

    class Dataset:
        """As PyTorch's, of float tensors `[c, h, w]`."""

        def __len__(self) -> int:
            return len(labels)

        def __getitem__(self, k: int) -> tuple[np.ndarray, int]:
            if k >= len(self):
                raise KeyError(k)
            return images[k][None].astype(np.float32) / 255, int(labels[k])

    class Image:
        """As a feature of Hugging Face."""

    class ClassLabel:
        names = digits.classes

    class Table:
        features = {"img": Image(), "label": ClassLabel(), "more": None}
        column_names = list(features)

        def __iter__(self) -> Iterator[dict[str, Any]]:
            return iter({"img": images[k], "label": int(labels[k])} for k in range(60))

    batches = [(images[k : k + 16, :, :, None], labels[k : k + 16]) for k in range(0, 60, 16)]
    for data in (bw.images(batches, layout="nhwc"), bw.images(Table()), bw.images(iter(batches), layout="nhwc")):
        found = digits.evaluate(data, no_latency=True, allow_missing=True).to_dict()
        assert {**found, "data": None} == {**wanted, "data": None}
    floats = bw.images(Dataset(), layout="nchw")
    near = digits.evaluate(floats, no_latency=True, allow_missing=True)
    assert near.accuracy_per_image == pytest.approx(wanted["accuracy_per_image"], abs=2)
    assert bw.images(Table()).classes == digits.classes

    for wrong, words in [
        ([], "no images"),
        ([images[0]], "no pair"),
        ([(images[0], 1), (images[0, 1:], 2)], "item 1 have the shape"),
        ("a path", "arrays"),
        (7, "int is no array"),
    ]:
        with pytest.raises(bw.OptionsError, match=words):
            bw.images(wrong, layout="nchw")  # type: ignore[arg-type]


def test_routes_are_drawn(digits: bw.Model, pixels: Pixels, tmp_path: Path) -> None:
    profile = digits.profile(pixels, samples=2)
    route = digits.route(profile, [0, 1])
    assert route.classes == ["0", "1"] and len(route.to_pandas("layers")) == len(route.layers)
    digits.route(profile, "0,1", output=tmp_path / "route.html")
    text = (tmp_path / "route.html").read_text()
    drawing = text[text.index("<svg") : text.index("</svg>")]
    assert len(drawing) > 1000 and drawing in route._repr_html_()
    with pytest.raises(bw.RequestError, match="end its name in"):
        digits.route(profile, "0,1", output=tmp_path / "route.png")


def test_models_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = types.ModuleType("huggingface_hub")
    hub.hf_hub_download = lambda place, file: str(ASSETS / file) if place == "some/one" else None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    assert bw.load("hf://some/one/digits.onnx").name == "digits"
    with pytest.raises(bw.OptionsError, match="hf://owner/name/file.onnx"):
        bw.load("hf://digits.onnx")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(bw.ReadError, match="pip install huggingface_hub"):
        bw.load("hf://some/one/digits.onnx")

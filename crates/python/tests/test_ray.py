"""On a cluster of Ray, here a local one, work gives what it gives in one process."""

from __future__ import annotations

import os
import signal
import struct
import zlib
from pathlib import Path
from typing import Any

import brickwork as bw
import numpy as np
import pytest

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'brickwork[ray]'")
pytest.importorskip("ray.data", reason="ray.data is not installed: pip install 'brickwork[ray]'")
import brickwork.ray  # noqa: E402

COUNT = 60
NAMES = [*"0123456789"]


pytestmark = pytest.mark.usefixtures("cluster")


@pytest.fixture(scope="module")
def some(pixels: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """A few images of all classes, with their labels."""
    images, labels = pixels
    return images[::16][:COUNT], labels[::16][:COUNT]


def rows(some: tuple[np.ndarray, np.ndarray], blocks: int) -> Any:
    items = [{"image": image, "label": int(label)} for image, label in zip(*some)]
    return ray.data.from_items(items, override_num_blocks=blocks)


def of_one(model: bw.Model, some: tuple[np.ndarray, np.ndarray]) -> tuple[bytes, dict[str, Any]]:
    """What one process gives."""
    whole = bw.images(*some, classes=NAMES)
    return bytes(model.profile(whole, samples=3)), model.evaluate(whole, no_latency=True).to_dict()


@pytest.mark.parametrize(("workers", "blocks", "batch"), [(1, 4, 16), (2, COUNT, 1), (3, 7, 1024)])
def test_rows(
    workers: int, blocks: int, batch: int, digits: bw.Model, some: tuple[np.ndarray, np.ndarray]
) -> None:
    profile, answer = of_one(digits, some)
    data = rows(some, blocks)
    assert bytes(bw.ray.profile(digits, data, samples=3, workers=workers, batch=batch)) == profile
    if workers == 2:
        assert bw.ray.evaluate(digits, data, workers=workers, batch=batch).to_dict() == answer


def test_a_worker_that_is_killed_loses_nothing(
    digits: bw.Model, some: tuple[np.ndarray, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, answer = of_one(digits, some)
    finder: Any = bw.ray._Finder

    class Dying(finder):  # type: ignore[misc]
        """Is killed when it has looked at its second batch."""

        seen = 0

        def __call__(self, batch: Any) -> Any:
            found = super().__call__(batch)
            self.seen += 1
            if self.seen == 2 and not (tmp_path / "died").exists():
                (tmp_path / "died").touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return found

    monkeypatch.setattr(bw.ray, "_Finder", Dying)
    assert bw.ray.evaluate(digits, rows(some, 12), workers=2, batch=5).to_dict() == answer
    assert (tmp_path / "died").exists()


def png(pixels: np.ndarray) -> bytes:
    """Grey pixels `[h, w]` as a file."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    height, width = pixels.shape
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


@pytest.fixture
def tree(some: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> Path:
    """A folder of files for each class: more portions than images of most."""
    for place, (image, label) in enumerate(zip(*some)):
        folder = tmp_path / "tree" / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{place:02}.png").write_bytes(png(image))
    return tmp_path / "tree"


def test_paths_and_files_that_cannot_be_read(digits: bw.Model, tree: Path) -> None:
    expected = bytes(digits.profile(tree, samples=2))
    assert bytes(bw.ray.profile(digits, tree, samples=2, workers=2)) == expected
    (tree / "3" / "99.png").write_bytes(b"no image")
    with pytest.raises(bw.DataError, match="99.png"):
        bw.ray.evaluate(digits, tree, workers=2)
    found = bw.ray.evaluate(digits, tree, skip_bad=True, workers=2)
    assert found == digits.evaluate(tree, skip_bad=True, no_latency=True)
    assert len(found.data.sets[0].left_out) == 1


def test_portions_without_images(digits: bw.Model, tree: Path) -> None:
    for folder in tree.iterdir():
        for file in sorted(folder.iterdir())[int(folder.name) < 5 :]:
            file.unlink()
    found = bw.ray.evaluate(digits, tree, allow_missing=True, workers=2)  # 8 portions of 5 images.
    assert found == digits.evaluate(tree, allow_missing=True, no_latency=True) and found.images == 5


def test_layers_are_refitted(digits: bw.Model, tree: Path) -> None:
    options: dict[str, Any] = {"params": 0.5, "trunk": "conv2", "hold_out": "none", "refit": "none"}
    bare = digits.disassemble("0-3", data=tree, called="low", **options)
    told: list[str] = []
    part = bw.ray.refit(bare, digits, tree, workers=2, progress=lambda layer, done, of: told.append(layer))
    assert told == bare.shared.layers(digits) and len(told) > 1 and part.name == "low"
    expected = bare
    for layer in told:
        work = expected.shared.refit_layer(layer, digits, tree)
        expected = work.finish(work.partial())
    images = np.random.default_rng(0).normal(size=(20, *bare.input)).astype("float32")
    own, other = part.run(images), expected.run(images)
    assert np.abs(own - other).max() < 1e-4 * np.abs(other).max()


def test_sweeps_and_wrong_arguments(digits: bw.Model, some: tuple[np.ndarray, np.ndarray]) -> None:
    def count(model: bw.Model, classes: str, seed: int) -> tuple[int, int]:
        return len(model.classes) + len(classes), seed

    found = bw.ray.sweep(count, model=[digits], classes=["a", "ab"], seed=[0, 1])
    assert [*found.values()] == [(11, 0), (11, 1), (12, 0), (12, 1)]
    assert [*found][3][1:] == ("ab", 1)
    data = rows(some, 2)
    with pytest.raises(bw.OptionsError, match="no column photo, only image, label"):
        bw.ray.profile(digits, data, image="photo")
    with pytest.raises(bw.OptionsError, match="`workers=0` must be 1 or more"):
        bw.ray.profile(digits, data, workers=0)
    with pytest.raises(bw.OptionsError, match="a percentage of parts is not that of the whole"):
        bw.ray.profile(digits, data, samples="10%")
    bare = digits.disassemble("0,1", profile=digits.profile(bw.images(*some), samples=1), refit="none")
    with pytest.raises(bw.OptionsError, match="there is no option `simples="):
        bw.ray.refit(bare, digits, data, names=NAMES, simples=3)
    with pytest.raises(bw.OptionsError, match="a label 9, but 2 classes have names"):
        bw.ray.evaluate(bare, data)

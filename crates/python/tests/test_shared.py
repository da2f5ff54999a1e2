"""Work that several processes share gives what one process gives, to the bit."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import brickwork as bw
import numpy as np
import pytest

COUNT = 90


@pytest.fixture(scope="module")
def some(pixels: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """A few images of all classes, with their labels."""
    images, labels = pixels
    return images[::11][:COUNT], labels[::11][:COUNT]


def parts_of(work: bw.Work[Any], images: np.ndarray, labels: np.ndarray, shares: int) -> list[bw.Partial]:
    """What `shares` processes find, each on images from here and there; all of it through bytes."""
    work, found = pickle.loads(pickle.dumps(work)), []
    for share in range(shares):
        own = np.arange(share, COUNT, shares)[::-1]
        mine = bw.images(images[own], labels[own], classes=[*"0123456789"])
        found.append(bw.Partial.load(bytes(work.partial(images=mine.part_of(own.tolist(), COUNT)))))
    return found[1:] + found[:1]


@pytest.mark.parametrize("shares", [1, 2, 3, 7, COUNT])
def test_images_in_memory(shares: int, digits: bw.Model, some: tuple[np.ndarray, np.ndarray]) -> None:
    whole = bw.images(*some, classes=[*"0123456789"])
    profiling = digits.shared.profile(samples=3)
    profile = profiling.finish(parts_of(profiling, *some, shares))
    assert bytes(profile) == bytes(digits.profile(whole, samples=3))
    measuring = digits.shared.evaluate(classes="0-6", source=digits, no_latency=True)
    found = measuring.finish(parts_of(measuring, *some, shares))
    expected = digits.evaluate(whole, classes="0-6", source=digits, no_latency=True)
    assert found == expected and repr(found) == repr(expected)


def test_portions_of_files(small: Path) -> None:
    model, images = bw.load(small / "garments.onnx"), small / "data/garments"
    profiling = model.shared.profile(images, samples="all")
    whole = profiling.partial(2, of=3) + profiling.partial(3, of=3) + profiling.partial(1, of=3)
    assert bytes(profiling.finish(whole)) == bytes(model.profile(images, samples="all"))
    part = bw.load(small / "shoes.onnx")
    measuring = part.shared.evaluate(images, source=model, no_latency=True)
    found = measuring.finish(measuring.partial(part, of=4) for part in (4, 2, 1, 3))
    assert found == part.evaluate(images, source=model, no_latency=True)
    assert found.before_refit is not None


def test_layers_are_refitted_from_sums(small: Path) -> None:
    model, images = bw.load(small / "garments.onnx"), small / "data/garments"
    profile = bw.load_profile(small / "garments.profile.safetensors")
    bare = model.disassemble(["coat", "dress"], profile=profile, refit="none")
    ways: dict[int, bw.Model] = {}
    for shares in (1, 3):
        part = bare
        for layer in bare.shared.layers(model):
            work = part.shared.refit_layer(layer, model, images)
            part = work.finish(work.partial(place, of=shares) for place in range(1, shares + 1))
        ways[shares] = part
    prepared = np.random.default_rng(0).normal(size=(20, *bare.input)).astype("float32")
    one, three = ways[1].run(prepared), ways[3].run(prepared)
    assert np.abs(one - three).max() < 1e-4 * np.abs(one).max()
    assert np.abs(one - bare.run(prepared)).max() > 1e-2
    assert ways[3].card["origin"]["refit"]["images"] > 0
    assert ways[3].made is not None and "refitted from" in repr(ways[3].made)


def test_nothing_is_lost_or_counted_twice(digits: bw.Model, some: tuple[np.ndarray, np.ndarray]) -> None:
    work = digits.shared.evaluate(no_latency=True)
    first, second, third = parts_of(work, *some, 3)
    with pytest.raises(bw.OptionsError, match="of the 90 images of images, 60 were looked at"):
        work.finish(first + second)
    with pytest.raises(bw.OptionsError, match="is in two of those that are added"):
        first + first
    with pytest.raises(bw.OptionsError, match="different work: verb"):
        first + parts_of(digits.shared.profile(), *some, 3)[1]
    with pytest.raises(bw.OptionsError, match="there is no partial to finish"):
        work.finish([])
    with pytest.raises(bw.FileError, match="this is not what a process found"):
        bw.Partial.load(bytes(first)[:-3])
    with pytest.raises(bw.OptionsError, match="`part=4` is no number from 1 to `of=3`"):
        digits.shared.evaluate("x").partial(4, of=3)
    with pytest.raises(bw.DataError, match="two images stand at 3"):
        bw.images(some[0][:2], some[1][:2]).part_of([3, 3], 9)
    assert work.finish(first + second + third).images == COUNT

"""What sharing work among workers of a local Ray brings, and what a cluster would have to send.

    python benches/scale.py resnet20.onnx --images 4000 --workers 1 2

Images are random bytes of the model's size, in memory. Needs brickwork[ray] and a release build. Times are of the
second of two runs, so that the start of workers does not count; it is told apart.
"""

from __future__ import annotations

import argparse
import logging
import os
import time
from collections.abc import Callable, Iterator

import brickwork as bw
import numpy as np
import onnx

BILLION = 1_000_000_000


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Of a first and of a second time."""
    times = []
    for _ in range(2):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return times[0], times[1]


def sized(count: float) -> str:
    """Bytes for people."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} PB"


def speed(model: bw.Model, images: np.ndarray, labels: np.ndarray, workers: list[int]) -> float:
    """Prints how long a profile of all samples takes; gives images a second of one process with one thread."""
    import brickwork.ray
    import ray

    os.environ.update(RAY_DATA_DISABLE_PROGRESS_BARS="1", RAY_worker_niceness="0")
    ray.init(include_dashboard=False, log_to_driver=False, num_cpus=max(workers, default=0) + 1, logging_level="error")
    logging.getLogger("ray.data").setLevel("ERROR")
    whole, options = bw.images(images, labels, layout="nhwc", classes=model.classes), {"samples": "all", "odd_pixels": True, "allow_missing": True}
    rows = [{"image": image, "label": int(label)} for image, label in zip(images, labels)]
    data = ray.data.from_items(rows, override_num_blocks=4 * max(workers, default=1)).materialize()
    print(f"\n{len(images)} images, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print("| who | seconds | images a second | first run |\n|---|---|---|---|")

    def row(who: str, work: Callable[[], object]) -> float:
        first, second = seconds(work)
        print(f"| {who} | {second:.2f} | {len(images) / second:.0f} | {first:.2f} |", flush=True)
        return len(images) / second

    alone = row("one process, 1 thread", lambda: model.profile(whole, threads=1, progress=False, **options))
    row("one process, 2 threads", lambda: model.profile(whole, threads=2, progress=False, **options))
    for count in workers:
        row(
            f"Ray, {count} workers of 1 thread",
            lambda: brickwork.ray.profile(model, data, workers=count, batch=256, **options),
        )
    return alone


def sizes(model: bw.Model, images: np.ndarray, labels: np.ndarray, rate: float) -> None:
    """Prints what is sent of some images, and what a billion would take."""
    some = bw.images(images, labels, layout="nhwc", classes=model.classes)
    count = len(set(labels.tolist()))
    print(f"\n| a partial of {len(images)} images of {count} classes | bytes |\n|---|---|")
    for samples in ("20", "all"):
        work = model.shared.profile(samples=samples, odd_pixels=True, allow_missing=True)
        print(f"| profile, `samples={samples}` | {sized(len(bytes(work.partial(images=some, threads=1))))} |")
    found = model.shared.evaluate(odd_pixels=True, allow_missing=True).partial(images=some)
    print(f"| evaluation | {sized(len(bytes(found)))} |")

    print("\n| layer | bytes of its second moments |\n|---|---|")
    moments = list(moment_bytes(model))
    for size, name in sorted(moments, reverse=True)[:5]:
        print(f"| {name} | {sized(size)} |")
    print(f"| all {len(moments)} layers | {sized(sum(size for size, _ in moments))} |")

    image = images[0].nbytes
    print(f"\nA billion images at {rate:.0f} a second on one core: {BILLION / rate / 3600:.0f} core hours.")
    print(f"As rows of {sized(image)} they are {sized(BILLION * image)} to send; as paths, nothing but results.")


def moment_bytes(model: bw.Model) -> Iterator[tuple[int, str]]:
    """For every convolution and linear layer the bytes of its second moments: two sums, in float64."""
    graph = onnx.load_from_string(bytes(model)).graph
    shapes = {stored.name: list(stored.dims) for stored in graph.initializer}
    for node in graph.node:
        if node.op_type not in ("Conv", "Gemm") or node.input[1] not in shapes:
            continue
        groups = next((one.i for one in node.attribute if one.name == "group"), 1)
        weights, outputs = int(np.prod(shapes[node.input[1]])), shapes[node.input[1]][0]
        if node.op_type == "Gemm" and not any(one.name == "transB" and one.i for one in node.attribute):
            outputs = shapes[node.input[1]][1]
        features, each = weights // outputs, outputs // groups
        yield 2 * groups * 8 * ((features + 1) * (features + each + 1) + each), node.name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    asked = parser.parse_args()
    model = bw.load(asked.model)
    if "preprocess" not in model.card:
        model = model.annotate(mean=0, std=1)
    channels, height, width = model.input
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (asked.images, height, width, channels), np.uint8)
    rate = speed(model, images, np.arange(len(images)) % min(10, len(model.classes)), asked.workers)
    # As the model answers, so that there are right answers to profile.
    some = images[:256]
    answers = model.run(some.transpose(0, 3, 1, 2).astype("float32") / 255).argmax(1)
    sizes(model, some, answers, rate)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Time and memory of the main verbs as images, classes, pixels and parts grow.

    pip install numpy
    python3 experiments/cost.py

One of the four grows at a time, away from the same middle: a ResNet-20 of half its width with random weights, for 10 classes of 32 by 32
pixels, and 2,000 random images. What is timed depends on none of their values. `calibrate` and `eval` of parts are of an
assembly of as many such networks.
"""
import json
import multiprocessing
import os
import subprocess
import time

from chart import Panel, chart
from driver import arguments, driver, save, table

MIDDLE = {"images": 2000, "classes": 10, "pixels": 32, "parts": 2}
GROWS = {"images": [500, 1000, 2000, 4000, 8000], "classes": [10, 100, 1000], "pixels": [32, 64, 96, 128], "parts": [2, 4, 8]}
HEAD = ["what grows", "", "verb", "wall, s", "CPU, s", "largest memory, MiB"]


def names(classes, part):
    """Those of different parts are different."""
    return [f"p{part}c{label}" for label in range(classes)]


def images(folder, count, classes, pixels, part=0):
    """A safetensors file of random images, of each class as many."""
    path = folder / f"images-{count}-{classes}-{pixels}-{part}.safetensors"
    if not path.exists():
        # A process of its own: what a child is said to take at most is never less than what its parent took.
        maker = multiprocessing.get_context("spawn").Process(target=make_images, args=(path, count, classes, pixels, part))
        maker.start()
        maker.join()
    return path


def make_images(path, count, classes, pixels, part):
    import numpy as np

    random = np.random.default_rng(part)
    header, blocks, end = {"__metadata__": {"class_names": json.dumps(names(classes, part))}}, [], 0
    for split in ("train", "test"):
        labels = (np.arange(count) % classes).astype("int64")
        pictures = random.integers(0, 256, (count, pixels, pixels, 3), dtype="uint8")
        for name, kind, array in (("labels", "I64", labels), ("images", "U8", pictures)):
            header[f"{split}_{name}"] = {"dtype": kind, "shape": array.shape, "data_offsets": [end, end + array.nbytes]}
            blocks.append(array.tobytes())
            end += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(b"".join([len(text).to_bytes(8, "little"), text, *blocks]))


def network(run, classes, pixels, part=0):
    """A file of a network."""
    raw, path = run.file(f"raw-{classes}-{pixels}-{part}.onnx"), run.file(f"net-{classes}-{pixels}-{part}.onnx")
    run("init", "--arch", "resnet20", "--width", "0.5", "--class-names", ",".join(names(classes, part)), "--size", pixels,
        "--stem", "cifar", "-o", raw, seed=part)
    run("annotate", raw, "--mean", "0.5", "--std", "0.25", "-o", path)
    return path


class Meter:
    """Runs commands, once each, and says what they took."""

    def __init__(self, run):
        self.run = run

    def __call__(self, *words):
        run, words = self.run, [str(word) for word in words]
        run.commands.append(run.shown(words))
        known = run.file("costs.json")
        costs = json.loads(known.read_text()) if known.exists() else {}
        key = " ".join(words)
        if key not in costs:
            print("$ brickwork", run.shown(words), flush=True)
            begun = time.monotonic()
            child = subprocess.Popen([run.binary, *words, "--threads", str(run.threads), "--json", "--quiet"], stdout=subprocess.DEVNULL)
            _, status, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            if child.returncode:
                raise SystemExit(f"exit code {child.returncode}: brickwork {key}")
            costs[key] = {"wall": time.monotonic() - begun, "cpu": used.ru_utime + used.ru_stime, "mib": used.ru_maxrss / 1024}
            known.write_text(json.dumps(costs))
        return costs[key]


def of_one(run, meter, count, classes, pixels):
    """Costs of the verbs of one network."""
    net, data = network(run, classes, pixels), ["--data", images(run.work, count, classes, pixels)]
    profile, small = run.file(f"profile-{count}-{classes}-{pixels}"), run.file(f"small-{count}-{classes}-{pixels}.onnx")
    yield "profile", meter("profile", net, *data, "--samples", "all", "-o", profile)
    yield "disassemble", meter("disassemble", net, *data, "--classes", f"0-{classes // 2 - 1}", "--macs", "50%", "--refit-samples", count // classes,
                               "--hold-out", "none", "--cache", "none", "-o", small)
    yield "eval", meter("eval", net, *data, "--no-latency")


def of_parts(run, meter, count, classes, pixels, parts):
    """Costs of the verbs of an assembly."""
    nets = [network(run, classes, pixels, part) for part in range(parts)]
    joined = run.file(f"joined-{parts}-{classes}.onnx")
    run("assemble", *nets, "-o", joined)
    each = count // parts
    data = [word for part, net in enumerate(nets)
            for word in ("--data", f"{net.stem}={images(run.work, each, classes, pixels, part)}")]
    yield "calibrate", meter("calibrate", joined, *data, "--samples", each // classes, "-o", run.file(f"ready-{parts}-{classes}.onnx"))
    yield "eval of an assembly", meter("eval", joined, *data, "--no-latency")


def measured(run, meter):
    for what, sizes in GROWS.items():
        for size in sizes:
            now = {**MIDDLE, what: size}
            count, classes, pixels, parts = now.values()
            if what != "parts":
                for verb, cost in of_one(run, meter, count, classes, pixels):
                    yield {"grows": what, "size": size, "verb": verb, **cost}
            if what != "pixels":
                for verb, cost in of_parts(run, meter, count, classes, pixels, parts):
                    yield {"grows": what, "size": size, "verb": verb, **cost}


def panel(rows, what, key, unit):
    lines = {}
    for row in rows:
        if row["grows"] == what:
            lines.setdefault(row["verb"], []).append((row["size"], row[key]))
    return Panel(f"{unit} by {what}", what, unit, lines)


def main():
    parser = arguments(__doc__.splitlines()[0], "cost", models=False, data=False)
    options = parser.parse_args()
    run = driver(options)
    rows = list(measured(run, Meter(run)))
    panels = [panel(rows, what, key, unit) for what in GROWS for key, unit in (("cpu", "CPU seconds"), ("mib", "MiB"))]
    lines = [[row["grows"], row["size"], row["verb"], f"{row['wall']:.2f}", f"{row['cpu']:.2f}", f"{row['mib']:.0f}"] for row in rows]
    text = f"""{options.threads} threads. What all data sets hold is read whole, since it is arrays. Memory below 60 MiB is not told apart: so much has the program
that starts the command.

- `profile` and `eval` pass every image through the network once: time follows images and pixels. A profile holds numbers for every
  class and channel, so that its memory follows classes.
- `disassemble` to a size looks at a fixed number of images where it ranks channels; only its refit sees all. Memory follows pixels: what two
  networks make of a batch of images, and images that are read again and again.
- `calibrate` fits a matrix of features by classes to parts of the images in turns: with ten times the classes, each of both is ten times as
  large.

""" + table(HEAD, lines)
    save(options, run, "Cost as work grows", text, {"costs": rows}, key="what", chart=chart(panels))


if __name__ == "__main__":
    main()

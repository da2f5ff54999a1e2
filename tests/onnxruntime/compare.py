#!/usr/bin/env python3
"""Compares Brickwork with onnxruntime, one line a model; exit code 1 if any of them differs.

    cargo build --release --bins --examples
    python3 -m venv venv && venv/bin/pip install -r tests/onnxruntime/requirements.txt
    venv/bin/python tests/onnxruntime/compare.py

zoo    every network of fixtures/zoo with random weights: our scores and theirs
cut    the same networks with a random half of their channels removed: our scores of the cut model and
       theirs; theirs of the cut model and of the source with the removed channels masked
light  the models that come with the onnx package, as they are and with random weights
demo   everything that `brickwork demo` reads and writes, its joined model with scores corrected, two components
       that share a trunk
gcn    a network that classifies nodes and a part of it, whose neighbours are a sparse constant

Scores may differ by 1e-4, and by 1e-4 of the largest one.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIGHT = pathlib.Path(onnx.__file__).parent / "backend/test/data/light"
TOLERANCE = 1e-4
SEED = 7


class Ours:
    """The two programs that are built from this repository."""

    def __init__(self, folder, scratch):
        self.folder, self.scratch = folder, scratch

    def material(self, *words):
        line = [self.folder / "examples/material", *map(str, words)]
        return subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True).stdout

    def fill(self, model):
        filled = self.scratch / "filled.onnx"
        self.material("fill", model, filled, SEED)
        return filled

    def cut(self, model):
        small, masked = self.scratch / "cut.onnx", self.scratch / "masked.onnx"
        return small, masked, json.loads(self.material("cut", model, small, masked, SEED))

    def scores(self, model, images):
        source, target = self.scratch / "images.bin", self.scratch / "scores.bin"
        images.tofile(source)
        self.material("run", model, source, target, len(images))
        return np.fromfile(target, "float32").reshape(len(images), -1)

    def brickwork(self, *words):
        subprocess.run([self.folder / "brickwork", "--quiet", *words], check=True, stdout=subprocess.DEVNULL)

    def demo(self):
        folder = self.scratch / "demo"
        self.brickwork("demo", "--out", folder)
        data, digits = folder / "data", ["--data", folder / "data/digits"]
        images = [word for part, name in (("low", "digits"), ("shoes", "garments"), ("clothes", "garments"))
                  for word in ("--data", f"{part}={data / name}")]
        for method in ("linear", "background"):
            self.brickwork("calibrate", folder / "joined.onnx", *images, "--method", method, "-o", folder / f"{method}.onnx")
        halves = [folder / f"{task}.onnx" for task in ("0-4", "5-9")]
        for half in halves:
            self.brickwork("disassemble", folder / "digits.onnx", "--classes", half.stem, *digits, "--macs", "90%",
                           "--trunk", "conv2", "--refit-samples", "20", "--hold-out", "none", "-o", half)
        self.brickwork("assemble", *halves, "-o", folder / "one-trunk.onnx")
        return sorted(folder.glob("*.onnx"))

    def gcn(self):
        nodes, count = ["node,label,split,word_ids"], 300
        for node in range(count):
            split = ("train", "val", "test")[node // 100]
            nodes.append(f"{node},{node % 3},{split},{node % 3} {3 + node % 7} {10 + node % 5}")
        edges = [f"{node},{(node + step) % count}" for node in range(count) for step in (3, 6)]
        (self.scratch / "nodes.csv").write_text("\n".join(nodes) + "\n")
        (self.scratch / "edges.csv").write_text("\n".join(["src,dst", *edges]) + "\n")
        gcn, part = self.scratch / "gcn.onnx", self.scratch / "gcn-part.onnx"
        for words in (["train", "-o", gcn], ["disassemble", gcn, "--classes", "0-1", "-o", part]):
            self.brickwork("gcn", *words, "--data", self.scratch)
        return [gcn, part]


def session(model):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def images_for(model, batch=2):
    """Random images of the size that the model takes; a fixed batch stays."""
    known = session(model).get_inputs()[0].shape
    shape = [known[0] if isinstance(known[0], int) else batch, *known[1:]]
    return np.random.default_rng(SEED).uniform(-1, 1, shape).astype("float32")


def theirs(model, images):
    running = session(model)
    return running.run(None, {running.get_inputs()[0].name: images})[0].reshape(len(images), -1)


class Tally:
    def __init__(self):
        self.compared, self.failed = 0, []

    def check(self, kind, name, what, ours, reference):
        difference = np.abs(ours - reference).max() if ours.shape == reference.shape else np.nan
        largest = np.abs(reference).max()
        holds = largest > 0 and difference <= TOLERANCE * min(1, largest)
        self.compared += 1
        if not holds:
            self.failed.append(f"{kind} {name}: {what}")
        print(f"{'ok  ' if holds else 'FAIL'} {kind:5} {name:24} {what:20} differs by {difference:.1e}, "
              f"largest score {largest:.3g}", flush=True)


def compare_network(ours, tally, path):
    model = ours.fill(path)
    images = images_for(model)
    tally.check("zoo", path.stem, "ours, onnxruntime", ours.scores(model, images), theirs(model, images))
    small, masked, classes = ours.cut(model)
    scores = theirs(small, images)
    tally.check("cut", path.stem, "ours, onnxruntime", ours.scores(small, images), scores)
    tally.check("cut", path.stem, "cut, masked", scores, theirs(masked, images)[:, classes])


def compare_file(ours, tally, kind, path):
    images = images_for(path)
    tally.check(kind, path.stem, "ours, onnxruntime", ours.scores(path, images), theirs(path, images))


def compare_light(ours, tally, path):
    compare_file(ours, tally, "light", path)
    model = ours.fill(path)
    images = images_for(model)
    tally.check("light", path.stem, "the same, filled", ours.scores(model, images), theirs(model, images))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "target/release",
                        help="folder of the built programs [default: target/release]")
    parser.add_argument("names", nargs="*", help="only models whose file name starts so")
    options = parser.parse_args()
    chosen = lambda paths: [path for path in paths if path.name.startswith(tuple(options.names) or "")]
    tally = Tally()
    with tempfile.TemporaryDirectory() as scratch:
        ours = Ours(options.bin.resolve(), pathlib.Path(scratch))
        for path in chosen(sorted((ROOT / "fixtures/zoo").glob("*.onnx"))):
            compare_network(ours, tally, path)
        for path in chosen(sorted(LIGHT.glob("*.onnx"))):
            compare_light(ours, tally, path)
        for path in chosen(ours.demo()):
            compare_file(ours, tally, "demo", path)
        for path in chosen(ours.gcn()):
            compare_file(ours, tally, "gcn", path)
    print(f"{tally.compared} comparisons, {len(tally.failed)} above {TOLERANCE:.0e}"
          + "".join(f"\n  {line}" for line in tally.failed))
    sys.exit(1 if tally.failed or not tally.compared else 0)


if __name__ == "__main__":
    main()

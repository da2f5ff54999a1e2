#!/usr/bin/env python3
"""Measures Brickwork against onnxruntime on this machine and prints Markdown tables.

    cargo build --release --bins --examples
    python3 -m venv venv && venv/bin/pip install -r tests/onnxruntime/requirements.txt
    venv/bin/python benches/onnxruntime.py

Networks come from fixtures/zoo with random weights. Both programs run in turn, each time in a process of
its own after a pause; a figure is the median over the processes of each one's median run. Wants an
otherwise idle machine: the spread says whether it was one.
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

# This file must not stand in for the package of its name.
sys.path.pop(0)
import numpy as np
import onnxruntime

ROOT = pathlib.Path(__file__).resolve().parents[1]
CASES = [("vgg16_cifar", 64), ("resnet50", 1), ("resnet50", 8), ("resnet20_cifar", 64), ("mobilenet_v2", 8)]
WARM_UP = 2
SEED = 7


def time_onnxruntime(model, batch, threads, runs):
    """Median milliseconds of a run in this process."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    known = session.get_inputs()[0]
    images = np.random.default_rng(SEED).uniform(-1, 1, [batch, *known.shape[1:]]).astype("float32")
    times = []
    for _ in range(runs + WARM_UP):
        start = time.perf_counter()
        session.run(None, {known.name: images})
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times[WARM_UP:])


class Bench:
    def __init__(self, options, scratch):
        self.options, self.scratch = options, pathlib.Path(scratch)
        self.binary = options.bin.resolve() / "brickwork"
        self.material = options.bin.resolve() / "examples/material"

    def filled(self, name):
        """The network with random weights."""
        model = self.scratch / f"{name}.onnx"
        if not model.exists():
            source = ROOT / "fixtures/zoo" / model.name
            subprocess.run([self.material, "fill", source, model, str(SEED)], check=True)
        return model

    def rested(self, line):
        time.sleep(self.options.pause)
        return subprocess.run(list(map(str, line)), check=True, stdout=subprocess.PIPE, text=True).stdout

    def theirs(self, model, batch, threads):
        line = [sys.executable, __file__, "--time-onnxruntime", model, batch, threads, self.options.runs]
        return float(self.rested(line))

    def ours(self, model, batch, threads, *more):
        line = [self.binary, "bench", model, "--batch", batch, "--threads", threads, "--runs", self.options.runs,
                "--json", "--quiet", *more]
        return json.loads(self.rested(line))["runs"][0]

    def forward(self, name, batch, threads):
        """Times of both programs, taken in turn: onnxruntime's and ours."""
        model = self.filled(name)
        pairs = [(self.theirs(model, batch, threads), self.ours(model, batch, threads)["forward_ms"])
                 for _ in range(self.options.processes)]
        return zip(*pairs)

    def profiling(self, name, batch, threads):
        """Times of a plain and of a profiling pass."""
        model = self.filled(name)
        answers = [self.ours(model, batch, threads, "--profile") for _ in range(self.options.processes)]
        return zip(*((answer["forward_ms"], answer["profile_ms"]) for answer in answers))

    def profile_memory(self, name, side, classes, images_per_class):
        """Peak resident MiB of profiling generated images of `classes` classes."""
        data = self.scratch / "images.npz"
        labels = np.repeat(np.arange(classes), images_per_class)
        # The data counts as many classes as the network if the last one occurs.
        labels = np.append(labels, 999)
        images = np.random.default_rng(SEED).integers(0, 256, [len(labels), side, side, 3], dtype="uint8")
        np.savez(data, images=images, labels=labels)
        line = [self.binary, "profile", self.filled(name), "--data", data, "--mean", "0", "--std", "1",
                "--classes", f"0-{classes - 1}", "--samples", "all", "--quiet", "-o",
                self.scratch / "profile.safetensors"]
        process = subprocess.Popen(list(map(str, line)), stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, line)
        return usage.ru_maxrss / 1024


def spread(times):
    return f"{statistics.median(times):.2f} ({min(times):.2f} to {max(times):.2f})"


def ratio(ours, theirs):
    return f"{statistics.median(ours) / statistics.median(theirs):.2f}"


def heading(title, columns):
    print(f"\n### {title}\n\n| " + " | ".join(columns) + " |\n|" + " --- |" * len(columns), flush=True)


def line(*cells):
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def machine():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        return next(text.split(":")[1].strip() for text in lines if text.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def report(bench, options):
    version = subprocess.check_output([bench.binary, "--version"], text=True).strip()
    print(f"{version}, onnxruntime {onnxruntime.__version__}; {machine()}, {os.cpu_count()} logical cores; "
          f"{options.processes} processes of {options.runs} runs, median (lowest to highest process)")
    cases = [(*case, threads) for threads in options.threads for case in CASES if case[0].startswith(options.only)]
    heading("Forward pass", ["network", "batch", "threads", "onnxruntime, ms", "brickwork, ms", "ratio"])
    for case in cases:
        theirs, ours = bench.forward(*case)
        line(*case, spread(theirs), spread(ours), ratio(ours, theirs))
    heading("Profiling pass over the same images",
            ["network", "batch", "threads", "forward, ms", "profiling, ms", "ratio"])
    for case in cases:
        forward, profiling = bench.profiling(*case)
        line(*case, spread(forward), spread(profiling), ratio(profiling, forward))
    if "resnet50".startswith(options.only):
        classes, each = 10, options.images
        heading("Memory of `brickwork profile`", ["network", "pixels", "classes", "images", "peak resident, MiB"])
        line("resnet50", 224, classes, classes * each, f"{bench.profile_memory('resnet50', 224, classes, each):.0f}")


def main():
    if sys.argv[1:2] == ["--time-onnxruntime"]:
        model, *numbers = sys.argv[2:]
        print(time_onnxruntime(model, *map(int, numbers)))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "target/release",
                        help="folder of the built programs [default: target/release]")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--processes", type=int, default=5, help="processes of each program [default: 5]")
    parser.add_argument("--runs", type=int, default=10, help="runs in a process [default: 10]")
    parser.add_argument("--pause", type=float, default=2.0, help="seconds before a process [default: 2]")
    parser.add_argument("--images", type=int, default=10, help="images per class to profile for memory")
    parser.add_argument("--only", default="", help="only networks whose name starts so")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        report(Bench(options, scratch), options)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Measures Brickwork against onnxruntime on this machine and prints Markdown tables.

    cargo build --release --bins --examples
    python3 -m venv venv && venv/bin/pip install -r tests/onnxruntime/requirements.txt
    venv/bin/python benches/onnxruntime.py

Networks come from fixtures/zoo with random weights; `--files` adds others. Both programs run in turn, each time in a process
of its own after a pause; a figure is the best process's median run, since whatever else a machine does makes runs longer, never
shorter. `--table FILE.md` puts the forward passes into a file that has a section for every processor.
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
LARGE = ["resnet50", "vgg16", "mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0", "shufflenet_v2_x1_0", "convnext_tiny"]
CASES = [("resnet20_cifar", 64), ("vgg16_cifar", 64)] + [(name, batch) for name in LARGE for batch in (1, 8)]
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
        if pathlib.Path(name).suffix == ".onnx":
            return name
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


def ratio(ours, theirs):
    return f"{min(ours) / min(theirs):.2f}"


def table(columns, rows):
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(str, cells)) + " |" for cells in lines)


def machine():
    """The processor, and the widest vectors that it has."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    fields = dict([part.strip() for part in text.split(":", 1)] for text in lines if ":" in text)
    flags = fields.get("flags", "").split()
    vectors = "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else platform.machine()
    family = f"family {fields['cpu family']}, model {fields['model']}" if "cpu family" in fields else ""
    return ", ".join(filter(None, [fields.get("model name", platform.machine()), family, vectors]))


def forward(bench, options, cases):
    """A table of networks and batches, with both programs' times for each number of threads."""
    columns = ["network", "batch"]
    for threads in options.threads:
        columns += [f"onnxruntime, {threads} thread{'s' * (threads > 1)}, ms", "brickwork, ms", "ratio"]
    rows = []
    for name, batch in cases:
        row = [pathlib.Path(name).stem, str(batch)]
        for threads in options.threads:
            theirs, ours = bench.forward(name, batch, threads)
            row += [f"{min(theirs):.2f}", f"{min(ours):.2f}", ratio(ours, theirs)]
        rows.append(row)
        print(*row, file=sys.stderr, flush=True)
        if options.table:
            record(options.table, machine(), columns, row)
    return table(columns, rows)


def record(file, processor, columns, row):
    """Puts a row into the section of a processor, in place of an earlier one of the same network and batch."""
    head, *sections = (file.read_text() if file.exists() else HEAD).split("\n## ")
    known = dict(section.split("\n\n", 1) for section in sections)
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in known.get(processor, "").splitlines()[2:]]
    rows = {tuple(cell[:2]): cell for cell in cells if len(cell) == len(columns)} | {tuple(row[:2]): row}
    known[processor] = table(columns, rows.values())
    file.write_text("\n## ".join([head.rstrip() + "\n", *(f"{name}\n\n{text.strip()}\n" for name, text in known.items())]))


HEAD = """# Forward passes beside onnxruntime

    python3 benches/onnxruntime.py --table docs/figures/speed.md

Both programs run in turn, each time in a process of its own; a time is the best process's median run, in milliseconds. Below 1,
Brickwork is faster. A run replaces the rows of the networks that it timed, on its processor. Random weights, but of what was added by
`--files`: `efficientnet_lite0` has those of ImageNet, `vit_tiny_patch16_224` and `swin_tiny_patch4_window7_224` are timm's, exported by
torch's default exporter.
"""


def report(bench, options):
    version = subprocess.check_output([bench.binary, "--version"], text=True).strip()
    said = (f"{version}, onnxruntime {onnxruntime.__version__}; {os.cpu_count()} logical cores; "
            f"best of {options.processes} processes of {options.runs} runs.")
    files = [(str(file), batch) for file in options.files for batch in (1, 8)]
    cases = [case for case in CASES + files if pathlib.Path(case[0]).stem.startswith(options.only)]
    print(f"### {machine()}\n\n{said}\n\n{forward(bench, options, cases)}")
    if not options.profiling:
        return
    rows = []
    for case in [(*case, threads) for case in cases for threads in options.threads]:
        plain, profiling = bench.profiling(*case)
        rows.append([*case, f"{min(plain):.2f}", f"{min(profiling):.2f}", ratio(profiling, plain)])
    print("\n### Profiling pass over the same images\n\n"
          + table(["network", "batch", "threads", "forward, ms", "profiling, ms", "ratio"], rows))
    if "resnet50".startswith(options.only):
        classes, each = 10, options.images
        peak = f"{bench.profile_memory('resnet50', 224, classes, each):.0f}"
        print("\n### Memory of `brickwork profile`\n\n"
              + table(["network", "pixels", "classes", "images", "peak resident, MiB"],
                      [["resnet50", 224, classes, classes * each, peak]]))


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
    parser.add_argument("--files", type=pathlib.Path, nargs="*", default=[], help="models to time besides")
    parser.add_argument("--table", type=pathlib.Path, help="Markdown file to put the forward passes into")
    parser.add_argument("--profiling", action="store_true", help="also time profiling passes, and measure their memory")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        report(Bench(options, scratch), options)


if __name__ == "__main__":
    main()

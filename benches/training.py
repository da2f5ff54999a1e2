#!/usr/bin/env python3
"""Measures training steps of Brickwork against PyTorch on this machine and prints a Markdown table.

    cargo build --release
    python3 -m venv venv && venv/bin/pip install -r benches/training-requirements.txt
    venv/bin/python benches/training.py

Networks come from `brickwork init`; PyTorch gets the same layers and weights by reading the ONNX file. A step is
forward, cross-entropy, backward and SGD with momentum and weight decay on the same random images. Both programs run in
turn, each time in a process of its own after a pause; a figure is the median over the processes of each one's median
step. Memory is the peak of the process less that of one that only loads its libraries and the network. Wants an
otherwise idle machine: the spread says whether it was one.
"""
import argparse
import importlib.metadata
import json
import os
import pathlib
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Architecture, width, batch.
CASES = [("vgg16", 1.0, 64), ("vgg16", 0.25, 64), ("resnet20", 1.0, 64), ("resnet50", 0.25, 64), ("googlenet", 0.25, 64),
         ("mobilenet_v2", 0.5, 64), ("lenet5", 1.0, 64)]
WARM_UP = 2


def network(path):
    """A module with the layers and weights of an ONNX file."""
    import onnx
    import torch
    from onnx import numpy_helper
    from torch import nn

    graph = onnx.load(path).graph
    constants = {tensor.name: torch.tensor(numpy_helper.to_array(tensor)) for tensor in graph.initializer}

    def attributes(node):
        return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}

    def layer(node, given):
        """A module, or a function of the operands."""
        weights = [constants.get(name) for name in node.input]
        pads = given.get("pads", [0, 0, 0, 0])
        assert pads[:2] == pads[2:], f"{node.name}: uneven padding"
        if node.op_type == "Conv":
            outputs, inputs, *kernel = weights[1].shape
            groups = given.get("group", 1)
            made = nn.Conv2d(inputs * groups, outputs, kernel, given["strides"], pads[:2], given["dilations"], groups,
                             bias=len(weights) > 2)
        elif node.op_type == "Gemm":
            assert given.get("transB") == 1
            made = nn.Linear(weights[1].shape[1], weights[1].shape[0])
        elif node.op_type == "BatchNormalization":
            made = nn.BatchNorm2d(len(weights[1]), given["epsilon"], 1 - given.get("momentum", 0.9))
        else:
            return {
                "Relu": lambda: nn.ReLU(inplace=True),
                "Clip": lambda: nn.ReLU6(inplace=True),
                "Dropout": nn.Dropout,
                "MaxPool": lambda: nn.MaxPool2d(given["kernel_shape"], given["strides"], pads[:2],
                                                ceil_mode=bool(given.get("ceil_mode"))),
                "AveragePool": lambda: nn.AvgPool2d(given["kernel_shape"], given["strides"], pads[:2]),
                "GlobalAveragePool": lambda: nn.AdaptiveAvgPool2d(1),
                "GlobalMaxPool": lambda: nn.AdaptiveMaxPool2d(1),
                "Flatten": nn.Flatten,
                "Identity": nn.Identity,
            }[node.op_type]()
        made.weight.data = weights[1]
        if len(weights) > 2:
            made.bias.data = weights[2]
        return made

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            joins = ("Add", "Concat")
            self.steps = nn.ModuleList(nn.Identity() if node.op_type in joins else layer(node, attributes(node))
                                       for node in graph.node)

        def forward(self, images):
            values = {graph.input[0].name: images}
            readers = {}
            for node in graph.node:
                for name in node.input:
                    readers[name] = readers.get(name, 0) + 1
            for node, step in zip(graph.node, self.steps):
                operands = [values[name] for name in node.input if name in values]
                for name in node.input:
                    readers[name] -= 1
                    if readers[name] == 0:
                        values.pop(name, None)
                if node.op_type == "Add":
                    result = operands[0] + operands[1]
                elif node.op_type == "Concat":
                    result = torch.cat(operands, 1)
                elif isinstance(step, (nn.ReLU, nn.ReLU6)) and readers.get(node.input[0]):
                    result = step(operands[0].clone())
                else:
                    result = step(operands[0])
                values[node.output[0]] = result
            return values[graph.output[0].name]

    return Network().train()


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def time_pytorch(path, batch, threads, runs):
    """Median milliseconds of a step in this process, and MiB that the steps took."""
    import numpy as np
    import torch

    torch.set_num_threads(threads)
    net = network(path)
    shape = [1, 3, 32, 32]
    images = torch.tensor(np.random.default_rng(0).uniform(-1, 1, [batch, *shape[1:]]).astype("float32"))
    labels = torch.arange(batch) % 10
    optimiser = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9, weight_decay=5e-4)
    before, times = peak(), []
    for _ in range(runs + WARM_UP):
        start = time.perf_counter()
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(images), labels).backward()
        optimiser.step()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times[WARM_UP:]), peak() - before


class Bench:
    def __init__(self, options, scratch):
        self.options, self.scratch = options, pathlib.Path(scratch)

    def model(self, arch, width):
        path = self.scratch / f"{arch}-{width}.onnx"
        if not path.exists():
            subprocess.run([self.options.bin, "init", "--arch", arch, "--width", str(width), "--classes", "10", "--size",
                            "32", "--quiet", "-o", path], check=True, stdout=subprocess.DEVNULL)
        return path

    def rested(self, line):
        time.sleep(self.options.pause)
        process = subprocess.Popen(list(map(str, line)), stdout=subprocess.PIPE, text=True)
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, line)
        return text, usage.ru_maxrss / 1024

    def theirs(self, model, batch, threads):
        line = [sys.executable, __file__, "--time-pytorch", model, batch, threads, self.options.runs]
        return json.loads(self.rested(line)[0])

    def ours(self, model, batch, threads):
        line = [self.options.bin, "bench", model, "--batch", batch, "--threads", threads, "--runs", self.options.runs,
                "--json", "--quiet", "--training"]
        text, most = self.rested(line)
        _, least = self.rested([self.options.bin, "inspect", model, "--json"])
        return json.loads(text)["runs"][0]["step_ms"], most - least


def spread(times):
    return f"{statistics.median(times):.1f} ({min(times):.1f} to {max(times):.1f})"


def main():
    if sys.argv[1:2] == ["--time-pytorch"]:
        model, *numbers = sys.argv[2:]
        print(json.dumps(time_pytorch(model, *map(int, numbers))))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "target/release/brickwork")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--processes", type=int, default=3, help="processes of each program [default: 3]")
    parser.add_argument("--runs", type=int, default=8, help="steps in a process [default: 8]")
    parser.add_argument("--pause", type=float, default=1.0, help="seconds before a process [default: 1]")
    parser.add_argument("--only", default="", help="only architectures whose name starts so")
    options = parser.parse_args()
    # A child's peak counts its parent's memory at the fork, so this process stays small.
    version = subprocess.check_output([options.bin, "--version"], text=True).strip()
    print(f"{version}, PyTorch {importlib.metadata.version('torch')}; {platform.machine()}, {os.cpu_count()} logical cores; "
          f"{options.processes} processes of {options.runs} steps, median (lowest to highest process)\n")
    print("| architecture | width | batch | threads | PyTorch, ms | brickwork, ms | ratio | PyTorch, MiB | brickwork, MiB |")
    print("|" + " --- |" * 9, flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(options, scratch)
        for threads in options.threads:
            for arch, width, batch in (case for case in CASES if case[0].startswith(options.only)):
                model = bench.model(arch, width)
                pairs = [(bench.theirs(model, batch, threads), bench.ours(model, batch, threads))
                         for _ in range(options.processes)]
                theirs, ours = zip(*pairs)
                times = [[answer[0] for answer in side] for side in (theirs, ours)]
                memory = [statistics.median(answer[1] for answer in side) for side in (theirs, ours)]
                ratio = statistics.median(times[1]) / statistics.median(times[0])
                print(f"| {arch} | {width} | {batch} | {threads} | {spread(times[0])} | {spread(times[1])} | {ratio:.2f} | "
                      f"{memory[0]:.0f} | {memory[1]:.0f} |", flush=True)


if __name__ == "__main__":
    main()

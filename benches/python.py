#!/usr/bin/env python3
"""Milliseconds of a batch by `Model.run` and by onnxruntime's Python API, in turns in one process, and what Python costs.

    pip install . onnxruntime
    python3 benches/python.py resnet50.onnx --batches 1 8 64 --alone 8 --clock cpu

The best of all rounds counts. The library's own pass is what further runs of `Model.bench` take. What must be copied for Python alone is
timed by itself, since a difference of two times is blurred by whatever else a machine does; so is a wall clock, for which
`--clock cpu` counts the time of the process.
"""
import argparse
import sys
import time

sys.path.pop(0)  # The file onnxruntime.py beside this one is no package.

import brickwork as bw
import numpy as np
import onnxruntime

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def timed(work, clock):
    """Milliseconds of a call."""
    start = CLOCKS[clock]()
    work()
    return 1000 * (CLOCKS[clock]() - start)


def copied(batch, scores):
    """What `Model.run` copies: images out of the array, into the library's own memory, and scores back."""
    for array in (batch, scores):
        np.frombuffer(bytearray(array.tobytes()), np.float32)


def library(model, count, args):
    """Milliseconds of a pass of the library, in which there is no Python."""
    more = max(2, 16 // count)
    ways = [lambda runs=runs: model.bench(batch=count, runs=runs, threads=args.threads, progress=False) for runs in (1, 1 + more)]
    short, long = (timed(way, args.clock) for way in ways)
    return (long - short) / more


def best(ways, rounds):
    """The best time of each way, all of them taking turns."""
    times = [[way() for way in ways] for _ in range(rounds)]
    return [min(column) for column in zip(*times)]


def row(model, session, count, args):
    """All times of batches of one size."""
    batch = np.random.default_rng(count).standard_normal((count, *model.input), np.float32)
    runs = [
        lambda: session.run(None, {session.get_inputs()[0].name: batch})[0],
        lambda: model.run(batch, threads=args.threads),
    ]
    wanted, found = (run() for run in runs)
    np.testing.assert_allclose(found, np.reshape(wanted, found.shape), rtol=1e-3, atol=1e-3 * np.abs(wanted).max())
    ways = [lambda run=run: timed(run, args.clock) for run in [*runs, lambda: copied(batch, found)]]
    if count in args.alone:
        ways.append(lambda: library(model, count, args))
    other, own, copies, *alone = best(ways, max(3, args.rounds // count))
    library_alone = f"{alone[0]:.1f}" if alone else "–"
    return f"| {count} | {other:.1f} | {own:.1f} | {library_alone} | {copies:.2f} ({100 * copies / own:.2f} %) |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--alone", type=int, nargs="*", default=[8], help="batches of which the library's own pass is timed, too")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=40, help="of batches of 1; larger ones have fewer, at least 3")
    args = parser.parse_args()
    model = bw.load(args.model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    session = onnxruntime.InferenceSession(args.model, options, providers=["CPUExecutionProvider"])
    print("| batch | onnxruntime, ms | `Model.run`, ms | the library alone, ms | copies, ms |\n|---|---|---|---|---|", flush=True)
    for count in args.batches:
        print(row(model, session, count, args), flush=True)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Milliseconds of a batch by `Model.run`, by the library's own clock, and by onnxruntime's Python API, in turns in one process.

    pip install . onnxruntime
    python3 benches/python.py resnet50.onnx --batches 1 8 64 --threads 1

The best of all rounds counts. What `Model.run` takes beside the library's pass is what Python costs; what must be copied for it alone is
timed by itself, since machines that do other work blur a difference of two times.
"""
import argparse
import sys
import time

sys.path.pop(0)  # The file onnxruntime.py beside this one is no package.

import brickwork as bw
import numpy as np
import onnxruntime


def timed(work):
    """Milliseconds of a call."""
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def copied(batch, scores):
    """What `Model.run` copies: images out of the array, into the library's own memory, and scores back."""
    np.frombuffer(bytearray(batch.tobytes()), np.float32)
    np.frombuffer(bytearray(scores.tobytes()), np.float32)


def best(ways, rounds):
    """The best time of each way, all of them taking turns."""
    times = [[way() for way in ways] for _ in range(rounds)]
    return [min(column) for column in zip(*times)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=20, help="of batches of 1; larger ones have fewer, at least 3")
    args = parser.parse_args()
    model = bw.load(args.model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    session = onnxruntime.InferenceSession(args.model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    print("| batch | onnxruntime, ms | `Model.run`, ms | the library alone, ms | copies, ms | copies, % |\n|---|---|---|---|---|---|")
    for count in args.batches:
        batch = np.random.default_rng(count).standard_normal((count, *model.input), np.float32)
        found = model.run(batch, threads=args.threads)
        wanted = np.asarray(session.run(None, {name: batch})[0]).reshape(found.shape)
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3 * np.abs(wanted).max())
        ways = [
            lambda: timed(lambda: session.run(None, {name: batch})),
            lambda: timed(lambda: model.run(batch, threads=args.threads)),
            lambda: model.bench(batch=count, runs=1, threads=args.threads, progress=False).runs[0].forward_ms,
            lambda: timed(lambda: copied(batch, found)),
        ]
        other, own, library, copies = best(ways, max(3, args.rounds // count))
        print(f"| {count} | {other:.2f} | {own:.2f} | {library:.2f} | {copies:.3f} | {100 * copies / own:.2f} |", flush=True)


if __name__ == "__main__":
    main()

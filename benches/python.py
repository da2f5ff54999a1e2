#!/usr/bin/env python3
"""Milliseconds of a batch by `Model.run` and by onnxruntime's Python API, in turns in one process.

    pip install . onnxruntime
    python3 benches/python.py resnet50.onnx --batches 1 8 64 --threads 1

The best of all rounds counts. Beside them stands what the copies of a batch take that only Python needs.
"""
import argparse
import sys
import time

sys.path.pop(0)  # The file onnxruntime.py beside this one is no package.

import brickwork as bw
import numpy as np
import onnxruntime


def best(work, rounds):
    """The shortest time of a call, in milliseconds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=10)
    args = parser.parse_args()
    model = bw.load(args.model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    session = onnxruntime.InferenceSession(args.model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    print(f"{'batch':>5} {'brickwork, ms':>14} {'onnxruntime, ms':>16} {'copies, ms':>11} {'copies, %':>10}")
    for count in args.batches:
        batch = np.random.default_rng(count).standard_normal((count, *model.input), np.float32)
        found = model.run(batch, threads=args.threads)
        wanted = np.asarray(session.run(None, {name: batch})[0]).reshape(found.shape)
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3 * np.abs(wanted).max())
        own = best(lambda: model.run(batch, threads=args.threads), args.rounds)
        other = best(lambda: session.run(None, {name: batch}), args.rounds)
        copies = best(lambda: np.frombuffer(bytearray(batch.tobytes()), np.float32), args.rounds)
        print(f"{count:5} {own:14.2f} {other:16.2f} {copies:11.3f} {100 * copies / own:10.2f}")


if __name__ == "__main__":
    main()

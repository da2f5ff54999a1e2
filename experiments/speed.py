#!/usr/bin/env python3
"""How fast networks of half the multiply-accumulates are in onnxruntime, by the widths that they keep.

    pip install numpy onnx onnxruntime

Channels are given up by the norm of their weights, without a refit: what is timed are widths, not accuracy.
"""
from subprocess import CalledProcessError

from driver import arguments, driver, save, table
from latency import best, session

import onnxruntime

STORED = ["cifar10-resnet20-akamaster", "imagenet-efficientnet-lite0", "cifar10-vgg16-quarter"]
MADE = ["vgg16", "resnet50", "mobilenet_v2"]
WIDTHS = {"any": ["--round-to", "1"], "default": [], "8": ["--round-to", "8"], "16": ["--round-to", "16"]}
RUNS = [(1, 1), (8, 2)]
HEAD = ["network", "widths", "MACs kept, %"] + [f"{batch} image{'s' * (batch > 1)}, {threads} thread{'s' * (threads > 1)}"
                                              for batch, threads in RUNS]


def networks(run, options):
    """Names and files: stored ones, and architectures with random weights."""
    for name in STORED:
        yield name, options.models / name / f"{name}.onnx"
    for arch in options.made:
        file = run.file(f"{arch}.onnx")
        run("init", "--arch", arch, "--classes", 10, "-o", file)
        yield arch, file


def row(run, name, source, widths, share):
    """Times of a source and of its half, in milliseconds; None where the widths do not allow it."""
    cut = run.file(f"{name}.{share}.{widths}.onnx")
    try:
        answer = run("compress", source, "--criterion", "l1", "--no-refit", "--macs", f"{share}%", *WIDTHS[widths], "-o", cut)
    except CalledProcessError:
        return None
    model = answer["models"][0]
    times = {}
    for batch, threads in RUNS:
        before, after = best([session(str(file), threads) for file in (source, cut)], batch, 4)
        times[f"{batch}x{threads}"] = {"before_ms": before, "after_ms": after, "ratio": after / before}
    return {"widths": widths, "macs": 100 * model["macs"] / answer["source"]["macs"], **times}


def shown(name, found):
    ratios = [f"{found[f'{batch}x{threads}']['ratio']:.2f}" for batch, threads in RUNS]
    return [name, found["widths"], f"{found['macs']:.1f}", *ratios]


def main():
    parser = arguments(__doc__, "speed", data=False)
    parser.add_argument("--share", type=int, default=50, help="percentage of the multiply-accumulates that is kept")
    parser.add_argument("--made", nargs="*", default=MADE, help="architectures that get random weights")
    options = parser.parse_args()
    run = driver(options)
    every = {name: [row(run, name, source, widths, options.share) for widths in WIDTHS]
             for name, source in networks(run, options)}
    found = {name: [each for each in all if each] for name, all in every.items()}
    rows = [shown(name, each) for name, all in found.items() for each in all]
    text = (f"Time in onnxruntime {onnxruntime.__version__} over that of the whole network, best of many runs in turns. Widths that do not allow "
            "the size are left out.\n\n"
            + table(HEAD, rows))
    flat = {name: [{"widths": each["widths"], "macs": each["macs"],
                    **{f"{key} {what}": value for key, time in each.items() if isinstance(time, dict)
                       for what, value in time.items()}} for each in all] for name, all in found.items()}
    save(options, run, "Half the multiply-accumulates in onnxruntime", text, flat, key="network")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Two halves of one network, joined at its own size, by every calibration and from few or many images, or none.

Either each half is cut to half of the MACs, or both keep the same trunk, which is stored and run once, and are cut behind it.

Components are refitted, scores calibrated on training images; every figure is from the test images.
"""
from assemble import OURS
from disassemble import merged, spread
from driver import arguments, driver, percent, save, table, thousands
from frontier import sized
from openset import named

MODEL = "cifar10-resnet20-akamaster"
TASKS = ["0-4", "5-9"]
SETUPS = {"own": ("Each half on its own at 50 % of the MACs", 50, None),
          "trunk": ("Halves with the trunk up to the second stage, each at 84 % of the MACs", 84, "/layer2/layer2.2/conv2/Conv"),
          "longer": ("Halves with the trunk up to the third stage's first block, each at 88 % of the MACs", 88,
                     "/layer3/layer3.0/conv2/Conv")}
REFITS = {"": [], " with a readout": ["--readout"]}
HEAD = ["calibration", "MACs", "accuracy, %", "bound: perfect routing, %"]


def measured(run, name, seed, file, data):
    answer = run.eval(file, "--data", data)
    return {"cut": name, "seed": seed, "macs": answer["macs"], "accuracy": answer["accuracy_per_image"],
            "bound": answer["parts"]["perfect_routing"]["per_image"]}


def calibrated(run, model, raw, data, options):
    """Without images, then by every method from so many, with every seed."""
    for seed in options.seeds:
        ready = raw.with_suffix(f".moments.{seed}.onnx")
        run("calibrate", raw, "-o", ready, seed=seed)
        yield measured(run, "affine, from the parts' moments", seed, ready, data)
    for samples in options.samples:
        for method in OURS:
            for seed in options.seeds:
                ready = raw.with_suffix(f".{method}{samples}.{seed}.onnx")
                run("calibrate", raw, "--data", data, "--samples", samples, "--method", method, "-o", ready, seed=seed)
                yield measured(run, f"{method}, {samples} images per class", seed, ready, data)
    for samples in options.refit:
        ready = raw.with_suffix(f".linear{options.samples[-1]}.{options.seeds[0]}.onnx")
        for more, words in REFITS.items():
            near = raw.with_suffix(f".refit{samples}{more.replace(' ', '-')}.onnx")
            run("refit", ready, "--source", model, "--data", data, "--samples", samples, *words, "-o", near)
            name = f"the last linear, refitted towards the source{more}, {samples} images per class"
            yield measured(run, name, None, near, data)


def measure(run, model, data, setup, options):
    """The halves joined, as they come and calibrated."""
    _, share, trunk = setup
    bricks = [named(run, sized(run, model, data, task, share, options.foreign, trunk), task) for task in options.tasks]
    raw = run.file(f"{MODEL}.{share}.foreign{options.foreign}.{'trunk.' if trunk else ''}joined.onnx")
    run("assemble", *bricks, "-o", raw)
    return [measured(run, "none", None, raw, data), *calibrated(run, model, raw, data, options)]


def lines(rows):
    for name, group in merged(rows).items():
        column = lambda key: spread([row[key] for row in group], percent)
        yield [name, spread([row["macs"] for row in group], thousands), column("accuracy"), column("bound")]


def main():
    parser = arguments(__doc__, "calibration")
    parser.add_argument("--tasks", nargs="+", default=TASKS, help="class lists of the parts")
    parser.add_argument("--setups", nargs="+", default=list(SETUPS), choices=list(SETUPS), help="how the halves are cut")
    parser.add_argument("--samples", nargs="+", default=[5, 20, 100, 500], type=int, help="images per class to calibrate on")
    parser.add_argument("--refit", nargs="+", default=[500, 5000], type=int,
                        help="images per class to refit the joined network on, without labels")
    parser.add_argument("--foreign", default=0, type=int,
                        help="images of every other class that the parts are refitted on as well")
    parser.add_argument("--seeds", nargs="+", default=[0, 1, 2], type=int, help="seeds of the choice of images")
    options = parser.parse_args()
    run = driver(options)
    data = options.data / "cifar-10-batches-bin"
    model = run.model(options.models / MODEL)
    source = run.eval(model, "--data", data)["accuracy_per_image"]
    figures = {SETUPS[name][0]: measure(run, model, data, SETUPS[name], options) for name in options.setups}
    text = "\n\n".join(f"## {name}\n\n{table(HEAD, lines(rows))}" for name, rows in figures.items())
    notes = f"""ResNet-20 of CIFAR-10, its halves {' and '.join(options.tasks)}; the source itself has
{percent(source)} % over all classes. Parts are refitted on all training images of their own classes and {options.foreign} of every other
class. Calibration images are training images, of which the source has learned
all. Perfect routing: every image is judged by the part that has its class. Seeds: {len(options.seeds)} (lowest to highest)."""
    save(options, run, "Halves of one network joined, by calibration", f"{text}\n\n{notes}", figures, key="parts")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Joined classifiers of more networks: two LeNets in both layouts, halves of GoogLeNet and VGG-16.

Components are refitted, scores calibrated on training images; every figure is from the test images.
"""
from assemble import HEAD, OURS, joined, lines, measured
from driver import arguments, driver, save, table
from train import GARMENTS

DIGITS = list("0123456789")
SOURCES = [("mnist-lenet5-own", "mnist", DIGITS), ("fashion-mnist-lenet5-own", "fashion-mnist", GARMENTS.split(","))]
TASKS = ["0", "0-2", "0-9"]
LAYOUTS = {"padded": ["paper", "affine"], "branches": ["paper", "layerwise", *OURS]}
GOOGLENET, VGG = "cifar10-googlenet-quarter", "cifar10-vgg16-quarter"


def component(run, folder, data, classes, names=None):
    """A refitted component and its row; the accuracy of a single class says nothing."""
    source = run.model(folder, names)
    brick, _ = run.cut(source, data, run.profile(source, data), classes, f"{classes.replace(',', '+')}.ours")
    row = measured(f"component {classes} of {folder.name}", run.eval(brick, "--data", data))
    if row["classes"] == 1:
        row.update(accuracy=None, per_class=None)
    return brick, row


def lenets(run, options, task):
    """The same task of both LeNets, padded and side by side."""
    bricks, rows, parts = [], [], []
    for name, data, names in SOURCES:
        brick, row = component(run, options.models / name, options.data / data, task, names)
        bricks.append(brick)
        rows.append(row)
        parts += ["--data", f"{brick.stem}={options.data / data}"]
    for layout, methods in LAYOUTS.items():
        *both, bound = joined(run, f"lenets.{task}.{layout}", bricks, parts, options.samples, layout, methods)
        rows += [{**row, "model": row["model"].replace("joined", f"joined, {layout}")} for row in both]
    return [*rows, bound]


def halves(run, options, first, second):
    """Classes 0-4 of one network of CIFAR-10 and 5-9 of another."""
    data = options.data / "cifar-10-batches-bin"
    made = [component(run, options.models / name, data, classes)
            for name, classes in ((first, "0-4"), (second, "5-9"))]
    bricks, rows = zip(*made)
    return [*rows, *joined(run, f"{first}+{second}", bricks, ["--data", data], options.samples)]


def main():
    parser = arguments(__doc__, "assemble-more")
    parser.add_argument("--samples", default=200, type=int, help="images per class to calibrate on")
    options = parser.parse_args()
    run = driver(options)
    figures = {f"MNIST and Fashion-MNIST: classes {task} and {task} of two LeNet-5": lenets(run, options, task)
               for task in TASKS}
    figures["CIFAR-10: classes 0-4 of GoogLeNet, 5-9 of VGG-16"] = halves(run, options, GOOGLENET, VGG)
    figures["CIFAR-10: classes 0-4 and 5-9 of one GoogLeNet"] = halves(run, options, GOOGLENET, GOOGLENET)
    text = "\n\n".join(f"## {title}\n\n{table(HEAD, lines(rows))}" for title, rows in figures.items())
    notes = f"""
Padding alone and with scaling is table 4 of the paper: "paper" is its published scaling of the head, "layerwise" its
equations 12 to 14 (of branches only), "affine" a temperature per part and a shift per class. The equations scale
every filter by itself and undo nothing in the layers behind it, so they change what a part computes. Both layouts
compute the same function; joining different architectures, as GoogLeNet and VGG-16, is beyond the paper.
Components are cut with default thresholds and refitted. Calibration uses {options.samples} training images per class."""
    save(options, run, "More joined classifiers", text + "\n" + notes, figures, key="joined")


if __name__ == "__main__":
    main()

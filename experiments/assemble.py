#!/usr/bin/env python3
"""Classifiers joined from components: uncalibrated, calibrated in several ways, and the bound.

Components are refitted, scores calibrated on training images; every figure is from the test images.
"""
from driver import arguments, driver, percent, save, table, thousands

HEAD = ["model", "params", "MACs", "classes", "accuracy, %", "mean over classes, %", "sent to the wrong part, %"]
OURS = ["affine", "background", "linear"]
METHODS = ["paper", *OURS]


def measured(what, answer):
    return {
        "model": what,
        "params": answer["params"],
        "macs": answer["macs"],
        "classes": len(answer["accuracy_per_class"]),
        "accuracy": answer["accuracy_per_image"],
        "per_class": answer["mean_class_accuracy"],
        "misrouted": misrouted(answer["parts"]),
    }


def misrouted(parts):
    if not parts:
        return None
    images = parts["images"]
    right = sum(images[k][k] for k in range(len(images)))
    return 100 * (1 - right / sum(map(sum, images)))


def bound(answer):
    routed = answer["parts"]["perfect_routing"]
    return {**measured("bound: every image sent to its own part", answer), "misrouted": 0.0,
            "accuracy": routed["per_image"], "per_class": routed["per_class"]}


def joined(run, name, bricks, data, samples, layout="branches", methods=METHODS):
    """The figures of a model joined from `bricks`, before and after calibration."""
    raw = run.file(f"{name}.joined.onnx")
    run("assemble", *bricks, "--layout", layout, "-o", raw)
    rows = [measured("joined, uncalibrated", run.eval(raw, *data))]
    for method in methods:
        ready = run.file(f"{name}.{method}.onnx")
        run("calibrate", raw, *data, "--method", method, "--samples", samples, "-o", ready)
        answer = run.eval(ready, *data)
        rows.append(measured(f"joined, {method} calibration", answer))
    return [*rows, bound(answer)]


def halves(run, models, data, samples):
    """Two halves of one source, each cut to its classes, joined again."""
    source = run.model(models / "cifar10-resnet20-akamaster")
    profile = run.profile(source, data)
    rows = [measured("source", run.eval(source, "--data", data))]
    bricks = []
    for classes in ("0-4", "5-9"):
        brick, _ = run.cut(source, data, profile, classes, classes)
        bricks.append(brick)
        rows.append(measured(f"component {classes}", run.eval(brick, "--data", data)))
    return rows + joined(run, "halves", bricks, ["--data", data], samples)


def strangers(run, samples):
    """Components of two sources of different architecture, trained on different data."""
    rows, bricks, parts = [], [], []
    for source, data, brick in run.demo():
        bricks.append(brick)
        rows += [measured(f"source {source.stem}", run.eval(source, "--data", data)),
                 measured(f"component {source.stem} 0-9", run.eval(brick, "--data", data))]
        parts += ["--data", f"{brick.stem}={data}"]
    return rows + joined(run, "strangers", bricks, parts, samples)


def lines(rows):
    for row in rows:
        yield [row["model"], thousands(row["params"]), thousands(row["macs"]), row["classes"],
               percent(row["accuracy"]), percent(row["per_class"]), percent(row["misrouted"])]


def main():
    parser = arguments(__doc__, "assemble")
    parser.add_argument("--samples", default=200, type=int, help="images per class to calibrate on")
    options = parser.parse_args()
    run = driver(options)
    figures = {
        "CIFAR-10: classes 0-4 and 5-9 of one ResNet-20":
            halves(run, options.models, options.data / "cifar-10-batches-bin", options.samples),
        "Digits and garments: two architectures, two data sets": strangers(run, options.samples),
    }
    text = "\n\n".join(f"## {title}\n\n{table(HEAD, lines(rows))}" for title, rows in figures.items())
    notes = f"""
Components are cut with default thresholds and refitted. Calibration uses {options.samples} training images per class."""
    save(options, run, "Joined classifiers", text + "\n" + notes, figures, key="joined")


if __name__ == "__main__":
    main()

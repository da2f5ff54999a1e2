#!/usr/bin/env python3
"""Assembled models before any training (Score1), calibrated, and after fine-tuning (Score2).

Components are refitted, calibrated and tuned on training images; every figure is from the test images.
"""
import statistics

from assemble import bound, measured
from driver import arguments, driver, percent, save, table

SEEDS = [0, 1, 2]
HEAD = ["task", "model", "accuracy, %"]


def tuned(run, model, name, data, options, seed):
    """Test accuracy after fine-tuning."""
    out = run.file(f"{name}.seed{seed}.onnx")
    run("finetune", model, *data, "--epochs", options.epochs, "--lr", options.lr, "--hold-out", "5%", "-o", out, seed=seed)
    return run.eval(out, *data)["accuracy_per_image"]


def task(run, title, name, bricks, data, options):
    raw, ready = run.file(f"{name}.joined.onnx"), run.file(f"{name}.affine.onnx")
    run("assemble", *bricks, "-o", raw)
    run("calibrate", raw, *data, "--method", "affine", "--samples", options.samples, "-o", ready)
    before, calibrated = (run.eval(model, *data) for model in (raw, ready))
    rows = {
        "Score1: joined": [before["accuracy_per_image"]],
        "joined, affine calibration, no training": [calibrated["accuracy_per_image"]],
        f"Score2: joined, {options.epochs} epochs":
            [tuned(run, raw, f"{name}.tuned", data, options, seed) for seed in SEEDS[:options.seeds]],
        f"calibrated, {options.epochs} epochs":
            [tuned(run, ready, f"{name}.affine-tuned", data, options, seed) for seed in SEEDS[:options.seeds]],
        "bound: every image sent to its own part": [bound(before)["accuracy"]],
    }
    return [{"title": title, "model": what, "accuracy": values} for what, values in rows.items()]


def halves(run, options):
    """Two halves of one ResNet-20."""
    data = options.data / "cifar-10-batches-bin"
    folder = options.models / "cifar10-resnet20-akamaster"
    source = run.source(folder / f"{folder.name}.onnx", folder / "meta.json")
    profile = run.profile(source, data)
    bricks = [run.cut(source, data, profile, classes, classes)[0] for classes in ("0-4", "5-9")]
    return task(run, "CIFAR-10 0-4 + 5-9 of one ResNet-20", "halves", bricks, ["--data", data], options)


def strangers(run, options):
    """Digits and garments."""
    demo = run.file("demo")
    run("demo", "--out", demo)
    bricks, data = [], []
    for name in ("digits", "garments"):
        source, images = demo / f"{name}.onnx", demo / "data" / name
        brick, _ = run.cut(source, images, demo / f"{name}.profile.safetensors", "0-9", "0-9")
        bricks.append(brick)
        data += ["--data", f"{brick.stem}={images}"]
    return task(run, "digits 0-9 + garments 0-9", "strangers", bricks, data, options)


def main():
    parser = arguments(__doc__, "finetune")
    parser.add_argument("--samples", default=200, type=int, help="images per class to calibrate on")
    parser.add_argument("--epochs", default=10, type=int)
    parser.add_argument("--lr", default=0.01, type=float)
    parser.add_argument("--seeds", default=len(SEEDS), type=int, help="how many of the seeds to run")
    parser.add_argument("--only", choices=["halves", "strangers"])
    options = parser.parse_args()
    run = driver(options)
    tasks = {"strangers": strangers, "halves": halves}
    figures = {name: make(run, options) for name, make in tasks.items() if options.only in (None, name)}
    rows = []
    for figure in figures.values():
        for row in figure:
            values = row["accuracy"]
            mean = percent(statistics.fmean(values))
            spread = f" ({percent(min(values))} to {percent(max(values))})" if len(values) > 1 else ""
            rows.append([row["title"], row["model"], mean + spread])
    notes = f"""
Fine-tuning sees the training images of all parts ({options.epochs} epochs, SGD, cosine from {options.lr}); mean over seeds
(lowest to highest). The paper's Score2 is ten epochs too."""
    save(options, run, "Assembled models, before and after fine-tuning", table(HEAD, rows) + "\n" + notes, figures)


if __name__ == "__main__":
    main()

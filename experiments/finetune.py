#!/usr/bin/env python3
"""Assembled models before any training (Score1), calibrated, and after fine-tuning (Score2).

Components are refitted, calibrated and tuned on training images; every figure is from the test images.
"""
from assemble import bound
from disassemble import merged, spread
from driver import arguments, driver, percent, save, table

SEEDS = [0, 1, 2]
HEAD = ["task", "model", "accuracy, %"]
SCORE1, READY = "Score1: joined", "joined, affine calibration, no training"
BOUND = "bound: every image sent to its own part"


def tuned(run, model, name, data, options, seed):
    """Test accuracy after fine-tuning."""
    out = run.file(f"{name}.seed{seed}.onnx")
    run("finetune", model, *data, "--epochs", options.epochs, "--lr", options.lr, "--samples", options.tune,
        "--hold-out", "5%", "-o", out, seed=seed)
    return run.eval(out, *data)["accuracy_per_image"]


def task(run, title, name, bricks, data, options, source=None):
    raw, ready = run.file(f"{name}.joined.onnx"), run.file(f"{name}.affine.onnx")
    run("assemble", *bricks, "-o", raw)
    run("calibrate", raw, *data, "--method", "affine", "--samples", options.samples, "-o", ready)
    before, calibrated = (run.eval(model, *data) for model in (raw, ready))
    rows = [("source", None, run.eval(source, *data)["accuracy_per_image"])] if source else []
    rows += [(SCORE1, None, before["accuracy_per_image"]), (READY, None, calibrated["accuracy_per_image"])]
    for what, model, label in (("Score2: joined", raw, "tuned"), ("calibrated", ready, "affine-tuned")):
        rows += [(f"{what}, {options.epochs} epochs", seed, tuned(run, model, f"{name}.{label}", data, options, seed))
                 for seed in SEEDS[:options.seeds]]
    rows.append((BOUND, None, bound(before)["accuracy"]))
    return [{"title": title, "cut": what, "seed": seed, "accuracy": accuracy} for what, seed, accuracy in rows]


def halves(run, options):
    """Two halves of one network."""
    data, source = options.data / "cifar-10-batches-bin", run.model(options.models / options.model)
    profile = run.profile(source, data)
    bricks = [run.cut(source, data, profile, classes, classes)[0] for classes in ("0-4", "5-9")]
    title = f"CIFAR-10 0-4 + 5-9 of one {options.model}"
    return task(run, title, f"{source.stem}.halves", bricks, ["--data", data], options, source)


def strangers(run, options):
    """Digits and garments."""
    bricks, data = [], []
    for _, images, brick in run.demo():
        bricks.append(brick)
        data += ["--data", f"{brick.stem}={images}"]
    return task(run, "digits 0-9 + garments 0-9", "strangers", bricks, data, options)


def main():
    parser = arguments(__doc__, "finetune")
    parser.add_argument("--samples", default=200, type=int, help="images per class to calibrate on")
    parser.add_argument("--epochs", default=10, type=int)
    parser.add_argument("--lr", default=0.01, type=float)
    parser.add_argument("--seeds", default=len(SEEDS), type=int, help="how many of the seeds to run")
    parser.add_argument("--tune", default=1000, type=int, help="images per class to fine-tune on, at most")
    parser.add_argument("--model", default="cifar10-vgg16-quarter", help="folder of MODELS for the halves")
    parser.add_argument("--only", choices=["halves", "strangers"])
    options = parser.parse_args()
    run = driver(options)
    tasks = {"strangers": strangers, "halves": halves}
    figures = {name: make(run, options) for name, make in tasks.items() if options.only in (None, name)}
    rows = [[group[0]["title"], what, spread([row["accuracy"] for row in group], percent)]
            for figure in figures.values() for what, group in merged(figure).items()]
    notes = f"""
Fine-tuning sees up to {options.tune} training images per class of all parts ({options.epochs} epochs, SGD, cosine from
{options.lr}); mean over seeds (lowest to highest). The paper's Score2 is ten epochs too."""
    save(options, run, "Assembled models, before and after fine-tuning", table(HEAD, rows) + "\n" + notes, figures)


if __name__ == "__main__":
    main()

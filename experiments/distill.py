#!/usr/bin/env python3
"""A small student of an assembled model, next to the same student trained on labels alone.

All learn from training images with the same number of epochs; every figure is from the test images.
"""
from disassemble import merged, spread
from driver import arguments, driver, percent, save, table, thousands
from finetune import SEEDS

HEAD = ["model", "params", "MACs", "accuracy, %"]


def learned(run, words, name, data, seed):
    out = run.file(f"{name}.seed{seed}.onnx")
    run(*words, "-o", out, seed=seed)
    return run.eval(out, *data)


def row(what, seed, answer):
    return {"cut": what, "seed": seed, "params": answer["params"], "macs": answer["macs"],
            "accuracy": answer["accuracy_per_image"]}


def main():
    parser = arguments(__doc__, "distill")
    parser.add_argument("--student", default="lenet5")
    parser.add_argument("--width", default="1.0")
    parser.add_argument("--epochs", default=30, type=int)
    parser.add_argument("--seeds", default=len(SEEDS), type=int, help="how many of the seeds to run")
    options = parser.parse_args()
    run = driver(options)
    bricks, named, plain = [], [], []
    for _, images, brick in run.demo():
        bricks.append(brick)
        named += ["--data", f"{brick.stem}={images}"]
        plain += ["--data", images]
    raw, ready = run.file("joined.onnx"), run.file("joined.affine.onnx")
    run("assemble", *bricks, "-o", raw)
    run("calibrate", raw, *named, "--method", "affine", "-o", ready)
    budget = ["--epochs", options.epochs, "--lr", "0.02", "--warmup", "3", "--hold-out", "5%", *plain]
    student = ["--student", options.student, "--width", options.width]
    ways = {
        "student of labels": ["train", "--arch", options.student, "--width", options.width, *budget],
        "student of the two components": ["distill", "--teacher", *bricks, *student, *budget],
        "student of the assembled model": ["distill", "--teacher", ready, *student, *budget],
    }
    rows = [row("assembled, calibrated", None, run.eval(ready, *named))]
    for k, (what, words) in enumerate(ways.items()):
        rows += [row(what, seed, learned(run, words, f"student{k}", plain, seed)) for seed in SEEDS[:options.seeds]]
    lines = [[what, thousands(group[0]["params"]), thousands(group[0]["macs"]),
              spread([one["accuracy"] for one in group], percent)] for what, group in merged(rows).items()]
    notes = f"""
Student: `{options.student}`, width {options.width}; {options.epochs} epochs for all, the demo's training images of digits and
of garments. Mean over seeds (lowest to highest). Every student has the classes of both data sets, as the assembled
model has."""
    save(options, run, "Distillation", table(HEAD, lines) + "\n" + notes, {"digits and garments": rows})


if __name__ == "__main__":
    main()

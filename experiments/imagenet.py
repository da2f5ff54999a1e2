#!/usr/bin/env python3
"""Components of an ImageNet network at several sizes, beside what else is left without training.

    python3 experiments/imagenet.py --models MODELS --data DATA

MODELS has imagenet-efficientnet-lite0, DATA the folder `tiny-imagenet` with `train` and `val`, a folder of images for each of
some classes of ImageNet. Classes are drawn at random among these; images of the training part choose channels and refit, those
of the other part measure. Sizes of one draw share the steps of the way down.
"""
import random
import statistics

from driver import arguments, driver, percent, save, table

MODEL = "imagenet-efficientnet-lite0"
PIXELS = ["--fit", "cover"]
HEAD = ["classes", "images", "MACs", "source, restricted", "component", "points lost", "bare cut", "random", "magnitude",
        "agrees, fitted", "agrees, others", "CPU minutes"]


def draw(names, count, number):
    """The classes of one draw, which depend on nothing else."""
    return sorted(random.Random(f"{count} {number}").sample(names, count))


def component(run, model, data, classes, share, each):
    """One component: what is asked for, what came of it, and what it cost."""
    name = f"{len(classes)}-{classes[0]}-{classes[-1]}-{share}-{each}"
    brick = run.file(f"{MODEL}.{name}.onnx")
    task = ",".join(classes)
    cut = run("disassemble", model, "--classes", task, "--data", data, *PIXELS, "--macs", f"{share}%", "--refit-samples",
              each, "--hold-out", "none", "--cache", run.work / "steps", "-o", brick)
    found = run.eval(brick, "--source", model, "--data", data, *PIXELS, "--controls")
    controls = {control["choose"]: control["per_image"] for control in found["controls"]}
    agreement = (cut["refit"] or {}).get("agreement") or {}
    return {"task": task, "count": len(classes), "each": each, "share": share, "macs": cut["macs"]["after"],
            "source_macs": cut["macs"]["before"], "images": found["images"],
            "restricted": found["base_restricted"]["per_image"], "component": found["accuracy_per_image"],
            "bare": (found["before_refit"] or {}).get("per_image"), **controls, "fitted": agreement.get("fitted"),
            "others": agreement.get("held_out"), "cpu_minutes": round(cut["cpu_seconds"] / 60, 1)}


def line(rows):
    """The mean of several draws, and of the loss its deviation."""
    mean = lambda key: percent(statistics.fmean(row[key] for row in rows)) if rows[0][key] is not None else "–"
    lost = [row["restricted"] - row["component"] for row in rows]
    apart = f" ± {statistics.stdev(lost):.2f}" if len(lost) > 1 else ""
    macs = statistics.fmean(100 * row["macs"] / row["source_macs"] for row in rows)
    shares = [mean(key) for key in ("bare", "random", "magnitude", "fitted", "others")]
    return [rows[0]["count"], rows[0]["count"] * rows[0]["each"], f"{macs:.1f} %", mean("restricted"), mean("component"),
            f"{statistics.fmean(lost):.2f}{apart}", *shares, f"{statistics.fmean(row['cpu_minutes'] for row in rows):.0f}"]


def main():
    parser = arguments(__doc__, "imagenet")
    parser.add_argument("--counts", nargs="+", type=int, default=[6, 12, 24], help="numbers of classes")
    parser.add_argument("--draws", type=int, default=3, help="draws of classes for each number")
    parser.add_argument("--shares", nargs="+", type=int, default=[60, 40, 20], help="percent of the MACs, falling")
    parser.add_argument("--each", type=int, default=500, help="training images of a class")
    options = parser.parse_args()
    run = driver(options)
    data, model = options.data / "tiny-imagenet", options.models / MODEL / f"{MODEL}.onnx"
    names = sorted(folder.name for folder in (data / "train").iterdir() if folder.is_dir())
    figures = {}
    for count in options.counts:
        draws = {tuple(draw(names, count, number)) for number in range(options.draws)}
        for share in options.shares:
            made = [component(run, model, data, classes, share, options.each) for classes in sorted(draws)]
            figures[f"{count} classes, {share} %"] = made
    notes = f"""
Accuracy in % on the other part's images of the classes. Draws of classes: {options.draws}; mean, and deviation where there are several.
*Bare cut* is the same channels before the refit; *random* and *magnitude* are as many others, bare. *Agrees* is how often the
component says what its source, restricted to the same classes, says: of the images that it was fitted to, and of those that took
no part. CPU minutes are of all threads together; what a smaller size shares with a larger one is not counted again."""
    text = table(HEAD, [line(rows) for rows in figures.values()])
    save(options, run, "EfficientNet-Lite0, ImageNet", text + "\n" + notes, figures)


if __name__ == "__main__":
    main()

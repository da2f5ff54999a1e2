#!/usr/bin/env python3
"""Components that reject images of other classes: what a threshold of the top score accepts, before and after it is set.

Thresholds are fitted on training images, of own and of other classes of CIFAR-10; every figure is from the test images.
"""
from driver import arguments, driver, members, percent, save, table, thousands
from frontier import sized

MODEL = "cifar10-resnet20-akamaster"
TASKS = ["0,1", "3,5", "0-4"]
JOINED = ["0,1", "3,5"]
NUMBERS = set(range(10))
FOREIGN_REFIT = 1000
FAR = {"CIFAR-100": "cifar-100-binary", "Fashion-MNIST": "fashion-mnist", "MNIST": "mnist"}
FITS = {"5 % of other classes": ["--rate", "5%"], "95 % of its own": ["--recall", "95%"]}
HEAD = ["classes", "network", "MACs", "threshold accepts", "own accepted, %", "accuracy, %", "accuracy of accepted, %",
        "other classes accepted, %", *(f"{name} accepted, %" for name in FAR)]


def held_to(run, model, task):
    """The source without its other classes, the scores of the task's as they are."""
    names = run("inspect", model)["classes"]
    gone = ",".join(names[number] for number in sorted(NUMBERS - members(task)))
    file = run.file(f"{model.stem}.{task.replace(',', '+')}.held.onnx")
    run("assemble", model, "--remove", gone, "-o", file)
    return file


def joined(run, model, data, options):
    """Components joined and calibrated."""
    label = f"openset.{'.'.join(options.joined).replace(',', '+')}.{options.share}"
    raw, ready = run.file(f"{label}.joined.onnx"), run.file(f"{label}.affine{options.samples}.onnx")
    bricks = [named(run, sized(run, model, data, task, options.share, FOREIGN_REFIT), task) for task in options.joined]
    run("assemble", *bricks, "-o", raw)
    run("calibrate", raw, "--data", data, "--method", "affine", "--samples", options.samples, "-o", ready)
    return ready


def named(run, brick, task):
    """A copy of a component under a name of its own: parts are called by their files."""
    copy = run.file(f"{brick.parent.name.replace('.', '-')}.{task.replace(',', '+')}.onnx")
    copy.write_bytes(brick.read_bytes())
    return copy


def measure(run, file, data, task, name, options):
    """A network with a threshold of either kind, on other classes of its data and on other data."""
    own = run.test_images(data, members(task))
    rows = []
    for fit, words in FITS.items():
        label = f"{name.replace(' ', '-').replace(',', '')}.{task.replace(',', '+')}"
        safe = run.file(f"openset.{label}.{options.share}.{words[0][2:]}.onnx")
        known = run("reject", file, "--data", data, *words, "-o", safe)["reject"]
        answer = run.eval(safe, "--data", data)
        near = answer["reject"]
        row = {"cut": name, "threshold": fit, "macs": answer["macs"], "fitted_recall": known["recall"],
               "fitted_false_accepts": known["false_accepts"], "recall": near["accepted"],
               "accuracy": answer["accuracy_per_image"], "auroc": answer["leakage"]["auroc"],
               "accuracy_of_accepted": 100 * near["accepted_and_right"] / near["accepted"] if near["accepted"] else None,
               "near": near["false_accepts"]}
        for far in options.far:
            resized = [] if far == "CIFAR-100" else ["--fit", "cover"]
            found = run.eval(safe, "--data", own, "--foreign", options.data / FAR[far], *resized)
            row[far] = found["reject"]["false_accepts"]
        rows.append(row)
    return rows


def networks(run, model, data, task, options):
    """The networks for one task: a name and a file."""
    yield "source, scores restricted", held_to(run, model, task)
    yield "component", sized(run, model, data, task, options.share)
    yield "component, refitted on other classes too", sized(run, model, data, task, options.share, FOREIGN_REFIT)


def lines(task, rows):
    """Without a threshold everything is accepted."""
    for row in rows:
        start = [task, row["cut"], thousands(row["macs"])]
        if row["threshold"] == next(iter(FITS)):
            yield [*start, "everything", percent(100), percent(row["accuracy"]), percent(row["accuracy"]), percent(100),
                   *(percent(100) for _ in FAR)]
        yield [*start, row["threshold"], percent(row["recall"]), percent(row["accuracy"]),
               percent(row["accuracy_of_accepted"]), percent(row["near"]), *(percent(row.get(far)) for far in FAR)]


def main():
    parser = arguments(__doc__, "openset")
    parser.add_argument("--tasks", nargs="+", default=TASKS, help="class lists")
    parser.add_argument("--joined", nargs="*", default=JOINED, help="class lists of components to join as well")
    parser.add_argument("--share", default=50, type=int, help="percentage of the MACs")
    parser.add_argument("--samples", default=200, type=int, help="images per class to calibrate the joined one on")
    parser.add_argument("--far", nargs="*", default=list(FAR), choices=list(FAR), help="data sets that are foreign throughout")
    options = parser.parse_args()
    run = driver(options)
    data = options.data / "cifar-10-batches-bin"
    model = run.model(options.models / MODEL)
    figures = {}
    for task in options.tasks:
        figures[task] = [row for name, file in networks(run, model, data, task, options)
                         for row in measure(run, file, data, task, name, options)]
    if options.joined:
        whole, file = ",".join(options.joined), joined(run, model, data, options)
        name = " and ".join(f"{{{task}}}" for task in options.joined)
        figures[name] = measure(run, file, data, whole, "components, joined", options)
    rows = [line for task, found in figures.items() for line in lines(task, found)]
    notes = f"""ResNet-20 of CIFAR-10, components at {options.share} % of the MACs. An image is accepted if the top score is above
the threshold; without one every image is. A threshold accepts at most 5 % of the training images of the other classes of
CIFAR-10, or 95 % of those of its own; it has seen none of the other data sets. Some classes of CIFAR-100 are close
to classes of CIFAR-10. Grey images are resized to 32×32. "accuracy" is over all own images, as if none were rejected, "of accepted" over those that are
accepted. One kind of component was refitted on {FOREIGN_REFIT} training images of every other class too; the joined ones are
of this kind, calibrated (affine) on {options.samples} training images per class."""
    save(options, run, "Rejecting images of other classes", f"{table(HEAD, rows)}\n\n{notes}", figures)


if __name__ == "__main__":
    main()

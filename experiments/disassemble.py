#!/usr/bin/env python3
"""Components of a classifier, next to cuts of the same size that ignore the task.

Channels are chosen, weights refitted on training images; every figure is from the test images.
"""
import statistics

from driver import arguments, driver, percent, save, table, thousands

TASKS = ["0-2", "3-9", "3", "0,1"]
SEEDS = [1, 2, 3]
HEAD = ["task", "model", "params", "MACs", "accuracy, %", "AUROC", "foreign accepted at 95 % recall, %",
        "recall at 5 % foreign accepted, %"]


def measured(cut, answer):
    """The figures of one model; the accuracy of a single class says nothing."""
    leakage = answer["leakage"]
    single = len(answer["accuracy_per_class"]) == 1
    return {
        "cut": cut,
        "params": answer["params"],
        "macs": answer["macs"],
        "accuracy": None if single else answer["accuracy_per_image"],
        "auroc": leakage["auroc"],
        "foreign_at_95_recall": leakage["false_accepts_at_95_recall"],
        "recall_at_5_foreign": leakage["recall_at_5_false_accepts"],
    }


def sources(run, model, data, task):
    """The source with all its classes, and with its scores restricted to the task."""
    answer = run.eval(model, "--data", data, "--classes", task)
    restricted = measured("source, scores restricted to the task", answer)
    single = restricted["accuracy"] is None
    if not single:
        restricted["accuracy"] = answer["base_restricted"]["per_image"]
    whole = {**restricted, "cut": "source, all classes", "accuracy": answer["base"]["per_image"],
             "auroc": None, "foreign_at_95_recall": None, "recall_at_5_foreign": None}
    return [whole, restricted]


def components(run, model, data, profile, task):
    """Every way to cut a component for `task`: a label, its file, its seed."""
    label = task.replace(",", "+")
    ways = [("contribution, bare cut", "bare", [], False, None),
            ("contribution, refitted", "ours", [], True, None),
            ("weight magnitude, refitted", "magnitude", ["--choose", "magnitude"], True, None)]
    ways += [("random, refitted", f"random{seed}", ["--choose", "random"], True, seed) for seed in SEEDS]
    for cut, name, options, refit, seed in ways:
        brick, _ = run.cut(model, data, profile, task, f"{label}.{name}", *options, refit=refit, seed=seed)
        yield cut, brick


def measure(run, model, data, task, profile, latency):
    rows = sources(run, model, data, task)
    if latency:
        for row in rows:
            row["latency_ms"] = run.latency(model)
    for cut, brick in components(run, model, data, profile, task):
        row = measured(cut, run.eval(brick, "--data", data))
        if latency:
            row["latency_ms"] = run.latency(brick)
        rows.append(row)
    return rows


def merged(rows):
    """Rows of one label as lists of values."""
    groups = {}
    for row in rows:
        groups.setdefault(row["cut"], []).append(row)
    return groups


def spread(values, show):
    """One value, or the mean of different ones with the lowest and highest."""
    if None in values:
        return "–"
    mean = show(statistics.fmean(values))
    return mean if len(set(values)) == 1 else f"{mean} ({show(min(values))} to {show(max(values))})"


def lines(task, rows, latency):
    for cut, group in merged(rows).items():
        column = lambda key, show: spread([row[key] for row in group], show)
        line = [task, cut, column("params", thousands), column("macs", thousands),
                column("accuracy", percent), column("auroc", lambda x: f"{x:.4f}"),
                column("foreign_at_95_recall", percent), column("recall_at_5_foreign", percent)]
        if latency:
            line.append(column("latency_ms", lambda x: f"{x:.3f}"))
        yield line


def main():
    parser = arguments(__doc__, "disassemble")
    parser.add_argument("--model", default="cifar10-resnet20-akamaster",
                        help="a folder of MODELS with MODEL.onnx and meta.json, or a file of train.py")
    parser.add_argument("--images", default="cifar-10-batches-bin", help="the folder of DATA with its images")
    parser.add_argument("--tasks", nargs="+", default=TASKS, help="class lists")
    parser.add_argument("--latency", action="store_true",
                        help="also measure the time of one image; wants an idle machine")
    options = parser.parse_args()
    run = driver(options)
    data = options.data / options.images
    model = run.model(options.models / options.model)
    profile = run.profile(model, data)
    figures = {task: measure(run, model, data, task, profile, options.latency) for task in options.tasks}
    head = HEAD + ["one image, one thread, ms"] * options.latency
    text = table(head, [line for task, rows in figures.items() for line in lines(task, rows, options.latency)])
    notes = f"""
Accuracy is over the test images of the task's classes. AUROC and acceptance compare the top score on these
with that on the images of all other classes. A model of one class is always right about its own images, so
only the acceptance columns judge it. Tasks 0, 1, 0-2 and 3-9 are those of table 1 of the paper. Random: mean of
{len(SEEDS)} seeds (lowest to highest). All cuts of a task keep the same numbers of channels; the refit uses 200 training
images per class, chosen from the seed."""
    if options.latency:
        notes += """ Cuts of
equal shape, bare and refitted, take equal time: what their times differ by is the machine's noise."""
    save(options, run, f"Components of {options.model}", text + "\n" + notes, figures)


if __name__ == "__main__":
    main()

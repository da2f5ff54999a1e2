#!/usr/bin/env python3
"""Profiles made of a random number of samples per class, next to fifty of every class.

Channels are chosen, weights refitted on training images; every figure is from the test images.
"""
import json
import random
import statistics

from driver import arguments, driver, header, members, percent, save, table, thousands

TASKS = ["0-2", "3-9", "1-5"]
SEEDS = [1, 2, 3]
MOST = 50
HEAD = ["task", "profile", "params", "accuracy, bare cut, %", "over-sampled, points", "under-sampled, points",
        "accuracy, refitted, %", "over-sampled, points", "under-sampled, points"]


def unbalanced(run, model, data, balanced, seed):
    """A profile of 1 to 50 of the samples of every class that `balanced` is made of, and how many."""
    chance, taken = random.Random(seed), {}
    for entry in header(balanced)["samples"]:
        places = [sample["index"] for sample in entry["taken"]]
        taken[entry["class"]] = chance.sample(places, chance.randint(1, MOST))
    path = run.file(f"unbalanced{seed}.json")
    path.write_text(json.dumps(taken))
    counts = {number: len(places) for number, places in taken.items()}
    return run.profile(model, data, "--indices", path, name=f"unbalanced{seed}"), counts


def component(run, model, data, profile, task, name):
    """Parameters, and the accuracy on every class, bare and refitted."""
    images = run.test_images(data, members(task))
    names = header(profile)["classes"]
    found = {}
    for how, refit in (("bare", False), ("refitted", True)):
        brick, _ = run.cut(model, data, profile, task, f"{task}.{name}.{how}", refit=refit)
        answer = run.eval(brick, "--data", images)
        found[how] = {number: answer["accuracy_per_class"][names[number]] for number in members(task)}
    return {"params": answer["params"], "accuracy": found}


def mean(values):
    values = list(values)
    return statistics.fmean(values) if values else None


def row(task, seed, counts, found, balanced):
    """One unbalanced component: its accuracy and what it gains on the classes above and below the mean count."""
    taken = {number: counts[number] for number in sorted(members(task))}
    middle = statistics.fmean(taken.values())
    groups = {"over": [c for c in taken if taken[c] > middle], "under": [c for c in taken if taken[c] <= middle]}
    line = {"seed": seed, "samples": " ".join(map(str, taken.values())), "params": found["params"]}
    for how, accuracy in found["accuracy"].items():
        line[f"accuracy_{how}"] = mean(accuracy.values())
        for group, classes in groups.items():
            line[f"{group}_gain_{how}"] = mean(accuracy[c] - balanced["accuracy"][how][c] for c in classes)
    return line


def measure(run, model, data, balanced, skewed, task):
    base = component(run, model, data, balanced, task, "balanced")
    rows = [{"seed": None, "samples": str(MOST), "params": base["params"],
             **{f"accuracy_{how}": mean(accuracy.values()) for how, accuracy in base["accuracy"].items()}}]
    for seed, (profile, counts) in skewed.items():
        found = component(run, model, data, profile, task, f"unbalanced{seed}")
        rows.append(row(task, seed, counts, found, base))
    return rows


def gain(row, key):
    return f"{row[key]:+.2f}" if row.get(key) is not None else "–"


def lines(figures):
    for task, rows in figures.items():
        for row in rows:
            what = f"{MOST} of every class" if row["seed"] is None else f"seed {row['seed']}: {row['samples']}"
            cells = [task, what, thousands(row["params"])]
            for how in ("bare", "refitted"):
                cells += [percent(row[f"accuracy_{how}"]), gain(row, f"over_gain_{how}"), gain(row, f"under_gain_{how}")]
            yield cells


def main():
    parser = arguments(__doc__, "unbalanced")
    parser.add_argument("--model", default="cifar10-vgg16-quarter", help="a folder of MODELS")
    options = parser.parse_args()
    run = driver(options)
    data = options.data / "cifar-10-batches-bin"
    model = run.model(options.models / options.model)
    balanced = run.profile(model, data)
    skewed = {seed: unbalanced(run, model, data, balanced, seed) for seed in SEEDS}
    figures = {task: measure(run, model, data, balanced, skewed, task) for task in TASKS}
    notes = f"""
The test with unbalanced samples of the independent reproduction of the paper (COMP6258), on {options.model}
(CIFAR-10): instead of the {MOST} most confident training images of every class, the profile sees 1 to {MOST} of
these, as many as a seed says; the numbers are those of the task's classes, in order. Over-sampled are the classes
with more samples than the task's mean; their columns give how many points they gain over the component of
the balanced profile. Accuracy is the mean over classes. The refit uses 200 images of every class in all cases."""
    save(options, run, f"Unbalanced profiles of {options.model}", table(HEAD, lines(figures)) + "\n" + notes, figures)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""A two-layer graph convolutional network on Cora, and parts of it for several tasks.

The best epoch and the thresholds are chosen on the 500 validation nodes, parts are made from training and validation
nodes; every figure is from the 1,000 test nodes of the public split.
"""
import statistics

from driver import arguments, driver, percent, save, table, thousands

TASKS = ["0", "1", "1-2", "3-5"]
SEEDS = [0, 1, 2]
HIDDEN = 16
WAYS = [("component, bare cut", "bare", ["--refit", "none"]), ("component, refitted", "refitted", [])]
# Values of both thresholds to choose from.
THRESHOLDS = ["0.02", "0.05", "0.1", "0.2", "0.3"]
HEAD = ["task", "model", "features", "hidden channels", "params", "accuracy, %", "AUROC",
        "recall at 5 % foreign accepted, %"]


def measured(seed, name, accuracy, leakage, features, hidden, params):
    """The figures of one model."""
    return {
        "seed": seed,
        "model": name,
        "features": features,
        "hidden": hidden,
        "params": params,
        "accuracy": accuracy,
        "auroc": leakage and leakage["auroc"],
        "recall_at_5_foreign": leakage and leakage["recall_at_5_false_accepts"],
    }


def rows_of_task(run, data, model, trained, task, seed):
    """The network with all its classes and with its scores restricted to the task, and its parts."""
    whole = run("gcn", "eval", model, "--data", data, "--classes", task, seed=seed)
    size = (trained["features"], HIDDEN, trained["params"])
    yield measured(seed, "base", whole["base"]["per_image"], None, *size)
    # The accuracy of a single class among itself says nothing.
    several = len(whole["accuracy_per_class"]) > 1
    restricted = whole["base_restricted"]["per_image"] if several else None
    yield measured(seed, "base restricted", restricted, whole["leakage"], *size)
    ways = [(name, *component(run, data, model, task, label, options, seed)) for name, label, options in WAYS]
    for name, part, cut in [*ways, ("component, thresholds chosen, refitted", *chosen(run, data, model, task, seed))]:
        answer = run("gcn", "eval", part, "--data", data, "--source", model, seed=seed)
        yield measured(seed, name, answer["accuracy"] if several else None, answer["leakage"],
                       cut["features"]["after"], len(cut["kept"]["layer1"]["output"]), cut["params"]["after"])


def component(run, data, model, task, label, options, seed):
    """The file of a part, and what `disassemble` says of it."""
    part = run.file(f"gcn.{seed}.{task}.{label}.onnx")
    return part, run("gcn", "disassemble", model, "--data", data, "--classes", task, *options, "-o", part, seed=seed)


def chosen(run, data, model, task, seed):
    """The refitted part of the thresholds that tell own from foreign validation nodes best."""
    def auroc(made):
        return run("gcn", "eval", made[0], "--data", data, "--split", "val", seed=seed)["leakage"]["auroc"]
    parts = [component(run, data, model, task, f"both{x}", ["--alpha", x, "--beta", x], seed) for x in THRESHOLDS]
    return max(parts, key=auroc)


def network(run, data, seed):
    """A trained network: its file and figures."""
    model = run.file(f"gcn.{seed}.onnx")
    trained = run("gcn", "train", "--data", data, "--hidden", HIDDEN, "-o", model, seed=seed)
    answer = run("gcn", "eval", model, "--data", data, seed=seed)
    figures = {key: trained[key] for key in ("nodes", "edges", "features", "params", "best_epoch")}
    return model, {"seed": seed, **figures, "hidden": HIDDEN, "validation": trained["held_out"]["accuracy"],
                   "accuracy": answer["accuracy"]}


def spread(values, show):
    """One value, or the mean of different ones with the lowest and highest."""
    if None in values:
        return "–"
    mean = show(statistics.fmean(values))
    return mean if len(set(values)) == 1 else f"{mean} ({show(min(values))} to {show(max(values))})"


def lines(task, rows):
    """A line for every kind of model, over the seeds."""
    shows = {"features": thousands, "hidden": lambda x: f"{x:.1f}", "params": thousands, "accuracy": percent,
             "auroc": lambda x: f"{x:.4f}", "recall_at_5_foreign": percent}
    for model in dict.fromkeys(row["model"] for row in rows):
        same = [row for row in rows if row["model"] == model]
        yield [task, model, *(spread([row[key] for row in same], show) for key, show in shows.items())]


def main():
    options = arguments(__doc__, "gcn", models=False).parse_args()
    run, data = driver(options), options.data / "cora"
    networks = [network(run, data, seed) for seed in SEEDS]
    tasks = {task: [row for seed, (model, trained) in zip(SEEDS, networks)
                    for row in rows_of_task(run, data, model, trained, task, seed)] for task in TASKS}
    trained = [figures for _, figures in networks]
    mean = {key: statistics.fmean(row[key] for row in trained) for key in ("validation", "accuracy")}
    rows = [[row["seed"], row["best_epoch"], percent(row["validation"]), percent(row["accuracy"])]
            for row in [*trained, {"seed": "mean", "best_epoch": "", **mean}]]
    head = ["seed", "best epoch", "validation accuracy, %", "test accuracy, %"]
    text = f"""{table(head, rows)}

{table(HEAD, [line for task, rows in tasks.items() for line in lines(task, rows)])}

Means over the seeds {", ".join(map(str, SEEDS))} (lowest to highest). Accuracy is over the test nodes of the task's
classes: of the network with all its classes (base), with its scores restricted to the task, and of the part. A
part of one class is always right about its own nodes, so recall at a fixed share of foreign nodes accepted judges
it. AUROC and acceptance compare the top score on the task's test nodes with that on all others. Parts take the
whole feature matrix and read as many features as are listed. Thresholds are those of linear layers, alpha 0.4 and
beta 0.3, or both the one of {", ".join(THRESHOLDS)} with the highest AUROC on the validation nodes, for every
seed and task by itself."""
    save(options, run, "A graph convolutional network on Cora", text, {"all classes": trained, **tasks})


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What each threshold does: accuracy and size of components as it moves, the others at their defaults.

Channels are chosen, weights refitted on training images; every figure is from the test images.
"""
from chart import Panel, chart
from driver import arguments, driver, members, percent, save, table, thousands

TASKS = ["0-2", "3-9"]
DEFAULTS = {"alpha-conv": 0.3, "beta-conv": 0.2, "alpha-linear": 0.4, "beta-linear": 0.3}
NAMES = {"alpha-conv": "convolution α", "beta-conv": "convolution β", "alpha-linear": "linear α",
         "beta-linear": "linear β"}
STEPS = {"alpha": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "beta": [0.1, 0.2, 0.3, 0.4, 0.5]}
HEAD = ["task", "threshold", "value", "params", "MACs", "accuracy, bare cut, %", "accuracy, refitted, %"]


def cut(run, model, data, profile, task, threshold, value, refit):
    """The figures of one component, which all four thresholds share at their defaults."""
    moved = value != DEFAULTS[threshold]
    name = f"{task}.{threshold}{value}" if moved else task
    options = [f"--{threshold}", value] if moved else []
    brick, _ = run.cut(model, data, profile, task, f"{name}.{'ours' if refit else 'bare'}", *options, refit=refit)
    return run.eval(brick, "--data", run.test_images(data, members(task)))


def measure(run, model, data, profile, task):
    rows = []
    for threshold in DEFAULTS:
        for value in STEPS[threshold.split("-")[0]]:
            bare, ours = (cut(run, model, data, profile, task, threshold, value, refit) for refit in (False, True))
            rows.append({"threshold": threshold, "value": value, "params": ours["params"], "macs": ours["macs"],
                         "accuracy_bare": bare["accuracy_per_image"], "accuracy_refitted": ours["accuracy_per_image"]})
    return rows


def lines(figures):
    for task, rows in figures.items():
        for row in rows:
            default = " (default)" * (row["value"] == DEFAULTS[row["threshold"]])
            yield [task, NAMES[row["threshold"]], f"{row['value']}{default}", thousands(row["params"]),
                   thousands(row["macs"]), percent(row["accuracy_bare"]), percent(row["accuracy_refitted"])]


def drawn(figures):
    """One panel for accuracy and one for cost, of every threshold."""
    panels = []
    for threshold, name in NAMES.items():
        rows = {task: [row for row in rows if row["threshold"] == threshold] for task, rows in figures.items()}
        line = lambda task, key, unit: [(row["value"], row[key] * unit) for row in rows[task]]
        panels.append(Panel(f"Accuracy against {name}", name, "accuracy, %", {
            f"{task}, {how}": line(task, f"accuracy_{how}", 1) for task in rows for how in ("refitted", "bare")}))
        panels.append(Panel(f"Cost against {name}", name, "million MACs", {
            f"{task}, refitted": line(task, "macs", 1e-6) for task in rows}))
    return chart(panels)


def main():
    parser = arguments(__doc__, "thresholds")
    parser.add_argument("--model", default="cifar10-vgg16-quarter", help="a folder of MODELS")
    options = parser.parse_args()
    run = driver(options)
    data = options.data / "cifar-10-batches-bin"
    model = run.model(options.models / options.model)
    profile = run.profile(model, data)
    figures = {task: measure(run, model, data, profile, task) for task in TASKS}
    whole = {task: run.eval(model, "--data", run.test_images(data, members(task)), "--classes", task)
             for task in TASKS}
    base = "; ".join(f"task {task}: {percent(answer['base']['per_image'])} % with all classes, "
                     f"{percent(answer['base_restricted']['per_image'])} % with the scores restricted to the task"
                     for task, answer in whole.items())
    notes = f"""
The sweep of figure 3 of the paper, on {options.model} (CIFAR-10). One threshold moves at a time, the other three
keep their defaults. Bare and refitted components of a row have the same size. The charts of cost are of both.
The source has {thousands(whole[TASKS[0]]['params'])} parameters and {thousands(whole[TASKS[0]]['macs'])} MACs
and reaches: {base}."""
    save(options, run, f"Thresholds on {options.model}", table(HEAD, lines(figures)) + "\n" + notes, figures,
         chart=drawn(figures))


if __name__ == "__main__":
    main()

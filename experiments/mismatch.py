#!/usr/bin/env python3
"""How components react to the classes of other components.

Components are cut and refitted on training images; every figure is from the test images.
"""
from driver import arguments, driver, members, percent, save, table

MODELS = ["cifar10-vgg16-quarter", "cifar10-resnet20-akamaster"]
TASKS = ["0", "3-9", "4-8", "1-5", "0-2"]
WAYS = {"component": "component, refitted", "source": "source, scores restricted"}


def reaction(answer):
    leakage = answer["leakage"]
    return {"auroc": leakage["auroc"], "foreign_at_95_recall": leakage["false_accepts_at_95_recall"]}


def measure(run, model, data, profile, own, other):
    """How the component of `own`, and the source held to its classes, take the classes of `other`."""
    foreign = members(other) - members(own)
    if not foreign:
        return []
    images = run.test_images(data, members(own) | foreign)
    brick, _ = run.cut(model, data, profile, own, f"{own}.ours")
    answers = {"component": run.eval(brick, "--data", images),
               "source": run.eval(model, "--data", images, "--classes", own)}
    classes = ",".join(map(str, sorted(foreign)))
    return [{"task": own, "other": other, "foreign_classes": classes, "way": way, **reaction(answer)}
            for way, answer in answers.items()]


def matrix(rows, key, show):
    """One line for every task and way, one column for every other task."""
    cells = {(row["task"], row["way"], row["other"]): show(row[key]) for row in rows}
    for task in TASKS:
        for way, name in WAYS.items():
            yield [task, name, *(cells.get((task, way, other), "–") for other in TASKS)]


def main():
    parser = arguments(__doc__, "mismatch")
    options = parser.parse_args()
    run = driver(options)
    data = options.data / "cifar-10-batches-bin"
    figures = {}
    for name in MODELS:
        model = run.model(options.models / name)
        profile = run.profile(model, data)
        figures[name] = [row for own in TASKS for other in TASKS
                         for row in measure(run, model, data, profile, own, other)]
    head = ["task", "model", *(f"images of {task}" for task in TASKS)]
    parts = []
    for name, rows in figures.items():
        parts.append(f"## {name}\n\nAUROC of own against foreign images:\n\n"
                     f"{table(head, matrix(rows, 'auroc', lambda x: f'{x:.4f}'))}\n\n"
                     f"Foreign images accepted at 95 % recall, %:\n\n"
                     f"{table(head, matrix(rows, 'foreign_at_95_recall', percent))}")
    notes = """
The mismatch test of the independent reproduction of the paper (COMP6258, VGG-16), which shows a component the
images of other tasks: there as accuracy with all outputs kept, here as how well the top score tells the
component's own images from foreign ones. Foreign are the classes of the column that are not of the task itself
(– where there are none). The source is the one the component was cut from, its top score taken among the classes of
the task. 0.5 and 95 % would be no telling apart at all."""
    save(options, run, "Reaction to the classes of other components", "\n\n".join(parts) + "\n" + notes, figures,
         key="model")


if __name__ == "__main__":
    main()

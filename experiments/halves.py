#!/usr/bin/env python3
"""Networks of two halves of CIFAR-10's classes, trained apart from different seeds, joined without training.

    python3 experiments/halves.py --data DATA

This is the protocol of ZipIt! (ICLR 2024), table 11: halves drawn at random, VGG-11 of full width, ordinary cross-entropy; *joint* is
the accuracy over all ten classes, *per task* that over the five of an image's own network. Networks are joined as they are, or each cut
to half of its MACs, which together cost what one does; a last pair is of two architectures. Whatever is fitted sees training images only.
"""
import random
import statistics

from driver import arguments, driver, percent, save, table

DATA = "cifar-10-batches-bin"
HOW = ["--augment", "crop=4,flip", "--schedule", "one-cycle", "--hold-out", "none"]
# Network, and the length of a step that it is trained with.
NETWORKS = {"vgg11": 0.05, "resnet20": 0.2}
HEAD = ["networks", "MACs", "calibrated on, per class", "joint, %", "per task, %", "pairs"]


def halves(pair):
    """The classes of both halves of a pair, which depend on nothing else."""
    first = sorted(random.Random(f"pair {pair}").sample(range(10), 5))
    return first, [label for label in range(10) if label not in first]


def trained(run, data, network, classes, seed, epochs):
    """A network of some classes, trained from scratch."""
    task = ",".join(map(str, classes))
    model = run.file(f"{network}-{task}.onnx")
    resume = ["--resume"] if model.with_suffix(".checkpoint").exists() else []
    run("train", "--arch", network, "--classes", task, "--data", data, *HOW, "--lr", NETWORKS[network], "--epochs", epochs,
        *resume, "-o", model, seed=seed)
    return model


def smaller(run, data, model, images):
    """The same network with half of the MACs."""
    half = model.with_name(f"{model.stem}-half.onnx")
    run("compress", model, "--data", data, "--macs", "50%", "--refit-samples", images, "-o", half)
    return half


def measured(run, model, data, shown):
    """Accuracies of a joined model."""
    answer = run.eval(model, *data)
    return {**shown, "macs": answer["macs"], "joint": answer["accuracy_per_image"],
            "per_task": answer["parts"]["perfect_routing"]["per_image"]}


def joined(run, data, models, shown, each):
    """A pair joined, without calibration and with more and more images for it."""
    name = "+".join(model.stem for model in models)
    raw, data = run.file(f"{name}.joined.onnx"), ["--data", data]
    run("assemble", *models, "-o", raw)
    yield measured(run, raw, data, {**shown, "each": 0})
    for count in each:
        ready = run.file(f"{name}.{count}.onnx")
        run("calibrate", raw, *data, "--samples", count, "-o", ready)
        yield measured(run, ready, data, {**shown, "each": count})


def pair(run, options, number, networks):
    """Every row of one pair."""
    data = options.data / DATA
    whole = [trained(run, data, network, classes, 2 * number + k, options.epochs)
             for k, (network, classes) in enumerate(zip(networks, halves(number)))]
    name = " + ".join(dict.fromkeys(networks))
    yield from joined(run, data, whole, {"networks": f"{name}, whole", "pair": number}, options.each)
    if options.whole:
        return
    half = [smaller(run, data, model, options.images) for model in whole]
    yield from joined(run, data, half, {"networks": f"{name}, half of the MACs each", "pair": number}, options.each)


def mean(rows, key):
    values = [row[key] for row in rows]
    apart = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return percent(statistics.fmean(values)) + apart


def line(rows):
    macs = f"{statistics.fmean(row['macs'] for row in rows) / 1e9:.2f} G"
    return [rows[0]["networks"], macs, rows[0]["each"], mean(rows, "joint"), mean(rows, "per_task"), len(rows)]


def main():
    parser = arguments(__doc__.splitlines()[0], "halves", models=False)
    parser.add_argument("--pairs", type=int, default=3, help="pairs of VGG-11")
    parser.add_argument("--epochs", type=int, default=20, help="epochs that each network is trained for")
    parser.add_argument("--images", type=int, default=200, help="images of a class that smaller networks are refitted on")
    parser.add_argument("--each", nargs="+", type=int, default=[1, 5, 50, 500], help="images of a class to calibrate on")
    parser.add_argument("--whole", action="store_true", help="leave out networks of half of the MACs")
    options = parser.parse_args()
    run = driver(options)
    rows = []
    for number in range(options.pairs):
        rows += pair(run, options, number, ["vgg11", "vgg11"])
    rows += pair(run, options, 0, ["vgg11", "resnet20"])
    groups = {}
    for row in rows:
        groups.setdefault((row["networks"], row["each"]), []).append(row)
    text = table(HEAD, map(line, groups.values()))
    text += (f"\n\nNetworks were trained for {options.epochs} epochs; smaller ones are refitted on {options.images} images of a class. "
             "Each of ten classes is told from the nine others (joint), or from the four of its own network (per task). As published for "
             "pairs of VGG-11: ensemble 66.6 at 0.30 G, ZipIt! 44.5 at 0.27 G and 33.2 at 0.15 G.")
    save(options, run, "Halves of CIFAR-10 joined", text, {"pairs": rows}, key="what")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Networks trained from scratch, with their logs and curves.

With `--models` the networks go there, ready for the other experiments. The best epoch is chosen on images held
out of the training split; every figure is from the test images.
"""
import json
import shutil

from driver import ROOT, arguments, driver, percent, save, table, thousands

GARMENTS = "t-shirt,trouser,pullover,dress,coat,sandal,shirt,sneaker,bag,ankle-boot"
ONE_CYCLE = ["--hold-out", "100", "--schedule", "one-cycle"]
AUGMENT = ["--augment", "crop=4,flip"]
CIFAR = [*AUGMENT, *ONE_CYCLE]
# Name, data, what `train` is told.
SMALL = {
    "lenet5-mnist": ("mnist", ["--arch", "lenet5", "--epochs", "15", "--lr", "0.05", "--augment", "crop=2"]),
    "resnet20-half-fashion": ("fashion-mnist", ["--arch", "resnet20", "--width", "0.5", "--epochs", "20", "--lr", "0.2",
                                                "--class-names", GARMENTS, "--augment", "crop=2,flip", *ONE_CYCLE]),
    "vgg16-quarter-cifar10": ("cifar-10-batches-bin", ["--arch", "vgg16", "--width", "0.25", "--epochs", "30", "--lr",
                                                       "0.1", *CIFAR]),
    "resnet20-cifar10": ("cifar-10-batches-bin", ["--arch", "resnet20", "--epochs", "24", "--lr", "0.2", *CIFAR]),
    "densenet40-half-cifar10": ("cifar-10-batches-bin", ["--arch", "densenet40_bc", "--width", "0.5", "--epochs", "12",
                                                         "--lr", "0.1", *CIFAR]),
    "mobilenet-v2-quarter-cifar10": ("cifar-10-batches-bin", ["--arch", "mobilenet_v2", "--width", "0.25", "--epochs",
                                                              "12", "--lr", "0.1", *CIFAR]),
}
# Sizes of the paper, for machines with more cores or days: networks times data.
DATA = {"cifar10": "cifar-10-batches-bin", "cifar100": "cifar-100-binary"}
LONG = ["--epochs", "100", "--lr", "0.1", *AUGMENT, "--hold-out", "2%", "--schedule", "one-cycle"]
LARGE = {f"{arch}-{name}": (data, ["--arch", arch, *LONG])
         for name, data in DATA.items() for arch in ("vgg16", "resnet50", "googlenet")}
RUNS = {**SMALL, **LARGE}
# The models of `brickwork demo`, and the runs that made them.
DEMO = {"digits": "lenet5-mnist", "garments": "resnet20-half-fashion"}
HEAD = ["network", "data", "params", "MACs", "epochs", "best epoch", "held out, %", "test, %", "curve"]


def train(run, options, name):
    data, how = RUNS[name]
    data, model = options.data / data, run.file(f"{name}.onnx")
    log, curve = (options.out / f"{name}.{kind}" for kind in ("csv", "svg"))
    options.out.mkdir(parents=True, exist_ok=True)
    checkpoint = model.with_suffix(".checkpoint")
    resume = ["--resume"] if checkpoint.exists() else []
    answer = run("train", *how, "--data", data, "--log", log, "--curve", curve, *resume, "-o", model)
    tested = run.eval(model, "--data", data)
    best = next(epoch for epoch in answer["epochs"] if epoch["epoch"] == answer["best_epoch"])
    return {
        "network": name,
        "data": data.name,
        "params": answer["parameters"],
        "macs": answer["macs"],
        "epochs": len(answer["epochs"]),
        "best": answer["best_epoch"],
        "held_out": best["held"]["accuracy"],
        "test": tested["accuracy_per_image"],
        "how": " ".join(how),
        "curve": curve.name,
    }


def main():
    parser = arguments(__doc__, "train", models=False)
    parser.add_argument("--runs", nargs="+", default=list(SMALL), choices=list(RUNS))
    parser.add_argument("--demo", action="store_true", help="train the models of `brickwork demo` and put them in place")
    options = parser.parse_args()
    if options.demo:
        options.runs = list(DEMO.values())
    run = driver(options)
    figures = {}
    known = options.out / f"{options.name}.json"
    if known.exists():
        figures = json.loads(known.read_text())["figures"]
    for name in options.runs:
        figures[name] = [train(run, options, name)]
        rows = [[row["network"], row["data"], thousands(row["params"]), thousands(row["macs"]), row["epochs"], row["best"],
                 percent(row["held_out"]), percent(row["test"]), f"[curve]({row['curve']})"]
                for row, in figures.values()]
        how = "\n".join(f"- {row['network']}: `brickwork train {row['how']}`" for row, in figures.values())
        save(options, run, "Networks trained from scratch", f"{table(HEAD, rows)}\n\n{how}", figures)
        if options.models:
            shutil.copyfile(run.file(f"{name}.onnx"), options.models / f"{name}.onnx")
    for name, made in DEMO.items() if options.demo else ():
        shutil.copyfile(run.file(f"{made}.onnx"), ROOT / "crates/cli/assets" / f"{name}.onnx")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""A control in PyTorch: Torch-Pruning's group magnitude on the same network, to the same shares of the MACs.

    python3 -m venv venv && venv/bin/pip install -r experiments/pruning-requirements.txt
    venv/bin/python experiments/pruning.py --models MODELS --data DATA

BatchNorm is measured again and weights fine-tuned on training images of the task alone; every figure is from the test images. The
`brickwork` command only counts multiply-accumulates.
"""
import copy
import hashlib
import importlib.metadata
import json
import pathlib
import warnings

import numpy as np
import torch
import torch_pruning
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from disassemble import merged, spread
from driver import arguments, driver, members, percent, save, table, thousands

MODEL = "cifar10-resnet20-akamaster"
TASKS = ["0,1", "3,5", "0-4"]
SHARES = [49, 24, 10]
STEPS = 400
WAYS = {"global": "all layers ranked together", "uniform": "the same share of every layer"}
RECIPE = {"lr": 0.01, "momentum": 0.9, "weight_decay": 1e-4, "batch": 128}
STAGES = ["bare", "recomputed", "tuned"]
HEAD = ["classes", "MACs kept", "pruned", "MACs", "brickwork's count", "params", "cut, %", "BatchNorm recomputed, %",
        "fine-tuned, %"]


class Shortcut(nn.Module):
    """Every other pixel, the channels in the middle of twice as many: a fixed convolution with ones, `weight` `[out, in, 1, 1]`."""

    def __init__(self, inputs, outputs):
        super().__init__()
        before = (outputs - inputs) // 2
        weight = torch.zeros(outputs, inputs, 1, 1)
        weight[torch.arange(inputs) + before, torch.arange(inputs)] = 1
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, image):
        if not torch.onnx.is_in_onnx_export():
            return functional.conv2d(image, self.weight, stride=2)
        # The same without a convolution: the place of every output's input, the last one a channel of zeros.
        given, places = self.weight[:, :, 0, 0].max(1)
        places = torch.where(given > 0, places, self.weight.shape[1])
        return functional.pad(image[:, :, ::2, ::2], (0, 0, 0, 0, 0, 1))[:, places]


class ShortcutPruner(torch_pruning.BasePruningFunc):
    """Inputs and outputs go one by one: a lost input leaves zeros."""

    def prune_out_channels(self, layer, idxs):
        return self.without(layer, 0, idxs)

    def prune_in_channels(self, layer, idxs):
        return self.without(layer, 1, idxs)

    @staticmethod
    def without(layer, axis, idxs):
        kept = [k for k in range(layer.weight.shape[axis]) if k not in set(idxs)]
        layer.weight = layer.weight.index_select(axis, torch.tensor(kept))
        return layer

    def get_out_channels(self, layer):
        return layer.weight.shape[0]

    def get_in_channels(self, layer):
        return layer.weight.shape[1]


class Block(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, inputs, outputs):
        super().__init__()
        stride = outputs // inputs
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        self.shortcut = Shortcut(inputs, outputs) if stride > 1 else nn.Identity()

    def forward(self, image):
        inner = functional.relu(self.bn1(self.conv1(image)))
        return functional.relu(self.bn2(self.conv2(inner)) + self.shortcut(image))


class ResNet20(nn.Module):
    """The network of He et al. (2015, section 4.2) for 32x32 images: three stages of three blocks."""

    def __init__(self, classes=10):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        stage = lambda inputs, outputs: nn.Sequential(Block(inputs, outputs), Block(outputs, outputs), Block(outputs, outputs))
        self.layer1, self.layer2, self.layer3 = stage(16, 16), stage(16, 32), stage(32, 64)
        self.linear = nn.Linear(64, classes)

    def forward(self, image):
        image = functional.relu(self.bn1(self.conv1(image)))
        return self.linear(self.layer3(self.layer2(self.layer1(image))).mean((2, 3)))


class Images:
    """Images `[n, 3, 32, 32]` of some classes, as the network takes them, and their places among these classes."""

    def __init__(self, files, classes, facts):
        rows = np.concatenate([np.frombuffer(file.read_bytes(), np.uint8).reshape(-1, 3073) for file in files])
        classes = sorted(classes)
        rows = rows[np.isin(rows[:, 0], classes)]
        self.labels = torch.tensor(np.searchsorted(classes, rows[:, 0]))
        pixels = torch.tensor(rows[:, 1:].reshape(-1, 3, 32, 32)).float() / 255
        mean, std = (torch.tensor(facts[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
        self.images = (pixels - mean) / std
        self.padding = -mean / std

    def batches(self, size, order=None):
        order = torch.arange(len(self.labels)) if order is None else order
        return ((self.images[part], self.labels[part]) for part in order.split(size))

    def augmented(self, images, draw):
        """Flipped or not, and moved by up to four pixels; what comes in is black."""
        flipped = torch.rand(len(images), generator=draw) < 0.5
        images = torch.where(flipped.view(-1, 1, 1, 1), images.flip(3), images)
        canvas = self.padding.repeat(len(images), 1, 40, 40)
        canvas[:, :, 4:36, 4:36] = images
        corners = torch.randint(0, 9, (len(images), 2), generator=draw).tolist()
        return torch.stack([image[:, y:y + 32, x:x + 32] for image, (y, x) in zip(canvas, corners)])


def restricted(weights, classes):
    """The trained network, its head held to some classes."""
    net = ResNet20()
    net.load_state_dict(weights)
    head, kept = nn.Linear(64, len(classes)), sorted(classes)
    head.weight.data, head.bias.data = net.linear.weight.data[kept], net.linear.bias.data[kept]
    net.linear = head
    return net.eval()


def size(net):
    """Multiply-accumulates of convolutions and linear layers for one image, and their parameters once BatchNorm is folded."""
    macs, params, hooks = 0, 0, []

    def count(layer, _, output):
        nonlocal macs, params
        macs += layer.weight.numel() * output[0, 0].numel()
        params += layer.weight.numel() + layer.weight.shape[0]

    for layer in net.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            hooks.append(layer.register_forward_hook(count))
    with torch.no_grad():
        net(torch.zeros(1, 3, 32, 32))
    for hook in hooks:
        hook.remove()
    return macs, params


def pruned(net, way, shares, whole):
    """The network at every share of `whole` MACs: the least important channels go first, of all layers together or of each."""
    net = copy.deepcopy(net)
    pruner = torch_pruning.pruner.BasePruner(
        net, torch.zeros(1, 3, 32, 32), importance=torch_pruning.importance.GroupMagnitudeImportance(),
        global_pruning=way == "global", pruning_ratio=1.0, iterative_steps=STEPS, ignored_layers=[net.linear],
        customized_pruners={Shortcut: ShortcutPruner()})
    for share in sorted(shares, reverse=True):
        while size(net)[0] > share / 100 * whole:
            if pruner.current_step == STEPS:
                raise SystemExit(f"no channels are left to give up for {share} % of the MACs")
            pruner.step()
        yield share, copy.deepcopy(net)


@torch.no_grad()
def accuracy(net, test):
    net.eval()
    right = sum((net(images).argmax(1) == labels).sum().item() for images, labels in test.batches(500))
    return 100 * right / len(test.labels)


@torch.no_grad()
def recomputed(net, train):
    """The network with mean and variance of every BatchNorm over all training images of the task."""
    net = copy.deepcopy(net)
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None
    net.train()
    draw = torch.Generator().manual_seed(0)
    for images, _ in train.batches(500, torch.randperm(len(train.labels), generator=draw)):
        net(images)
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 0.1
    return net.eval()


def tuned(net, train, epochs, seed):
    """The network after some epochs over the training images of the task."""
    net = copy.deepcopy(net).train()
    draw = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.SGD(net.parameters(), RECIPE["lr"], RECIPE["momentum"], weight_decay=RECIPE["weight_decay"])
    steps = epochs * -(-len(train.labels) // RECIPE["batch"])
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(epochs):
        for images, labels in train.batches(RECIPE["batch"], torch.randperm(len(train.labels), generator=draw)):
            optimiser.zero_grad()
            functional.cross_entropy(net(train.augmented(images, draw)), labels).backward()
            optimiser.step()
            cosine.step()
    return net.eval()


def counted(run, net, name):
    """MACs as `brickwork inspect` counts them in the network's ONNX file."""
    file = run.file(f"{name}.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net, torch.zeros(1, 3, 32, 32), file, opset_version=17, dynamo=False, input_names=["image"],
                          output_names=["logits"], dynamic_axes={"image": {0: "n"}, "logits": {0: "n"}})
    return run("inspect", file)["macs"]


def remembered(run, key, answer):
    """What `answer` says, kept in a file named after this script and `key`: data, weights, what is measured."""
    script = pathlib.Path(__file__).read_bytes()
    digest = hashlib.sha256(script + json.dumps([key, torch.__version__]).encode()).hexdigest()
    file = run.work / "answers" / f"{digest}.json"
    if not file.exists():
        print("# PyTorch:", *key[2:], flush=True)
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(answer()))
    return json.loads(file.read_text())


def measure(run, weights, facts, data, task, options):
    classes = members(task)
    train = Images(sorted(data.glob("data_batch_*.bin")), classes, facts)
    test = Images([data / "test_batch.bin"], classes, facts)
    net, whole = restricted(weights, classes), size(ResNet20())[0]
    key = [str(data), options.model_digest, task]
    base = remembered(run, [*key, "source"], lambda: accuracy(net, test))
    macs, params = size(net)
    rows = [{"share": 100, "cut": "source", "seed": None, "macs": macs, "params": params, "bare": base, "recomputed": None,
             "tuned": None, "macs_brickwork": counted(run, net, f"pruning.{task.replace(',', '+')}.100")}]
    for way in options.ways:
        for share, cut in pruned(net, way, options.shares, whole):
            rows += stages(run, cut, [*key, way, share], (train, test), options)
    return rows


def stages(run, cut, key, images, options):
    """A cut's figures bare, with BatchNorm measured again, and fine-tuned from every seed."""
    train, test = images
    *_, task, way, share = key
    macs, params = size(cut)
    again = recomputed(cut, train)
    row = {"share": share, "cut": WAYS[way], "macs": macs, "params": params,
           "macs_brickwork": counted(run, cut, f"pruning.{task.replace(',', '+')}.{way}.{share}"),
           "bare": remembered(run, [*key, "bare"], lambda: accuracy(cut, test)),
           "recomputed": remembered(run, [*key, "recomputed"], lambda: accuracy(again, test))}
    for seed in options.seeds:
        after = remembered(run, [*key, "tuned", options.epochs, seed],
                           lambda: accuracy(tuned(again, train, options.epochs, seed), test))
        yield {**row, "seed": seed, "tuned": after}


def lines(task, rows):
    for share in sorted({row["share"] for row in rows}, reverse=True):
        for cut, group in merged([row for row in rows if row["share"] == share]).items():
            column = lambda key, show: spread([row[key] for row in group], show)
            yield [task, f"{share} %", cut, *(column(key, thousands) for key in ("macs", "macs_brickwork", "params")),
                   *(column(stage, percent) for stage in STAGES)]


def main():
    parser = arguments(__doc__, "pruning")
    parser.add_argument("--tasks", nargs="+", default=TASKS, help="class lists")
    parser.add_argument("--shares", nargs="+", default=SHARES, type=int, help="percentages of the source's MACs")
    parser.add_argument("--ways", nargs="+", default=["global"], choices=list(WAYS), help="how layers share what is given up")
    parser.add_argument("--seeds", nargs="+", default=[0], type=int, help="seeds of fine-tuning")
    parser.add_argument("--epochs", default=10, type=int, help="epochs of fine-tuning")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    run = driver(options)
    data, folder = options.data / "cifar-10-batches-bin", options.models / MODEL
    file = folder / f"{MODEL}.safetensors"
    options.model_digest = hashlib.sha256(file.read_bytes()).hexdigest()
    weights, facts = load_file(file), json.loads((folder / "meta.json").read_text())
    figures = {task: measure(run, weights, facts, data, task, options) for task in options.tasks}
    rows = [line for task, found in figures.items() for line in lines(task, found)]
    notes = f"""ResNet-20 of CIFAR-10, its head restricted to the task, pruned by Torch-Pruning
{importlib.metadata.version("torch-pruning")} with PyTorch {torch.__version__}: `GroupMagnitudeImportance` along the dependency
graph, with its defaults, in up to {STEPS} steps until the MACs fit the share of the whole source's. It looks at weights alone.
Shortcuts, which drop pixels and pad channels, are pruned on both sides and count for nothing, neither in importance nor in MACs.
"cut" is without any repair; then mean and variance of every BatchNorm are measured again on all training images of the task; then
follow {options.epochs} epochs of fine-tuning on these images with their labels (SGD, rate {RECIPE["lr"]} to 0 by a cosine, momentum
{RECIPE["momentum"]}, weight decay {RECIPE["weight_decay"]}, batches of {RECIPE["batch"]}, flips, crops of images padded by 4); the
last epoch counts. Seeds: {", ".join(map(str, options.seeds))}; of several, the mean (lowest to highest). Parameters are
counted with BatchNorm folded.

Cited, not measured: SeaM (Qi et al., ICSE 2023) trains masks over the weights and a new head with labels, and reports 10.11 % of
the weights kept and 5.85 points more accuracy than the original on the target problems, over VGG-16, ResNet-20 and ResNet-50 on
CIFAR-10, CIFAR-100 and ImageNet. Single weights are masked there, not channels."""
    save(options, run, "Pruning and fine-tuning in PyTorch", f"{table(HEAD, rows)}\n\n{notes}", figures)


if __name__ == "__main__":
    main()

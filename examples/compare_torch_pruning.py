"""Makes a ResNet-18 smaller, to equally many multiply-accumulates and without training, by Brickwork and by Torch-Pruning.

    pip install 'brickwork[torch]' torchvision torch-pruning
    python examples/compare_torch_pruning.py photos/ --weights imagenet --macs 0.5

`photos/train` and `photos/test` have a folder of images for each class. Networks of Torch-Pruning are told as it leaves them, and with the
statistics of their batch normalisations measured again on the training images, which needs no labels, as Brickwork's refit needs none.
It was made to be followed by training, of which there is none here, on either side: the table tells what each gives before that.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import brickwork as bw
import brickwork.torch
import torch
import torch_pruning
import torchvision

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
ROUNDS = 12
"""Halvings of the range in which a pruning ratio is looked for."""


class Comparison:
    """A network, images, and what both programs make of it."""

    def __init__(self, photos: Path, weights: str, side: int, share: float) -> None:
        self.photos, self.side, self.share = photos, side, share
        self.net, self.names = network(weights, photos)
        self.source = self.model(self.net)

    def model(self, net: torch.nn.Module) -> bw.Model:
        """A module as a model."""
        example = torch.randn(1, 3, self.side, self.side)
        model = bw.torch.from_module(net.eval(), example, class_names=self.names, mean=MEAN, std=STD)
        return model.annotate(fit="cover", crop=0.875, progress=False)

    def batches(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Training images and their classes."""
        steps = torchvision.transforms.Compose([
            torchvision.transforms.Resize(round(self.side / 0.875)),
            torchvision.transforms.CenterCrop(self.side),
            torchvision.transforms.ToTensor(),
            torchvision.transforms.Normalize(MEAN, STD),
        ])
        data = torchvision.datasets.ImageFolder(self.photos / "train", steps)
        places = torch.tensor([self.names.index(name) for name in data.classes])
        mixed = torch.utils.data.DataLoader(data, 32, shuffle=True, generator=torch.Generator().manual_seed(0))
        for images, labels in mixed:
            yield images, places[labels]

    def pruned(self, importance: Any, ratio: float) -> torch.nn.Module:
        """The network without this share of every layer's channels, by Torch-Pruning."""
        net = copy.deepcopy(self.net)
        if isinstance(importance, torch_pruning.importance.TaylorImportance):
            for images, labels in self.batches():
                torch.nn.functional.cross_entropy(net(images), labels).backward()
        example = torch.randn(1, 3, self.side, self.side)
        pruner = torch_pruning.pruner.BasePruner(
            net, example, importance, pruning_ratio=ratio, ignored_layers=[net.fc]
        )
        pruner.step()
        return net

    def ratio(self, macs: int) -> float:
        """The share of channels without which so many multiply-accumulates are left, by the count of Torch-Pruning."""
        low, high = 0.0, 1.0
        example = torch.randn(1, 3, self.side, self.side)
        for _ in range(ROUNDS):
            middle = (low + high) / 2
            net = self.pruned(torch_pruning.importance.MagnitudeImportance(p=2), middle)
            left, _ = torch_pruning.utils.count_ops_and_params(net, example)
            low, high = (middle, high) if left >= macs else (low, middle)
        return low

    def measured_again(self, net: torch.nn.Module) -> torch.nn.Module:
        """A network whose batch normalisations have the statistics of the training images."""
        net = copy.deepcopy(net).train()
        for part in net.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                part.reset_running_stats()
                part.momentum = None  # The mean of all batches.
        with torch.no_grad():
            for images, _ in self.batches():
                net(images)
        return net.eval()

    def rows(self) -> Iterator[tuple[str, bw.Model]]:
        """All networks, by what made them."""
        yield "the whole network", self.source
        train = self.photos / "train"
        bare = self.source.compress(train, macs=self.share, no_refit=True, allow_missing=True, progress=False)
        macs = bare.inspect(progress=False).macs
        assert macs is not None
        ratio = self.ratio(macs)
        for name, importance in [
            ("magnitude", torch_pruning.importance.MagnitudeImportance(p=2)),
            ("Taylor", torch_pruning.importance.TaylorImportance()),
        ]:
            net = self.pruned(importance, ratio)
            yield f"Torch-Pruning, {name}", self.model(net)
            yield f"Torch-Pruning, {name}, statistics measured", self.model(self.measured_again(net))
        yield "Brickwork, bare cut", bare
        yield "Brickwork, refitted", self.source.compress(train, macs=self.share, allow_missing=True, progress=False)

    def table(self) -> None:
        """Prints size, accuracy and agreement with the whole network on test images."""
        test = self.photos / "test"
        files = sorted(str(file) for file in test.rglob("*") if file.is_file())
        answers = self.source.predict(files, progress=False).labels
        print(f"{'':45}{'MACs':>15}{'parameters':>12}{'accuracy, %':>13}{'as the whole, %':>17}")
        for name, model in self.rows():
            found = model.evaluate(test, allow_missing=True, no_latency=True, progress=False)
            same = [a == b for a, b in zip(answers, model.predict(files, progress=False).labels)]
            share = 100 * sum(same) / len(same)
            print(f"{name:45}{found.macs:15,}{found.params:12,}{found.accuracy_per_image:13.2f}{share:17.2f}", flush=True)
        print(f"on {len(files)} test images; nothing was trained")


def network(weights: str, photos: Path) -> tuple[torch.nn.Module, list[str]]:
    """A ResNet-18 and the names of its classes: those of ImageNet, or of the folders of images."""
    if weights == "imagenet":
        known = torchvision.models.ResNet18_Weights.DEFAULT
        return torchvision.models.resnet18(weights=known).eval(), known.meta["categories"]
    names = sorted(folder.name for folder in (photos / "train").iterdir() if folder.is_dir())
    torch.manual_seed(0)
    net = torchvision.models.resnet18(num_classes=len(names)).eval()
    if weights != "random":
        net.load_state_dict(torch.load(weights, weights_only=True))
    return net, names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument(
        "--weights", required=True, help="imagenet, random, or a file of a state dict for the classes of the folders"
    )
    parser.add_argument("--size", type=int, default=224, help="height and width of the network's input")
    parser.add_argument("--macs", type=float, default=0.5, help="share of the multiply-accumulates that is left")
    asked = parser.parse_args()
    if asked.weights == "random":
        print("random weights: accuracy says nothing; agreement with the whole network does\n")
    Comparison(asked.photos, asked.weights, asked.size, asked.macs).table()


if __name__ == "__main__":
    main()

"""Cuts some classes out of a network of torchvision, with your own images, and gives a module of PyTorch.

    pip install 'brickwork[torch]' torchvision
    python examples/cut_torchvision.py photos/ --classes "tabby,pug" --macs 0.4 --output pets.pt

`photos/` has a folder of images for each class, called as ImageNet calls it, under `train` and `test` or without them.
"""

from __future__ import annotations

import argparse

import brickwork as bw
import brickwork.torch
import torch
import torchvision


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos")
    parser.add_argument("--classes", required=True)
    parser.add_argument("--macs", type=float, default=0.4)
    parser.add_argument("--output", required=True)
    asked = parser.parse_args()

    weights = torchvision.models.ResNet18_Weights.DEFAULT
    prepared = weights.transforms()
    source = bw.torch.from_module(
        torchvision.models.resnet18(weights=weights),
        torch.randn(1, 3, 224, 224),
        class_names=weights.meta["categories"],
        mean=prepared.mean,
        std=prepared.std,
    ).annotate(fit="cover", crop=0.875)
    part = source.disassemble(asked.classes, macs=asked.macs, data=asked.photos)
    print(part)
    print(part.evaluate(asked.photos, source=source))
    net = bw.torch.to_module(part)
    torch.save(net, asked.output)
    print(f"{asked.output}: {sum(parameter.numel() for parameter in net.parameters()):,} parameters")


if __name__ == "__main__":
    main()

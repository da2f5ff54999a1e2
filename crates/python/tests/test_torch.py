"""Modules of PyTorch become models, and models modules, that compute the same."""

from __future__ import annotations

import pickle
from typing import Any

import brickwork as bw
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'brickwork[torch]'")
pytest.importorskip("onnxscript", reason="onnxscript is not installed: pip install 'brickwork[torch]'")
import brickwork.torch  # noqa: E402

CLASSES = 6


def resnet() -> Any:
    torchvision = pytest.importorskip("torchvision", reason="torchvision is not installed")
    return torchvision.models.resnet18(num_classes=CLASSES), 64


def mobilenet() -> Any:
    torchvision = pytest.importorskip("torchvision", reason="torchvision is not installed")
    return torchvision.models.mobilenet_v3_small(num_classes=CLASSES), 64


def transformer() -> Any:
    timm = pytest.importorskip("timm", reason="timm is not installed")
    return timm.create_model("vit_tiny_patch16_224", num_classes=CLASSES, img_size=64), 64


def same(found: Any, expected: Any) -> None:
    largest = np.abs(expected).max()
    assert np.abs(found - expected).max() <= 1e-4 * max(1.0, largest)


@pytest.mark.parametrize("exporter", ["torch.export", "torchscript"])
@pytest.mark.parametrize("network", [resnet, mobilenet, transformer])
def test_there_and_back(network: Any, exporter: Any) -> None:
    torch.manual_seed(0)
    module, side = network()
    for part in module.modules():  # Statistics as they are after training.
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_(std=0.1)
            part.running_var.uniform_(0.5, 2.0)
    names = [f"class {k}" for k in range(CLASSES)]
    example = torch.randn(1, 3, side, side)
    model = bw.torch.from_module(
        module, example, class_names=names, mean=[0.5, 0.4, 0.3], std=0.2, exporter=exporter, called="net"
    )
    assert (model.name, model.classes, module.training) == ("net", names, True)
    assert model.card["preprocess"]["mean"] == pytest.approx([0.5, 0.4, 0.3])
    images = torch.randn(3, 3, side, side)
    module.eval()
    with torch.no_grad():
        expected = module(images).numpy()
    same(model.run(images), expected)
    back = bw.torch.to_module(model).eval()
    with torch.no_grad():
        same(back(images).numpy(), expected)
    own, theirs = module.state_dict(), back.state_dict()
    shared = own.keys() & theirs.keys()
    assert len(shared) >= (len(own) // 2 if exporter == "torchscript" else 8), sorted(theirs)
    if exporter == "torchscript":
        assert all(torch.equal(own[name], theirs[name]) for name in shared)

    rng = np.random.default_rng(0)
    data = bw.images(rng.integers(0, 256, (40, side, side, 3), np.uint8), np.arange(40) % CLASSES, layout="nhwc",
                     classes=names)
    part = model.disassemble("0-2", macs=0.6, data=data, refit="none", criterion="l1")
    cut = bw.torch.to_module(part).eval()
    with torch.no_grad():
        same(cut(images).numpy(), part.run(images))
    count = sum(parameter.numel() for parameter in cut.parameters())
    assert count < 0.9 * sum(parameter.numel() for parameter in back.parameters())


def test_modules_can_be_trained() -> None:
    torch.manual_seed(1)
    module, side = mobilenet()
    model = bw.torch.from_module(module, torch.randn(2, 3, side, side), exporter="torchscript")
    net = bw.torch.to_module(model).train()
    images, labels = torch.randn(8, 3, side, side), torch.arange(8) % CLASSES
    before = {name: value.clone() for name, value in net.state_dict().items()}
    optimiser = torch.optim.SGD(net.parameters(), lr=0.05)
    losses = []
    for _ in range(4):
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(images), labels)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    after = net.state_dict()
    moved = {name for name in after if not torch.equal(after[name], before[name])}
    assert "features.0.1.running_mean" in moved and "features.0.0.weight" in moved
    assert bw.torch.weights(model).keys() == after.keys()
    net = pickle.loads(pickle.dumps(net))
    module.load_state_dict({name: after.get(name, value) for name, value in module.state_dict().items()})
    module.eval(), net.eval()
    with torch.no_grad():
        same(module(images).numpy(), net(images).numpy())


def test_what_cannot_be_is_refused() -> None:
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 3))
    example = torch.randn(1, 3, 2, 2)
    with pytest.raises(bw.OptionsError, match="`mean` and `std` go together"):
        bw.torch.from_module(module, example, mean=0.5)
    with pytest.raises(bw.OptionsError, match="`exporter=tf` is none of"):
        bw.torch.from_module(module, example, exporter="tf")  # type: ignore[arg-type]
    with pytest.raises(bw.OptionsError, match="gives 2 names, the model has 3 classes"):
        bw.torch.from_module(module, example, class_names=["a", "b"])

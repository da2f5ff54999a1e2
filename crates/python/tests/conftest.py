"""What the tests share: the demo's models and images, and tiny networks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import brickwork as bw
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

ASSETS = Path(__file__).parents[2] / "cli" / "assets"


def command(*words: str, cwd: Path | None = None) -> str:
    """What the command says, which must succeed."""
    line = [sys.executable, "-m", "brickwork", *words]
    done = subprocess.run(line, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `brickwork demo`."""
    folder = tmp_path_factory.mktemp("demo")
    command("demo", "--out", str(folder), "-q")
    return folder


@pytest.fixture(scope="session")
def digits() -> bw.Model:
    return bw.load(ASSETS / "digits.onnx")


@pytest.fixture(scope="session")
def pixels() -> tuple[np.ndarray, np.ndarray]:
    """A thousand images of digits, uint8 `[n, h, w]`, and their labels."""
    import gzip

    def read(name: str, start: int) -> np.ndarray:
        content = gzip.decompress((ASSETS / f"digits-t10k-{name}-ubyte.gz").read_bytes())
        return np.frombuffer(content, np.uint8, offset=start)

    labels = read("labels-idx1", 8).astype(np.int64)
    return read("images-idx3", 16).reshape(len(labels), 28, 28), labels


def tiny(classes: int = 3, side: int = 4) -> onnx.ModelProto:
    """A convolution and a mean, with weights that tell channels apart."""
    weights = np.arange(classes * 3, dtype=np.float32).reshape(classes, 3, 1, 1) / 10
    nodes = [
        helper.make_node("Conv", ["image", "weights"], ["map"], name="conv"),
        helper.make_node("Relu", ["map"], ["active"], name="relu"),
        helper.make_node("GlobalAveragePool", ["active"], ["mean"], name="pool"),
        helper.make_node("Flatten", ["mean"], ["scores"], name="flatten"),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, side, side])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", classes])],
        [numpy_helper.from_array(weights, "weights")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

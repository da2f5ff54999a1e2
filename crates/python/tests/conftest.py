"""What the tests share: the demo's models and images, and tiny networks."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--demo", type=Path, help="what `brickwork demo` wrote, if it was run already")


@pytest.fixture(scope="session")
def demo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `brickwork demo`."""
    made: Path | None = request.config.getoption("--demo")
    if made is not None:
        return made.resolve()
    folder = tmp_path_factory.mktemp("demo")
    command("demo", "--out", str(folder), "-q")
    return folder


def thinned(content: bytes) -> bytes:
    """Every fifth item of an IDX file."""
    extents = np.frombuffer(content, ">u4", content[3], offset=4)
    items = np.frombuffer(content, np.uint8, offset=4 + extents.nbytes).reshape(extents)[::5]
    return content[:4] + np.array(items.shape, ">u4").tobytes() + items.tobytes()


@pytest.fixture(scope="session")
def small(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same folder with a fifth of its images, for what does not depend on figures."""
    folder = tmp_path_factory.mktemp("small") / "brickwork-demo"
    shutil.copytree(demo, folder)
    for file in folder.glob("data/*/*-ubyte.gz"):
        file.write_bytes(gzip.compress(thinned(gzip.decompress(file.read_bytes()))))
    return folder


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """A Ray of this machine."""
    import ray

    # Workers are as urgent as the tests that wait for them.
    os.environ.update(RAY_DATA_DISABLE_PROGRESS_BARS="1", RAY_worker_niceness="0")
    ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False, object_store_memory=200 << 20)
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def digits() -> bw.Model:
    return bw.load(ASSETS / "digits.onnx")


@pytest.fixture(scope="session")
def pixels() -> tuple[np.ndarray, np.ndarray]:
    """A thousand images of digits, uint8 `[n, h, w]`, and their labels."""

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

"""The demo's job through Python gives the command's files, to the byte, and its words."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import brickwork as bw
import pytest
from conftest import command

EXAMPLES = Path(__file__).parents[3] / "examples"


def same(made: bytes, file: Path) -> None:
    assert made == file.read_bytes(), f"{file.name} differs"


def test_the_job_in_python_gives_the_files_of_the_command(demo: Path) -> None:
    data = {"low": demo / "data/digits", "shoes": demo / "data/garments", "clothes": demo / "data/garments"}
    digits, garments = bw.load(demo / "digits.onnx"), bw.load(demo / "garments.onnx")
    profiles = {model.name: model.profile(demo / "data" / model.name) for model in (digits, garments)}
    parts = []
    for name, source, classes in [
        ("low", digits, "0-4"),
        ("shoes", garments, ["sandal", "sneaker", "ankle-boot"]),
        ("clothes", garments, ["trouser", "dress", "coat"]),
    ]:
        images = demo / "data" / source.name
        part = source.disassemble(classes, profile=profiles[source.name], data=images, called=name)
        parts.append(part)
    joined = bw.assemble(*parts, called="joined")
    ready = joined.calibrate(data, called="ready")

    for name, profile in profiles.items():
        same(bytes(profile), demo / f"{name}.profile.safetensors")
    for model in [*parts, joined, ready]:
        same(bytes(model), demo / f"{model.name}.onnx")

    for model in [*parts, joined, ready]:
        assert model.made is not None and "memory:" not in repr(model)
        assert model.made.to_dict()["output"] is None
    assert ready.verify(*parts).holds
    assert garments.name == "garments" and parts[1].verify(garments).holds
    found = ready.evaluate(data, no_latency=True)
    sets = [f"--data={name}={path}" for name, path in data.items()]
    told = command("eval", str(demo / "ready.onnx"), *sets, "--no-latency")
    assert repr(found) == told.rstrip("\n")
    assert found.accuracy_per_image > 90
    assert set(found.accuracy_per_class) == set(ready.classes)


def test_options_reach_the_verb_as_the_command_line_gives_them(small: Path, tmp_path: Path) -> None:
    images = str(small / "data/digits")
    words = ["--samples", "7", "--classes", "1,2", "--threads", "1", "--seed", "3", "-q"]
    line = ["profile", str(small / "digits.onnx"), "--data", images, "-o", str(tmp_path / "p"), *words]
    command(*line)
    model = bw.load(small / "digits.onnx")
    profile = model.profile(images, samples=7, classes=[1, 2], threads=1, seed=3)
    same(bytes(profile), tmp_path / "p")
    assert [entry["class"] for entry in profile.header["samples"]] == [1, 2]

    args = ["--profile", str(tmp_path / "p"), "--classes", "2", "--refit", "none", "--alpha-conv", "0.2"]
    command("disassemble", str(small / "digits.onnx"), *args, "-o", str(tmp_path / "two.onnx"), "-q")
    two = model.disassemble(2, profile=profile, refit="none", alpha_conv=0.2, called="two")
    same(bytes(two), tmp_path / "two.onnx")


def test_train_and_distill_give_the_models_of_the_command(small: Path, tmp_path: Path) -> None:
    images = str(small / "data/digits")
    run = ["--data", images, "--epochs", "1", "--samples", "10", "--batch", "16", "-q"]
    options = {"epochs": 1, "samples": 10, "batch": 16}
    command("train", "--arch", "lenet5", *run, "-o", str(tmp_path / "net.onnx"))
    net = bw.train("lenet5", images, epochs=1, samples=10, batch=16, called="net")
    same(bytes(net), tmp_path / "net.onnx")
    assert net.made is not None and net.made.to_dict()["images"] == options["samples"] * 9

    teacher = str(small / "digits.onnx")
    command("distill", "--teacher", teacher, "--student", "lenet5", *run, "-o", str(tmp_path / "small.onnx"))
    student = bw.distill(bw.load(teacher), "lenet5", images, epochs=1, samples=10, batch=16, called="small")
    same(bytes(student), tmp_path / "small.onnx")

    command("finetune", str(tmp_path / "net.onnx"), *run, "-o", str(tmp_path / "more.onnx"))
    more = net.finetune(images, epochs=1, samples=10, batch=16, called="more")
    same(bytes(more), tmp_path / "more.onnx")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no variable says where a user's data is")
def test_models_come_out_of_the_box(demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    command("box", "add", str(demo / "digits.onnx"), str(demo / "low.onnx"))
    model = bw.load("box:digits")
    assert (model.name, bytes(model)) == ("digits", bytes(bw.load(demo / "digits.onnx")))
    assert bw.load("box:digits/0,1,2,3,4").classes == [*"01234"]
    assert bw.assemble("box:low", model, on_duplicate="keep-both").card["parts"][0]["name"] == "low"
    with pytest.raises(bw.Error, match="there is no `gone` in the box"):
        bw.load("box:gone")


def test_the_first_example(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = runpy.run_path(str(EXAMPLES / "first_steps.py"))
    ready = example["main"](small)
    assert len(ready.classes) == 8 and [part["name"] for part in ready.card["parts"]] == ["low", "shoes"]
    assert "accuracy" in capsys.readouterr().out


def test_the_notebook(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = json.loads((EXAMPLES / "first-steps.ipynb").read_text())
    (tmp_path / "brickwork-demo").symlink_to(small)
    monkeypatch.chdir(tmp_path)
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["execution_count"] for cell in cells)
    space: dict[str, object] = {}
    for cell in cells:
        exec("".join(cell["source"]), space)
    assert bw.load("ready.onnx").classes == [*"01234", "sandal", "sneaker", "ankle-boot"]

#!/usr/bin/env python3
"""Compares scores of photographs with those of Pillow and onnxruntime, one line a comparison; exit code 1 if
any of them differs.

    cargo build --release --bins --examples
    python3 -m venv venv && venv/bin/pip install -r tests/onnxruntime/requirements.txt
    venv/bin/python tests/onnxruntime/photographs.py [MODEL.onnx ...]

Photographs of several sizes and proportions are made here, in every format, kind of pixels and EXIF
orientation. They are read, turned, resized, cropped and scored twice: by Brickwork, and as a script of
torchvision would (Pillow's `exif_transpose`, `convert("RGB")`, `resize` and `crop`, then onnxruntime).

Without a model MobileNet-v2 of fixtures/zoo is taken, with random weights. Models that are named are
taken as they are, for example EfficientNet-Lite0 with its own resizing: 256 of which 224 are kept, bicubic.

The largest difference of a score is told, as a share of the largest score, and of a probability.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

ROOT = pathlib.Path(__file__).resolve().parents[2]
ZOO = ["mobilenet_v2"]
TOLERANCE = 1e-3
SEED = 7
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
FILTERS = {"nearest": Image.NEAREST, "box": Image.BOX, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC,
           "lanczos": Image.LANCZOS}
SIZES = {"landscape": (640, 427), "portrait": (300, 451), "square": (256, 256), "small": (90, 64),
         "large": (2000, 1333)}


def photograph(width, height, rng):
    """Light that changes slowly, edges, fine texture and noise, as a camera sees them."""
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    picture = np.zeros((height, width, 3))
    for _ in range(6):
        wave, phase, colour = rng.uniform(-9, 9, 2), rng.uniform(0, 7), rng.uniform(0, 40, 3)
        picture += np.sin(x * wave[0] + y * wave[1] + phase)[..., None] * colour
    for _ in range(12):
        centre, size, colour = rng.uniform(0, 1, 2), rng.uniform(0.02, 0.2), rng.uniform(-90, 90, 3)
        inside = np.hypot(x - centre[0], y - centre[1]) < size
        picture += inside[..., None] * colour
    picture += (np.sin(x * 190) * np.sin(y * 230))[..., None] * 12 + rng.normal(0, 4, picture.shape)
    return Image.fromarray(np.clip(picture + 118, 0, 255).astype(np.uint8))


def with_orientation(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return {"exif": exif.tobytes()}


def cmyk(image):
    """Inks of which black is one, so that all four count."""
    inks = 255 - np.asarray(image)
    black = inks.min(axis=2, keepdims=True) // 2
    planes = np.concatenate([inks - black, black], axis=2)
    return Image.merge("CMYK", [Image.fromarray(plane) for plane in planes.transpose(2, 0, 1).copy()])


def kinds(image):
    """File names and how they are written: every format, kind of pixels and orientation."""
    alpha = image.copy()
    alpha.putalpha(image.convert("L"))
    palette = image.quantize(200)
    yield from [
        ("png", image, {}), ("png-grey", image.convert("L"), {}), ("png-bits", image.convert("1"), {}),
        ("png-palette", palette, {}), ("png-alpha", alpha, {}), ("png-grey-alpha", alpha.convert("LA"), {}),
        ("webp-lossless", image, {"lossless": True}), ("webp-lossy", image, {"quality": 80}),
        ("webp-alpha", alpha, {"lossless": True}),
        ("bmp", image, {}), ("bmp-palette", palette, {}), ("bmp-grey", image.convert("L"), {}),
        ("bmp-bits", image.convert("1"), {}),
        ("tif", image, {}), ("tif-lzw", image, {"compression": "tiff_lzw"}),
        ("tif-deflate", image, {"compression": "tiff_adobe_deflate"}), ("tif-grey", image.convert("L"), {}),
        ("tif-bits", image.convert("1"), {}), ("tif-alpha", alpha, {}),
        ("gif", palette, {}), ("gif-grey", image.convert("L"), {}),
        ("jpg", image, {"quality": 92}), ("jpg-444", image, {"quality": 95, "subsampling": 0}),
        ("jpg-422", image, {"quality": 85, "subsampling": 1}), ("jpg-progressive", image, {"progressive": True}),
        ("jpg-grey", image.convert("L"), {}), ("jpg-cmyk", cmyk(image), {"quality": 92}),
    ]
    for format in ("png", "jpg", "webp", "tif"):
        for orientation in range(1, 9):
            options = with_orientation(orientation) | ({"lossless": True} if format == "webp" else {})
            yield f"{format}-exif{orientation}", image, options


def ways():
    """Name, preprocessing beyond size and normalisation: crops, then filters, then proportions."""
    for name in FILTERS:
        yield f"{name}, 0.875", {"fit": "cover", "filter": name, "crop": 0.875}
    for crop in (1.0, 0.95, 0.5):
        yield f"bicubic, {crop:g}", {"fit": "cover", "filter": "bicubic", "crop": crop}
    yield "bicubic, stretched", {"fit": "stretch", "filter": "bicubic", "crop": 1.0}


def resized(image, way, size):
    """What torchvision's Resize and CenterCrop do to an image of Pillow."""
    height, width = (max(side, int(np.floor(side / way["crop"] + 0.5))) for side in size)
    if way["fit"] == "cover":
        if width * image.height >= height * image.width:
            height = max(height, width * image.height // image.width)
        else:
            width = max(width, height * image.width // image.height)
    image = image.resize((width, height), FILTERS[way["filter"]])
    top, left = round((height - size[0]) / 2.0), round((width - size[1]) / 2.0)
    return image.crop((left, top, left + size[1], top + size[0]))


class Model:
    """A model, run by onnxruntime and by Brickwork."""

    def __init__(self, path, folder, mean, std):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self.path, self.folder, self.mean, self.std = path, folder, mean, std
        self.running = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.input = self.running.get_inputs()[0]
        self.last = self.input.shape[1] not in (1, 3)
        self.size = self.input.shape[1:3] if self.last else self.input.shape[2:4]

    def theirs(self, file, way):
        image = ImageOps.exif_transpose(Image.open(file)).convert("RGB")
        pixels = np.asarray(resized(image, way, self.size), dtype="float32") / 255
        pixels = (pixels - np.float32(self.mean)) / np.float32(self.std)
        pixels = pixels if self.last else pixels.transpose(2, 0, 1)
        return self.running.run(None, {self.input.name: pixels[None].astype("float32")})[0].reshape(-1)

    def ours(self, data, way):
        preprocess = {"size": self.size, "channels": 3, "mean": self.mean, "std": self.std, "order": "rgb", **way}
        target = data.parent / "scores.bin"
        line = [self.folder / "examples/material", "score", self.path, json.dumps(preprocess), data, target]
        files = subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
        return dict(zip(files, np.fromfile(target, "float32").reshape(len(files), -1)))


def probabilities(scores):
    if (scores >= 0).all() and abs(scores.sum() - 1) < 1e-3:
        return scores
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


def write(folder):
    """Photographs of every size as PNG, and one of them in all other forms, by name of the form."""
    rng = np.random.default_rng(SEED)
    for name, (width, height) in SIZES.items():
        image = photograph(width, height, rng)
        (folder / name / "a").mkdir(parents=True)
        image.save(folder / name / "a/x.png")
        image.save(folder / name / "a/y.jpg", quality=90)
        if name == "landscape":
            forms = folder / "forms/a"
            forms.mkdir(parents=True)
            for form, picture, options in kinds(image):
                picture.save(forms / f"{form}.{form.split('-')[0]}", **options)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "target/release",
                        help="folder of the built programs [default: target/release]")
    parser.add_argument("--mean", type=float, nargs=3, default=MEAN)
    parser.add_argument("--std", type=float, nargs=3, default=STD)
    parser.add_argument("models", nargs="*", type=pathlib.Path, help="models to take as they are")
    options = parser.parse_args()
    folder, failed, compared = options.bin.resolve(), [], 0
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        write(scratch)
        models = options.models
        for name in [] if models else ZOO:
            filled = scratch / f"{name}.onnx"
            line = [folder / "examples/material", "fill", ROOT / f"fixtures/zoo/{name}.onnx", filled, str(SEED)]
            subprocess.run(line, check=True)
            models = [*models, filled]
        for path in models:
            model = Model(path, folder, options.mean, options.std)
            for how, way in ways():
                # All forms in one way, all sizes in every way.
                forms = ["forms"] if how == "bicubic, 0.875" else []
                for name in [*SIZES, *forms]:
                    for file, ours in model.ours(scratch / name, way).items():
                        theirs = model.theirs(file, way)
                        far = np.abs(ours - theirs).max() / max(1, np.abs(theirs).max())
                        chance = np.abs(probabilities(ours) - probabilities(theirs)).max()
                        holds = max(far, chance) <= TOLERANCE
                        compared += 1
                        shown = pathlib.Path(file).stem if name == "forms" else f"{name} {pathlib.Path(file).suffix[1:]}"
                        if not holds:
                            failed.append(f"{path.stem}: {how}, {shown}")
                        print(f"{'ok  ' if holds else 'FAIL'} {path.stem:24} {how:20} {shown:18} scores differ by {far:.1e} of "
                              f"the largest, probabilities by {chance:.1e}", flush=True)
    print(f"{compared} comparisons, {len(failed)} above {TOLERANCE:.0e}" + "".join(f"\n  {line}" for line in failed))
    sys.exit(1 if failed or not compared else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Networks as people have them: exports torchvision's and timm's, reads, runs and cuts them.

    cargo build --release --bins --examples
    python3 -m venv venv && venv/bin/pip install -r tests/zoo/requirements.txt
    venv/bin/python tests/zoo/zoo.py --table docs/figures/zoo.md

Every network has random weights and is exported four times: by the TorchScript exporter and by torch's default
one, with an open batch and with a batch of one. Of each export it is told whether it loads, whether its scores are
onnxruntime's (1e-4 of the largest), and whether a cut of a random half of what can be cut computes the same as the
source with those channels masked, both computed by onnxruntime. Exit code 1 if any of them does not. The last column is
what the smallest cut of all classes can do without: shares of the parameters and of the multiply-accumulates.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import onnxruntime
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOLERANCE = 1e-4
SEED = 7
FORMS = ["script-open", "script-one", "default-open", "default-one"]
HEAD = """# Networks of torchvision and timm

Random weights, exported by `tests/zoo/zoo.py`; *right* is read, scored as onnxruntime does, and cut as masked. The last
column is what the smallest cut of all classes does without. A run replaces what it tried and keeps the rest;
what is empty was not tried.
"""

TORCHVISION = """alexnet vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn squeezenet1_0 squeezenet1_1
densenet121 densenet161 densenet169 densenet201 inception_v3 googlenet shufflenet_v2_x0_5 shufflenet_v2_x1_0
shufflenet_v2_x1_5 shufflenet_v2_x2_0 mobilenet_v2 mobilenet_v3_small mobilenet_v3_large resnet18 resnet34 resnet50
resnet101 resnet152 resnext50_32x4d resnext101_32x8d resnext101_64x4d wide_resnet50_2 wide_resnet101_2 mnasnet0_5
mnasnet0_75 mnasnet1_0 mnasnet1_3 efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3 efficientnet_b4
efficientnet_b5 efficientnet_b6 efficientnet_b7 efficientnet_v2_s efficientnet_v2_m efficientnet_v2_l regnet_y_400mf
regnet_y_800mf regnet_y_1_6gf regnet_y_3_2gf regnet_y_8gf regnet_y_16gf regnet_y_32gf regnet_x_400mf regnet_x_800mf
regnet_x_1_6gf regnet_x_3_2gf regnet_x_8gf regnet_x_16gf regnet_x_32gf vit_b_16 vit_b_32 vit_l_16 vit_l_32
swin_t swin_s swin_b swin_v2_t swin_v2_s swin_v2_b convnext_tiny convnext_small convnext_base convnext_large
maxvit_t""".split()

TIMM = """vit_tiny_patch16_224 deit_tiny_patch16_224 deit3_small_patch16_224 swin_tiny_patch4_window7_224 convnext_atto
convnextv2_atto resnest14d poolformer_s12 efficientformer_l1 levit_128s edgenext_xx_small tf_efficientnetv2_b0
nf_resnet26 eca_nfnet_l0 resnet18 resnet50_gn resnet50d res2net50_26w_4s resnext26ts seresnext26d_32x4d skresnet18
ecaresnet26t cspresnet50 darknet53 dla34 dpn48b ese_vovnet19b_dw ghostnet_050 hardcorenas_a hrnet_w18_small
inception_v4 legacy_seresnet18 lcnet_035 mixer_s32_224 mixnet_s mnasnet_small mobilenetv2_035 mobilenetv3_small_050
mobilenetv4_conv_small mobilevit_xxs mobilevitv2_050 mobileone_s0 pit_ti_224 pvt_v2_b0 regnetx_002 regnety_002
repvgg_a0 rexnet_100 rexnetr_100 resmlp_12_224 selecsls42 semnasnet_075 spnasnet_100 tinynet_e tresnet_m
twins_svt_small visformer_tiny vgg11 volo_d1_224 xception41 coatnet_pico_rw_224 coat_tiny crossvit_tiny_240
fbnetc_100 fastvit_t8 gcresnext26ts gernet_s gmixer_24_224 gmlp_ti16_224 nest_tiny xcit_nano_12_p16_224
caformer_s18 convformer_s18 efficientvit_b0 cait_xxs24_224 davit_tiny focalnet_tiny_srf starnet_s1""".split()

EVERY = TORCHVISION + [f"timm:{name}" for name in TIMM]


def network(name, library):
    """The network with random weights, and the side of its images."""
    if library == "torchvision":
        import torchvision
        options = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
        if name == "googlenet":
            options["aux_logits"] = False
        model = torchvision.models.get_model(name, weights=None, **options)
        return model.eval(), 299 if name == "inception_v3" else 224
    import timm
    model = timm.create_model(name, pretrained=False).eval()
    return model, model.pretrained_cfg["input_size"][-1]


def randomise(model):
    """Statistics and scales that start as zeros or ones would hide mistakes."""
    generator = torch.Generator().manual_seed(SEED)
    for name, value in [*model.named_parameters(), *model.named_buffers()]:
        if not value.is_floating_point():
            continue
        noise = torch.rand(value.shape, generator=generator)
        if name.endswith("running_var"):
            value.data = 0.5 + noise
        elif name.endswith("running_mean"):
            value.data = noise - 0.5
        elif value.ndim <= 1 or value.unique().numel() == 1:
            value.data = value.data + 0.2 * (noise - 0.5)


def export(model, side, form, path):
    exporter, batch = form.split("-")
    images = torch.rand(2 if batch == "open" else 1, 3, side, side)
    if exporter == "script":
        axes = {"x": {0: "n"}, "y": {0: "n"}} if batch == "open" else None
        torch.onnx.export(model, (images,), path, dynamo=False, opset_version=17, input_names=["x"],
                          output_names=["y"], dynamic_axes=axes)
    else:
        shapes = ({0: torch.export.Dim("n")},) if batch == "open" else None
        torch.onnx.export(model, (images,), path, dynamo=True, dynamic_shapes=shapes, external_data=False,
                          verbose=False)


def scores(path, images):
    """onnxruntime's, one image at a time, since a file may fix the batch."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options)
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: image[None]})[0] for image in images])


def distance(a, b):
    if a.shape != b.shape or not np.isfinite(a).all():
        return float("inf")
    return float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-9))


class Ours:
    """The program built from this repository."""

    def __init__(self, folder, scratch):
        self.folder, self.scratch = folder, scratch

    def material(self, *words):
        line = [self.folder / "examples/material", *map(str, words)]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.strip() or f"exit code {done.returncode}")
        return done.stdout

    def scores(self, path, images):
        source, target = self.scratch / "images.bin", self.scratch / "scores.bin"
        images.tofile(source)
        self.material("run", path, source, target, len(images))
        return np.fromfile(target, "float32").reshape(len(images), -1)


def check(ours, path, side, scratch):
    """What is wrong with the export at `path`, and what can be cut of it."""
    found = compare(ours, path, side, scratch)
    if found["step"] is None:
        params, macs, params_left, macs_left = json.loads(ours.material("least", path))
        found["free"] = [1 - params_left / params, 1 - macs_left / macs]
    return found


def compare(ours, path, side, scratch):
    """What is wrong with the export at `path`."""
    images = np.random.default_rng(SEED).random((2, 3, side, side), dtype="float32")
    try:
        found = ours.scores(path, images)
    except RuntimeError as error:
        return {"step": "loads", "why": str(error)}
    theirs = scores(path, images)
    far = distance(found, theirs)
    if far > TOLERANCE:
        return {"step": "scores", "why": f"{far:.1e} from onnxruntime's"}
    small, masked = scratch / "small.onnx", scratch / "masked.onnx"
    try:
        classes = json.loads(ours.material("cut", path, small, masked, SEED))
        cut = distance(scores(small, images), scores(masked, images)[:, classes])
    except Exception as error:  # whatever goes wrong is the answer
        return {"step": "cut", "why": str(error), "scores": far}
    if cut > TOLERANCE:
        return {"step": "cut", "why": f"{cut:.1e} from the mask", "scores": far}
    return {"step": None, "scores": far, "cut": cut}


def free(forms):
    """Shares that can be cut, from the least to the most of all exports."""
    found = [form["free"] for form in forms.values() if "free" in form]
    texts = []
    for shares, what in zip(zip(*found), ["parameters", "MACs"]):
        low, high = (f"{100 * share:.0f}" for share in (min(shares), max(shares)))
        texts.append(f"{low if low == high else low + ' to ' + high} % of {what}")
    return ", ".join(texts)


def cell(found):
    """What the table says of one export."""
    if found["step"] is None:
        return "right"
    if found["step"] == "export":
        return "not exported"
    return f"{found['step']}: {found['why'].splitlines()[-1][:90]}".replace("|", "/")


def rows(path):
    """What earlier runs found, by network: one cell an export, and what can be cut."""
    lines = path.read_text().splitlines() if path and path.exists() else []
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return {name: row for name, *row in cells if len(row) == len(FORMS) + 1 and name != "network"}


def merged(row, forms):
    """The row of a network with what this run found in it."""
    row = row or [""] * (len(FORMS) + 1)
    cells = [cell(forms[form]) if form in forms else before for form, before in zip(FORMS, row)]
    return [*cells, free(forms) or row[-1]]


def table(known):
    """One line a network, in the order of the lists."""
    lines = [HEAD, "| network | " + " | ".join(FORMS) + " | can be cut |", "|---|" + "---|" * (len(FORMS) + 1)]
    place = {name: index for index, name in enumerate(EVERY)}
    for name in sorted(known, key=lambda name: place.get(name, len(place))):
        lines.append(f"| {name} | " + " | ".join(known[name]) + " |")
    tried = [text for row in known.values() for text in row[:-1] if text not in ("", "not exported")]
    right = sum(text == "right" for text in tried)
    lines += ["", f"{len(known)} of {len(EVERY)} networks; {right} of {len(tried)} exports load, score as onnxruntime "
              "does, and are cut as masked."]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="networks (all by default); timm's are written timm:NAME")
    parser.add_argument("--forms", nargs="*", default=FORMS, choices=FORMS)
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "target/release")
    parser.add_argument("--keep", type=pathlib.Path, help="folder for the exported files, which are used again")
    parser.add_argument("--table", type=pathlib.Path, help="file to write the results to, beside those of earlier runs")
    parser.add_argument("--export-only", action="store_true")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    names = arguments.names or EVERY
    results, known = {}, rows(arguments.table)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        folder = arguments.keep or scratch
        folder.mkdir(parents=True, exist_ok=True)
        ours = Ours(arguments.programs, scratch)
        for name in names:
            results[name] = {}
            library, _, short = name.rpartition(":")
            torch.manual_seed(SEED)
            model = None
            for form in arguments.forms:
                path = folder / f"{name.replace(':', '-')}.{form}.onnx"
                side_note = path.with_suffix(".side")
                try:
                    if not side_note.exists():
                        if model is None:
                            model, side = network(short, library or "torchvision")
                            randomise(model)
                        export(model, side, form, str(path))
                        side_note.write_text(str(side))
                except Exception as error:  # the exporter's own troubles are not ours
                    results[name][form] = {"step": "export", "why": str(error)}
                    print(f"{name} {form}: not exported: {str(error)[:100]!r}", flush=True)
                    continue
                if arguments.export_only:
                    continue
                found = check(ours, path, int(side_note.read_text()), scratch)
                results[name][form] = found
                text = "right" if found["step"] is None else f"{found['step']}: {found['why']}"
                print(f"{name} {form}: {text}", flush=True)
                if not arguments.keep:
                    path.unlink()
                    side_note.unlink()
            known[name] = merged(known.get(name), results[name])
            if arguments.table:
                arguments.table.write_text(table(known))
    print(table(known).splitlines()[-1])
    wrong = any(found["step"] not in (None, "export") for forms in results.values() for found in forms.values())
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())

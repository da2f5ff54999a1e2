"""Take trained image classifiers apart and build new ones from their components, without training.

>>> import brickwork as bw
>>> model = bw.load("resnet20.onnx")
>>> profile = model.profile("cifar-10-batches-bin")
>>> pets = model.disassemble(["cat", "dog"], profile=profile, data="cifar-10-batches-bin")
>>> pets.evaluate("cifar-10-batches-bin")
>>> pets.save("pets.onnx")
"""

from __future__ import annotations

from brickwork import _verbs as answers
from brickwork._answer import Answer
from brickwork._errors import (
    ClassesError,
    DataError,
    Error,
    FileError,
    GraphError,
    ModelError,
    OptionsError,
    ProfileError,
    ReadError,
    RequestError,
    RunError,
    StoppedError,
    TooSmallError,
    TrainingError,
    WriteError,
)
from brickwork._images import Images, images
from brickwork._model import Model, Profile, load, load_profile
from brickwork._verbs import assemble, distill, init, probe, train
from brickwork._work import Partial, Work

__all__ = [
    "Answer",
    "ClassesError",
    "DataError",
    "Error",
    "FileError",
    "GraphError",
    "Images",
    "Model",
    "ModelError",
    "OptionsError",
    "Partial",
    "Profile",
    "ProfileError",
    "ReadError",
    "RequestError",
    "RunError",
    "StoppedError",
    "TooSmallError",
    "TrainingError",
    "Work",
    "WriteError",
    "answers",
    "assemble",
    "distill",
    "images",
    "init",
    "load",
    "load_profile",
    "probe",
    "train",
]

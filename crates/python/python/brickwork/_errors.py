"""What can go wrong."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from brickwork import _native


class Error(Exception):
    """What went wrong, in the command's words, and what it is about."""

    kind: str
    """A word for the kind of error, that programs may rely on."""
    problems: list[dict[str, str]]
    """What is wrong with which option, where a request could not be fulfilled."""
    node: str | None
    """The node of the network that it is about."""
    layer: str | None
    """The weighted layer that it is about."""
    class_name: str | None
    """The class that it is about."""
    hint: str | None
    """What can be done about it, if that goes beyond the message."""

    def __init__(self, message: str, about: dict[str, Any] | None = None) -> None:
        about = about or {}
        super().__init__(message, about)
        self.message = message
        self.kind = about.get("kind", "options")
        self.problems = about.get("problems", [])
        self.node = about.get("node")
        self.layer = about.get("layer")
        self.class_name = about.get("class")
        self.hint = about.get("hint")

    def __str__(self) -> str:
        return f"{self.message}\n\nhint: {self.hint}" if self.hint else self.message


class ReadError(Error):
    """A model's file cannot be read."""


class WriteError(Error):
    """A file cannot be written."""


class DataError(Error):
    """Images or labels are wrong."""


class RunError(Error):
    """A network cannot run."""


class GraphError(Error):
    """An edit would break the network."""


class ModelError(Error):
    """The model is not what the verb works on."""


class ClassesError(Error):
    """Classes cannot be told."""


class ProfileError(Error):
    """A profile does not fit."""


class FileError(Error):
    """A file of the project's own cannot be laid out, read or used."""


class TrainingError(Error):
    """Training went wrong."""


class OptionsError(Error, ValueError):
    """Options contradict each other, the model or the data."""


class RequestError(OptionsError):
    """All that is wrong with a request."""


class TooSmallError(Error):
    """No choice of channels is as small as was asked for."""


class StoppedError(Error):
    """The work was stopped."""


_KINDS: dict[str, type[Error]] = {
    "read": ReadError,
    "write": WriteError,
    "data": DataError,
    "run": RunError,
    "graph": GraphError,
    "model": ModelError,
    "classes": ClassesError,
    "profile": ProfileError,
    "file": FileError,
    "training": TrainingError,
    "options": OptionsError,
    "too-small": TooSmallError,
    "request": RequestError,
    "stopped": StoppedError,
}


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Raises what goes wrong inside as an `Error` of its kind."""
    try:
        yield
    except _native.Failure as failure:
        about = json.loads(failure.args[0])["error"]
        raise _KINDS.get(about["kind"], Error)(about["message"], about) from None

"""Answers of verbs."""

from __future__ import annotations

import functools
import json
import keyword
import types
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from brickwork import _native

if TYPE_CHECKING:
    import pandas

A = TypeVar("A", bound="Answer")


class Answer:
    """What a verb answers, or a part of it: fields are attributes. Its text is the command's, its look in a notebook that
    of the command's pages."""

    def __init__(self, fields: Mapping[str, Any], text: str = "", html: str = "") -> None:
        self._fields = dict(fields)
        self._text, self._html = text, html
        for name, hint in _hints(type(self)).items():  # type: ignore[arg-type]
            setattr(self, name, _read(hint, fields.get(_field(name))))

    @classmethod
    def from_native(cls: type[A], found: _native.Answered) -> A:
        """What was answered."""
        return cls(json.loads(found.json), found.text, found.html)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain dictionaries, lists, text and numbers: what `--json` prints."""
        return self._fields

    def to_pandas(self, field: str | None = None) -> pandas.DataFrame:
        """The table that it holds in `field`: a row for every item, or every name with its value.

        Without `field`, the first that is a table.
        """
        import pandas

        tables = {name: rows for name, value in self._fields.items() if (rows := _rows(value))}
        field = next(iter(tables), None) if field is None else field
        if field not in tables:
            known = ", ".join(tables) or "none"
            raise TypeError(f"{type(self).__name__} has no table {field or ''}; its tables: {known}")
        frame: pandas.DataFrame = pandas.DataFrame(tables[field])
        return frame

    def __str__(self) -> str:
        return self._text.rstrip("\n") or repr(self)

    def __repr__(self) -> str:
        if self._text:
            return self._text.rstrip("\n")
        fields = ", ".join(f"{name}={_short(value)}" for name, value in self._fields.items())
        return f"{type(self).__name__}({fields})"

    def _repr_html_(self) -> str:
        return _native.within(self._html or _native.fields(type(self).__name__, json.dumps(self._fields)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Answer) and type(self) is type(other) and self.to_dict() == other.to_dict()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._fields, self._text, self._html)


class Predicted(Answer):
    """Answers to images, each with the likeliest class and its score."""

    @property
    def labels(self) -> list[str | None]:
        """The likeliest class of every image; none if it could not be read."""
        return [first and first["class"] for first in self._first()]

    @property
    def scores(self) -> list[float | None]:
        """The score of that class, from 0 to 1."""
        return [first and first["score"] for first in self._first()]

    def _first(self) -> list[Any]:
        return [next(iter(image["classes"]), None) for image in self._fields["images"]]


def _field(name: str) -> str:
    """What a field is called in the answer whose attribute is `name`."""
    return name[:-1] if keyword.iskeyword(name[:-1]) else name


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _read(hint: Any, value: Any) -> Any:
    """What an answer holds as what its class says it is."""
    kinds = get_args(hint)
    if get_origin(hint) in (Union, types.UnionType):
        fitting = [kind for kind in kinds if kind is not type(None) and _fits(kind, value)]
        return _read(fitting[0], value) if fitting else value
    if get_origin(hint) is list and isinstance(value, list):
        return [_read(kinds[0], item) for item in value]
    if get_origin(hint) is dict and isinstance(value, dict):
        return {name: _read(kinds[1], item) for name, item in value.items()}
    if isinstance(hint, type) and issubclass(hint, Answer) and isinstance(value, dict):
        return hint(value)
    return value


def _fits(kind: Any, value: Any) -> bool:
    if isinstance(kind, type) and issubclass(kind, Answer):
        return isinstance(value, dict)
    if get_origin(kind) is Literal:
        return value in get_args(kind) if isinstance(value, str) else False
    return isinstance(value, get_origin(kind) or object)


def _rows(value: Any) -> list[dict[str, Any]]:
    """Rows of a table, if that is what `value` is."""
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return list(value)
    if isinstance(value, dict) and value:
        if all(isinstance(item, dict) for item in value.values()):
            return [{"name": name, **item} for name, item in value.items()]
        if all(isinstance(item, (int, float)) for item in value.values()):
            return [{"name": name, "value": item} for name, item in value.items()]
    return []


def _short(value: Any) -> str:
    if isinstance(value, (list, dict)) and len(value) > 6:
        return f"<{len(value)} items>"
    return repr(value)

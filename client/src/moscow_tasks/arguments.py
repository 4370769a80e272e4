"""The arguments of a task on the command line, read by the JSON Schema of its type.

`key=value` gives a field by name. Other values go to the first field that is an array, or else
to the fields in their order.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from moscow_tasks import exact_json

Schema = Mapping[str, Any]


class ArgumentError(ValueError):
    """The arguments do not fit the type."""


def parse(schema: Schema, words: Sequence[str]) -> dict[str, Any]:
    """Return the `input_data` that the words stand for. Raises ArgumentError."""
    forms = _forms(schema)
    named, values = _split(forms, words)
    fitting = [form for form in forms if form.takes(named, values)]
    if not fitting:
        wrong = f"{_list(named)} cannot go together" if named else "There are too many values"
        names = list(dict.fromkeys(name for form in forms for name in form.fields))
        raise ArgumentError(f"{wrong}: {_known(names)}.")
    return fitting[0].read(named, values)


def usages(schema: Schema) -> list[str]:
    """Return how the arguments are written, one line for each form of the input."""
    return [form.usage() for form in _forms(schema)]


@dataclass(frozen=True)
class _Form:
    """One form of the input: its fields in their order."""

    fields: Mapping[str, Schema]
    required: Sequence[str]

    @property
    def array(self) -> str | None:
        """The first field that is an array."""
        return next((name for name, one in self.fields.items() if _is_array(one)), None)

    def free(self, named: Mapping[str, Any]) -> list[str]:
        """Return the fields that values without a name can go to."""
        if self.array:
            return [] if self.array in named else [self.array]
        return [name for name in self.fields if name not in named]

    def takes(self, named: Mapping[str, Any], values: Sequence[str]) -> bool:
        room = self.free(named)
        return named.keys() <= self.fields.keys() and (
            len(values) <= len(room) or bool(self.array and room)
        )

    def read(self, named: Mapping[str, list[str]], values: Sequence[str]) -> dict[str, Any]:
        given = {name: _read_field(name, self.fields[name], texts) for name, texts in named.items()}
        if values and self.array:
            items = self.fields[self.array].get("items", {})
            given[self.array] = [_typed(self.array, items, text) for text in values]
        else:
            for name, text in zip(self.free(named), values, strict=False):
                given[name] = _typed(name, self.fields[name], text)
        if missing := [name for name in self.required if name not in given]:
            raise ArgumentError(f"{_list(missing)} is missing: write {self.usage()}")
        return given

    def usage(self) -> str:
        return " ".join(self._usages())

    def _usages(self) -> Iterator[str]:
        for name, schema in self.fields.items():
            if name == self.array:
                text = f"{_word(schema.get('items', {}))}..."
            else:
                text = f"{name}={_word(schema)}"
            yield text if name in self.required else f"[{text}]"


def _forms(schema: Schema) -> list[_Form]:
    whole = _resolved(schema, schema)
    found = [_resolved(schema, one) for one in whole.get("anyOf", whole.get("oneOf", [whole]))]
    return [
        _Form(
            {name: _resolved(schema, one) for name, one in form.get("properties", {}).items()},
            form.get("required", []),
        )
        for form in found
    ]


def _resolved(document: Schema, schema: Schema) -> dict[str, Any]:
    """Return a schema, and that of its items, without references to the document."""
    if "$ref" in schema:
        found = document
        for part in schema["$ref"].split("/")[1:]:
            found = found[part]
        return _resolved(document, found)
    items = {"items": _resolved(document, schema["items"])} if "items" in schema else {}
    return {**schema, **items}


def _split(forms: Sequence[_Form], words: Sequence[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Part `key=value` from values without a name. Raises ArgumentError for unknown names."""
    names = list(dict.fromkeys(name for form in forms for name in form.fields))
    named: dict[str, list[str]] = {}
    values = []
    for word in words:
        name, equals, text = word.partition("=")
        if word.startswith("--"):
            raise ArgumentError(f'There is no option "{name}".')
        if not equals:
            values.append(word)
        elif name in names:
            named.setdefault(name, []).append(text)
        else:
            raise ArgumentError(f'There is no field "{name}".{_suggest(name, names)}')
    return named, values


def _suggest(name: str, names: Sequence[str]) -> str:
    if close := difflib.get_close_matches(name, names, 1):
        return f' Did you mean "{close[0]}"?'
    return f" {_known(names)}.".replace(" t", " T", 1)


def _known(names: Sequence[str]) -> str:
    return f"the fields are {', '.join(names)}" if names else "this type takes no fields"


def _read_field(name: str, schema: Schema, texts: Sequence[str]) -> Any:
    """Read a field by name; one that is an array may be given several times, or as JSON."""
    if _is_array(schema) and not texts[0].lstrip().startswith("["):
        return [_typed(name, schema.get("items", {}), text) for text in texts]
    if len(texts) > 1:
        raise ArgumentError(f"{name} is given {len(texts)} times.")
    return _typed(name, schema, texts[0])


def _typed(name: str, schema: Schema, text: str) -> Any:
    """Return a text as the type that the schema asks for. Raises ArgumentError."""
    for kind in _kinds(schema):
        try:
            value = _READERS[kind](text)
        except ValueError:
            continue
        if value in schema.get("enum", [value]):
            return value
    if choices := schema.get("enum"):
        raise ArgumentError(f'{name} is one of {", ".join(map(str, choices))}, not "{text}".')
    raise ArgumentError(f'{name} takes {_word(schema).lower()}, not "{text}".')


def _kinds(schema: Schema) -> list[str]:
    """Return the types that a value may have, the strictest first."""
    nested = [kind for one in schema.get("anyOf", []) for kind in _kinds(one)]
    own = schema.get("type", nested or list(_READERS))
    own = [own] if isinstance(own, str) else own
    return [kind for kind in _READERS if kind in own]


def _word(schema: Schema) -> str:
    """Return what stands for a value of the schema."""
    kinds = [kind for kind in _kinds(schema) if kind != "null"]
    if choices := schema.get("enum"):
        return "|".join(map(str, choices))
    return "VALUE" if len(kinds) == len(_READERS) - 1 else "|".join(kinds).upper()


def _is_array(schema: Schema) -> bool:
    return "array" in _kinds(schema) and "string" not in _kinds(schema)


def _json(*kinds: type) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        value = exact_json.loads(text)
        if type(value) not in kinds:
            raise ValueError(text)
        return value

    return read


#: From the strictest to the one that takes anything.
_READERS: dict[str, Callable[[str], Any]] = {
    "null": _json(type(None)),
    "boolean": _json(bool),
    "integer": _json(int),
    "number": _json(int, Decimal),
    "array": _json(list),
    "object": _json(dict),
    "string": str,
}


def _list(names: Iterable[str]) -> str:
    return " and ".join(names)

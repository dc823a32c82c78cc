"""What client generators need of the OpenAPI document, done once for all of its schemas.

Generated from the document as Pydantic writes it, a Go client did not compile, and Kotlin and Swift named types that do
not exist. `tests/architecture/test_generators.py` holds each cause, and `tests/clients` runs two generated clients.
"""

from collections.abc import Iterator
from typing import Any

INT32_MAX = 2**31 - 1
# Texts that are not schemas: nothing in them is changed.
NOT_SCHEMAS = frozenset({"example", "examples", "default", "enum", "mapping"})
REFERENCE = "#/components/schemas/"

Schema = dict[str, Any]


def prepare(document: dict[str, Any]) -> None:
    """Change every schema of `document` into one that generators can use.

    Enumerations stand where they are used: as components they have Python's names, and Go declares their values twice.
    In answers they are open, because they may grow: a closed one makes yesterday's client refuse tomorrow's answer.
    Only what tells the members of a union apart stays closed. Integers have a format and bounds that fit into it.
    """
    schemas = document["components"]["schemas"]
    answered = reachable(document, _answers(document))
    enumerations = {name: schemas.pop(name) for name in sorted(schemas) if "enum" in schemas[name]}
    for schema in _schemas(document):
        _inline(schema, enumerations)
        _type_always_null(schema)
        _bound_integer(schema)
        _drop_null_body(schema)
    told_apart = _discriminators(document)
    for name in answered - enumerations.keys():
        for member, schema in schemas[name].get("properties", {}).items():
            if (name, member) not in told_apart:
                _open_enumerations(schema)


def reachable(document: dict[str, Any], parts: Iterator[Any]) -> set[str]:
    """Return the names of the schemas to which these parts of `document` refer, directly or through others."""
    found: set[str] = set()
    waiting = list(parts)
    while waiting:
        for schema in _schemas(waiting.pop()):
            name = str(schema.get("$ref", "")).removeprefix(REFERENCE)
            if name in document["components"]["schemas"] and name not in found:
                found.add(name)
                waiting.append(document["components"]["schemas"][name])
    return found


def _answers(document: dict[str, Any]) -> Iterator[Any]:
    yield document["components"].get("responses", {})
    for methods in document["paths"].values():
        for operation in methods.values():
            yield operation["responses"]


def _schemas(part: Any) -> Iterator[Schema]:
    """Yield every object within `part`, the outer ones first."""
    if isinstance(part, dict):
        yield part
        for name, inner in part.items():
            if name not in NOT_SCHEMAS:
                yield from _schemas(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _schemas(inner)


def _inline(schema: Schema, enumerations: dict[str, Schema]) -> None:
    """Put an enumeration in the place of a reference to it. What is said of it here goes before what is said there."""
    reference = schema.get("$ref")
    if isinstance(reference, str) and (found := enumerations.get(reference.removeprefix(REFERENCE))):
        del schema["$ref"]
        for name, value in found.items():
            schema.setdefault(name, value)


def _type_always_null(schema: Schema) -> None:
    """Give a member that is always null (`next` of a list that is whole) a type that every language has."""
    for member in schema.get("properties", {}).values():
        if member.get("type") == "null":
            del member["type"]
            member |= {"anyOf": [{"type": "string"}, {"type": "null"}], "examples": [None]}


def _bound_integer(schema: Schema) -> None:
    """Give an integer its format, and bounds that are themselves numbers of that format."""
    if schema.get("type") != "integer":
        return
    if "exclusiveMaximum" in schema:
        schema["maximum"] = int(schema.pop("exclusiveMaximum")) - 1
    if "exclusiveMinimum" in schema:
        schema["minimum"] = int(schema.pop("exclusiveMinimum")) + 1
    is_small = schema.get("maximum", INT32_MAX + 1) <= INT32_MAX
    schema.setdefault("format", "int32" if is_small else "int64")


def _drop_null_body(schema: Schema) -> None:
    """Describe an optional body as one that may be left out: `null` as a body has no type."""
    body = schema.get("requestBody")
    if isinstance(body, dict):
        described = body["content"]["application/json"]
        kinds = [kind for kind in described["schema"].get("anyOf", ()) if kind != {"type": "null"}]
        if len(kinds) == 1:
            described["schema"] = kinds[0]


def _discriminators(document: dict[str, Any]) -> set[tuple[str, str]]:
    """Return the members that tell the schemas of a union apart, each as the schema's and its own name."""
    return {
        (reference.removeprefix(REFERENCE), schema["discriminator"]["propertyName"])
        for schema in _schemas(document)
        if "mapping" in schema.get("discriminator", ())
        for reference in schema["discriminator"]["mapping"].values()
    }


def _open_enumerations(member: Schema) -> None:
    """Let a text have other values than those that are listed.

    `x-extensible-enum` is what every generator that was tried makes a plain text of. With an `anyOf` of the enumeration
    and a text, Go and Kotlin get a class of their own for each, and TypeScript a plain text as well.
    """
    for schema in _schemas(member):
        values = schema.pop("enum", None) or ([schema.pop("const")] if "const" in schema else None)
        if values is None:
            continue
        schema["x-extensible-enum"] = values
        schema.setdefault("examples", values[:1])
        listed = ", ".join(f"`{value}`" for value in values)
        said = schema["description"].rstrip(".") + ". " if "description" in schema else ""
        schema["description"] = f"{said}One of {listed}; there may be more later"

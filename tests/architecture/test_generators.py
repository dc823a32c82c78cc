"""What client generators cannot take does not come into the OpenAPI document: each test holds one cause."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from forum.api.generators import REFERENCE, prepare, reachable
from tests.architecture.test_openapi import document, operations

INT32_MAX = 2**31 - 1
MAXIMA = {"int32": INT32_MAX, "int64": 2**63 - 1}


def placed_schemas(part: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of the document, but for examples, and where it stands."""
    if isinstance(part, dict):
        yield place, part
        for name, inner in part.items():
            if name not in {"example", "examples", "default"}:
                yield from placed_schemas(inner, f"{place}/{name}")
    elif isinstance(part, list):
        for number, inner in enumerate(part):
            yield from placed_schemas(inner, f"{place}/{number}")


def schemas() -> dict[str, dict[str, Any]]:
    """The document's named schemas."""
    named: dict[str, dict[str, Any]] = document()["components"]["schemas"]
    return named


def asked() -> set[str]:
    """The names of the schemas that requests have."""
    return reachable(document(), (operation.get("requestBody") for _, _, operation in operations()))


def answered() -> set[str]:
    """The names of the schemas that answers have."""
    return reachable(document(), (operation["responses"] for _, _, operation in operations()))


def unions() -> list[tuple[str, dict[str, Any]]]:
    """Every choice between schemas, and where it stands."""
    return [(place, schema) for place, schema in placed_schemas(document()) if "oneOf" in schema]


def discriminators() -> set[str]:
    """Where the members stand by which the schemas of unions are told apart."""
    return {
        f"{choice['$ref'].removeprefix('#')}/properties/{union['discriminator']['propertyName']}"
        for _, union in unions()
        for choice in union["oneOf"]
    }


# Types


def test_nothing_is_always_null() -> None:
    alone = [p for p, s in placed_schemas(document()) if s.get("type") == "null" and not re.search(r"/anyOf/\d+$", p)]
    assert alone == []


def test_a_number_has_a_format_into_which_its_bounds_fit() -> None:
    integers = {p: s for p, s in placed_schemas(document()) if s.get("type") == "integer"}
    assert len(integers) > 50
    assert [p for p, schema in integers.items() if schema.get("format") not in MAXIMA] == []
    assert [p for p, s in integers.items() if s.get("maximum", 0) > MAXIMA[s["format"]]] == []
    assert [p for p, schema in integers.items() if schema.keys() & {"exclusiveMaximum", "exclusiveMinimum"}] == []


def test_a_body_that_may_be_left_out_is_not_null() -> None:
    bodies = [operation["requestBody"] for _, _, operation in operations() if "requestBody" in operation]
    assert [body for body in bodies if "$ref" not in body["content"]["application/json"]["schema"]] == []


# Names


def test_a_schema_has_a_name_of_ours() -> None:
    # Pydantic writes `forum__privacy__tables__Reason` for two classes of one name, and `Reason-Input` for one that is
    # both asked and answered.
    assert [name for name in schemas() if not re.fullmatch(r"([A-Z][a-z0-9]+)+", name)] == []
    assert asked() & answered() == set()


@pytest.mark.parametrize("prefix", ["New", "Nullable", "Api"])
def test_a_schema_is_not_named_like_the_code_that_generators_make(prefix: str) -> None:
    # Go makes `NewThread()` for `Thread`: call the body of a request `ThreadRequest`.
    assert [name for name in schemas() if re.match(rf"{prefix}[A-Z]", name)] == []


def test_no_schema_has_the_name_of_another_or_of_what_is_made_for_an_operation() -> None:
    plain = [name.lower() for name in schemas()]
    assert len(plain) == len(set(plain))
    called = {operation["operationId"].replace("_", "") for _, _, operation in operations()}
    made = {f"{name}{ending}" for name in called for ending in ("request", "response")}
    assert set(plain) & made == set()


# Enumerations


def test_an_enumeration_stands_where_it_is_used() -> None:
    assert [
        name for name, schema in schemas().items() if schema.get("type") != "object" and "oneOf" not in schema
    ] == []


def test_an_answer_may_have_values_that_nobody_knows_yet() -> None:
    closed = {
        f"/components/schemas/{name}{place}"
        for name in answered()
        for place, schema in placed_schemas(schemas()[name])
        if schema.keys() & {"enum", "const"}
    }
    assert closed <= discriminators()
    known = [s["x-extensible-enum"] for _, s in placed_schemas(document()) if "x-extensible-enum" in s]
    assert ["open", "locked"] in known


def test_a_request_may_have_only_the_values_that_there_are() -> None:
    opened = [name for name in asked() for _, s in placed_schemas(schemas()[name]) if "x-extensible-enum" in s]
    assert opened == []
    assert schemas()["InvitationWish"]["properties"]["role"]["enum"]


# Unions


@pytest.mark.parametrize(("place", "union"), unions(), ids=[place for place, _ in unions()])
def test_one_value_tells_which_schema_it_is(place: str, union: dict[str, Any]) -> None:
    told = union["discriminator"]
    assert {choice["$ref"] for choice in union["oneOf"]} == set(told["mapping"].values())
    for value, reference in told["mapping"].items():
        member = schemas()[reference.removeprefix(REFERENCE)]
        closed = member["properties"][told["propertyName"]]
        assert value in closed.get("enum", [closed.get("const")])
        assert told["propertyName"] in member["required"]


def test_there_is_no_choice_without_such_a_value() -> None:
    for place, schema in placed_schemas(document()):
        choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
        assert len(choices) <= 1, place
        assert "allOf" not in schema, place


# The mechanism


def test_what_generators_cannot_take_is_changed() -> None:
    whole: dict[str, Any] = {
        "paths": {
            "/things": {
                "put": {
                    "requestBody": {
                        "content": {
                            "application/json": {"schema": {"anyOf": [{"$ref": f"{REFERENCE}Wish"}, {"type": "null"}]}}
                        }
                    },
                    "responses": {"200": {"schema": {"$ref": f"{REFERENCE}Things"}}},
                }
            }
        },
        "components": {
            "schemas": {
                "a__Colour": {"type": "string", "enum": ["red", "blue"], "description": "A colour"},
                "Wish": {"properties": {"colour": {"$ref": f"{REFERENCE}a__Colour", "description": "Which"}}},
                "Things": {
                    "properties": {
                        "colours": {"type": "array", "items": {"$ref": f"{REFERENCE}a__Colour"}},
                        "kind": {"type": "string", "const": "thing"},
                        "count": {"type": "integer", "minimum": 0},
                        "place": {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 2**31},
                        "next": {"type": "null", "description": "Always null"},
                    }
                },
            }
        },
    }
    prepare(whole)
    assert whole["paths"]["/things"]["put"]["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": f"{REFERENCE}Wish"
    }
    assert whole["components"]["schemas"] == {
        "Wish": {"properties": {"colour": {"type": "string", "enum": ["red", "blue"], "description": "Which"}}},
        "Things": {
            "properties": {
                "colours": {
                    "type": "array",
                    "items": {
                        "type": "string",
                        "x-extensible-enum": ["red", "blue"],
                        "examples": ["red"],
                        "description": "A colour. One of `red`, `blue`; there may be more later",
                    },
                },
                "kind": {
                    "type": "string",
                    "x-extensible-enum": ["thing"],
                    "examples": ["thing"],
                    "description": "One of `thing`; there may be more later",
                },
                "count": {"type": "integer", "minimum": 0, "format": "int64"},
                "place": {"type": "integer", "minimum": 1, "maximum": INT32_MAX, "format": "int32"},
                "next": {
                    "anyOf": [{"type": "string"}, {"type": "null"}],
                    "examples": [None],
                    "description": "Always null",
                },
            }
        },
    }

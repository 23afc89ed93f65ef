"""Contracts only grow: what a newer JSON Schema would break for those who read, or wrote, by the older one."""

from itertools import chain
from typing import Any

Schema = dict[str, Any]

_AT_LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_AT_MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_SHAPES = ("pattern", "format", "const")


def breaks(old: Schema, new: Schema) -> list[str]:
    """Every way in which `new` takes something away from `old`, with the path to it; [] when it only adds."""
    return list(_breaks(old, new, (old.get("$defs", {}), new.get("$defs", {})), ""))


def _breaks(old: Schema, new: Schema, defs: tuple[Schema, Schema], path: str) -> list[str]:
    old, new = _resolved(old, defs[0]), _resolved(new, defs[1])
    if "anyOf" in old:
        return list(chain.from_iterable(_breaks(branch, new, defs, path) for branch in old["anyOf"]))
    if "anyOf" in new:
        alike = [branch for branch in new["anyOf"] if _resolved(branch, defs[1]).get("type") == old.get("type")]
        return min((_breaks(old, branch, defs, path) for branch in alike or new["anyOf"]), key=len)
    found = [f"{path or '/'}: {problem}" for problem in _narrowed(old, new)]
    for name, child in old.get("properties", {}).items():
        if name in new.get("properties", {}):
            found += _breaks(child, new["properties"][name], defs, f"{path}/{name}")
        else:
            found.append(f"{path}/{name}: removed")
    for name in sorted({*old.get("required", ())} ^ {*new.get("required", ())}):
        added = name in new.get("required", ())
        if added or name in new.get("properties", {}):
            found.append(f"{path}/{name}: {'required from now on' if added else 'no longer sure to be there'}")
    for keyword in ("items", "additionalProperties", "propertyNames"):
        if keyword in new or keyword in old:
            found += _breaks(_open(old, keyword), _open(new, keyword), defs, f"{path}/{keyword}")
    return found


def _resolved(schema: Schema, defs: Schema) -> Schema:
    while "$ref" in schema:
        schema = defs[schema["$ref"].removeprefix("#/$defs/")]
    return schema


def _open(schema: Schema, keyword: str) -> Schema:
    """A keyword's schema, where what is not said, or said to be true, allows everything, and false nothing."""
    child = schema.get(keyword, True)
    return child if isinstance(child, dict) else {} if child else {"enum": []}


def _narrowed(old: Schema, new: Schema) -> list[str]:
    found = []
    if "type" in new and new["type"] != old.get("type") and (old.get("type"), new["type"]) != ("integer", "number"):
        found.append(f"type {old.get('type', 'any')} became {new['type']}")
    if "enum" in new and (lost := _missing(old.get("enum"), new["enum"])):
        found.append(f"enum lost {lost}")
    found += [f"{k} {old.get(k)} became {new[k]}" for k in _AT_LEAST if k in new and new[k] > old.get(k, float("-inf"))]
    found += [f"{k} {old.get(k)} became {new[k]}" for k in _AT_MOST if k in new and new[k] < old.get(k, float("inf"))]
    found += [f"{k} {old.get(k)} became {new[k]}" for k in _SHAPES if k in new and new[k] != old.get(k)]
    return found


def _missing(old: list[Any] | None, new: list[Any]) -> str:
    return "all other values" if old is None else ", ".join(str(value) for value in old if value not in new)

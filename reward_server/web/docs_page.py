"""`GET /docs`: the OpenAPI document as a page that needs neither the internet nor scripts.

Each path stands once, by its tag, with its parameters; each body and each reply once, below them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from fastapi import Response

from reward_server.web.html_page import filled, html_response, marked, text

Schema = dict[str, Any]
Operation = tuple[str, str, dict[str, Any]]
"""Path, method, what the document says of it."""
_PARAMETERS = (
    "<table><thead><tr><th>parameter</th><th>type</th><th>default</th><th>meaning</th></tr></thead>"
    "<tbody>{}</tbody></table>"
)
_FIELDS = "<table><thead><tr><th>field</th><th>type</th><th>meaning</th></tr></thead><tbody>{}</tbody></table>"


def docs_page(document: dict[str, Any]) -> Response:
    """The page of an OpenAPI document whose operations have tags, ids and summaries."""
    info, tags = document["info"], document["tags"]
    first = _first_with(document)
    by_tag = {tag["name"]: list(_operations(document, tag["name"])) for tag in tags}
    errors = {status: answer["description"] for each in by_tag.values() for status, answer in _errors(each)}
    body = filled(
        "docs.html",
        title=text(info["title"]),
        summary=text(info["summary"]),
        version=text(info["version"]),
        contents="\n".join(_contents(name, operations) for name, operations in by_tag.items()),
        sections="\n".join(_section(tag, by_tag[tag["name"]], first) for tag in tags),
        schemas="\n".join(_schema(*each) for each in document["components"]["schemas"].items()),
        errors="\n".join(f"<tr><td>{text(each)}</td><td>{marked(errors[each])}</td></tr>" for each in sorted(errors)),
    )
    return html_response(f"{info['title']}: paths", body)


def _first_with(document: dict[str, Any]) -> dict[str, Operation]:
    """By parameters, as JSON, the first operation that has them: they stand there, and the others refer to it."""
    first: dict[str, Operation] = {}
    for tag in document["tags"]:
        for each in _operations(document, tag["name"]):
            first.setdefault(json.dumps(each[2].get("parameters")), each)
    return first


def _operations(document: dict[str, Any], tag: str) -> Iterator[Operation]:
    """Those of a tag, in the document's order."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if tag in operation["tags"]:
                yield path, method.upper(), operation


def _errors(operations: Iterable[Operation]) -> Iterator[tuple[str, dict[str, Any]]]:
    for _, _, operation in operations:
        yield from ((status, answer) for status, answer in operation["responses"].items() if status != "200")


def _contents(tag: str, operations: Iterable[Operation]) -> str:
    links = [f'<li><a href="#{text(op["operationId"])}">{text(path)}</a></li>' for path, _, op in operations]
    return f'<li><a href="#{text(tag)}">{text(tag)}</a><ul>{"".join(links)}</ul></li>'


def _section(tag: dict[str, str], operations: Iterable[Operation], first: dict[str, Operation]) -> str:
    shown = "\n".join(_operation(*each, first[json.dumps(each[2].get("parameters"))]) for each in operations)
    return f'<h2 id="{text(tag["name"])}">{text(tag["name"])}</h2>\n<p>{marked(tag["description"])}</p>\n{shown}'


def _operation(path: str, method: str, operation: dict[str, Any], first: Operation) -> str:
    """`first`: the operation where its parameters stand."""
    head = f'<code><span class="method">{method}</span> {text(path)}</code>'
    return "\n".join(
        [
            f'<h3 id="{text(operation["operationId"])}">{head}</h3>',
            f"<p>{marked(operation['summary'])}</p>",
            *_content("Body", operation.get("requestBody", {})),
            *_content("Reply", operation["responses"].get("200", {})),
            _parameters(operation, first),
        ]
    )


def _parameters(operation: dict[str, Any], first: Operation) -> str:
    path, _, at = first
    if not operation.get("parameters"):
        return ""
    if at is not operation:
        return f'<p>Parameters: those of <a href="#{text(at["operationId"])}"><code>{text(path)}</code></a>.</p>'
    rows = [
        _row(
            each["name"],
            each["schema"],
            each.get("description", ""),
            bool(each.get("required")),
            _default(each["schema"]),
        )
        for each in operation["parameters"]
    ]
    return _PARAMETERS.format("".join(rows))


def _default(schema: Schema) -> str:
    """As it would stand in a query string."""
    if "default" not in schema:
        return '<td class="default"></td>'
    value = schema["default"]
    shown = json.dumps(value) if isinstance(value, bool) else value
    return f'<td class="default"><code>{text(shown)}</code></td>'


def _content(title: str, described: dict[str, Any]) -> Iterator[str]:
    """What travels, a line a media type."""
    for kind, content in described.get("content", {}).items():
        if content.get("schema"):
            yield f"<p>{title}, <code>{text(kind)}</code>: {_type(content['schema'])}</p>"


def _schema(name: str, schema: Schema) -> str:
    """One body or reply: what it is, its fields, an example."""
    needed = schema.get("required", ())
    rows = [
        _row(field, each, each.get("description", ""), field in needed)
        for field, each in schema.get("properties", {}).items()
    ]
    example = json.dumps(schema["example"]) if "example" in schema else ""
    return "\n".join(
        [
            f'<h3 id="schema-{text(name)}"><code>{text(name)}</code></h3>',
            f"<p>{marked(schema.get('description', ''))}</p>",
            _FIELDS.format("".join(rows)) if rows else f"<p>{_type(schema)}</p>",
            f'<pre tabindex="0">{text(example)}</pre>' if example else "",
        ]
    )


def _row(name: str, schema: Schema, meaning: str, is_needed: bool, default: str = "") -> str:
    needed = ' <span class="needed">needed</span>' if is_needed else ""
    return (
        f'<tr><td><code>{text(name)}</code>{needed}</td><td class="type">{_type(schema)}</td>'
        f"{default}<td>{marked(meaning)}</td></tr>\n"
    )


def _type(schema: Schema) -> str:
    """A schema in words, as HTML: `list of number or null`, `number, from 0 to 1`, a link to a named one."""
    if "$ref" in schema:
        name = text(schema["$ref"].rpartition("/")[2])
        return f'<a href="#schema-{name}">{name}</a>'
    choices = schema.get("oneOf") or (None if "properties" in schema else schema.get("anyOf"))
    if choices:
        return " or ".join(map(_type, choices))
    if "const" in schema or "enum" in schema:
        return ", ".join(f"<code>{text(value)}</code>" for value in schema.get("enum", [schema.get("const")]))
    return _plain_type(schema)


def _plain_type(schema: Schema) -> str:
    kinds = schema.get("type", "anything")
    words = " or ".join(kinds) if isinstance(kinds, list) else kinds
    if words == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if words == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    bounds = {"from": "minimum", "over": "exclusiveMinimum", "to": "maximum", "under": "exclusiveMaximum"}
    said = [f"{word} {schema[key]}" for word, key in bounds.items() if key in schema]
    return text(", ".join([words, " ".join(said)]) if said else words)

"""`client.d.ts` declares what `client.js` has, and nothing else."""

from __future__ import annotations

import re
from importlib import resources

import pytest

WORDS = re.compile(r"\w+")
INTERNAL = WORDS.findall(
    "take put wake emit notice connect received send leave down once finish timer watch askToken keepToken ask answer"
)
INTERNAL_FIELDS = WORDS.findall(
    "session options listeners held serial takers answers socket timers started ended paused error hurry waiting"
)


def text(name: str) -> str:
    found = resources.files("fastcore.streaming").joinpath("static", name).read_text(encoding="utf-8")
    return re.sub(r"/\*.*?\*/|^\s*//.*?$|\s//\s.*?$", "", found, flags=re.S | re.M)


def block(source: str, head: str) -> str:
    """What is between the braces after `head`."""
    found = re.search(head + r"[^{\n]*\{", source)
    assert found, head
    at = depth = found.end()
    depth = 1
    while depth:
        depth += {"{": 1, "}": -1}.get(source[at], 0)
        at += 1
    return source[found.end() : at - 1]


def members(body: str, indent: int = 2) -> set[str]:
    """The names at the beginning of a class's or interface's lines."""
    words = re.findall(
        rf"^ {{{indent}}}(?:readonly |async |get |\*)*(\[Symbol\.\w+\]|[A-Za-z]\w*)(?=[?(:<])", body, flags=re.M
    )
    found = re.findall(rf"^ {{{indent}}}(?:async |get )?\*?(\[Symbol\.\w+\]|[A-Za-z]\w*)\s*\(", body, flags=re.M)
    return {*words, *found} - {"if", "for", "while", "constructor"}


@pytest.fixture
def client() -> str:
    return text("client.js")


@pytest.fixture
def types() -> str:
    return text("client.d.ts")


def exported(source: str) -> set[str]:
    named = re.findall(r"^export (?:class|function\*?|const) (\w+)", source, flags=re.M)
    handed_on = [name.strip() for group in re.findall(r"^export \{([^}]*)\} from", source, flags=re.M)
                 for name in group.split(",")]  # fmt: skip
    return {*named, *handed_on}


def test_every_export_is_declared_and_no_other(client, types):
    assert exported(client) == exported(types)
    assert exported(client) >= {"Client", "StreamClosed", "Refused", "decode", "encode", "comesBack"}


def test_every_reexported_name_exists():
    for module in ("msgpack.js", "session.js"):
        groups = re.findall(rf'\{{([^}}]*)\}} from "./{module}"', text("client.js"))
        assert groups, module
        for group in groups:
            assert {name.strip() for name in group.split(",")} <= exported(text(module))


def test_every_member_of_the_client_is_declared_or_internal(client, types):
    body = block(client, "export class Client ")
    fields = set(re.findall(r"\bthis\.(\w+) = (?!=)", body))
    fields |= set(re.findall(r"\bthis\.started = this\.(\w+) = this\.(\w+)", body)[0])
    declared = members(block(types, "export class Client "))
    assert {"on", "start", "close", "stats", "positions", "[Symbol.asyncIterator]"} <= declared
    assert members(body) | fields == declared | {*INTERNAL, *INTERNAL_FIELDS}
    assert not declared & {*INTERNAL, *INTERNAL_FIELDS}


def test_options_and_stats_are_those_of_the_code(client, types):
    taken = re.search(r"constructor\(url, \{(.*?)\} = \{\}\)", client, flags=re.S)
    assert taken
    names = {part.split("=")[0].strip() for part in re.sub(r"\[.*?\]", "", taken[1]).split(",")} - {""}
    assert names == members(block(types, "export interface ClientOptions "))
    stats = re.search(r"this\.stats = \{(.*?)\}", client)
    assert stats
    assert set(re.findall(r"(\w+):", stats[1])) == members(block(types, "export interface ClientStats "))
    limits = re.search(r"LIMITS = Object\.freeze\(\{(.*?)\}", text("msgpack.js"))
    assert limits
    assert set(re.findall(r"(\w+):", limits[1])) == members(block(types, "export interface DecodeLimits "))


def test_events_have_the_fields_that_are_declared(client, types):
    made: dict[str, set[str]] = {}
    for kind, rest in re.findall(r'\{ type: "(\w+)"((?:[^{}]|\{[^{}]*\})*)\}', text("session.js")):
        fields = {part.split(":")[0].strip() for part in re.sub(r"\([^()]*\)|\[[^]]*\]", "", rest).split(",")} - {""}
        assert made.setdefault(kind, fields) == fields, f"{kind}: always the same fields"
    made.pop("answer")  # for the Client itself
    events = dict(re.findall(r"^  (\w+): (\w+)", block(types, "export interface Events "), flags=re.M))
    assert {*made, "notice", "end"} == set(events)
    for kind, fields in made.items():
        assert fields | {"type"} == members(block(types, f"export interface {events[kind]} ")), kind
    union = re.search(r"export type Notice = (.*?);", types)
    assert union
    assert {name.lower() for name in union[1].split(" | ")} == set(made) - {"message"}

"""YAML from files and fields that anyone may have written: bounded size, depth and count, no types of its own."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..errors import first_line
from .plain_json import EXCERPT, excerpt

LARGEST = 4 << 20  # characters
MOST = 400_000  # texts, lists and mappings
DEEPEST = 32
MOST_NUMBER = 2.0**64
LONGEST = 100  # characters of what is not a text: numbers, dates
STR, SEQ, MAP = (f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map"))
PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "timestamp")}
SURROGATE = re.compile("[\ud800-\udfff]")
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
CONTAINERS = {yaml.SequenceStartEvent: (list, SEQ, "list"), yaml.MappingStartEvent: (dict, MAP, "mapping")}


def parse(text: str) -> Any:
    """The value of a YAML document; ValueError in one sentence for anything else, before it takes time or memory.

    Every key is a text, a number or a date, and appears once in its mapping.
    """
    if len(text) > LARGEST:
        raise ValueError(f"it has {len(text)} characters, more than {LARGEST}")
    if SURROGATE.search(text):
        raise ValueError("it holds half of a character (a lone surrogate)")
    try:
        return _Composer().value(text)
    except yaml.YAMLError as error:
        raise ValueError(_said(error)) from None


def read(path: Path) -> Any:
    """The value of a YAML file in UTF-8; OSError, or ValueError as `parse`."""
    with path.open("rb") as file:
        payload = file.read(4 * LARGEST + 1)
    try:
        return parse(payload.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 ({first_line(error, 100)})") from None


_NONE = object()


@dataclass
class _Open:
    """A list or mapping that is not complete: the key whose value comes next, and how deep it is so far."""

    value: Any
    anchor: str | None = None
    begun: int = 0
    key: Any = _NONE
    depth: int = 0


@dataclass(frozen=True)
class _Anchored:
    """A value that may be repeated, how many entries it has, and how deep it is."""

    value: Any
    size: int
    depth: int


class _Composer:
    """Builds the value from the parser's events, which come one by one, so that it can stop at any.

    An alias counts as all that it stands for: however it is nested, no reader of the value sees more than MOST entries.
    """

    def __init__(self) -> None:
        self.resolver, self.scalars = yaml.resolver.Resolver(), yaml.constructor.SafeConstructor()
        self.stack = [_Open([])]  # what is open; the first holds the document
        self.anchors: dict[str, _Anchored] = {}
        self.count = 0

    def value(self, text: str) -> Any:
        """The value of a text; ValueError or YAMLError."""
        for event in yaml.parse(text, Loader=Loader):
            if isinstance(event, yaml.ScalarEvent):
                self.grow(1, 0, event)
                value = self.scalar(event)
                self.put(value, event)
                if event.anchor is not None:
                    self.anchors[event.anchor] = _Anchored(value, 1, 0)
            elif isinstance(event, yaml.AliasEvent):
                anchored = self.anchors.get(event.anchor or "")
                if anchored is None:
                    raise ValueError(f"{_line(event)} repeats {excerpt(event.anchor)}, which is not complete there")
                self.grow(anchored.size, anchored.depth, event)
                self.put(anchored.value, event)
            elif type(event) in CONTAINERS:
                self.open(event)
            elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
                done = self.stack.pop()
                self.stack[-1].depth = max(self.stack[-1].depth, done.depth + 1)
                if done.anchor is not None:
                    self.anchors[done.anchor] = _Anchored(done.value, self.count - done.begun + 1, done.depth + 1)
            elif isinstance(event, yaml.DocumentStartEvent) and self.stack[0].value:
                raise ValueError(f"a second document begins in {_line(event)}")
        return self.stack[0].value[0] if self.stack[0].value else None

    def grow(self, size: int, depth: int, event: Any) -> None:
        """Count entries that come at this place."""
        self.count += size
        if self.count > MOST:
            raise ValueError(f"it has more than {MOST} entries, those that are repeated (*) included")
        if len(self.stack) + depth > DEEPEST:
            raise ValueError(f"{_line(event)} is nested more than {DEEPEST} deep")

    def open(self, event: Any) -> None:
        """Begin a list or a mapping."""
        kind, tag, name = CONTAINERS[type(event)]
        if event.tag not in (None, "!", tag):
            raise ValueError(f"{_line(event)} has a {name} of the type {excerpt(event.tag)}")
        self.grow(1, 1, event)
        made = kind()
        self.put(made, event)
        self.stack.append(_Open(made, event.anchor, self.count))

    def put(self, value: Any, event: Any) -> None:
        """Put a value into what is open, or keep it as the next key."""
        top = self.stack[-1]
        if isinstance(top.value, list):
            top.value.append(value)
        elif top.key is not _NONE:
            top.value[top.key] = value
            top.key = _NONE
        elif isinstance(value, (list, dict)):
            kind = "list" if isinstance(value, list) else "mapping"
            raise ValueError(f"{_line(event)} has a {kind} where a name must be text")
        elif value in top.value:
            raise ValueError(f"{excerpt(value)} in {_line(event)} appears twice: rename or merge them")
        else:
            top.key = value

    def scalar(self, event: Any) -> Any:
        """The text, number, truth value, date or nothing that a scalar stands for."""
        tag = event.tag
        if tag in (None, "!"):
            tag = self.resolver.resolve(yaml.ScalarNode, event.value, event.implicit)
        if tag == STR:
            return event.value
        if tag not in PLAIN or len(event.value) > LONGEST:
            described = f"of the type {excerpt(tag)}" if tag not in PLAIN else "too long for a number"
            raise ValueError(f"{excerpt(event.value)} in {_line(event)} is {described}")
        try:
            value = self.scalars.yaml_constructors[tag](self.scalars, yaml.ScalarNode(tag, event.value))
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, yaml.YAMLError):
            kind = tag.rpartition(":")[2]
            raise ValueError(f"{excerpt(event.value)} in {_line(event)} is no {kind}: put a text in quotes") from None
        if isinstance(value, (int, float)) and not -MOST_NUMBER < value < MOST_NUMBER:
            raise ValueError(f"{excerpt(event.value)} in {_line(event)} is too large a number")
        return value


def _line(event: Any) -> str:
    return f"line {event.start_mark.line + 1}"


def _said(error: yaml.YAMLError) -> str:
    """The parser's own words, in one line."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        said = ", ".join(filter(None, (error.context, error.problem)))[: 2 * EXCERPT]
        if "nesting depth" in said:  # libyaml from 0.2.6 on reads ahead and stops at a limit of its own, above ours
            said = f"it is nested more than {DEEPEST} deep"
        return f"{said} in line {mark.line + 1}, column {mark.column + 1}" if mark else said
    return first_line(error, 2 * EXCERPT)

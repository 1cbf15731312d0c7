"""YAML text to a tree that knows where everything stands.

A subset of YAML 1.2: one document, names that are text, no tags, no `<<` merges (YAML 1.2 has none, and with them no
line of the file would say what a model is). Anchors and aliases work; what they expand to is bounded, as is the depth.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import yaml

from bot.domain.words import quoted
from bot.yaml_file.problems import Findings
from bot.yaml_file.scalars import NotJsonError, resolve_plain
from bot.yaml_file.syntax import FileEndsHere, report_syntax_error

MOST_NODES = 10_000  # with aliases expanded; the largest real file that we know has 2,000
DEEPEST = 32


class Kind(StrEnum):
    MAPPING = "mapping"
    SEQUENCE = "sequence"
    SCALAR = "scalar"


@dataclass(slots=True, eq=False)
class Node:
    """A value and where it begins. `faulty`: a problem of its own was reported, so what else it lacks is not.

    `keys` holds where each name of a mapping begins; `raw` is a scalar's text, `is_plain` whether it stands unquoted.
    """

    kind: Kind
    start: int
    raw: str = ""
    is_plain: bool = False
    value: Any = None
    children: dict[str | int, Node] = field(default_factory=dict)
    keys: dict[str | int, int] = field(default_factory=dict)
    faulty: bool = False
    is_open: bool = True
    size: int = 1
    height: int = 1


def read_tree(findings: Findings) -> Node | None:
    """The document's root, an empty scalar where there is none; None when its end could not be reached: a problem
    says why."""
    composer = _Composer(findings)
    try:
        for event in yaml.parse(findings.source.text, Loader=yaml.SafeLoader):
            composer.take(event)
    except FileEndsHere:
        return composer.root
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the last two: an escape beyond Unicode
        report_syntax_error(error, findings, near=composer.last_index)
        return None
    return composer.root or Node(Kind.SCALAR, 0)


_NO_NAME = object()  # the next node of a mapping is a name
_UNUSABLE = object()  # the name was refused; its value is read and dropped


class _Composer:
    """Builds nodes from PyYAML's events, without recursion."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.root: Node | None = None
        self.last_index = 0
        self._documents = 0
        self._stack: list[Node] = []
        self._names: list[Any] = []  # per open mapping: the name that waits for its value
        self._anchors: dict[str, Node] = {}
        self._size = 0

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.NodeEvent):
            self._node(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end()
        elif isinstance(event, yaml.DocumentStartEvent):
            self._document(event)

    def _document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            self.findings.add(event.start_mark.index, "A second document begins here; one is expected.", "Remove it.")
            raise FileEndsHere

    def _node(self, event: Any) -> None:
        self.last_index = event.start_mark.index
        if isinstance(event, yaml.AliasEvent):
            self._count(self._target(event))
            return
        node = self._new(event)
        self._count(node)
        if event.tag is not None:
            self._fault(node, f"The tag {quoted(event.tag)} is not used here.", "Remove it: the type follows.")
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        if node.kind is Kind.SCALAR:
            node.is_open = False
            self._place(node)
        else:
            self._stack.append(node)
            self._names.append(_NO_NAME)

    def _new(self, event: Any) -> Node:
        start: int = event.start_mark.index
        if isinstance(event, yaml.MappingStartEvent):
            return Node(Kind.MAPPING, start)
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(Kind.SEQUENCE, start)
        return self._scalar(event)

    def _scalar(self, event: Any) -> Node:
        plain = event.style is None
        node = Node(Kind.SCALAR, event.start_mark.index, raw=event.value, is_plain=plain, value=event.value)
        if any("\ud800" <= character <= "\udfff" for character in event.value):
            self._fault(node, "Half of a surrogate pair is not a character.", "Write the character itself.")
        elif plain and self._awaits_value():
            try:
                node.value = resolve_plain(event.value)
            except NotJsonError as error:
                self._fault(node, str(error), "Write another number, or put it in quotes to make it text.")
        return node

    def _awaits_value(self) -> bool:
        return not self._stack or self._stack[-1].kind is Kind.SEQUENCE or self._names[-1] is not _NO_NAME

    def _target(self, event: Any) -> Node:
        node = self._anchors.get(event.anchor)
        if node is not None and not node.is_open:
            self._place(node)
            return node
        broken = Node(Kind.SCALAR, event.start_mark.index, is_open=False)
        if node is None:
            fix = f"Write `&{event.anchor}` before the value that is meant."
            self._fault(broken, f"There is no anchor for the alias {quoted('*' + event.anchor)} above it.", fix)
        else:
            self._fault(
                broken, f"{quoted('*' + event.anchor)} stands inside of what it repeats.", "Write the value out."
            )
        self._place(broken)
        return broken

    def _count(self, node: Node) -> None:
        self._size += node.size
        if self._size > MOST_NODES:
            message = f"More than {MOST_NODES} values, with aliases written out."
            self.findings.add(self.last_index, message, "Describe fewer models, or use fewer aliases.")
            raise FileEndsHere
        if len(self._stack) + node.height > DEEPEST:
            self.findings.add(self.last_index, f"More than {DEEPEST} levels deep.", "Nothing here needs so many.")
            raise FileEndsHere

    def _end(self) -> None:
        node = self._stack.pop()
        self._names.pop()
        node.is_open = False
        node.size = 1 + sum(child.size for child in node.children.values())
        node.height = 1 + max((child.height for child in node.children.values()), default=0)
        if node.kind is Kind.MAPPING:
            node.value = {name: child.value for name, child in node.children.items()}
        else:
            node.value = [child.value for child in node.children.values()]
        self._place(node)

    def _place(self, node: Node) -> None:
        """Put a finished node where it belongs: root, item, name or value."""
        if not self._stack:
            self.root = node
            return
        parent = self._stack[-1]
        if parent.kind is Kind.SEQUENCE:
            parent.children[len(parent.children)] = node
            return
        name = self._names[-1]
        self._names[-1] = self._name(parent, node) if name is _NO_NAME else _NO_NAME
        if isinstance(name, str):
            parent.children[name] = node

    def _name(self, mapping: Node, node: Node) -> Any:
        """The name that a node gives to the value after it."""
        start = self.last_index if node.kind is Kind.SCALAR else node.start
        if node.kind is not Kind.SCALAR or not node.raw:
            found = "nothing" if node.kind is Kind.SCALAR else "a list" if node.kind is Kind.SEQUENCE else "a mapping"
            return self._refused(mapping, start, f"Found {found} as a name, expected text.", "Write `name: value`.")
        if node.raw == "<<" and node.is_plain:
            fix = "Write the keys out, or give a whole value an alias: `train: *train`."
            return self._refused(mapping, start, "`<<` merges are not part of YAML 1.2.", fix)
        if node.raw in mapping.keys:
            line, _ = self.findings.source.position(mapping.keys[node.raw])
            message = f"{quoted(node.raw)} is given a second time; it is on line {line} already."
            return self._refused(mapping, start, message, "Keep one of them.", faulty=False)
        mapping.keys[node.raw] = start
        return node.raw

    def _refused(self, mapping: Node, start: int, message: str, fix: str, *, faulty: bool = True) -> object:
        self.findings.add(start, message, fix)
        mapping.faulty = mapping.faulty or faulty
        return _UNUSABLE

    def _fault(self, node: Node, message: str, fix: str) -> None:
        self.findings.add(node.start, message, fix)
        node.faulty = True

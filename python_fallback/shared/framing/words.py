"""Names made of words with dots between, as a tree: looked up by pattern, and patterns by name."""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["WordTree"]

V = TypeVar("V")


class _Node(Generic[V]):
    __slots__ = ("children", "value")

    def __init__(self) -> None:
        self.children: dict[str, _Node[V]] = {}
        self.value: V | None = None


class WordTree(Generic[V]):
    """Values by name or pattern; what a look-up costs depends on what it finds, not on how many names there are."""

    __slots__ = ("_root",)

    def __init__(self) -> None:
        self._root: _Node[V] = _Node()

    def __bool__(self) -> bool:
        return bool(self._root.children)

    def put(self, name: str, value: V) -> None:
        """Add or replace the value of a name."""
        node = self._root
        for word in name.split("."):
            child = node.children.get(word)
            if child is None:
                child = node.children[word] = _Node()
            node = child
        node.value = value

    def get(self, name: str) -> V | None:
        """The value of exactly this name or pattern."""
        node = self._root
        for word in name.split("."):
            child = node.children.get(word)
            if child is None:
                return None
            node = child
        return node.value

    def remove(self, name: str) -> None:
        """Take a name out, and the nodes that only it needed."""
        path = [self._root]
        words = name.split(".")
        for word in words:
            path.append(path[-1].children[word])
        path[-1].value = None
        for parent, word, node in zip(reversed(path[:-1]), reversed(words), reversed(path)):
            if node.children or node.value is not None:
                break
            del parent.children[word]

    def meant(self, pattern: str) -> list[V]:
        """The values of the names that a pattern matches: ``*`` is one word, ``>`` at its end one or more."""
        nodes = [self._root]
        words = pattern.split(".")
        rest = words[-1] == ">"
        for word in words[:-1] if rest else words:
            if word == "*":
                nodes = [child for node in nodes for child in node.children.values()]
            else:
                nodes = [node.children[word] for node in nodes if word in node.children]
        if rest:
            nodes = [child for node in nodes for child in node.children.values()]
            for node in nodes:  # grows meanwhile: all below as well
                nodes.extend(node.children.values())
        return [node.value for node in nodes if node.value is not None]

    def meaning(self, name: str) -> list[V]:
        """The values of the patterns that match a name."""
        found: list[_Node[V]] = []
        nodes = [self._root]
        for word in name.split("."):
            found += [node.children[">"] for node in nodes if ">" in node.children]
            nodes = [node.children[one] for node in nodes for one in (word, "*") if one in node.children]
        return [node.value for node in found + nodes if node.value is not None]

"""The directive ``public``: every name of a package's ``__all__``, first in a table, then with its documentation.

The option ``group`` takes from the indicators those of one group; without it, all that are of no group.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective
from sphinx.util.inspect import stringify_signature

# A name that several have is documented in the first of them; the others refer to it.
PACKAGES = (
    "fastcore",
    "fastcore.dispatch.flags",
    "fastcore.indicators",
    "fastcore.indicators.registry",
    "fastcore.cache",
    "fastcore.cache.keys",
    "fastcore.heap",
    "fastcore.framing",
    "fastcore.concurrency",
    "fastcore.tasks",
    "fastcore.tasks.chunks",
    "fastcore.tasks.codec",
    "fastcore.tasks.executors",
    "fastcore.tasks.executors.process",
    "fastcore.tasks.executors.dask",
    "fastcore.tasks.stores",
    "fastcore.tasks.stores.memory",
    "fastcore.tasks.stores.sqlite",
    "fastcore.tasks.http",
    "fastcore.tasks.engine",
    "fastcore.tasks.ports",
    "fastcore.streaming",
    "fastcore.streaming.client",
    "fastcore.streaming.backplanes",
    "fastcore.streaming.backplanes.unixbus",
    "fastcore.streaming.uvicorn",
    "fastcore.streaming.handshake",
    "fastcore.memory",
    "fastcore.metrics",
    "fastcore.monitor",
    "fastcore.rollout",
    "fastcore.service",
    "fastcore.service.dashboard",
)
ENDS_AT = "object, BaseException, Exception, tuple, dict, str, int, float, Protocol, Generic, MutableMapping, ABC, Enum"


def public(package: str) -> Iterator[tuple[str, Any]]:
    """Yield the names of a package and what they stand for."""
    module = importlib.import_module(package)
    for name in module.__all__:
        yield name, getattr(module, name)


def home(package: str, name: str, value: Any) -> str:
    """Return the first package that has `value` under `name`."""
    for other in PACKAGES:
        if other == package:
            break
        module = importlib.import_module(other)
        if name in module.__all__ and getattr(module, name) is value:
            return other
    return package


def is_definition(value: type) -> bool:
    """Return whether a class is one of the indicators', whose members are those of ``Definition``."""
    from fastcore.indicators import Definition

    return issubclass(value, Definition) and value is not Definition


def first_sentence(value: Any) -> str:
    """Return the first line of a docstring; constants have none."""
    if not (inspect.isclass(value) or callable(value) or inspect.ismodule(value)):
        return ""
    lines = (inspect.getdoc(value) or "").splitlines()
    return lines[0].strip() if lines else ""


def documented(package: str, name: str, value: Any) -> list[str]:
    """Return the lines that document a name."""
    full = f"{package}.{name}"
    first = home(package, name, value)
    if first != package:
        return [f".. py:data:: {full}", "", f"   The same as :py:obj:`{first}.{name}`.", ""]
    if inspect.ismodule(value):
        return [f".. py:data:: {full}", "", f"   {first_sentence(value)}", ""]
    if inspect.isclass(value):
        kind = "exception" if issubclass(value, BaseException) else "class"
        lines = [f".. auto{kind}:: {full}", "   :members:", "   :show-inheritance:"]
        if kind == "class" and not is_definition(value):
            lines.append(f"   :inherited-members: {ENDS_AT}")
        return [*lines, ""]
    if (
        callable(value)
        and (getattr(value, "__doc__", None) or inspect.isfunction(value))
        and hasattr(value, "__name__")
    ):
        return [f".. autofunction:: {full}", ""]
    return [f".. autodata:: {full}", "   :no-value:", ""]


class Public(SphinxDirective):
    """Documents every public name of a package."""

    required_arguments = 1
    option_spec: ClassVar = {"group": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Return the table and the documentation."""
        package = self.arguments[0]
        names = [(name, value) for name, value in public(package) if self.is_meant(package, name, value)]
        table = [".. list-table::", "   :widths: 30 70", "   :class: names", ""]
        body = []
        for name, value in names:
            table += [f"   * - :py:obj:`{name} <{package}.{name}>`", f"     - {first_sentence(value)}"]
            body += documented(package, name, value)
        return self.parse_text_to_nodes("\n".join([*table, "", *body]))

    def is_meant(self, package: str, name: str, value: Any) -> bool:
        """Return whether the options ask for a name."""
        if package != "fastcore.indicators":
            return True
        from fastcore.indicators import INDICATORS

        groups = {row.name: row.group for row in INDICATORS.values()}
        groups |= {row.definition: row.group for row in INDICATORS.values()}
        groups |= {row.result: row.group for row in INDICATORS.values() if row.result}
        return self.options.get("group") == groups.get(name)


def of_init(app: Any, what: str, name: str, value: Any, options: Any, signature: str, returns: str) -> Any:
    """Return the signature of a class's ``__init__`` where its ``__new__`` passes on whatever it is given."""
    if what != "class" or not (signature or "").startswith("(*args"):
        return None
    init = inspect.signature(value.__init__)
    found = init.replace(parameters=list(init.parameters.values())[1:], return_annotation=inspect.Signature.empty)
    return stringify_signature(found), returns


def setup(app: Any) -> dict[str, Any]:
    """Add the directive to Sphinx."""
    app.add_directive("public", Public)
    app.connect("autodoc-process-signature", of_init)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

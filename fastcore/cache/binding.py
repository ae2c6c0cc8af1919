"""Which results a call of a decorated function uses: decided by how the function is bound."""

from __future__ import annotations

import functools
import inspect
import threading
import weakref
from collections.abc import Callable
from typing import Any

from fastcore.cache.options import Options
from fastcore.cache.roles import InstancesRole, MethodRole, Role

__all__ = ["Binding"]


class Binding:
    """The roles of one function: as a function, and as a method of each class that holds it.

    The names of its arguments do not count. A first argument is the instance where the function was found through an
    instance, or called through the class in whose body it is defined with an instance of that.

    Parameters
    ----------
    function : callable
    options : Options
    """

    def __init__(self, function: Callable[..., Any], options: Options) -> None:
        self.function = function
        self.options = options
        self._lock = threading.RLock()
        self._methods: dict[type, Role] = {}
        self._holders: weakref.WeakKeyDictionary[type, bool] = weakref.WeakKeyDictionary()
        self.plain = Role(self)
        self.public: Role = self.plain
        if options.per_instance and options.unbound:
            self.public = InstancesRole(self, None)
        self.public.dress()

    def method_of(self, owner: type) -> Role:
        """Return the role of the function as a method of `owner`."""
        with self._lock:
            role = self._methods.get(owner)
            if role is None:
                role = InstancesRole(self, owner) if self.options.per_instance else MethodRole(self, owner)
                role.dress()
                self._methods[owner] = role
        return role

    def named(self, call: Any, owner: type, name: str) -> None:
        """Replace the call object in the body of `owner` under that name by that of its method."""
        if vars(owner).get(name) is call:
            setattr(owner, name, self.method_of(owner).call)

    def bound(self, call: Any, instance: Any, owner: type) -> Any:
        """Bind the function to an instance whose class got it later than its body, or by way of another descriptor."""
        if instance is owner:  # a class method: the class is an argument like others
            return self.public.bind(instance)
        for holder in owner.__mro__:
            for name, value in list(vars(holder).items()):
                if value is call:
                    self.named(call, holder, name)
                    return self.method_of(holder).bind(instance)
        return self.method_of(owner).bind(instance)

    def is_held_by(self, instance: Any) -> bool:
        """Whether a class of the instance, or the class that it is, holds the function in a property or the like."""
        kind = instance if isinstance(instance, type) else type(instance)
        known = self._holders.get(kind)
        if known is None:
            known = any(self._is_in(value) for holder in kind.__mro__ for value in list(vars(holder).values()))
            self._holders[kind] = known
        return known

    def _is_in(self, attribute: Any) -> bool:
        if attribute is self.public.call:
            return True
        if isinstance(attribute, staticmethod):
            return False
        parts = ("fget", "fset", "fdel", "func", "__func__", "__wrapped__")
        found = (inspect.getattr_static(attribute, part, None) for part in parts)
        if isinstance(attribute, (property, functools.cached_property, functools.partialmethod, classmethod)):
            found = (getattr(attribute, part, None) for part in parts)
        return any(one is self.public.call for one in found)

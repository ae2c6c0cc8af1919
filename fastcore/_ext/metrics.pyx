# cython: auto_pickle=False
"""Counters, gauges and latency sketches, kept in C; `fastcore.metrics` documents them."""

from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from libc.math cimport isfinite
from libc.stdint cimport int32_t, uint64_t


cdef extern from "Python.h":
    ctypedef struct PyTypeObject:
        const char* tp_name

cdef extern from "common/stack.h":
    int fc_stack_guard() except -1

cdef extern from "common/sketch.h":
    enum:
        FC_SKETCH_LOWEST_KEY
        FC_SKETCH_HIGHEST_KEY

    ctypedef struct fc_sketch:
        uint64_t count
        uint64_t zeros
        double total
        double low
        double high
        uint64_t *bins
        int32_t first
        int32_t lowest
        int32_t highest

    void fc_sketch_init(fc_sketch *)
    void fc_sketch_clear(fc_sketch *)
    int fc_sketch_observe(fc_sketch *, double)
    int fc_sketch_put(fc_sketch *, int32_t, uint64_t)
    int fc_sketch_copy(fc_sketch *, const fc_sketch *)
    double fc_sketch_quantile(const fc_sketch *, double)


cdef inline double number(object value, str name) except? -1.0:
    if PyFloat_CheckExact(value):
        return PyFloat_AS_DOUBLE(value)
    return converted(value, name)


cdef double converted(object value, str name) except? -1.0:
    fc_stack_guard()
    if isinstance(value, (int, float)):
        return float(value)
    to_float = getattr(type(value), "__float__", None)  # numpy's scalars, Decimal
    if to_float is None:
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
    return to_float(value)


cdef object ONE = 1


cdef class Counter:
    """A number that only grows.

    Examples
    --------
    >>> from fastcore import metrics
    >>> orders = metrics.counter("orders_total", side="buy")
    >>> orders.add(); orders.add(2)
    >>> orders.value
    3
    """

    cdef object __weakref__
    cdef uint64_t _value

    @property
    def value(self):
        return self._value

    def add(self, amount=1):
        if amount is ONE:  # small ints are one object each: the usual call reads no digits
            self._value += 1
        else:
            self._add(amount)

    cdef int _add(self, object amount) except -1:
        fc_stack_guard()
        if not isinstance(amount, int):
            raise TypeError(f"amount: expected an int, got {type(amount).__name__}")
        if not 0 <= amount < 9223372036854775808:
            raise ValueError(f"amount: expected an int in 0..2**63-1, got {amount}")
        self._value += <uint64_t>amount
        return 0


cdef class Gauge:
    """A number that goes up and down.

    Examples
    --------
    >>> from fastcore import metrics
    >>> depth = metrics.gauge("depth")
    >>> depth.set(12); depth.add(-2)
    >>> depth.value
    10.0
    """

    cdef object __weakref__
    cdef double _value

    @property
    def value(self):
        return self._value

    def set(self, value):
        self._value = number(value, "value")

    def add(self, amount=1.0):
        self._value += number(amount, "amount")


cdef class Sketch:
    """A distribution of numbers >= 0 whose quantiles are within 1 % of the true ones.

    Examples
    --------
    >>> from fastcore import metrics
    >>> seconds = metrics.latency("answer_seconds")
    >>> seconds.observe(0.010); seconds.observe(0.012)
    >>> seconds.count, round(seconds.total, 3)
    (2, 0.022)
    """

    cdef object __weakref__
    cdef fc_sketch _sketch

    def __cinit__(self):
        fc_sketch_init(&self._sketch)

    def __dealloc__(self):
        fc_sketch_clear(&self._sketch)

    @property
    def count(self):
        return self._sketch.count

    @property
    def total(self):
        return self._sketch.total

    def observe(self, value):
        cdef double x = number(value, "value")
        if not (isfinite(x) and x >= 0):
            raise ValueError(f"value: expected a finite number >= 0, got {x!r}")
        if fc_sketch_observe(&self._sketch, x) < 0:
            raise MemoryError

    def quantile(self, q):
        cdef double x = number(q, "q")
        if not 0 <= x <= 1:
            raise ValueError(f"q: expected a number in 0..1, got {x!r}")
        return fc_sketch_quantile(&self._sketch, x)

    def merge(self, state):
        cdef fc_sketch *s = &self._sketch
        cdef uint64_t more
        cdef double low, high
        if isinstance(state, Sketch):
            merge_sketch(s, &(<Sketch>state)._sketch)
            return
        count, zeros, total, low, high, bins = checked(state)
        for key, more in bins.items():
            if fc_sketch_put(s, key, more) < 0:
                raise MemoryError
        add_totals(s, count, zeros, total, low, high)

    def state(self):
        cdef fc_sketch s
        cdef int32_t key
        if fc_sketch_copy(&s, &self._sketch) < 0:
            raise MemoryError
        try:
            bins = {}
            if s.bins != NULL:
                for key in range(s.lowest, s.highest + 1):
                    if s.bins[key - s.first]:
                        bins[key] = s.bins[key - s.first]
            return (s.count, s.zeros, s.total, s.low, s.high, bins)
        finally:
            fc_sketch_clear(&s)

    def clear(self):
        fc_sketch_clear(&self._sketch)


cdef int merge_sketch(fc_sketch *into, const fc_sketch *other) except -1:
    cdef fc_sketch s
    cdef int32_t key
    if fc_sketch_copy(&s, other) < 0:  # which may be the same one
        raise MemoryError
    try:
        if s.bins != NULL:
            for key in range(s.lowest, s.highest + 1):
                if s.bins[key - s.first] and fc_sketch_put(into, key, s.bins[key - s.first]) < 0:
                    raise MemoryError
        add_totals(into, s.count, s.zeros, s.total, s.low, s.high)
    finally:
        fc_sketch_clear(&s)
    return 0


cdef void add_totals(fc_sketch *s, uint64_t count, uint64_t zeros, double total, double low, double high) noexcept:
    s.count += count
    s.zeros += zeros
    s.total += total
    s.low = min(s.low, low)
    s.high = max(s.high, high)


cdef tuple checked(object state):
    """A state as `state()` returns it, whose counts are sound: bins of any other would be trusted with memory."""
    fc_stack_guard()
    try:
        count, zeros, total, low, high, bins = state
        bins = {int(key): int(number) for key, number in bins.items()}
        parsed = (int(count), int(zeros), float(total), float(low), float(high), bins)
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        expected = "(count, zeros, total, low, high, {bin: count}) as state() returns it"
        raise ValueError(f"state: expected {expected}, got {type(state).__name__}") from error
    if any(not FC_SKETCH_LOWEST_KEY <= key <= FC_SKETCH_HIGHEST_KEY for key in bins):
        raise ValueError(f"state: expected bins in {FC_SKETCH_LOWEST_KEY}..{FC_SKETCH_HIGHEST_KEY}, got others")
    numbers = [parsed[1], *bins.values()]
    if any(not 0 <= number <= parsed[0] for number in numbers) or sum(numbers) != parsed[0] or parsed[0] >= 2**53:
        raise ValueError("state: expected counts >= 0 that add up to the first, got others")
    return parsed


# Where they are public: pickles and tracebacks name that place. A type of Cython's has its module in its name.
(<PyTypeObject*>Counter).tp_name = "fastcore.metrics.Counter"
(<PyTypeObject*>Gauge).tp_name = "fastcore.metrics.Gauge"
(<PyTypeObject*>Sketch).tp_name = "fastcore.metrics.Sketch"

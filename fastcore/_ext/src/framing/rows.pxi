# RowPacker: what is the same for every row is packed once.


@cython.trashcan(True)
cdef class RowPacker:
    """Packs columns as an array of rows; the public package documents it."""

    cdef fc_pack_options options
    cdef object kept  # what the options borrow from
    cdef readonly tuple names
    cdef readonly str rows
    cdef bint nan_as_none
    cdef tuple prefixes
    cdef frozenset wanted
    cdef object __weakref__

    def __init__(self, names, *, rows="map", nan_as_none=False, datetime=True, numpy=True, **options):
        cdef fc_pack_options made = fc_pack_defaults
        found = checked_names(names)
        rows = checked_rows(rows)
        for name, value in {"datetime": datetime, "numpy": numpy, **options}.items():
            if not fc_pack_option(&made, name, value):
                raise TypeError(f"RowPacker() got an unexpected keyword argument '{name}'")
        kept = tuple(options.values())
        head = fc_header(rows == "map", len(found))
        prefixes = [fc_pack(name, &made) if rows == "map" else b"" for name in found]
        prefixes[0] = head + prefixes[0]
        self.nan_as_none = bool(nan_as_none)
        self.names, self.rows, self.kept, self.options = found, rows, kept, made
        self.prefixes = tuple(prefixes)
        self.wanted = frozenset(found)

    def pack(self, columns):
        return self.make(columns, False)

    def frame(self, columns, compress=False, **deflate):
        if compress or deflate:
            return frame_packed(self.make(columns, False), compress, **deflate)
        return self.make(columns, True)

    cdef object make(self, columns, bint framed):
        kept, prefixes, names = self.kept, self.prefixes, self.names  # a column may call __init__
        cdef fc_pack_options options = self.options
        cdef bint nan_as_none = self.nan_as_none
        fc_stack_guard()
        if prefixes is None:
            raise TypeError("RowPacker: expected one that __init__ has set up")
        if type(columns) is dict and columns.keys() >= self.wanted:
            values = [columns[name] for name in names]
        else:
            values = choose(columns, names)
        numpy = sys.modules.get("numpy")  # an array cannot be there before numpy is
        array_type = None if numpy is None else numpy.ndarray
        return fc_rows(names, values, prefixes, array_type, &options, nan_as_none, framed)

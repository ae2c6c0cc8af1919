# The board: states of many symbols lie side by side, and a tick takes a tile of symbols through all nodes.

cdef enum:
    RELEASE_ABOVE = 4096  # bars x indicators; below, handing over the GIL costs more than the work


@cython.no_gc  # it holds texts, numbers and arrays: no cycle comes back to it
cdef class Board:
    cdef readonly tuple specs
    cdef readonly tuple columns
    cdef readonly Py_ssize_t symbols
    cdef tuple _stores  # bytearrays: while arrays look into one it can neither move nor shrink
    cdef tuple _outputs
    cdef list _holders  # of the programs
    cdef fc_board *_board
    cdef const double **_data  # the columns' values, while the lock is held
    cdef int64_t *_at
    cdef Py_ssize_t _at_room
    cdef PyThread_type_lock _lock

    def __cinit__(self, specs, symbols):
        cdef Py_ssize_t count = symbols
        if count < 0:
            raise ValueError(f"symbols: expected an int >= 0, got {symbols!r}")
        self._lock = PyThread_allocate_lock()
        if self._lock == NULL:
            raise MemoryError()
        given = [tuple(spec) for spec in specs]
        names = {}
        self._holders = []
        kept = []
        for spec in given:
            if len(spec) != 3:
                raise ValueError(f"specs: expected (name, params, columns), got {spec!r}")
            kept.append(self._take(spec[0], spec[1], spec[2], names))
        self.specs = tuple(kept)
        self.columns = tuple(names)
        self._data = <const double **>calloc(len(names) + 1, sizeof(double *))
        if self._data == NULL:
            raise MemoryError()
        self._make((0,) * len(given), (), names)
        self._stores = self._outputs = ()
        if not self._grow(count, NULL, 0):
            raise MemoryError()

    cdef tuple _take(self, name, params, columns, dict names):
        cdef const fc_program *program
        taken = fc_floats(params)
        holder = fc_operators_of(name, taken)
        program = fc_program_in(holder)
        inputs = tuple(columns)
        if len(inputs) != program.n_in or not all(type(column) is str for column in inputs):
            raise ValueError(f"specs: expected {program.n_in} column names for {name}, got {columns!r}")
        for column in inputs:
            names.setdefault(column, len(names))
        self._holders.append(holder)
        return program.name.decode() if isinstance(name, str) else name, taken, inputs

    cdef int _make(self, groups, tiles, dict names) except -1:
        """The board, with parts in `groups`, and tiles of so many symbols."""
        cdef Py_ssize_t n = len(self.specs)
        cdef fc_part *parts = <fc_part *>calloc(n + 1, sizeof(fc_part))
        cdef int *columns = <int *>calloc(n * FC_MAX_IN + 1, sizeof(int))
        cdef fc_board *made = NULL
        cdef Py_ssize_t i, j
        if parts != NULL and columns != NULL:
            for i in range(n):
                parts[i].program = fc_program_in(self._holders[i])
                parts[i].columns = columns + i * FC_MAX_IN
                parts[i].group = groups[i]
                for j in range(len(self.specs[i][2])):
                    columns[i * FC_MAX_IN + j] = names[self.specs[i][2][j]]
            made = fc_board_new(parts, <int>n, <int>len(names))
        free(parts)
        free(columns)
        for count in tiles:
            if made != NULL and fc_board_add(made, count):
                fc_board_free(made)
                made = NULL
        if made == NULL:
            raise MemoryError()
        fc_board_free(self._board)
        self._board = made
        return 0

    cdef tuple _new_outputs(self, Py_ssize_t symbols):
        """Stores for each output, with NaN where there are no values yet, and arrays that look into them."""
        cdef double *out
        cdef Py_ssize_t symbol, had = min(symbols, self.symbols)
        stores = []
        views = []
        for i in range(self._board.n_out):
            store = bytearray(8 * symbols)
            out = <double *>PyByteArray_AS_STRING(store)
            for symbol in range(had, symbols):
                out[symbol] = NAN
            stores.append(store)
            views.append(frombuffer(store, "f8") if symbols else empty(0))
        return tuple(stores), tuple(views)

    cdef void _point_outputs(self, tuple stores, bint keep) noexcept:
        """Have the board write to `stores`; `keep` the values so far."""
        cdef Py_ssize_t i
        for i in range(self._board.n_out):
            if keep:
                memcpy(PyByteArray_AS_STRING(stores[i]), self._board.out[i], <size_t>self.symbols * sizeof(double))
            self._board.out[i] = <double *>PyByteArray_AS_STRING(stores[i])

    cdef bint _grow(self, Py_ssize_t count, const double *const *data, Py_ssize_t bars) except -1:
        """Take more symbols, with their bars so far; False without memory."""
        cdef bint room, same = False
        cdef Py_ssize_t had
        cdef tuple stores, views
        if count > PY_SSIZE_T_MAX // 16 - self.symbols:
            raise MemoryError()
        while not same:  # another thread may add some while the arrays are made
            had = self.symbols
            stores, views = self._new_outputs(had + count)
            replaced, replaced_too = self._stores, self._outputs  # freed without the lock: arrays have weak references
            self._enter()
            same = had == self.symbols
            room = same and fc_board_add(self._board, count) == 0
            if room:
                self._point_outputs(stores, had > 0)
                self._stores, self._outputs = stores, views
                self.symbols = had + count
                if data != NULL:
                    with nogil:
                        room = fc_board_history(self._board, NULL, had, count, bars, data) == 0
            PyThread_release_lock(self._lock)
        return room

    def __dealloc__(self):
        fc_board_free(self._board)
        free(self._at)
        free(self._data)
        if self._lock != NULL:
            PyThread_free_lock(self._lock)

    cdef void _enter(self):
        # No Python code runs while the lock is held, so its holder always releases it.
        if not PyThread_acquire_lock(self._lock, NOWAIT_LOCK):
            with nogil:
                PyThread_acquire_lock(self._lock, WAIT_LOCK)

    cdef list _arrays(self, str method, columns, int ndim):
        """The columns in the board's order, checked to be plain, of `ndim` dimensions and of one shape."""
        cdef list arrays = []
        if isinstance(columns, dict):
            for name in self.columns:
                if name not in columns:
                    raise ValueError(f"{method}: expected columns {', '.join(self.columns)}; {name} is missing")
                arrays.append(columns[name])
        else:
            arrays.extend(columns)
            if len(arrays) != len(self.columns):
                raise ValueError(f"{method}: expected {len(self.columns)} columns, got {len(arrays)}")
        for name, given in zip(self.columns, arrays):
            if not fc_is_plain(given) or cnp.PyArray_NDIM(<cnp.ndarray>given) != ndim:
                raise TypeError(
                    f"{name}: expected a C-contiguous, aligned {ndim}-D ndarray of native float64,"
                    f" got {type(given).__name__}"
                )
            if not cnp.PyArray_SAMESHAPE(<cnp.ndarray>given, <cnp.ndarray>arrays[0]):
                expected = f"the shape of {self.columns[0]}, {arrays[0].shape}"
                raise ValueError(f"{name}: expected {expected}, got {given.shape}")
        return arrays

    def hold(self):
        self._enter()

    def release(self):
        PyThread_release_lock(self._lock)

    def renew(self):
        # The old lock may be held by a thread that this process has not: it is left as it is.
        cdef PyThread_type_lock fresh = PyThread_allocate_lock()
        if fresh == NULL:
            raise MemoryError()
        self._lock = fresh

    cdef double *_point(self, list arrays, Py_ssize_t size, bint *room) noexcept:
        """Point _data at the columns; those that share memory with outputs are copied first, into what is returned."""
        cdef double *copies = NULL
        cdef const double *column
        cdef Py_ssize_t i, shared = 0
        for i in range(len(arrays)):
            shared += self._is_output(<const double *>cnp.PyArray_DATA(<cnp.ndarray>arrays[i]), size)
        room[0] = True
        if shared:
            copies = <double *>malloc(<size_t>shared * <size_t>size * sizeof(double))
            if copies == NULL:
                room[0] = False
                return NULL
        shared = 0
        for i in range(len(arrays)):
            column = <const double *>cnp.PyArray_DATA(<cnp.ndarray>arrays[i])
            if self._is_output(column, size):
                memcpy(copies + shared * size, column, <size_t>size * sizeof(double))
                column = copies + shared * size
                shared += 1
            self._data[i] = column
        return copies

    cdef bint _is_output(self, const double *column, Py_ssize_t size) noexcept:
        cdef Py_ssize_t i
        for i in range(self._board.n_out):
            if column < self._board.out[i] + self.symbols and self._board.out[i] < column + size:
                return True
        return False

    cdef int _check_at(self, at) except -1:
        if at is not None and (
            type(at) is not cnp.ndarray
            or not cnp.PyArray_ISSIGNED(<cnp.ndarray>at)
            or cnp.PyArray_ITEMSIZE(<cnp.ndarray>at) != 8
            or not cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>at)
            or cnp.PyArray_NDIM(<cnp.ndarray>at) != 1
        ):
            raise TypeError(f"at: expected a C-contiguous, aligned 1-D ndarray of int64, got {type(at).__name__}")
        return 0

    cdef bint _keep_at(self, at, int64_t *bad) noexcept:
        """Copy the indices, so that no other thread changes them after the check; False without memory."""
        cdef int64_t *room
        cdef const int64_t *given
        cdef Py_ssize_t n
        bad[0] = -1
        if at is None:
            return True
        given = <const int64_t *>cnp.PyArray_DATA(<cnp.ndarray>at)
        n = cnp.PyArray_SIZE(<cnp.ndarray>at)
        if n > self._at_room or self._at == NULL:
            room = <int64_t *>malloc(<size_t>(n + 1) * sizeof(int64_t))
            if room == NULL:
                return False
            free(self._at)
            self._at = room
            self._at_room = n
        for i in range(n):
            self._at[i] = given[i]
            if self._at[i] < 0 or self._at[i] >= self.symbols:
                bad[0] = i
                return True
        return True

    cdef int _refuse(self, at, int64_t bad, bint room) except -1:
        if not room:
            raise MemoryError()
        if bad >= 0:
            raise IndexError(f"at: expected indices in 0..{self.symbols - 1}, got {at[bad]} at {bad}")
        return 0

    def update(self, columns, at=None):
        cdef list arrays = self._arrays("update", columns, 1)
        cdef Py_ssize_t n, wanted
        cdef int64_t bad = -1
        cdef bint room = True, release
        cdef double *copies = NULL
        self._check_at(at)
        self._enter()
        wanted = self.symbols if at is None else cnp.PyArray_SIZE(<cnp.ndarray>at)
        n = cnp.PyArray_SIZE(<cnp.ndarray>arrays[0]) if arrays else wanted
        if n == wanted:
            release = n * self._board.n_parts > RELEASE_ABOVE
            room = self._keep_at(at, &bad)
            if room and bad < 0:
                copies = self._point(arrays, n, &room)
            if room and bad < 0 and release:
                with nogil:
                    fc_board_tick(self._board, self._at if at is not None else NULL, n, self._data)
            elif room and bad < 0:
                fc_board_tick(self._board, self._at if at is not None else NULL, n, self._data)
        PyThread_release_lock(self._lock)
        free(copies)
        if n != wanted:
            raise ValueError(f"{self.columns[0]}: expected {wanted} values, got {n}")
        self._refuse(at, bad, room)

    def extend(self, columns, at=None):
        cdef list arrays = self._arrays("extend", columns, 2)
        cdef Py_ssize_t n = 0, bars = 0, wanted
        cdef int64_t bad = -1
        cdef bint room = True
        cdef double *copies = NULL
        cdef const int64_t *where
        self._check_at(at)
        if arrays:
            n = cnp.PyArray_DIM(<cnp.ndarray>arrays[0], 0)
            bars = cnp.PyArray_DIM(<cnp.ndarray>arrays[0], 1)
        self._enter()
        wanted = self.symbols if at is None else cnp.PyArray_SIZE(<cnp.ndarray>at)
        if not arrays:
            n = wanted
        if n == wanted and n > 0 and bars > 0:
            room = self._keep_at(at, &bad)
            if room and bad < 0:
                copies = self._point(arrays, n * bars, &room)
            if room and bad < 0:
                where = self._at if at is not None else NULL
                with nogil:
                    room = fc_board_history(self._board, where, 0, n, bars, self._data) == 0
        PyThread_release_lock(self._lock)
        free(copies)
        if n != wanted:
            raise ValueError(f"{self.columns[0]}: expected {wanted} rows, one a symbol, got {n}")
        self._refuse(at, bad, room)

    def add(self, symbols, columns=None):
        cdef Py_ssize_t count = symbols, bars = 0
        cdef list arrays = [] if columns is None else self._arrays("add", columns, 2)
        cdef list copies = [given.copy() for given in arrays]  # of arrays that may be outputs
        cdef const double **data = NULL
        cdef bint room
        if count < 0:
            raise ValueError(f"symbols: expected an int >= 0, got {symbols!r}")
        if arrays and len(arrays[0]) != count:
            raise ValueError(f"{self.columns[0]}: expected {count} rows, one a symbol, got {len(arrays[0])}")
        if copies and cnp.PyArray_SIZE(<cnp.ndarray>copies[0]):
            bars = cnp.PyArray_DIM(<cnp.ndarray>copies[0], 1)
            data = <const double **>calloc(len(copies), sizeof(double *))
            if data == NULL:
                raise MemoryError()
            for i in range(len(copies)):
                data[i] = <const double *>cnp.PyArray_DATA(<cnp.ndarray>copies[i])
        try:
            room = self._grow(count, data, bars)
        finally:
            free(data)
        if not room:
            raise MemoryError()

    def reset(self, at=None, parts=None):
        cdef int64_t bad = -1
        cdef bint room
        cdef Py_ssize_t n
        cdef const unsigned char *chosen
        marks = bytearray(len(self.specs))
        for i in range(len(marks)) if parts is None else parts:
            marks[i] = 1
        chosen = <const unsigned char *>PyByteArray_AS_STRING(marks)
        self._check_at(at)
        self._enter()
        room = self._keep_at(at, &bad)
        if room and bad < 0:
            n = self.symbols if at is None else cnp.PyArray_SIZE(<cnp.ndarray>at)
            room = fc_board_reset(self._board, self._at if at is not None else NULL, n, chosen) == 0
        PyThread_release_lock(self._lock)
        self._refuse(at, bad, room)

    def output(self, i):
        cdef Py_ssize_t part = range(len(self.specs))[i]
        return self._outputs[self._board.merged.output[part] : self._board.merged.output[part + 1]]

    def copy(self):
        cdef Board other = Board(self.specs, 0)
        cdef fc_board *made = NULL
        cdef Py_ssize_t i, had = 0
        cdef bint same = False
        cdef tuple stores, views
        while not same:
            had = self.symbols
            stores, views = self._new_outputs(had)
            self._enter()
            same = had == self.symbols
            if same:
                made = fc_board_copy(self._board)
            for i in range(made.n_out if made != NULL else 0):
                made.out[i] = <double *>PyByteArray_AS_STRING(stores[i])
                memcpy(made.out[i], self._board.out[i], <size_t>had * sizeof(double))
            PyThread_release_lock(self._lock)
        if made == NULL:
            raise MemoryError()
        fc_board_free(other._board)
        other._board = made
        other._stores, other._outputs, other.symbols = stores, views, had
        return other

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return self.copy()

    def __reduce__(self):
        cdef Board taken = self.copy()
        cdef fc_board *board = taken._board
        shape = [board.parts[i].group for i in range(board.n_parts)] + [board.tiles[t].n for t in range(board.n_tiles)]
        states = [array(shape, "i8").tobytes()]
        for t in range(board.n_tiles):
            states.append(PyBytes_FromStringAndSize(board.tiles[t].arena, <Py_ssize_t>board.tiles[t].size))
        outputs = [[bytes(x) for x in taken.output(i)] for i in range(board.n_parts)]
        return Board, (self.specs, 0), (FC_STATE_VERSION, states, outputs)

    def __setstate__(self, stored):
        cdef Py_ssize_t t
        cdef Board made = Board(self.specs, 0)
        refused = ValueError(f"state: expected one of this board in version {FC_STATE_VERSION}")
        version, states, outputs = stored
        if version != FC_STATE_VERSION or type(states) is not list or type(outputs) is not list:
            raise refused
        states, outputs = tuple(states), tuple([tuple(o) if type(o) is list else () for o in outputs])
        if not states or not all(type(state) is bytes for state in states) or len(states[0]) % 8:
            raise refused
        shape = frombuffer(states[0], "i8").tolist() if states[0] else []
        groups, tiles = shape[: len(self.specs)], shape[len(self.specs) :]
        if len(groups) != len(self.specs) or not all(0 <= group < 1 << 30 for group in groups):
            raise refused
        if len(states) != len(tiles) + 1 or not all(0 < n <= FC_SYMBOLS for n in tiles):
            raise refused
        made._make(groups, tiles, {name: i for i, name in enumerate(self.columns)})
        symbols = sum(tiles)
        made._stores, made._outputs = made._new_outputs(symbols)
        made.symbols = symbols
        made._point_outputs(made._stores, False)
        for t in range(len(tiles)):
            if len(states[t + 1]) != <Py_ssize_t>made._board.tiles[t].size:
                raise refused
            memcpy(made._board.tiles[t].arena, PyBytes_AS_STRING(states[t + 1]), made._board.tiles[t].size)
            if not fc_tile_valid(made._board.across, made._board.tiles + t):
                raise refused
        for i in range(len(self.specs)):
            views = made.output(i)
            if i >= len(outputs) or len(outputs[i]) != len(views):
                raise refused
            for view, part in zip(views, outputs[i]):
                if type(part) is not bytes or len(part) != 8 * symbols:
                    raise refused
                view[:] = frombuffer(part, "f8")
        if len(outputs) != len(self.specs):
            raise refused
        replaced, replaced_too = self._stores, self._outputs
        self._enter()
        self._board, made._board = made._board, self._board
        self._stores, self._outputs, self.symbols = made._stores, made._outputs, made.symbols
        PyThread_release_lock(self._lock)

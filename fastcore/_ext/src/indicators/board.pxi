# The board: states of one indicator lie side by side, symbol after symbol, and a tick walks along them.

cdef enum:
    RELEASE_ABOVE = 4096  # bars x indicators; below, handing over the GIL costs more than the work


cdef struct Lane:
    const fc_program *program
    int columns[FC_MAX_IN]
    char *states
    size_t size
    size_t stride
    double *out[FC_MAX_OUT]


@cython.no_gc  # it holds texts, numbers and arrays: no cycle comes back to it
cdef class Board:
    cdef readonly tuple specs
    cdef readonly tuple columns
    cdef readonly Py_ssize_t symbols
    cdef list _stores  # bytearrays: while arrays look into one it can neither move nor shrink
    cdef list _outputs
    cdef list _holders  # of the lanes' programs
    cdef Lane *_lanes
    cdef Py_ssize_t _n
    cdef const double **_data  # the columns' values, while the lock is held
    cdef int64_t *_at
    cdef Py_ssize_t _at_room
    cdef PyThread_type_lock _lock

    def __cinit__(self, specs, symbols):
        cdef Py_ssize_t count = symbols
        if count < 0:
            raise ValueError(f"symbols: expected an int >= 0, got {symbols!r}")
        given = [tuple(spec) for spec in specs]
        self.symbols = count
        self._stores = []
        self._outputs = []
        self._holders = []
        self._lock = PyThread_allocate_lock()
        self._lanes = <Lane *>calloc(len(given) + 1, sizeof(Lane))
        if self._lock == NULL or self._lanes == NULL:
            raise MemoryError()
        self._n = len(given)
        names = {}
        kept = []
        for i, spec in enumerate(given):
            if len(spec) != 3:
                raise ValueError(f"specs: expected (name, params, columns), got {spec!r}")
            kept.append(self._set_lane(&self._lanes[i], spec[0], spec[1], spec[2], names))
        self.specs = tuple(kept)
        self.columns = tuple(names)
        self._data = <const double **>calloc(len(names) + 1, sizeof(double *))
        if self._data == NULL:
            raise MemoryError()

    cdef tuple _set_lane(self, Lane *lane, name, params, columns, dict names):
        cdef Py_ssize_t symbol
        cdef const fc_program *program
        taken = fc_floats(params)
        holder = fc_program_of(fc_isa_used(), name, taken)
        lane.program = program = fc_program_in(holder)
        self._holders.append(holder)
        inputs = tuple(columns)
        if len(inputs) != program.n_in or not all(type(column) is str for column in inputs):
            raise ValueError(f"specs: expected {program.n_in} column names for {name}, got {columns!r}")
        for j in range(program.n_in):
            lane.columns[j] = names.setdefault(inputs[j], len(names))
        lane.size = program.size
        lane.stride = (lane.size + 15) & ~<size_t>15
        if self.symbols and lane.stride > <size_t>PY_SSIZE_T_MAX // <size_t>self.symbols:
            raise MemoryError()
        lane.states = <char *>calloc(max(self.symbols, 1), lane.stride)
        if lane.states == NULL:
            raise MemoryError()
        for symbol in range(self.symbols):
            fc_program_init(program, lane.states + <size_t>symbol * lane.stride)
        views = []
        for j in range(program.n_out):
            store = bytearray(8 * self.symbols)
            lane.out[j] = <double *>PyByteArray_AS_STRING(store)
            for symbol in range(self.symbols):
                lane.out[j][symbol] = NAN
            view = frombuffer(store, "f8") if self.symbols else empty(0)
            self._stores.append(store)
            views.append(view)
        self._outputs.append(tuple(views))
        return program.name.decode() if isinstance(name, str) else name, taken, inputs

    def __dealloc__(self):
        if self._lanes != NULL:
            for i in range(self._n):
                free(self._lanes[i].states)
            free(self._lanes)
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
        for name, array in zip(self.columns, arrays):
            if not fc_is_plain(array) or cnp.PyArray_NDIM(<cnp.ndarray>array) != ndim:
                raise TypeError(
                    f"{name}: expected a C-contiguous, aligned {ndim}-D ndarray of native float64,"
                    f" got {type(array).__name__}"
                )
            if not cnp.PyArray_SAMESHAPE(<cnp.ndarray>array, <cnp.ndarray>arrays[0]):
                expected = f"the shape of {self.columns[0]}, {arrays[0].shape}"
                raise ValueError(f"{name}: expected {expected}, got {array.shape}")
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
        cdef Py_ssize_t i, j
        for i in range(self._n):
            for j in range(self._lanes[i].program.n_out):
                if column < self._lanes[i].out[j] + self.symbols and self._lanes[i].out[j] < column + size:
                    return True
        return False

    def update(self, columns, at=None):
        cdef list arrays = self._arrays("update", columns, 1)
        cdef Py_ssize_t n = self.symbols
        cdef int64_t bad = -1
        cdef bint room = True, release
        cdef const int64_t *where
        cdef double *copies = NULL
        if at is not None:
            if (
                type(at) is not cnp.ndarray
                or not cnp.PyArray_ISSIGNED(<cnp.ndarray>at)
                or cnp.PyArray_ITEMSIZE(<cnp.ndarray>at) != 8
                or not cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>at)
                or cnp.PyArray_NDIM(<cnp.ndarray>at) != 1
            ):
                raise TypeError(f"at: expected a C-contiguous, aligned 1-D ndarray of int64, got {type(at).__name__}")
            n = cnp.PyArray_SIZE(<cnp.ndarray>at)
        if arrays and cnp.PyArray_SIZE(<cnp.ndarray>arrays[0]) != n:
            raise ValueError(f"{self.columns[0]}: expected {n} values, got {len(arrays[0])}")
        release = n * self._n > RELEASE_ABOVE
        self._enter()
        if at is not None:
            room = self._keep_at(<const int64_t *>cnp.PyArray_DATA(<cnp.ndarray>at), n, &bad)
        if room and bad < 0:
            copies = self._point(arrays, n, &room)
        if room and bad < 0:
            where = self._at if at is not None else NULL
            if release:
                with nogil:
                    self._tick(where, n)
            else:
                self._tick(where, n)
        PyThread_release_lock(self._lock)
        free(copies)
        if not room:
            raise MemoryError()
        if bad >= 0:
            raise IndexError(f"at: expected indices in 0..{self.symbols - 1}, got {at[bad]} at {bad}")

    cdef bint _keep_at(self, const int64_t *at, Py_ssize_t n, int64_t *bad) noexcept:
        """Copy the indices, so that no other thread changes them after the check; False without memory."""
        cdef int64_t *room
        if n > self._at_room:
            room = <int64_t *>malloc(<size_t>n * sizeof(int64_t))
            if room == NULL:
                return False
            free(self._at)
            self._at = room
            self._at_room = n
        for i in range(n):
            self._at[i] = at[i]
            if self._at[i] < 0 or self._at[i] >= self.symbols:
                bad[0] = i
                return True
        return True

    cdef void _tick(self, const int64_t *at, Py_ssize_t n) noexcept nogil:
        cdef const double *inputs[FC_MAX_IN]
        cdef Lane *lane
        cdef Py_ssize_t i, j
        for i in range(self._n):
            lane = &self._lanes[i]
            for j in range(lane.program.n_in):
                inputs[j] = self._data[lane.columns[j]]
            fc_program_many(lane.program, lane.states, lane.stride, at, inputs, lane.out, n)

    def extend(self, columns):
        cdef list arrays = self._arrays("extend", columns, 2)
        cdef Py_ssize_t rows = self.symbols, bars = 0
        cdef bint room = True
        cdef double *spare
        cdef double *copies
        if arrays:
            rows = cnp.PyArray_DIM(<cnp.ndarray>arrays[0], 0)
            bars = cnp.PyArray_DIM(<cnp.ndarray>arrays[0], 1)
        if rows != self.symbols:
            raise ValueError(f"{self.columns[0]}: expected {self.symbols} rows, one a symbol, got {rows}")
        if bars == 0 or rows == 0:
            return
        if bars > PY_SSIZE_T_MAX // (8 * FC_MAX_OUT):
            raise MemoryError()
        spare = <double *>malloc(<size_t>bars * FC_MAX_OUT * sizeof(double))
        if spare == NULL:
            raise MemoryError()
        self._enter()
        copies = self._point(arrays, rows * bars, &room)
        if room:
            with nogil:
                self._history(spare, bars)
        PyThread_release_lock(self._lock)
        free(copies)
        free(spare)
        if not room:
            raise MemoryError()

    cdef void _history(self, double *spare, Py_ssize_t bars) noexcept nogil:
        cdef const double *inputs[FC_MAX_IN]
        cdef double *out[FC_MAX_OUT]
        cdef Lane *lane
        cdef Py_ssize_t i, j, symbol
        for j in range(FC_MAX_OUT):
            out[j] = spare + j * bars
        for i in range(self._n):
            lane = &self._lanes[i]
            for symbol in range(self.symbols):
                for j in range(lane.program.n_in):
                    inputs[j] = self._data[lane.columns[j]] + symbol * bars
                fc_program_run(lane.program, lane.states + <size_t>symbol * lane.stride, inputs, out, bars)
                for j in range(lane.program.n_out):
                    lane.out[j][symbol] = out[j][bars - 1]

    def output(self, i):
        return self._outputs[i]

    def copy(self):
        cdef Board other = Board(self.specs, self.symbols)
        cdef Py_ssize_t i, j
        self._enter()
        for i in range(self._n):
            memcpy(other._lanes[i].states, self._lanes[i].states, self._lanes[i].stride * <size_t>self.symbols)
            for j in range(self._lanes[i].program.n_out):
                memcpy(other._lanes[i].out[j], self._lanes[i].out[j], <size_t>self.symbols * sizeof(double))
        PyThread_release_lock(self._lock)
        return other

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return self.copy()

    def __reduce__(self):
        cdef Py_ssize_t i, j
        states = [
            PyBytes_FromStringAndSize(NULL, <Py_ssize_t>self._lanes[i].stride * self.symbols) for i in range(self._n)
        ]
        outputs = [
            [PyBytes_FromStringAndSize(NULL, 8 * self.symbols) for j in range(self._lanes[i].program.n_out)]
            for i in range(self._n)
        ]
        self._enter()
        for i in range(self._n):
            memcpy(PyBytes_AS_STRING(states[i]), self._lanes[i].states, self._lanes[i].stride * <size_t>self.symbols)
            for j in range(self._lanes[i].program.n_out):
                memcpy(PyBytes_AS_STRING(outputs[i][j]), self._lanes[i].out[j], <size_t>self.symbols * sizeof(double))
        PyThread_release_lock(self._lock)
        return Board, (self.specs, self.symbols), (FC_STATE_VERSION, states, outputs)

    def __setstate__(self, stored):
        cdef Py_ssize_t i, j, symbol
        cdef const char *loaded
        version, states, outputs = stored
        fits = version == FC_STATE_VERSION and type(states) is list and type(outputs) is list
        if fits:  # copies: another thread may change the lists while the lock is waited for
            states, outputs = tuple(states), tuple([tuple(o) if type(o) is list else () for o in outputs])
        fits = fits and len(states) == len(outputs) == self._n
        for i in range(self._n if fits else 0):
            size = <Py_ssize_t>self._lanes[i].stride * self.symbols
            fits = fits and type(states[i]) is bytes and len(states[i]) == size
            fits = fits and len(outputs[i]) == self._lanes[i].program.n_out
            fits = fits and all(type(output) is bytes and len(output) == 8 * self.symbols for output in outputs[i])
        for i in range(self._n if fits else 0):
            lane = &self._lanes[i]
            loaded = PyBytes_AS_STRING(states[i])
            for symbol in range(self.symbols):
                fits = fits and fc_program_valid(lane.program, loaded + <size_t>symbol * lane.stride)
        if not fits:
            raise ValueError(f"state: expected one of this board in version {FC_STATE_VERSION}")
        self._enter()
        for i in range(self._n):
            memcpy(self._lanes[i].states, PyBytes_AS_STRING(states[i]), self._lanes[i].stride * <size_t>self.symbols)
            for j in range(self._lanes[i].program.n_out):
                memcpy(self._lanes[i].out[j], PyBytes_AS_STRING(outputs[i][j]), <size_t>self.symbols * sizeof(double))
        PyThread_release_lock(self._lock)

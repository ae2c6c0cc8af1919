# A plan: several indicators of the same columns, which share what they have in common.


@cython.no_gc  # it holds texts, numbers and programs: no cycle comes back to it
cdef class Plan:
    cdef readonly tuple columns
    cdef list _holders
    cdef int *_numbers
    cdef fc_plan *_plan

    def __cinit__(self, specs):
        cdef Py_ssize_t n, i, j
        cdef const fc_program *program
        given = [tuple(spec) for spec in specs]
        n = len(given)
        names = {}
        self._holders = []
        self._numbers = <int *>calloc(n * FC_MAX_IN + 1, sizeof(int))
        cdef fc_indicator *indicators = <fc_indicator *>calloc(n + 1, sizeof(fc_indicator))
        try:
            if self._numbers == NULL or indicators == NULL:
                raise MemoryError()
            for i in range(n):
                source, params, columns = given[i]
                taken = fc_floats(params)
                alone, operators = fc_program_of(fc_isa_used(), source, taken), fc_operators_of(source, taken)
                self._holders += [alone, operators]
                indicators[i].alone = fc_program_in(alone)
                indicators[i].operators = program = fc_program_in(operators)
                indicators[i].columns = self._numbers + i * FC_MAX_IN
                if len(columns) != program.n_in or not all(type(column) is str for column in columns):
                    raise ValueError(f"specs: expected {program.n_in} column names for {source}, got {columns!r}")
                for j in range(program.n_in):
                    self._numbers[i * FC_MAX_IN + j] = names.setdefault(columns[j], len(names))
            self.columns = tuple(names)
            self._plan = fc_plan_new(indicators, <int>n)
            if self._plan == NULL:
                raise MemoryError()
        finally:
            free(indicators)

    def __dealloc__(self):
        fc_plan_free(self._plan)
        free(self._numbers)

    def __call__(self, arrays, threads=0, out=None):
        cdef Py_ssize_t i, rows, bars
        cdef int wanted = threads, failed, n_columns = <int>len(self.columns)
        given = tuple(arrays)
        if len(given) != len(self.columns):
            raise ValueError(f"expected {len(self.columns)} columns, got {len(given)}")
        for name, x in zip(self.columns, given):
            if not fc_is_plain(x) or not 1 <= cnp.PyArray_NDIM(<cnp.ndarray>x) <= 2:
                raise TypeError(
                    f"{name}: expected a C-contiguous, aligned ndarray of native float64 in 1 or 2 dimensions,"
                    f" got {type(x).__name__}"
                )
            if not cnp.PyArray_SAMESHAPE(<cnp.ndarray>x, <cnp.ndarray>given[0]):
                raise ValueError(f"{name}: expected the shape of {self.columns[0]}, {given[0].shape}, got {x.shape}")
        cdef int nd = cnp.PyArray_NDIM(<cnp.ndarray>given[0])
        cdef Py_ssize_t *shape = <Py_ssize_t *>cnp.PyArray_DIMS(<cnp.ndarray>given[0])
        bars, rows = shape[nd - 1], shape[0] if nd == 2 else 1
        if out is None:
            outputs = [fc_new_array(nd, shape) for _ in range(self._plan.n_out)]
        else:
            outputs = [x for own in out for x in own]
            if len(outputs) != self._plan.n_out or not all(fc_is_own(x, given[0]) for x in outputs):
                raise ValueError(f"out: expected {self._plan.n_out} writable arrays, plain and of the columns' shape")
        cdef const double **columns = <const double **>calloc(len(given) + 1, sizeof(double *))
        cdef double **to = <double **>calloc(self._plan.n_out + 1, sizeof(double *))
        try:
            if columns == NULL or to == NULL:
                raise MemoryError()
            for i in range(len(given)):
                columns[i] = <const double *>cnp.PyArray_DATA(<cnp.ndarray>given[i])
            for i in range(len(outputs)):
                to[i] = <double *>cnp.PyArray_DATA(<cnp.ndarray>outputs[i])
            if rows * bars * self._plan.n > RELEASE_ABOVE:
                with nogil:
                    failed = fc_plan_panel(self._plan, columns, n_columns, to, rows, bars, wanted)
            else:
                failed = fc_plan_panel(self._plan, columns, n_columns, to, rows, bars, wanted)
            if failed:
                raise MemoryError()
        finally:
            free(columns)
            free(to)
        ends = [self._plan.output[i] for i in range(self._plan.n)] + [len(outputs)]
        return [tuple(outputs[ends[i] : ends[i + 1]]) for i in range(self._plan.n)]

# Packer and Unpacker: options kept, bytes taken as they come. The codec below them is C.

cdef int MAX_READ = 16 * 1024
cdef long long MAX_BUFFER = 100 * 1024 * 1024


@cython.trashcan(True)  # one may hold a method of another as its hook
cdef class Packer:
    """Packs objects by one set of options; the public package documents it."""

    cdef fc_pack_options options
    cdef object kept  # what the options borrow from
    cdef bint autoreset
    cdef bytearray buffer
    cdef object __weakref__

    def __init__(self, *, autoreset=True, buf_size=None, **options):
        cdef fc_pack_options made = fc_pack_defaults
        cdef int64_t size
        for name, value in options.items():
            if not fc_pack_option(&made, name, value):
                raise TypeError(f"Packer() got an unexpected keyword argument '{name}'")
        if buf_size is not None:
            fc_int_option(b"buf_size", buf_size, 0, FC_NO_LIMIT, &size)
        self.autoreset = bool(autoreset)
        self.buffer = bytearray()
        self.kept = tuple(options.values())
        self.options = made

    def pack(self, obj):
        kept = self.kept  # `default` may call __init__
        cdef fc_pack_options options = self.options
        data = fc_pack(obj, &options)
        return data if self.autoreset else self.keep(data)

    def pack_map_pairs(self, pairs):
        fc_stack_guard()
        kept = self.kept
        cdef fc_pack_options options = self.options
        return self.give(fc_pack_pairs(list(pairs), &options))

    def pack_array_header(self, size):
        return self.give(fc_header(0, checked("size", size, 0, 0xFFFFFFFF)))

    def pack_map_header(self, size):
        return self.give(fc_header(1, checked("size", size, 0, 0xFFFFFFFF)))

    def pack_ext_type(self, typecode, data):
        if not isinstance(data, bytes):
            raise TypeError(f"data: expected bytes, got {type(data).__name__}")
        return self.give(fc_pack(ExtType(checked("typecode", typecode, 0, 127), data), &fc_pack_defaults))

    def bytes(self):
        return bytes(self.buffer)

    def getbuffer(self):
        return memoryview(self.buffer).toreadonly()

    def reset(self):
        self.buffer = bytearray()  # a buffer handed out by getbuffer() stays as it is

    cdef object give(self, data):
        return data if self.autoreset else self.keep(data)

    cdef object keep(self, data):
        self.buffer += data
        return None


cdef int64_t checked(str name, value, int64_t low, int64_t high) except -1:
    cdef int64_t found
    coded = name.encode()
    fc_int_option(coded, value, low, high, &found)
    return found


cdef bytes as_bytes(str name, data):
    if type(data) is bytes:
        return data
    fc_stack_guard()
    try:
        view = memoryview(data)
    except TypeError:
        raise TypeError(f"{name}: expected a bytes-like object, got {type(data).__name__}") from None
    with view:
        if view.itemsize != 1:
            raise ValueError(f"{name}: expected items of one byte, got items of {view.itemsize}")
        return view.tobytes()


@cython.trashcan(True)
cdef class Unpacker:
    """Takes bytes and gives messages; the public package documents it.

    The bytes of a message are walked over once, as they come; it is built when all of it is there.
    """

    cdef fc_unpack_options options
    cdef fc_walk walk
    cdef object kept  # what the options borrow from
    cdef object read
    cdef int64_t max_buffer_size
    cdef int64_t read_size
    cdef bytearray buffer  # never handed out, so only this object changes it
    cdef Py_ssize_t start  # of the message that comes next
    cdef int64_t offset  # of that message in the whole stream
    cdef bint busy
    cdef object __weakref__

    def __cinit__(self):
        self.buffer = bytearray()
        self.options = fc_unpack_defaults
        self.max_buffer_size = MAX_BUFFER
        self.read_size = MAX_READ
        fc_walk_init(&self.walk, MAX_BUFFER)

    def __init__(self, file_like=None, *, read_size=0, max_buffer_size=MAX_BUFFER, **options):
        self.enter()
        try:
            self.set_up(file_like, read_size, max_buffer_size, options)
        finally:
            self.busy = False

    cdef int set_up(self, file_like, read_size, max_buffer_size, dict options) except -1:
        cdef fc_unpack_options made = fc_unpack_defaults
        for name, value in options.items():
            if not fc_unpack_option(&made, name, value):
                raise TypeError(f"Unpacker() got an unexpected keyword argument '{name}'")
        fc_unpack_options_done(&made)
        self.max_buffer_size = checked("max_buffer_size", max_buffer_size, 0, FC_NO_LIMIT) or 2**31 - 1
        self.read_size = checked("read_size", read_size, 0, self.max_buffer_size) or min(self.max_buffer_size, MAX_READ)
        self.read = None
        if file_like is not None:
            self.read = getattr(file_like, "read", None)
            if not callable(self.read):
                raise TypeError(f"file_like: expected an object with a read method, got {type(file_like).__name__}")
        self.kept = tuple(options.values())
        self.options = made
        self.buffer = bytearray()
        self.start = self.offset = 0
        fc_walk_init(&self.walk, self.max_buffer_size)
        return 0

    def feed(self, data):
        self.enter()
        try:
            if self.read is not None:
                raise TypeError("feed: expected an Unpacker without file_like")
            self.append(as_bytes("data", data))
        finally:
            self.busy = False

    def unpack(self):
        cdef Py_buffer held
        cdef Py_ssize_t begin
        cdef const uint8_t *at
        self.enter()
        try:
            self.walk_on()
            begin = self.start
            self.done(self.walk.position)
            PyObject_GetBuffer(self.buffer, &held, PyBUF_SIMPLE)  # blocks a resize through gc.get_referents()
            try:
                at = <const uint8_t *>held.buf
                return fc_build_whole(at + begin, at + self.start, &self.options)
            finally:
                PyBuffer_Release(&held)
        finally:
            self.busy = False

    def skip(self):
        self.enter()
        try:
            self.walk_on()
            self.done(self.walk.position)
        finally:
            self.busy = False

    def read_bytes(self, n):
        cdef int64_t wanted
        self.enter()
        try:
            wanted = checked("n", n, 0, FC_NO_LIMIT)
            while self.waiting() < wanted and self.more():
                pass
            begin = self.start
            self.done(min(wanted, self.waiting()))
            return bytes(self.buffer[begin:self.start])
        finally:
            self.busy = False

    def read_array_header(self):
        return self.read_header("an array", 0x90, 0xDC)

    def read_map_header(self):
        return self.read_header("a map", 0x80, 0xDE)

    def tell(self):
        return self.offset

    def __iter__(self):
        return self

    def __next__(self):
        try:
            return self.unpack()
        except OutOfData:
            raise StopIteration from None

    cdef int enter(self) except -1:
        if self.busy:
            raise RuntimeError("Unpacker: expected no call while another is at work, from a hook or a thread")
        self.busy = True
        return 0

    cdef Py_ssize_t waiting(self):
        return PyByteArray_GET_SIZE(self.buffer) - self.start

    cdef int append(self, bytes data) except -1:
        cdef int64_t waiting = self.waiting() + len(data)
        if waiting > self.max_buffer_size:
            raise BufferFull(f"max_buffer_size: expected at most {self.max_buffer_size} bytes waiting, got {waiting}")
        if self.start:
            del self.buffer[:self.start]
            self.start = 0
        self.buffer += data
        return 0

    cdef bint more(self) except -1:
        """Read on, if there is something to read from; False at its end."""
        if self.read is None:
            return False
        fc_stack_guard()
        cdef int64_t room = self.max_buffer_size - self.waiting()
        if room == 0:
            raise BufferFull(f"max_buffer_size: expected a message that fits {self.max_buffer_size} bytes, got more")
        data = as_bytes("file_like", self.read(min(self.read_size, room)))
        self.append(data)
        return len(data) > 0

    cdef int walk_on(self) except -1:
        """Walk to the end of the next message, all of which is then there."""
        while True:
            at = <const uint8_t *>PyByteArray_AS_STRING(self.buffer) + self.start
            if fc_walk_on(&self.walk, &self.options, at, self.waiting()) == FC_WALK_DONE:
                return 0
            if not self.more():
                raise OutOfData(f"data: expected a whole message, got {self.waiting()} bytes of one")

    cdef void done(self, Py_ssize_t n):
        self.start += n
        self.offset += n
        fc_walk_init(&self.walk, self.max_buffer_size)

    cdef object read_header(self, str kind, int short, int long_):
        cdef int size = 1, head
        cdef int64_t n
        self.enter()
        try:
            while True:
                while self.waiting() < size:
                    if not self.more():
                        raise OutOfData(f"data: expected a whole header, got {self.waiting()} bytes of one")
                head = self.buffer[self.start]
                if head & 0xF0 != short and head != long_ and head != long_ + 1:
                    raise ValueError(f"data: expected {kind}, got header 0x{head:02x}")
                if head & 0xF0 == short or size > 1:
                    break
                size = 3 if head == long_ else 5
            n = head & 0x0F
            if size > 1:
                n = int.from_bytes(self.buffer[self.start + 1:self.start + size], "big")
            name, most = "max_array_len", self.options.max_array_len
            if short == 0x80:
                name, most = "max_map_len", self.options.max_map_len
            if n > most:
                raise ValueError(f"{name}: expected a length of at most {most} at byte 0, got {n}")
            self.done(size)
            return n
        finally:
            self.busy = False

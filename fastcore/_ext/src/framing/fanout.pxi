# Fan-out: the rules are the FanoutRules's; here is what happens for every client of every message.
#
# Clients that have been given the same messages since the last tick share a _Node, the last of a chain that leads back
# through those messages. To give a message to a client is to step to the node after its own, and what a tick sends is
# made once for a node.

cdef enum:
    _FEW = 16

cdef class _Message:
    """A published message, framed once for each window it is deflated with."""

    cdef readonly object topic
    cdef readonly object offset
    cdef readonly object key
    cdef readonly bytes payload
    cdef readonly Py_ssize_t size
    cdef tuple deflate
    cdef dict frames

    def __init__(self, topic, offset, key, bytes payload not None, tuple deflate not None):
        self.topic = topic
        self.offset = offset
        self.key = key
        self.payload = payload
        self.size = len(payload)
        self.deflate = deflate
        self.frames = {}

    cpdef bytes frame(self, int window):
        made = self.frames.get(window)
        if made is None:
            level, _, threshold = self.deflate
            if window == 0 or self.size < threshold:
                made = frame_packed(self.payload)
            else:
                made = frame_packed(self.payload, True, level=level, wbits=window, threshold=threshold)
            self.frames[window] = made
        return made


cdef bytes data_of(int64_t number, int64_t offset, object key, bytes body):
    """The payload around an object that is packed already."""
    cdef bytes last = b"" if key is None else fc_pack(key, &fc_pack_defaults)
    cdef char head[20]
    cdef char *end = fc_head_array(head, 4 if key is None else 5)
    end = fc_put_uint(end, _DATA)
    end = fc_put_uint(end, number)
    end = fc_put_uint(end, offset)
    return head[:end - head] + body + last


cdef class _Node:
    cdef _Node before  # None in the node of those who were given nothing yet
    cdef _Message message
    cdef Py_ssize_t count
    cdef _Node after  # of the clients here, the latest message led there
    cdef _Message latest
    cdef dict lines  # window -> (frames, their bytes)


cdef list messages_of(_Node node):
    cdef list found = []
    while node is not None and node.message is not None:
        found.append(node.message)
        node = node.before
    found.reverse()
    return found


cdef tuple lines_of(_Node node, int window):
    """The frames for those at `node`, copied together if they are short, and how many bytes they are."""
    found = None if node.lines is None else node.lines.get(window)
    if found is None:
        frames = [(<_Message>message).frame(window) for message in messages_of(node)]
        size = sum([len(line) for line in frames])
        if len(frames) > 1 and size <= _JOIN:
            frames = [b"".join(frames)]
        found = (tuple(frames), size)
        if node.lines is None:
            node.lines = {}
        node.lines[window] = found
    return found


cdef class _Client:
    """A connection and its outbox."""

    cdef readonly object handle
    cdef readonly int window
    cdef readonly int fd
    cdef readonly dict names
    cdef readonly dict backlog
    cdef public bint blocked
    cdef public bint gone
    cdef public long long backlog_bytes
    cdef _Node node  # None: the outbox is empty

    def __init__(self, handle, int window, int fd):
        self.handle = handle
        self.window = window
        self.fd = fd
        self.names = {}
        self.backlog = {}


cdef void cut(list nodes):
    cdef _Node node
    for node in nodes:
        node.after = None
        node.latest = None


cdef int hold(list clients, _Message message, board) except -1:
    """FanoutRules._hold for many."""
    cdef _Client client
    cdef _Message older
    cdef long long limit = board._limit, total_limit = board._total_limit, total = board._backlog_bytes, grown
    cdef Py_ssize_t conflated = 0
    policy = message.topic.policy
    if policy == "drop":
        board._dropped += len(clients)
        return 0
    place = message if policy == "all" else (message.topic.id, message.key)
    for client in clients:
        if client.gone:  # closed by what another held back a moment ago
            continue
        older = client.backlog.pop(place, None)
        grown = message.size
        if older is not None:
            conflated += 1
            grown -= older.size
        client.backlog[place] = message
        client.backlog_bytes += grown
        total += grown
        if client.backlog_bytes > limit or total > total_limit:
            board._backlog_bytes = total
            board._check_backlog(client)
            total = board._backlog_bytes
    board._backlog_bytes = total
    board._conflated += conflated
    return 0


cdef class _Outboxes:
    cdef _Node root
    cdef list nodes  # of this tick; each refers to the one after it, and that back: a tick cuts the knots
    cdef list dirty
    cdef readonly long long delivered
    cdef readonly long long bytes_out

    def __cinit__(self):
        self.start()

    cdef void start(self):
        self.root = _Node.__new__(_Node)
        self.nodes = [self.root]
        self.dirty = []

    cdef int put(self, _Client client, _Message message) except -1:
        cdef _Node node = client.node, after
        if node is None:
            node = self.root
            self.dirty.append(client)
        if node.latest is message:
            after = node.after
        else:
            after = _Node.__new__(_Node)
            after.before = node
            after.message = message
            after.count = node.count + 1
            node.after = after
            node.latest = message
            self.nodes.append(after)
        client.node = after
        return 0

    def spread(self, list clients not None, _Message message not None, board):
        cdef _Client client
        cdef list slow = None
        for client in clients:
            if not client.blocked:
                self.put(client, message)
            elif slow is None:
                slow = [client]
            else:
                slow.append(client)
        if slow is not None:
            hold(slow, message, board)

    def enqueue(self, _Client client not None, _Message message not None):
        self.put(client, message)

    def enqueue_all(self, _Client client not None, messages):
        cdef _Message message
        for message in messages:
            self.put(client, message)

    def empty(self, _Client client not None):
        node, client.node = client.node, None
        return messages_of(node)

    def tick(self):
        cdef list dirty = self.dirty, nodes = self.nodes
        cdef _Client client
        cdef _Node node
        cdef dict out = {}
        cdef tuple found
        cdef long long size
        if not dirty:
            return out
        self.start()
        for client in dirty:
            node = client.node
            if node is None:  # emptied, and perhaps here once more
                continue
            client.node = None
            found = lines_of(node, client.window)
            size = found[1]
            self.delivered += node.count
            self.bytes_out += size
            out[client.handle] = found[0]
        cut(nodes)
        return out

    def send(self):
        cdef list dirty = self.dirty, nodes = self.nodes, kept = []
        cdef _Client client
        cdef _Node node, last = None
        cdef int window = -1
        cdef tuple found, lines = ()
        cdef long long size = 0, delivered = 0, bytes_out = 0
        cdef Py_ssize_t n = 0, i
        cdef bint alone = False
        cdef dict rest = {}
        cdef fc_sending *all
        cdef fc_sending *one
        if not dirty:
            return 0, rest
        all = <fc_sending *>PyMem_Malloc(len(dirty) * sizeof(fc_sending))
        if all == NULL:
            raise MemoryError()
        try:
            self.start()
            for client in dirty:
                node = client.node
                if node is None:  # emptied, and perhaps here once more
                    continue
                client.node = None
                if node is not last or client.window != window:  # most have what the one before has
                    found = lines_of(node, client.window)
                    last, window = node, client.window
                    lines, size = found
                    alone = len(lines) == 1
                    kept.append(lines)
                delivered += node.count
                bytes_out += size
                one = &all[n]
                n += 1
                one.fd = client.fd if alone else -1
                one.size = size
                one.sent = 0
                one.data = PyBytes_AS_STRING(lines[0])
                one.client = <void *>client  # the list of those who are dirty keeps it
                one.lines = <void *>lines  # and `kept` this
            self.delivered += delivered
            self.bytes_out += bytes_out
            if n < _FEW:  # to get the GIL back may take longer
                fc_send_all(all, n)
            else:
                with nogil:
                    fc_send_all(all, n)
            for i in range(n):
                one = &all[i]
                if one.sent < one.size:
                    lines = <tuple>one.lines
                    if one.sent:
                        lines = (memoryview(lines[0])[one.sent:],)
                    rest[(<_Client>one.client).handle] = lines
        finally:
            PyMem_Free(all)
            cut(nodes)
        return n, rest


class Fanout(FanoutRules):
    """Messages to many clients without a socket; the public package documents it."""

    def __init__(self, **options):
        packing = {name: options.pop(name) for name in _PACKING & options.keys()}
        for name in options:
            if name not in FanoutRules.__init__.__kwdefaults__:
                raise TypeError(f"Fanout() got an unexpected keyword argument '{name}'")
        super().__init__(**options)
        self._pack = Packer(**packing).pack
        self._outboxes = _Outboxes()

    def tick(self):
        return self._outboxes.tick()

    def send(self):
        return Sent(*self._outboxes.send())

    def _made(self, handle, window, fd):
        return _Client(handle, window, fd)

    def _message(self, topic, offset, key, payload):
        return _Message(topic, offset, key, payload, self._deflate)

    def _data(self, topic, offset, key, body):
        return _Message(topic, offset, key, data_of(topic.id, offset, key, body), self._deflate)

    def _spread(self, clients, message):
        self._outboxes.spread(clients, message, self)

    def _enqueue(self, client, message):
        self._outboxes.enqueue(client, message)

    def _enqueue_all(self, client, messages):
        self._outboxes.enqueue_all(client, messages)

    def _drop_outbox(self, client):
        return self._outboxes.empty(client)

    def _sent(self):
        return self._outboxes.delivered, self._outboxes.bytes_out

// A client of the streaming protocol for Node 22 (Node 20: --experimental-websocket), without packages, from
// docs/protocol.md: the JSON variant, with resumption, heartbeat and reconnecting.
//
//   node examples/node_client.mjs ws://127.0.0.1:8000/stream 'prices.*' [token]
//
// prints a line of JSON for each message: {"topic": ..., "offset": ..., "data": ..., "key": ...}.

const [CONNECT, DATA, TOPIC, SUBSCRIBE, UNSUBSCRIBE, ERROR, PING, DRAIN, , EPOCH, POSITIONS] = Array(11).keys();

export class StreamClient {
  constructor(url, topics, { token, onMessage, onGap, onError, newest = true } = {}) {
    Object.assign(this, { url, topics, token, onMessage, onGap, onError, newest });
    Object.assign(this, { attempt: 0, delay: null }); // seconds, from a drain
    Object.assign(this, { epoch: null, offsets: {}, names: new Map() }); // where to go on; topics by their numbers
    this.ended = new Promise((resolve) => (this.resolve = resolve));
    this.open();
  }

  open() {
    this.ws = new WebSocket(this.url, "fastcore.v1.json");
    this.ws.onopen = () => this.send(CONNECT, this.token ? { token: this.token } : {});
    this.ws.onmessage = (event) => this.hear(JSON.parse(event.data));
    this.ws.onclose = (event) => this.closed(event.code);
    this.ws.onerror = () => {}; // a close follows
    this.alive(30);
  }

  subscribe() { // and say where it was, in parts: a server takes 64 KiB in a message
    const known = Object.entries(this.offsets), options = { newest: this.newest };
    for (let at = 0; at < known.length; at += 200)
      this.send(POSITIONS, 1, [this.epoch, Object.fromEntries(known.slice(at, at + 200))]);
    if (this.epoch !== null) options.since = [this.epoch, {}];
    this.send(SUBSCRIBE, 1, this.topics, options);
  }

  send(...message) { this.ws.send(JSON.stringify(message)); }

  alive(seconds) { // nothing for so long: the link is dead
    clearTimeout(this.timer);
    this.silence = seconds;
    this.timer = setTimeout(() => { this.ws.close(); this.closed(1006); }, seconds * 1000);
  }

  hear(message) {
    const [kind, ...rest] = message;
    this.alive(this.silence);
    if (kind === PING) this.send(PING);
    else if (kind === CONNECT) {
      this.subscribe();
      if (this.epoch !== rest[0].epoch) this.begin(rest[0].epoch);
      this.attempt = 0;
      this.alive(rest[0].ping + rest[0].pong);
    } else if (kind === TOPIC) this.names.set(rest[0], rest[1]);
    else if (kind === SUBSCRIBE) {
      for (const [name, id, offset, state] of rest[1]) {
        this.names.set(id, name);
        if (state === 0 && !this.newest) this.offsets[name] = offset;
        if (state === 2) { delete this.offsets[name]; this.onGap?.(name); }
      }
    } else if (kind === DATA) {
      const [id, offset, data, key] = rest;
      const topic = this.names.get(id);
      if (topic === undefined || offset <= this.offsets[topic]) return; // unsubscribed, or handled already
      this.onMessage?.({ topic, offset, data, key });
      this.offsets[topic] = offset; // once it was handled
    } else if (kind === UNSUBSCRIBE) this.topics = this.topics.filter((name) => !rest[1]?.includes(name)); // taken away
    else if (kind === EPOCH) this.begin(rest[0]);
    else if (kind === DRAIN) this.delay = rest[0];
    else if (kind === ERROR) this.onError?.(rest[1], rest[2]);
  }

  begin(epoch) { Object.assign(this, { epoch, offsets: {} }); }

  closed(code) {
    clearTimeout(this.timer);
    this.ws.onclose = this.ws.onmessage = null;
    const comesBack = (code >= 3000 && code <= 3499) || (code >= 4000 && code <= 4499);
    if (this.leaving || !(comesBack || [1001, 1005, 1006, 1011, 1012, 1013].includes(code))) return this.resolve(code);
    const wait = this.delay ?? Math.random() * Math.min(20, 0.5 * 2 ** this.attempt++);
    this.delay = null;
    this.names.clear();
    setTimeout(() => (this.leaving ? this.resolve(code) : this.open()), wait * 1000);
  }

  close() {
    this.leaving = true;
    this.ws.close(1000);
  }
}

if (process.argv[1]?.endsWith("node_client.mjs")) {
  const [url, topics, token] = process.argv.slice(2);
  const onMessage = (message) => console.log(JSON.stringify(message));
  const onGap = (name) => console.error(`gap: ${name}`);
  const client = new StreamClient(url, topics.split(","), { token, onMessage, onGap });
  process.on("SIGTERM", () => client.close());
  client.ended.then((code) => console.error(`closed: ${code}`));
}

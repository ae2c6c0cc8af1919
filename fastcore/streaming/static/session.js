// The client's side of the wire protocol without a socket or a clock: sending, receiving, reconnecting.

import { DecodeError, decodeHead, decodeMulti, encode } from "./msgpack.js";

export const SUBPROTOCOL = "fastcore.v1";
export const NORMAL = 1000;
export const PROTOCOL_ERROR = 4500; // what a page may close with, of those that say not to come back
export const NO_CLOSE = 1006;
const [CONNECT, DATA, TOPIC, SUBSCRIBE, UNSUBSCRIBE, ERROR, PING, DRAIN, TOKEN, EPOCH, POSITIONS] = Array(11).keys();
const [, RECOVERED, GAP] = Array(3).keys();
const PONG = encode([PING]);
const utf8 = new TextEncoder();
const TOO_BIG = 1009;
const SIZE = 65536; // what a server takes in a message, unless its welcome says otherwise
const LEAST = 512; // bytes that any server takes
const SMALL = 4096; // bytes of a request that need not wait for the welcome
const WELCOME_WITHIN = 23; // seconds, until the server has told its own periods

/** Whether a client that was closed with `code` should come back by itself. */
export function comesBack(code) {
  return (code >= 3000 && code <= 3499) || (code >= 4000 && code <= 4499)
    || [1001, 1005, 1006, 1011, 1012, 1013].includes(code);
}

/** Whether a name or pattern means a topic: `*` is one word, `>` at the end one or more. */
export function matches(name, topic) {
  const wanted = name.split(".");
  let words = topic.split(".");
  if (wanted.at(-1) === ">") {
    wanted.pop();
    if (words.length <= wanted.length) return false;
    words = words.slice(0, wanted.length);
  }
  return wanted.length === words.length && wanted.every((word, i) => word === "*" || word === words[i]);
}

/** The state that outlives a connection: subscriptions, positions, the epoch. */
export class Session {
  constructor({ topics = [], newest = false, last = 0, backoff = [0.5, 20], limits, random = Math.random } = {}) {
    this.epoch = "";
    this.limits = limits;
    this.out = []; // answers to be sent
    this.expires = null; // when the token does
    this.welcome = false;
    this.size = SIZE;
    this.largest = 0; // of those sent on this connection
    this.later = []; // requests that have to wait for the welcome
    this.failures = 0;
    this.backoff = backoff;
    this.random = random;
    this.wanted = new Map(topics.map((name) => [name, { newest, last }])); // by name or pattern
    this.answered = new Set(); // names the server has accepted once
    this.positions = new Map();
    this.told = new Map(); // topics without a position whose newest messages are on their way
    this.settled = new Map(); // those that had none, or whose newest have come: where to resume
    this.names = new Map(); // numeric ids of this connection
    this.asked = new Map(); // number of a request -> [names, positions it was sent with or null]
    this.ref = 0;
    this.drain = null;
    this.heard = 0;
    this.patience = WELCOME_WITHIN;
    this.openedAt = 0;
  }

  /** When the link is to be taken for dead unless something comes. */
  get deadline() {
    return this.heard + this.patience;
  }

  /** Sends a request when the welcome comes; for what `opened` did not know of yet. */
  afterWelcome(request) {
    this.later.push(request);
  }

  opened(now, token = null) {
    this.welcome = false;
    this.heard = this.openedAt = now;
    this.patience = WELCOME_WITHIN;
    for (const left of [this.names, this.asked, this.told]) left.clear();
    this.out = [];
    this.drain = null;
    const options = token === null ? {} : { token };
    const groups = new Map();
    for (const [name, start] of this.wanted) {
      const back = this.answered.has(name);
      const begin = back ? { newest: true, last: 0 } : start;
      const group = `${back} ${begin.newest} ${begin.last}`;
      if (!groups.has(group)) groups.set(group, { back, start: begin, names: [] });
      groups.get(group).names.push(name);
    }
    this.later = [];
    this.largest = 0;
    const atOnce = [];
    let first = true;
    for (const { back, start, names } of groups.values()) {
      if (first) {
        first = false;
        const wish = this.wish(0, names, start, back);
        const whole = { ...options, topics: names, ...wish };
        if (this.fits(encode([CONNECT, whole]))) {
          Object.assign(options, whole);
          continue;
        }
        this.asked.delete(0);
      }
      for (const part of parts(names, this.size / 2)) {
        const requests = this.request(part, start, back, true)[1];
        const small = requests.length === 1 && requests[0].length <= SMALL && !this.later.length;
        (small ? atOnce : this.later).push(...requests);
      }
    }
    return [encode([CONNECT, options]), ...atOnce];
  }

  fits(message) {
    if (message.length > this.size) return false;
    this.largest = Math.max(this.largest, message.length);
    return true;
  }

  subscribe(names, newest, last = 0) {
    for (const name of names) this.wanted.set(name, { newest, last });
    const [ref, [message]] = this.request(names, { newest, last }, false);
    return [ref, message];
  }

  /** A subscribe and, before it, the positions that do not fit into its message. */
  request(names, start, back, partial = false) {
    const ref = ++this.ref;
    const wish = this.wish(ref, names, start, back);
    if (partial) wish.partial = true;
    let message = encode([SUBSCRIBE, ref, names, wish]);
    if (this.fits(message) || !wish.since) return [ref, [message]];
    const before = [];
    const [epoch, positions] = wish.since;
    for (const topics of parts(Object.keys(positions), this.size - 100, 14)) {
      const piece = Object.fromEntries(topics.map((topic) => [topic, positions[topic]]));
      before.push(encode([POSITIONS, ref, [epoch, piece]]));
    }
    wish.since = [epoch, {}];
    this.largest = this.size;
    message = encode([SUBSCRIBE, ref, names, wish]);
    return [ref, [...before, message]];
  }

  wish(ref, names, { newest, last }, back) {
    const wish = last ? { newest, last } : { newest };
    let asked = null;
    if (back && this.epoch) {
      const wanted = meant(names);
      asked = new Map([...new Map([...this.settled, ...this.positions])].filter(([topic]) => wanted(topic)));
      wish.since = [this.epoch, Object.fromEntries(asked)];
    }
    this.asked.set(ref, [[...names], asked]);
    return wish;
  }

  unsubscribe(names) {
    const left = this.drop(names);
    const ref = ++this.ref;
    return [ref, encode([UNSUBSCRIBE, ref, left])];
  }

  /** Wants names no more; gives those of them that were wanted. */
  drop(names) {
    const left = names.filter((name) => this.wanted.delete(name));
    for (const name of left) this.answered.delete(name);
    const wanted = meant(this.wanted.keys());
    for (const known of [this.positions, this.settled, this.told]) {
      for (const topic of [...known.keys()]) if (!wanted(topic)) known.delete(topic);
    }
    return left;
  }

  renewToken(token) {
    return encode([TOKEN, ++this.ref, token]);
  }

  /** Reads a WebSocket message; gives events, and throws if it is not of the protocol. */
  *received(bytes, now) {
    this.heard = now;
    const values = decodeMulti(bytes, this.limits);
    while (true) {
      let next;
      try {
        next = values.next();
      } catch (error) {
        const skipped = error instanceof DecodeError ? this.skipped(error) : null;
        if (skipped === null) throw error;
        yield skipped;
        return;
      }
      if (next.done) return;
      const value = next.value;
      if (!Array.isArray(value) || !value.length) throw new TypeError("message: expected an array, got something else");
      yield* this.heed(value, now);
    }
  }

  /** Passes over data that cannot be read, so that it is not asked for again; null where it is no data. */
  skipped(error) {
    const head = error.bytes && decodeHead(error.bytes);
    if (!head || head[0] !== DATA || !Number.isSafeInteger(head[2])) return null;
    const [, id, at] = head;
    const topic = this.names.get(id) ?? "";
    if (topic && at > (this.positions.get(topic) ?? 0)) this.positions.set(topic, at);
    return { type: "skipped", topic, at, text: error.message };
  }

  *heed(value, now) {
    switch (value[0]) {
      case DATA: {
        const topic = this.names.get(value[1]);
        if (topic === undefined) return; // of a topic that was left a moment ago
        const offset = integer(value[2]);
        if (offset > (this.positions.get(topic) ?? 0)) { // a node that is behind sends again what another has sent
          this.positions.set(topic, offset);
          yield { type: "message", topic, data: value[3], offset, key: value[4] ?? null };
        }
        return;
      }
      case PING:
        this.out.push(PONG);
        for (const [topic, offset] of this.told) if (!this.settled.has(topic)) this.settled.set(topic, offset);
        this.told.clear();
        return;
      case TOPIC:
        this.names.set(integer(value[1]), String(value[2]));
        return;
      case CONNECT:
        yield* this.welcomed(value[1], now);
        return;
      case SUBSCRIBE:
        yield* this.subscribed(value[1], value[2], value[3] === true);
        return;
      case UNSUBSCRIBE:
        if (value[1] === 0 && value.length > 2) yield { type: "unsubscribed", topics: this.drop(value[2]) }; // by the server
        else yield { type: "answer", ref: value[1] };
        return;
      case ERROR: {
        const [, ref, code, text, some] = value;
        const [names, asked] = this.asked.get(ref) ?? [[], null];
        const refused = new Set(Array.isArray(some) ? some : names); // a part of the request, or all of it
        const left = names.filter((name) => !refused.has(name));
        if (left.length) this.asked.set(ref, [left, asked]);
        else this.asked.delete(ref);
        if (ref) for (const name of names) if (refused.has(name) && !this.answered.has(name)) this.wanted.delete(name);
        yield { type: "refusal", ref, code, text: String(text) };
        return;
      }
      case DRAIN:
        this.drain = Math.min(seconds(value[1]), 3600);
        return;
      case TOKEN:
        this.expires = value[2] === null ? null : now + seconds(value[2]);
        return;
      case EPOCH: { // the node has lost its place: what came between is not known, whether the epoch stays or not
        const lost = new Map([...this.settled, ...this.positions]);
        const restarted = value[1] !== this.epoch;
        this.renumber(String(value[1]));
        if (restarted) yield { type: "connected", epoch: this.epoch, restarted, session: "" };
        for (const [topic, offset] of lost) yield { type: "gap", topic, offset: restarted ? null : offset, epoch: this.epoch };
      }
    }
  }

  *welcomed(welcome, now) {
    const epoch = String(welcome.epoch);
    this.patience = welcome.ping && welcome.pong ? seconds(welcome.ping) + seconds(welcome.pong) : Infinity;
    this.expires = welcome.ttl == null ? null : now + seconds(welcome.ttl);
    this.welcome = true;
    if (Number.isSafeInteger(welcome.size) && welcome.size >= LEAST) this.size = welcome.size;
    this.out.push(...this.later.splice(0));
    const restarted = this.epoch !== "" && this.epoch !== epoch;
    if (restarted) this.renumber(epoch);
    this.epoch = epoch;
    yield { type: "connected", epoch, restarted, session: String(welcome.session ?? "") };
  }

  renumber(epoch) {
    this.epoch = epoch;
    for (const known of [this.positions, this.settled, this.told]) known.clear();
  }

  *subscribed(ref, entries, more) {
    const [names, asked] = this.asked.get(ref) ?? [[], null];
    if (!more) this.asked.delete(ref);
    for (const name of names) if (this.wanted.has(name)) this.answered.add(name);
    const newest = names.some((name) => this.wanted.get(name)?.newest);
    for (const [name, id, at, state] of entries) {
      const topic = String(name);
      const offset = integer(at);
      this.names.set(integer(id), topic);
      const before = this.positions.get(topic) ?? null;
      if (state === RECOVERED) {
        if (before === null) this.positions.set(topic, asked?.get(topic) ?? 0);
      } else if (state === GAP) {
        this.positions.delete(topic);
        this.settled.delete(topic);
        this.told.set(topic, offset);
        yield { type: "gap", topic, offset: before, epoch: this.epoch };
      } else if (before === null && (offset === 0 || !(newest || asked !== null))) {
        this.positions.set(topic, offset);
      } else if (before === null) {
        this.told.set(topic, offset);
      }
      yield { type: "subscribed", topic, offset, recovered: state === RECOVERED };
    }
    if (!more) yield { type: "answer", ref };
  }

  /** Ends a connection; `delay` says in how many seconds to come back, null: not by itself. */
  closed(code, reason, now) {
    if (code === TOO_BIG && this.largest > LEAST) this.size = Math.floor(this.largest / 2); // it takes less than others do
    else if (!comesBack(code)) return { type: "disconnected", code, reason, delay: null };
    if (this.welcome && now - this.openedAt >= this.backoff[1]) this.failures = 0; // it was a good one
    this.welcome = false;
    const drain = this.drain;
    this.drain = null;
    this.failures = drain === null ? Math.min(this.failures + 1, 32) : 0;
    const [low, high] = this.backoff;
    const delay = drain ?? low + this.random() * (Math.min(high, low * 2 ** this.failures) - low);
    return { type: "disconnected", code, reason, delay };
  }
}

/** Whether one of the names means a topic. */
function meant(names) {
  const exact = new Set(names);
  const patterns = [...exact].filter((name) => name.includes("*") || name.includes(">"));
  return (topic) => exact.has(topic) || patterns.some((name) => matches(name, topic));
}

/** Names in parts that each fit into `size` bytes, with `more` bytes for each. */
function* parts(names, size, more = 5) {
  let part = [];
  let used = 0;
  for (const name of names) {
    const needed = more + utf8.encode(name).length;
    if (part.length && used + needed > size) {
      yield part;
      part = [];
      used = 0;
    }
    part.push(name);
    used += needed;
  }
  if (part.length) yield part;
}

function integer(value) {
  if (!Number.isSafeInteger(value) || value < 0) throw new TypeError(`message: expected an integer >= 0, got ${value}`);
  return value;
}

function seconds(value) {
  if (typeof value !== "number" || !(value >= 0 && value < 2 ** 53)) throw new TypeError(`message: expected seconds, got ${value}`);
  return value;
}

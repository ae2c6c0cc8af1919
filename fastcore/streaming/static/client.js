// The browser's client of a hub: it stays connected, resumes where it was, and says what it could not resume.

import { Session, NO_CLOSE, NORMAL, PROTOCOL_ERROR, SUBPROTOCOL } from "./session.js";

export { decode, decodeMulti, encode, DecodeError, Ext } from "./msgpack.js";
export { comesBack } from "./session.js";

const CONNECT_WITHIN = 10; // seconds, for the handshake and for what a request is answered with
const ASK_WITHIN = 60; // seconds, for a token source

/** The server has closed the link with a code that forbids reconnecting. */
export class StreamClosed extends Error {
  constructor(code, reason) {
    super(`stream: expected a link, got closed with ${code} (${reason || "no reason given"})`);
    this.name = "StreamClosed";
    this.code = code;
    this.reason = reason;
  }
}

/** The server refuses a request. */
export class Refused extends Error {
  constructor(code, text) {
    super(text);
    this.name = "Refused";
    this.code = code;
  }
}

/**
 * Receives what a hub publishes. Iterate over it (`for await`), or listen with `on("message", ...)`; with listeners
 * nothing is buffered. A page cannot stop a WebSocket from reading, so a full buffer keeps the newest of each key
 * ("conflate"), or drops the link and resumes from where it was once there is room ("pause").
 */
export class Client {
  constructor(url, {
    topics = [], newest = false, last = 0, token = null, buffer = 1000, onFull = "conflate", backoff = [0.5, 20], limits,
    random = Math.random, now = () => performance.now() / 1000, WebSocket = globalThis.WebSocket,
  } = {}) {
    if (!["conflate", "pause"].includes(onFull)) throw new TypeError(`onFull: expected conflate or pause, got ${onFull}`);
    if (!Number.isInteger(buffer) || buffer < 1) throw new TypeError(`buffer: expected an integer >= 1, got ${buffer}`);
    if (!Array.isArray(topics)) throw new TypeError("topics: expected an array of names, got something else");
    const address = new URL(url, globalThis.location?.href);
    if (address.protocol.startsWith("http")) address.protocol = address.protocol.replace("http", "ws");
    // Topics of the URL are asked for with positions when the client comes back.
    const named = (address.searchParams.get("topics") ?? "").split(",").filter(Boolean);
    address.searchParams.delete("topics");
    this.url = address.href;
    this.session = new Session({ topics: [...named, ...topics], newest, last, backoff, limits, random });
    this.stats = { connections: 0, messages: 0, conflated: 0, gaps: 0, connected: false };
    this.options = { token, buffer, onFull, random, now, WebSocket };
    this.listeners = new Map();
    this.held = new Map(); // place -> message
    this.serial = 0;
    this.takers = [];
    this.answers = new Map();
    this.socket = null;
    this.timers = new Set();
    this.started = this.ended = this.paused = false;
    this.error = null;
  }

  // ---- its life ----

  /** Begins to connect; a server that is not there is waited for. */
  start() {
    if (this.started) throw new Error("start: expected a client that was not started, got one that was");
    this.started = true;
    // A page that comes back online, or to the front, need not wait for its timer.
    this.hurry = () => this.waiting && this.waiting();
    globalThis.addEventListener?.("online", this.hurry);
    this.connect();
    return this;
  }

  /** Closes the link and ends; what waits in the buffer can still be taken. */
  close() {
    if (this.ended) return;
    this.leave(NORMAL, "");
    this.finish(null);
  }

  on(type, listener) {
    if (!this.listeners.has(type)) this.listeners.set(type, new Set());
    this.listeners.get(type).add(listener);
    return () => this.listeners.get(type).delete(listener);
  }

  get topics() { return [...this.session.wanted.keys()]; }
  get positions() { return Object.fromEntries(this.session.positions); }
  get epoch() { return this.session.epoch; }

  /** Subscribes to more topics; without a link they are kept for the next one. */
  subscribe(topics, { newest = false, last = 0 } = {}) {
    const names = [topics].flat();
    return names.length ? this.ask(...this.session.subscribe(names, newest, last)) : Promise.resolve();
  }

  unsubscribe(topics) {
    const names = [topics].flat();
    return names.length ? this.ask(...this.session.unsubscribe(names)) : Promise.resolve();
  }

  // ---- messages ----

  async *[Symbol.asyncIterator]() {
    while (true) {
      const message = this.take();
      if (message !== undefined) yield message;
      else if (this.ended) {
        if (this.error) throw this.error;
        return;
      } else await new Promise((resolve) => this.takers.push(resolve));
    }
  }

  take() {
    for (const [place, message] of this.held) {
      this.held.delete(place);
      if (this.paused && this.held.size <= this.options.buffer / 2) {
        this.paused = false;
        this.hurry();
      }
      return message;
    }
    return undefined;
  }

  put(message) {
    this.stats.messages++;
    if (this.listeners.get("message")?.size) {
      this.emit("message", message);
      return;
    }
    const conflate = this.options.onFull === "conflate";
    const place = conflate ? JSON.stringify([message.topic, keyOf(message.key)]) : ++this.serial;
    if (this.held.delete(place)) this.stats.conflated++;
    else if (conflate && this.held.size >= this.options.buffer) {
      this.held.delete(this.held.keys().next().value);
      this.stats.conflated++;
    }
    this.held.set(place, message);
    this.wake();
    if (!conflate && this.held.size >= this.options.buffer) this.paused = true;
  }

  wake() {
    const takers = this.takers;
    this.takers = [];
    for (const resolve of takers) resolve();
  }

  emit(type, event) {
    for (const listener of this.listeners.get(type) ?? []) {
      try {
        listener(event);
      } catch (error) {
        reportError(error); // as for any listener of a page: the stream goes on
      }
    }
  }

  notice(event) {
    if (event.type === "gap") this.stats.gaps++;
    this.emit(event.type, event);
    this.emit("notice", event);
  }

  // ---- the link ----

  async connect() {
    let token;
    try {
      token = await this.askToken();
    } catch (error) {
      this.down(NO_CLOSE, `token: ${error?.message ?? error}`);
      return;
    }
    if (this.ended) return;
    let socket;
    try {
      socket = new this.options.WebSocket(this.url, [SUBPROTOCOL]);
    } catch (error) { // not a URL for it
      this.down(PROTOCOL_ERROR, String(error.message));
      return;
    }
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    const handshake = this.timer(CONNECT_WITHIN, () => this.leave(NO_CLOSE, "no handshake in time"));
    const mine = (listener) => (event) => this.socket === socket && listener(event);
    socket.addEventListener("open", mine(() => {
      handshake();
      this.stats.connections++;
      for (const message of this.session.opened(this.options.now(), token)) socket.send(message);
      this.watch(socket);
      this.keepToken(socket);
    }));
    socket.addEventListener("message", mine((event) => this.received(event.data)));
    socket.addEventListener("close", mine((event) => {
      this.socket = null;
      this.down(event.code, event.reason);
    }));
  }

  received(data) {
    if (typeof data === "string") {
      this.leave(PROTOCOL_ERROR, "a text message");
      return;
    }
    try {
      for (const event of this.session.received(new Uint8Array(data), this.options.now())) {
        if (event.type === "message") this.put(event);
        else if (event.type === "answer") this.answer(event.ref, null);
        else {
          if (event.type === "connected") this.stats.connected = true;
          if (event.type === "refusal") this.answer(event.ref, new Refused(event.code, event.text));
          this.notice(event);
        }
        if (this.ended || !this.socket) return; // a listener has closed it
      }
    } catch (error) {
      this.leave(PROTOCOL_ERROR, `not understood: ${error.message}`);
      return;
    }
    for (const message of this.session.out.splice(0)) this.send(message);
    if (this.paused) this.leave(NO_CLOSE, "the buffer is full");
  }

  send(message) {
    if (this.socket?.readyState === 1) this.socket.send(message);
  }

  /** Gives a link up at once: the closing handshake of a dead one can take minutes, and what comes now is too late. */
  leave(code, reason) {
    const socket = this.socket;
    if (!socket) return;
    this.socket = null;
    socket.close(code === NO_CLOSE ? NORMAL : code, reason.slice(0, 60));
    this.down(code, reason);
  }

  down(code, reason) {
    for (const stop of this.timers) stop();
    this.stats.connected = false;
    if (this.ended) return;
    for (const ref of [...this.answers.keys()]) this.answer(ref, null); // the next link asks for what is wanted then
    const event = this.session.closed(code, reason, this.options.now());
    this.notice(event);
    if (this.ended) return;
    if (event.delay === null) this.finish(code === NORMAL ? null : new StreamClosed(code, reason));
    else if (this.paused) this.waiting = this.once(() => this.connect());
    else {
      this.waiting = this.once(() => this.connect());
      this.timer(event.delay, this.waiting);
    }
  }

  once(then) {
    return () => {
      this.waiting = null;
      for (const stop of this.timers) stop();
      if (!this.ended) then();
    };
  }

  finish(error) {
    this.ended = true;
    this.error = error;
    for (const stop of this.timers) stop();
    for (const ref of [...this.answers.keys()]) this.answer(ref, null);
    globalThis.removeEventListener?.("online", this.hurry);
    this.emit("end", error);
    this.wake();
  }

  /** Calls after some seconds; returns what stops it. */
  timer(seconds, then) {
    const stop = () => {
      clearTimeout(id);
      this.timers.delete(stop);
    };
    const id = setTimeout(() => {
      this.timers.delete(stop);
      then();
    }, Math.min(seconds * 1000, 2 ** 31 - 1));
    this.timers.add(stop);
    return stop;
  }

  watch(socket) {
    if (this.socket !== socket) return;
    const left = this.session.deadline - this.options.now();
    if (left <= 0) this.leave(NO_CLOSE, "nothing came for too long");
    else this.timer(Math.min(left, 1) + 0.01, () => this.watch(socket));
  }

  async askToken() {
    const { token } = this.options;
    const given = (typeof token === "function" ? await within(ASK_WITHIN, token()) : token) ?? null;
    if (given !== null && typeof given !== "string") throw new TypeError(`expected a string, got ${typeof given}`);
    return given;
  }

  /** Gives the server a new token in good time, as long as the link is up. */
  keepToken(socket, known = null) {
    if (typeof this.options.token !== "function" || this.socket !== socket) return;
    const { expires, welcome } = this.session;
    if (!welcome || expires === null) {
      this.timer(0.2, () => this.keepToken(socket, known));
      return;
    }
    const left = expires - this.options.now();
    // The same expiry again: it was refused, or the answer is on its way.
    const wait = expires === known ? Math.max(1, left * 0.1) : Math.max(0, left * (0.7 + 0.2 * this.options.random()));
    this.timer(wait, async () => {
      try {
        const token = await this.askToken();
        if (token !== null && this.socket === socket) this.send(this.session.renewToken(token));
      } catch (error) {
        reportError(error);
      }
      this.keepToken(socket, expires);
    });
  }

  // ---- requests ----

  ask(ref, message) {
    if (this.socket?.readyState !== 1) return Promise.resolve(); // the next link asks for what is wanted then
    return new Promise((resolve, reject) => {
      const stop = this.timer(CONNECT_WITHIN, () => this.answer(ref, new Error("expected an answer in 10 s, got none")));
      this.answers.set(ref, { resolve, reject, stop });
      if (this.stats.connected) this.send(message);
      else this.session.afterWelcome(message);
    });
  }

  answer(ref, error) {
    const waiter = this.answers.get(ref);
    if (!waiter) return;
    this.answers.delete(ref);
    waiter.stop();
    if (error) waiter.reject(error);
    else waiter.resolve();
  }
}

/** What a promise gives, or an error after some seconds. */
function within(seconds, promise) {
  let id;
  const late = new Promise((_, reject) => {
    id = setTimeout(() => reject(new Error(`expected an answer in ${seconds} s, got none`)), seconds * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(id));
}

function keyOf(key) {
  if (key instanceof Uint8Array) return { bytes: [...key] };
  return typeof key === "bigint" ? { int: String(key) } : key;
}

function reportError(error) {
  if (globalThis.reportError) globalThis.reportError(error);
  else console.error(error);
}

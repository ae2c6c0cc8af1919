/** Types of client.js, an ES module without dependencies. */

export interface Message {
  type: "message";
  topic: string;
  data: unknown;
  offset: number;
  key: string | number | bigint | Uint8Array | null;
}

export interface Connected {
  type: "connected";
  epoch: string;
  /** The epoch is another than the last time: positions of before mean nothing. */
  restarted: boolean;
  session: string;
}

export interface Subscribed {
  type: "subscribed";
  topic: string;
  offset: number;
  recovered: boolean;
}

/** The server has removed subscriptions; the client does not request them again. */
export interface Unsubscribed {
  type: "unsubscribed";
  topics: string[];
}

/** Messages were missed that are not known any more; the newest of each key follows. */
export interface Gap {
  type: "gap";
  topic: string;
  offset: number | null;
  epoch: string;
}

export interface Refusal {
  type: "refusal";
  ref: number;
  code: number;
  text: string;
}

/** A message came that cannot be read; it is passed over. */
export interface Skipped {
  type: "skipped";
  topic: string;
  at: number;
  text: string;
}

export interface Disconnected {
  type: "disconnected";
  code: number;
  reason: string;
  /** Seconds until the client comes back; null: not by itself. */
  delay: number | null;
}

export type Notice = Connected | Subscribed | Unsubscribed | Gap | Refusal | Skipped | Disconnected;

export interface Events {
  message: Message;
  notice: Notice;
  connected: Connected;
  subscribed: Subscribed;
  unsubscribed: Unsubscribed;
  gap: Gap;
  refusal: Refusal;
  skipped: Skipped;
  disconnected: Disconnected;
  end: StreamClosed | null;
}

export interface DecodeLimits {
  /** Bytes of a message; 16 MiB. */
  size?: number;
  /** Levels of nesting; 64. */
  depth?: number;
  /** Elements of all arrays and maps together; 1,000,000. */
  elements?: number;
}

export interface ClientOptions {
  topics?: string[];
  /** Begin with the newest message of each key. */
  newest?: boolean;
  /** Begin with the last so many messages of each topic. */
  last?: number;
  /** A function is asked at each connection, and again before the token expires. */
  token?: string | (() => string | Promise<string>) | null;
  /** Messages that may wait to be taken; 1000. */
  buffer?: number;
  /** What a full buffer does: keep the newest of each topic and key, or leave and resume once there is room. */
  onFull?: "conflate" | "pause";
  /** Bounds of the wait before each attempt, in seconds; [0.5, 20]. */
  backoff?: [number, number];
  limits?: DecodeLimits;
  /** A number from [0, 1). */
  random?: () => number;
  /** Seconds that only grow. */
  now?: () => number;
  WebSocket?: typeof WebSocket;
}

export interface ClientStats {
  connections: number;
  messages: number;
  conflated: number;
  gaps: number;
  connected: boolean;
}

export class StreamClosed extends Error {
  constructor(code: number, reason: string);
  readonly code: number;
  readonly reason: string;
}

export class Refused extends Error {
  constructor(code: number, text: string);
  readonly code: number;
}

export class Client implements AsyncIterable<Message> {
  /** `url` may be relative to the page, and may begin with http. */
  constructor(url: string | URL, options?: ClientOptions);
  readonly url: string;
  readonly stats: Readonly<ClientStats>;
  readonly topics: string[];
  readonly positions: Record<string, number>;
  readonly epoch: string;
  start(): this;
  close(): void;
  /** Listens; returns what takes the listener away. With a listener for messages nothing is buffered. */
  on<K extends keyof Events>(type: K, listener: (event: Events[K]) => void): () => void;
  /** Rejects with Refused. Without a link the topics are kept for the next one. */
  subscribe(topics: string | string[], options?: { newest?: boolean; last?: number }): Promise<void>;
  unsubscribe(topics: string | string[]): Promise<void>;
  [Symbol.asyncIterator](): AsyncIterator<Message>;
}

export class DecodeError extends Error {
  constructor(text: string);
}

export class Ext {
  constructor(type: number, data: Uint8Array);
  type: number;
  data: Uint8Array;
}

/** Integers beyond 2**53 become bigint, times Date (to the millisecond), bytes Uint8Array. */
export function decode(bytes: Uint8Array | ArrayBuffer, limits?: DecodeLimits): unknown;
export function decodeMulti(bytes: Uint8Array | ArrayBuffer, limits?: DecodeLimits): Generator<unknown>;
export function encode(value: unknown): Uint8Array;
export function comesBack(code: number): boolean;

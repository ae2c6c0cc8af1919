// msgpack, as far as a stream needs it: a decoder with limits, and a small encoder.

export const LIMITS = Object.freeze({ size: 16 << 20, depth: 64, elements: 1 << 24 });

const SHORT = 64; // characters up to which a loop is faster than a TextDecoder
const utf8 = new TextDecoder("utf-8", { fatal: true });
const utf8Encoder = new TextEncoder();

/** A value of a type that msgpack leaves to the application. */
export class Ext {
  constructor(type, data) {
    this.type = type;
    this.data = data;
  }
}

export class DecodeError extends Error {
  constructor(text) {
    super(`msgpack: ${text}`);
    this.name = "DecodeError";
  }
}

/**
 * Decodes every value of a message.
 *
 * Integers beyond 2**53 become BigInt, times Date (to the millisecond), bytes Uint8Array. What arrays and maps promise,
 * over all levels together, is held against the bytes that are there before anything is made.
 */
export function* decodeMulti(bytes, limits = LIMITS) {
  const whole = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
  let at = 0;
  try {
    const decoder = new Decoder(whole, { ...LIMITS, ...limits });
    while (decoder.at < decoder.end) {
      at = decoder.at;
      yield decoder.value(0);
    }
  } catch (error) {
    if (error instanceof DecodeError) error.bytes = whole.subarray(at); // from the value on that cannot be read
    throw error;
  }
}

/** Decodes the first three numbers of an array, whatever follows; null if there are none. */
export function decodeHead(bytes) {
  try {
    const decoder = new Decoder(bytes, { ...LIMITS, size: Infinity });
    const byte = decoder.u8();
    if (byte < 0x94 || byte > 0x9f) return null;
    return [decoder.value(0), decoder.value(0), decoder.value(0)];
  } catch {
    return null;
  }
}

/** Decodes a message that is one value. */
export function decode(bytes, limits = LIMITS) {
  const decoder = new Decoder(bytes, { ...LIMITS, ...limits });
  const value = decoder.value(0);
  if (decoder.at < decoder.end) throw new DecodeError(`expected one value, got ${decoder.end - decoder.at} bytes more`);
  return value;
}

class Decoder {
  constructor(bytes, limits) {
    this.bytes = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
    this.end = this.bytes.length;
    if (this.end > limits.size) throw new DecodeError(`expected at most ${limits.size} bytes, got ${this.end}`);
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.end);
    this.limits = limits;
    this.at = 0;
    this.due = 0; // elements that arrays and maps have promised and that have not come
    this.elements = 0;
  }

  take(n) {
    const at = this.at;
    if (n > this.end - at) throw new DecodeError(`expected ${n} bytes at byte ${at}, got ${this.end - at}`);
    this.at = at + n;
    return at;
  }

  value(depth) {
    const byte = this.bytes[this.take(1)];
    if (byte < 0x80) return byte;
    if (byte < 0x90) return this.map(byte & 0x0f, depth);
    if (byte < 0xa0) return this.array(byte & 0x0f, depth);
    if (byte < 0xc0) return this.string(byte & 0x1f);
    if (byte >= 0xe0) return byte - 0x100;
    const view = this.view;
    switch (byte) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xc4: return this.binary(this.u8());
      case 0xc5: return this.binary(this.u16());
      case 0xc6: return this.binary(this.u32());
      case 0xc7: return this.ext(this.u8());
      case 0xc8: return this.ext(this.u16());
      case 0xc9: return this.ext(this.u32());
      case 0xca: return view.getFloat32(this.take(4));
      case 0xcb: return view.getFloat64(this.take(8));
      case 0xcc: return this.u8();
      case 0xcd: return this.u16();
      case 0xce: return this.u32();
      case 0xcf: return integer(view.getBigUint64(this.take(8)));
      case 0xd0: return view.getInt8(this.take(1));
      case 0xd1: return view.getInt16(this.take(2));
      case 0xd2: return view.getInt32(this.take(4));
      case 0xd3: return integer(view.getBigInt64(this.take(8)));
      case 0xd4: return this.ext(1);
      case 0xd5: return this.ext(2);
      case 0xd6: return this.ext(4);
      case 0xd7: return this.ext(8);
      case 0xd8: return this.ext(16);
      case 0xd9: return this.string(this.u8());
      case 0xda: return this.string(this.u16());
      case 0xdb: return this.string(this.u32());
      case 0xdc: return this.array(this.u16(), depth);
      case 0xdd: return this.array(this.u32(), depth);
      case 0xde: return this.map(this.u16(), depth);
      case 0xdf: return this.map(this.u32(), depth);
      default: throw new DecodeError(`expected a type at byte ${this.at - 1}, got 0x${byte.toString(16)}`);
    }
  }

  u8() { return this.bytes[this.take(1)]; }
  u16() { return this.view.getUint16(this.take(2)); }
  u32() { return this.view.getUint32(this.take(4)); }

  promise(n, depth) {
    if (depth >= this.limits.depth) throw new DecodeError(`expected at most ${this.limits.depth} levels, got more`);
    if (n + this.due > this.end - this.at) {
      throw new DecodeError(`expected ${n} elements at byte ${this.at}, got ${this.end - this.at} bytes for them`);
    }
    this.elements += n;
    if (this.elements > this.limits.elements) throw new DecodeError(`expected at most ${this.limits.elements} elements, got more`);
    this.due += n;
  }

  array(n, depth) {
    this.promise(n, depth);
    const made = new Array(n);
    for (let i = 0; i < n; i++) {
      this.due--;
      made[i] = this.value(depth + 1);
    }
    return made;
  }

  map(n, depth) {
    this.promise(2 * n, depth);
    const made = {};
    for (let i = 0; i < n; i++) {
      this.due--;
      const key = this.value(depth + 1);
      if (typeof key === "object" && key !== null) throw new DecodeError("expected a plain key of a map, got an object");
      this.due--;
      const value = this.value(depth + 1);
      if (key === "__proto__") {
        Object.defineProperty(made, key, { value, enumerable: true, configurable: true, writable: true });
      } else {
        made[key] = value;
      }
    }
    return made;
  }

  string(n) {
    const at = this.take(n);
    if (n <= SHORT) {
      let made = "";
      let i = at;
      for (; i < at + n; i++) {
        const byte = this.bytes[i];
        if (byte >= 0x80) break;
        made += String.fromCharCode(byte);
      }
      if (i === at + n) return made;
    }
    try {
      return utf8.decode(this.bytes.subarray(at, at + n));
    } catch {
      throw new DecodeError(`expected UTF-8 at byte ${at}, got something else`);
    }
  }

  binary(n) {
    const at = this.take(n);
    return this.bytes.slice(at, at + n); // a copy: a view would keep the whole message
  }

  ext(n) {
    const type = this.view.getInt8(this.take(1));
    const at = this.take(n);
    if (type !== -1) return new Ext(type, this.bytes.slice(at, at + n));
    const view = this.view;
    if (n === 4) return new Date(view.getUint32(at) * 1000);
    if (n === 8) {
      const high = view.getUint32(at);
      return time((high & 3) * 2 ** 32 + view.getUint32(at + 4), high >>> 2);
    }
    if (n === 12) return time(Number(view.getBigInt64(at + 4)), view.getUint32(at));
    throw new DecodeError(`expected a time of 4, 8 or 12 bytes, got ${n}`);
  }
}

function time(seconds, nanoseconds) {
  if (nanoseconds > 999_999_999) throw new DecodeError(`expected less than a second of nanoseconds, got ${nanoseconds}`);
  return new Date(seconds * 1000 + Math.floor(nanoseconds / 1e6));
}

function integer(value) {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Encodes what a client has to say: null, booleans, numbers, strings, arrays and plain objects. */
export function encode(value) {
  const out = [];
  write(value, out, 0);
  return new Uint8Array(out);
}

function write(value, out, depth) {
  if (depth > 16) throw new TypeError("encode: expected at most 16 levels, got more");
  if (value === null || value === undefined) out.push(0xc0);
  else if (value === true || value === false) out.push(value ? 0xc3 : 0xc2);
  else if (typeof value === "number") writeNumber(value, out);
  else if (typeof value === "string") writeString(value, out);
  else if (Array.isArray(value)) {
    writeHead(value.length, 0x90, 0xdc, out);
    for (const item of value) write(item, out, depth + 1);
  } else if (typeof value === "object") {
    const entries = Object.entries(value);
    writeHead(entries.length, 0x80, 0xde, out);
    for (const [key, item] of entries) {
      writeString(key, out);
      write(item, out, depth + 1);
    }
  } else throw new TypeError(`encode: expected a plain value, got ${typeof value}`);
}

function writeHead(n, fix, wide, out) {
  if (n < 16) out.push(fix | n);
  else if (n < 0x10000) out.push(wide, n >> 8, n & 0xff);
  else out.push(wide + 1, n >>> 24, (n >> 16) & 0xff, (n >> 8) & 0xff, n & 0xff);
}

function writeNumber(value, out) {
  if (Number.isInteger(value) && value >= 0 && value < 0x80) out.push(value);
  else if (Number.isInteger(value) && value >= 0 && value < 2 ** 32) writeU32(0xce, value, out);
  else if (Number.isSafeInteger(value) && value >= 0) {
    out.push(0xcf);
    for (const half of [Math.floor(value / 2 ** 32), value % 2 ** 32]) {
      out.push(half >>> 24, (half >>> 16) & 0xff, (half >>> 8) & 0xff, half & 0xff);
    }
  } else {
    const bytes = new DataView(new ArrayBuffer(8));
    const whole = Number.isSafeInteger(value);
    if (whole) bytes.setBigInt64(0, BigInt(value));
    else bytes.setFloat64(0, value);
    out.push(whole ? 0xd3 : 0xcb);
    for (let i = 0; i < 8; i++) out.push(bytes.getUint8(i));
  }
}

function writeU32(type, value, out) {
  out.push(type, value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
}

function writeString(value, out) {
  const bytes = utf8Encoder.encode(value);
  if (bytes.length < 32) out.push(0xa0 | bytes.length);
  else if (bytes.length < 0x100) out.push(0xd9, bytes.length);
  else writeU32(0xdb, bytes.length, out);
  for (const byte of bytes) out.push(byte);
}

/** The native protocol over a WebSocket that comes back by itself. Sends ``message`` and ``state`` events. */

const LONGEST_PAUSE = 10_000;

export class Socket extends EventTarget {
  #url;
  #socket = null;
  #waiting = new Map();
  #number = 0;
  #pause = 250;
  #heard = 0;
  #heartbeat = 30;

  constructor(url) {
    super();
    this.#url = url;
    setInterval(() => this.#watch(), 1000);
    addEventListener("online", () => this.#socket || this.#connect());
    this.#connect();
  }

  /**
   * Send a command, with the bytes that belong under its ``data``. The promise holds its result, with the bytes of a
   * value under ``data``, or fails with the error that the server tells.
   */
  ask(command, fields = {}, data = null) {
    return new Promise((resolve, reject) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) {
        reject(new Error("not connected"));
        return;
      }
      this.#number += 1;
      this.#waiting.set(this.#number, { resolve, reject });
      const text = JSON.stringify({ command, id: this.#number, ...fields });
      this.#socket.send(data ? writeBinary(text, data) : text);
    });
  }

  #connect() {
    this.#say("connecting");
    const socket = (this.#socket = new WebSocket(this.#url, "loomis.v1.json"));
    socket.binaryType = "arraybuffer";
    this.#heard = performance.now();
    socket.onmessage = ({ data }) => this.#hear(data);
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      this.#waiting.forEach(({ reject }) => reject(new Error("the connection was lost")));
      this.#waiting.clear();
      this.#say("closed");
      setTimeout(() => this.#socket || this.#connect(), this.#pause * (0.5 + Math.random()));
      this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
    };
  }

  #hear(data) {
    this.#heard = performance.now();
    const message = typeof data === "string" ? readJson(data) : readBinary(data);
    if (message.event === "hello") {
      this.#pause = 250;
      this.#heartbeat = message.heartbeat;
      this.#say("open", message);
    } else if (this.#waiting.has(message.id)) {
      const { resolve, reject } = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.event === "reply") resolve(message.data ? { ...message.result, data: message.data } : message.result);
      else reject(Object.assign(new Error(message.error.message), { told: message.error }));
    } else {
      this.dispatchEvent(new CustomEvent("message", { detail: message }));
    }
  }

  /** A connection on which not even a heartbeat comes is dead. */
  #watch() {
    const silent = (performance.now() - this.#heard) / 1000;
    if (this.#socket?.readyState === WebSocket.OPEN && silent > 3 * this.#heartbeat) this.#socket.close();
  }

  #say(state, hello = null) {
    this.dispatchEvent(new CustomEvent("state", { detail: { state, hello } }));
  }
}

/** Read a frame of four bytes of length, so many bytes of JSON, and the bytes that belong under ``data``. */
function readBinary(buffer) {
  const end = 4 + new DataView(buffer).getUint32(0);
  const message = readJson(new TextDecoder().decode(new Uint8Array(buffer, 4, end - 4)));
  return { ...message, data: buffer.slice(end) };
}

function writeBinary(text, data) {
  const head = new TextEncoder().encode(text);
  const frame = new Uint8Array(4 + head.length + data.byteLength);
  new DataView(frame.buffer).setUint32(0, head.length);
  frame.set(head, 4);
  frame.set(new Uint8Array(data), 4 + head.length);
  return frame;
}

/** Read JSON, and keep the digits of whole numbers beyond 2^53, such as seeds, where the browser can. */
const readJson = (text) => JSON.parse(text, (key, value, { source } = {}) => (isLong(value) && source ? JSON.rawJSON(source) : value));

const isLong = (value) => Number.isInteger(value) && !Number.isSafeInteger(value);

/** Return the number that a person typed, as it is sent. */
export function typedNumber(text) {
  const value = Number(text);
  return isLong(value) && /^-?\d+$/.test(text) && JSON.rawJSON ? JSON.rawJSON(String(BigInt(text))) : value;
}

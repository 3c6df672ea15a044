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

  /** Send a command; the promise holds its result, or fails with the error that the server tells. */
  ask(command, fields = {}) {
    return new Promise((resolve, reject) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) {
        reject(new Error("not connected"));
        return;
      }
      this.#number += 1;
      this.#waiting.set(this.#number, { resolve, reject });
      this.#socket.send(JSON.stringify({ command, id: this.#number, ...fields }));
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
    const message = typeof data === "string" ? JSON.parse(data) : readBinary(data);
    if (message.event === "hello") {
      this.#pause = 250;
      this.#heartbeat = message.heartbeat;
      this.#say("open", message);
    } else if (this.#waiting.has(message.id)) {
      const { resolve, reject } = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.event === "reply") resolve(message.result);
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
  const message = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, end - 4)));
  return { ...message, data: buffer.slice(end) };
}

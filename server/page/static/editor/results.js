/** What is on the outputs of nodes: pictures and texts by digest, and a dialog that shows one in full. */

import { h } from "../dom.js";

const PICTURES = new Set(["IMAGE", "MASK"]);
const TEXTS = new Set(["STRING", "INT", "FLOAT", "BOOLEAN"]);
const KEPT = 60;
const SMALL = 400;
const MOST_SHOWN = 16;

/** Return what a node shows: the first of its outputs that a person can look at, or of a node that saves, what it gets. */
export function looksAt(session, id) {
  const { class_type: type, inputs } = session.graph[id];
  const spec = session.types[type];
  const slot = spec?.outputs.findIndex((output) => PICTURES.has(output.type) || TEXTS.has(output.type)) ?? -1;
  if (slot >= 0) return { node: id, slot, isPicture: PICTURES.has(spec.outputs[slot].type) };
  const link = spec?.output_node && Object.values(inputs).find((value) => session.isLink(value));
  if (!link) return null;
  const source = session.types[session.graph[link[0]].class_type]?.outputs[link[1]];
  return source ? { node: link[0], slot: link[1], isPicture: PICTURES.has(source.type) } : null;
}

export class Results {
  #session;
  #known = new Map(); // digest -> promise of { url, text, items }, the newest last

  constructor(session) {
    this.#session = session;
  }

  /** Return a value, small: { url } of a picture, or { text }. A digest always means the same value. */
  async get(digest) {
    const known = this.#known.get(digest) ?? this.#ask(digest, 0, SMALL);
    this.#known.delete(digest);
    this.#known.set(digest, known);
    known.catch(() => this.#known.delete(digest));
    if (this.#known.size > KEPT) {
      const [[oldest, value]] = this.#known;
      this.#known.delete(oldest);
      value.then(({ url }) => URL.revokeObjectURL(url), () => null);
    }
    return known;
  }

  async #ask(digest, item, size) {
    const { data, format, value, items } = await this.#session.value(digest, item, size);
    if (data) return { url: URL.createObjectURL(new Blob([data], { type: `image/${format}` })), items };
    return { text: typeof value === "string" ? value : JSON.stringify(value, null, 1), items };
  }

  /** Show a value in full. */
  async show(digest, title) {
    const { items, text } = await this.get(digest);
    const shown = text === undefined ? await Promise.all(Array.from({ length: Math.min(items, MOST_SHOWN) }, (_, item) => this.#ask(digest, item))) : [];
    const pictures = shown.map(({ url }, item) => h("img", { src: url, alt: `${title}, picture ${item + 1} of ${items}` }));
    const close = h("button", { type: "submit" }, "Close");
    const dialog = h("dialog", { class: "viewer", "aria-label": title }, h("form", { method: "dialog" }, close), h("h2", {}, title));
    dialog.append(...pictures, text === undefined ? "" : h("pre", {}, text));
    dialog.addEventListener("close", () => {
      shown.forEach(({ url }) => URL.revokeObjectURL(url));
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
  }
}

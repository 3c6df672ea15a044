/** The box of a node: what it is called, how it stands, its inputs and outputs, and what came of it. */

import { each, h, text } from "../dom.js";
import { seconds } from "../format.js";
import { fileUrl } from "../server.js";
import { looksAt } from "./results.js";
import { widgetOf } from "./widgets.js";

const MARKS = { remembered: "✓", runs: "●", depends: "○", invalid: "!", running: "▶", failed: "✕" };

export class NodeBox {
  #id;
  #session;
  #results;
  #parts;
  #look = null; // { digest, url, text, items }: what is shown
  #preview = null;

  /** ``held`` is what draws links: ``take(id, slot)`` an output, ``give(id, input)`` an input. */
  constructor(id, session, results, held) {
    [this.#id, this.#session, this.#results] = [id, session, results];
    const run = h("button", { type: "button", class: "run", title: "Run to this node", "aria-label": "Run to this node", onclick: () => session.run([id]) }, "▶");
    const remove = h("button", { type: "button", class: "remove", title: "Remove this node", "aria-label": "Remove this node", onclick: () => session.edit({ op: "remove", node: id }) }, "×");
    const [title, number, state] = [h("span", { class: "title" }), h("span", { class: "number" }, id), h("p", { class: "state" })];
    const figure = h("figure", { class: "result" }, h("button", { type: "button", class: "look" }), h("figcaption", {}));
    this.#parts = {
      title, run, remove, state, held, figure,
      progress: h("progress", { "aria-label": "Progress" }),
      wrong: h("ul", { class: "wrong" }),
      inputs: h("div", { class: "inputs" }),
      outputs: h("div", { class: "outputs" }),
      files: h("p", { class: "files" }),
    };
    const { progress, wrong, inputs, outputs, files } = this.#parts;
    const head = h("header", { class: "head" }, number, title, run, remove);
    this.element = h("section", { class: "node", id: `node-${id}`, tabindex: "0", role: "group" }, head, state, progress, wrong, inputs, outputs, figure, files);
    figure.firstChild.onclick = () => this.#look?.digest && results.show(this.#look.digest, this.name);
  }

  get name() {
    const { class_type: type, _meta: meta } = this.#session.graph[this.#id];
    return meta?.title || this.#session.types[type]?.display_name || type;
  }

  get height() {
    return this.element.offsetHeight;
  }

  /** Show the node as it is now. What a person is at work on stays as it is. */
  update() {
    const { graph, nodes, types, doing } = this.#session;
    const node = graph[this.#id];
    const spec = types[node.class_type];
    const state = nodes[this.#id];
    const now = doing[this.#id];
    const kind = now ? "running" : state?.error ? "failed" : (state?.state ?? "depends");
    this.element.className = `node ${kind}`;
    text(this.#parts.title, this.name);
    this.#parts.title.title = `${node.class_type}: ${spec?.description ?? "a node type that this server does not have"}`;
    const told = `${MARKS[kind]} ${stateText(kind, state, now)}`;
    text(this.#parts.state, told);
    this.element.setAttribute("aria-label", `${this.name}, node ${this.#id}, ${told.slice(2)}`);
    this.#progress(now);
    const faults = [...(state?.faults ?? []), ...(state?.error ? [state.error] : [])];
    this.#inputs(node, spec, faults);
    const ports = new Set(this.#ports(node, spec));
    each(this.#parts.wrong, faults.filter(({ input }) => !ports.has(input)).map(said), (line) => line, (line) => h("li", {}, line));
    const slots = this.#session.outputs(this.#id).map((slot, index) => ({ ...slot, index }));
    each(this.#parts.outputs, slots, ({ index, name, type }) => `${index} ${name} ${type}`, (slot) => this.#output(slot));
    this.#result(state, now);
    const files = this.#session.files[this.#id] ?? [];
    each(this.#parts.files, files, (file) => file.filename, (file) => h("a", { href: fileUrl(file), target: "_blank" }, file.filename));
  }

  #progress(now) {
    const { progress } = this.#parts;
    progress.hidden = !now;
    if (now?.maximum) Object.assign(progress, { max: now.maximum, value: now.value });
    else progress.removeAttribute("value");
  }

  // Inputs and outputs.

  #ports(node, spec) {
    return new Set([...(spec?.inputs ?? []).map(({ name }) => name), ...Object.keys(node.inputs)]);
  }

  #inputs(node, spec, faults) {
    const rows = [...this.#ports(node, spec)].map((name) => ({
      name,
      spec: spec?.inputs.find((input) => input.name === name),
      value: node.inputs[name],
      isLinked: this.#session.isLink(node.inputs[name]),
      faults: faults.filter(({ input }) => input === name),
    }));
    const key = ({ name, isLinked, spec: declared }) => `${name} ${isLinked} ${JSON.stringify(declared?.choices)}`;
    each(this.#parts.inputs, rows, key, (row) => this.#row(row), (element, row) => this.#updateRow(element, row));
  }

  #row({ name, spec, isLinked }) {
    const id = `${this.#id}-${name}`;
    let step = 0;
    const set = (value) => this.#session.set(this.#id, name, value, `${id} ${step}`);
    const widget = isLinked || !spec ? null : widgetOf(spec, { id, "aria-label": `${name} of ${this.#id}` }, set);
    const dot = h("button", { type: "button", class: "dot", "data-node": this.#id, "data-input": name, onclick: () => this.#parts.held.give(this.#id, name) });
    dot.style.setProperty("--hue", hue(spec?.type ?? "*"));
    const shown = widget?.element ?? h("span", { class: "plain" });
    const label = h("label", { for: id, title: spec ? `${name}: ${spec.options?.tooltip ?? spec.type}` : name }, name);
    const row = h("div", { class: widget?.several ? "row tall" : "row" }, dot, label, shown, h("p", { class: "fault" }));
    row.onchange = () => (step = performance.now());
    row.show = widget?.show ?? ((value) => text(shown, spec || isLinked ? "" : JSON.stringify(value)));
    return row;
  }

  #updateRow(row, { name, spec, value, isLinked, faults }) {
    row.show(value === undefined ? spec?.default : value);
    const [dot, , , fault] = row.children;
    dot.classList.toggle("linked", isLinked);
    dot.setAttribute("aria-label", isLinked ? `Input ${name} of ${this.#id}, linked to ${value[0]}: take the link away` : `Input ${name} of ${this.#id}, ${spec?.type ?? "of unknown type"}`);
    dot.title = isLinked ? `${spec?.type ?? ""} from node ${value[0]}: click to take the link away` : (spec?.type ?? "");
    text(fault, faults.map(said).join(" "));
    row.classList.toggle("wrong", faults.length > 0);
    for (const field of row.querySelectorAll("input, select, textarea")) field.toggleAttribute("aria-invalid", faults.length > 0);
  }

  #output(slot) {
    const label = `Output ${slot.name} of ${this.#id}, ${slot.type}`;
    const dot = h("button", { type: "button", class: "dot", "data-node": this.#id, "data-output": String(slot.index), "aria-label": label, title: `${slot.type}: drag it to an input, or click both` });
    dot.style.setProperty("--hue", hue(slot.type));
    return h("div", { class: "row out" }, h("span", {}, slot.name), dot);
  }

  // What came of it.

  /** Show what the node works on, or its result: faded where it is not that of the graph as it stands. */
  #result(state, now) {
    const { figure } = this.#parts;
    const look = looksAt(this.#session, this.#id);
    figure.hidden = !look && !now?.preview;
    figure.classList.toggle("pictured", Boolean(look?.isPicture || now?.preview));
    if (figure.hidden) return;
    if (now?.preview) return this.#showPreview(now.preview);
    const source = look && this.#session.nodes[look.node];
    const digest = source?.state === "remembered" && !this.#session.isWaiting(look.node) ? source.outputs[look.slot]?.[0] : null;
    const values = source?.outputs[look.slot]?.length ?? 0;
    if (digest && this.#look?.digest !== digest) this.#fetch(digest);
    else this.#show(digest ? plural(Math.max(values, this.#look.items)) : this.#look ? "out of date" : "nothing yet", !digest);
  }

  async #fetch(digest) {
    try {
      const found = await this.#results.get(digest);
      this.#look = { digest, ...found };
    } catch (error) {
      this.#look = { digest, said: error.told?.code === "not_remembered" ? "not kept: run to this node to see it" : error.message, items: 0 };
    }
    if (this.element.isConnected) this.update();
  }

  #show(caption, isStale) {
    const { figure } = this.#parts;
    const [look, label] = figure.children;
    const { url, text: written, said: problem } = this.#look ?? {};
    this.#dropPreview();
    figure.classList.toggle("stale", isStale && Boolean(this.#look));
    figure.dataset.digest = this.#look?.digest ?? "";
    look.disabled = !url && written === undefined;
    look.setAttribute("aria-label", `Result of ${this.name}${written === undefined ? "" : `: ${written}`}`);
    if (url && look.firstChild?.src !== url) look.replaceChildren(h("img", { src: url, alt: `Result of ${this.name}`, draggable: "false" }));
    if (!url) text(look, written ?? "");
    text(label, problem ?? caption);
  }

  #showPreview(blob) {
    const { figure } = this.#parts;
    if (this.#preview?.blob === blob) return;
    this.#dropPreview();
    this.#preview = { blob, url: URL.createObjectURL(blob) };
    figure.classList.remove("stale");
    figure.firstChild.replaceChildren(h("img", { src: this.#preview.url, alt: `Preview of ${this.name}`, draggable: "false" }));
    text(figure.lastChild, "preview");
  }

  #dropPreview() {
    if (!this.#preview) return;
    URL.revokeObjectURL(this.#preview.url);
    this.#parts.figure.firstChild.replaceChildren();
    this.#preview = null;
  }
}

function stateText(kind, state, now) {
  if (kind === "running") return now.maximum ? `running: ${now.value} of ${now.maximum}` : "running";
  if (kind === "failed") return "failed";
  if (kind === "runs") return `would run: ${state.why}${state.seconds[1] >= 1 ? `, ${seconds(state.seconds[1])} at most` : ""}`;
  if (kind === "depends") return state?.why || "depends on what is above it";
  return state.blocked_by?.length ? `invalid: needs ${state.blocked_by.join(", ")}` : kind;
}

/** An error without the place that it is shown at, and what to do. */
const said = ({ message, hint, node, class_type: type, input }) => {
  const place = [`Node ${node} (${type}), input ${input}: `, `Node ${node} (${type}): `, `Node ${node}: `].find((start) => message.startsWith(start)) ?? "";
  return [message.slice(place.length), hint].filter(Boolean).join(" ");
};

const plural = (count) => (count > 1 ? `1 of ${count}` : "");

/** A colour for each type of socket. */
const hue = (type) => String([...type].reduce((sum, letter) => (sum * 24 + letter.charCodeAt(0)) % 360, 6));

/** The dialog that adds a node: found by words in its type, title or category, or by what it is spelled like. */

import { h } from "../dom.js";
import { fetchJson } from "../server.js";

const MOST = 50;

export class Adding {
  #dialog;
  #session;
  #place;
  #asked = 0;

  /** ``place()`` is where a new node goes. */
  constructor(dialog, session, place) {
    [this.#dialog, this.#session, this.#place] = [dialog, session, place];
    this.#input.addEventListener("input", () => this.#look());
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    dialog.querySelector("form").addEventListener("submit", () => this.#add(this.#chosen?.dataset.type));
  }

  get #input() {
    return this.#dialog.querySelector("input");
  }

  get #list() {
    return this.#dialog.querySelector("[role=listbox]");
  }

  get #chosen() {
    return this.#list.querySelector("[aria-selected=true]");
  }

  show() {
    this.#input.value = "";
    this.#dialog.showModal();
    this.#look();
  }

  /** Ask the server, which knows the words of every node type; only the newest answer counts. */
  async #look() {
    const words = this.#input.value.trim();
    const number = (this.#asked += 1);
    const ask = (name) =>
      fetchJson(`api/v1/nodes?${new URLSearchParams({ [name]: words })}`).catch((error) => this.#session.say(error));
    const found = await ask("search");
    const alike = found?.length === 0 ? await ask("like") : [];
    if (number !== this.#asked || !found || !alike) return;
    const told = found.length ? "" : alike.length ? "No node type has these words. Did you mean:" : "No node type is called like that.";
    this.#dialog.querySelector(".told").textContent = told;
    this.#list.replaceChildren(...[...found, ...alike].slice(0, MOST).map((type, place) => this.#option(type, place)));
    this.#choose(this.#list.firstElementChild);
  }

  #option({ type, display_name: title, category, description }, place) {
    const option = h("li", { role: "option", id: `option-${place}`, "data-type": type, title: description });
    option.append(h("span", {}, title), h("code", {}, type), h("small", {}, category));
    option.onclick = () => {
      this.#add(type);
      this.#dialog.close();
    };
    return option;
  }

  #choose(option) {
    this.#chosen?.setAttribute("aria-selected", "false");
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView({ block: "nearest" });
    this.#input.setAttribute("aria-activedescendant", option?.id ?? "");
  }

  #key(event) {
    const next = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    if (!next) return;
    event.preventDefault();
    this.#choose(this.#chosen?.[next] ?? this.#chosen);
  }

  /** Add a node with what is declared as default: the API format names every required value. */
  async #add(type) {
    if (!type) return;
    const { inputs } = this.#session.types[type] ?? { inputs: [] };
    const begins = (input) => input.default ?? input.choices?.[0];
    const needed = inputs.filter((input) => input.required && begins(input) !== undefined);
    const given = Object.fromEntries(needed.map((input) => [input.name, begins(input)]));
    const reply = await this.#session.edit({ op: "add", class_type: type, inputs: given, pos: this.#place() });
    if (reply) requestAnimationFrame(() => requestAnimationFrame(() => document.getElementById(`node-${reply.added[0]}`)?.focus()));
  }
}

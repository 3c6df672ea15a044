/** Drawing a link: an output is taken, inputs that it fits are marked, and it is given to one of them. */

export class Links {
  held = null; // { id, slot, type, point } of the output that was taken; point is where the wire ends
  #element;
  #session;
  #inWorld;
  #drawn;

  constructor(element, session, inWorld, drawn) {
    [this.#element, this.#session, this.#inWorld, this.#drawn] = [element, session, inWorld, drawn];
    element.addEventListener("pointerdown", (event) => this.#pressed(event));
    element.addEventListener("pointermove", (event) => this.held && this.#follow(event));
    element.addEventListener("click", (event) => {
      const dot = event.target.closest(".dot[data-output]");
      if (dot && event.detail === 0) this.take(dot.dataset.node, Number(dot.dataset.output)); // by keyboard
      if (event.target === element) this.drop();
    });
  }

  /** Whether an output may be linked to an input: types that have one in common, and no circle. */
  fits(id, input) {
    const { graph, types } = this.#session;
    if (this.#session.above(this.held.id).has(id)) return false;
    const port = types[graph[id].class_type]?.inputs.find(({ name }) => name === input);
    if (!port || port.any_link || port.type === "*" || this.held.type === "*") return true;
    const wanted = port.type.split(",");
    return port.type === this.held.type || this.held.type.split(",").some((type) => wanted.includes(type));
  }

  take(id, slot) {
    this.held = { id, slot, type: this.#session.outputs(id)[slot].type, point: null };
    this.#mark();
  }

  /** Link what is held to an input if it fits; else with nothing held, take the link of the input away. */
  give(id, input) {
    if (!this.held) {
      if (this.#session.isLink(this.#session.graph[id].inputs[input])) this.#session.edit({ op: "disconnect", node: id, input });
    } else if (this.fits(id, input)) {
      this.#session.edit({ op: "connect", node: id, input, source: this.held.id, output: this.held.slot });
      this.drop();
    } else {
      const what = this.#session.above(this.held.id).has(id) ? "That would be a circle." : `${this.held.type} does not fit input ${input} of node ${id}.`;
      this.#session.say({ message: what });
    }
  }

  drop() {
    if (!this.held) return;
    this.held = null;
    this.#mark();
    this.#drawn();
  }

  #mark() {
    this.#element.classList.toggle("linking", this.held !== null);
    for (const dot of this.#element.querySelectorAll(".dot[data-input]")) {
      dot.classList.toggle("fits", this.held !== null && this.fits(dot.dataset.node, dot.dataset.input));
    }
  }

  #follow(event) {
    this.held.point = this.#inWorld(event);
    this.#drawn();
  }

  /** Drag from an output to an input. A press without a drag leaves the output taken, for a click on the input. */
  #pressed(event) {
    const dot = event.target.closest(".dot[data-output]");
    if (!dot) return;
    event.preventDefault();
    dot.focus({ preventScroll: true });
    this.take(dot.dataset.node, Number(dot.dataset.output));
    addEventListener("pointerup", ({ clientX, clientY }) => {
      const end = document.elementFromPoint(clientX, clientY);
      if (dot.contains(end)) return;
      const input = end?.closest(".row")?.querySelector(".dot[data-input]");
      if (input) this.give(input.dataset.node, input.dataset.input);
      this.drop();
    }, { once: true });
  }
}

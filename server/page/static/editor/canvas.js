/** The plane on which the graph lies: where nodes are, wires, panning, zooming, dragging. */

import { apart, layered, WIDTH } from "./layout.js";
import { Links } from "./links.js";
import { NodeBox } from "./node.js";

const MARGIN = 24;
const ZOOMS = [0.15, 2];
const NUDGE = 20;

export class Canvas {
  #element;
  #session;
  #results;
  #links;
  #boxes = new Map();
  #laid = {}; // where the layout has nodes that the graph has no place for, by id and type
  #apart = {}; // where they are, by id
  #moving = null; // { id, place } of a node that is dragged
  #view = { x: MARGIN, y: MARGIN, zoom: 1 };
  #changed = new Set();
  #fits = false;

  constructor(element, session, results) {
    [this.#element, this.#session, this.#results] = [element, session, results];
    this.#links = new Links(element, session, (point) => this.#inWorld(point), () => this.#drawSoon());
    session.addEventListener("graph", ({ detail: isNew }) => {
      if (isNew) this.#clear();
      this.#fits ||= isNew;
      this.#drawSoon([...this.#boxes.keys(), ...Object.keys(session.graph)]);
    });
    session.addEventListener("nodes", ({ detail: ids }) => this.#drawSoon(ids));
    element.addEventListener("pointerdown", (event) => this.#pressed(event));
    element.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    element.addEventListener("focusin", ({ target }) => this.#reveal(target.closest(".node")));
    element.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#drawSoon()).observe(element);
  }

  get #world() {
    return this.#element.firstElementChild;
  }

  // Drawing: what changed is drawn once for each frame.

  #drawSoon(ids = []) {
    if (!this.#changed.size) requestAnimationFrame(() => this.#draw());
    [...ids, ""].forEach((id) => this.#changed.add(id));
  }

  #draw() {
    const { graph } = this.#session;
    const ids = [...this.#changed];
    this.#changed.clear();
    for (const id of ids) {
      if (id in graph) this.#box(id).update();
      else if (this.#boxes.delete(id)) document.getElementById(`node-${id}`).remove();
    }
    this.#layOut();
    for (const [id, box] of this.#boxes) {
      const [x, y] = this.#place(id);
      Object.assign(box.element.style, { left: `${x}px`, top: `${y}px` });
    }
    if (this.#fits) this.fit();
    this.#drawWires();
  }

  /** Begin anew: the nodes of another graph may have the same ids. */
  #clear() {
    this.#boxes.forEach(({ element }) => element.remove());
    this.#boxes.clear();
    this.#laid = {};
  }

  #box(id) {
    if (!this.#boxes.has(id)) {
      this.#boxes.set(id, new NodeBox(id, this.#session, this.#results, this.#links));
      this.#world.append(this.#boxes.get(id).element);
    }
    return this.#boxes.get(id);
  }

  #place(id) {
    if (this.#moving?.id === id) return this.#moving.place;
    return this.#session.graph[id]._meta?.pos ?? this.#apart[id];
  }

  get #heights() {
    return Object.fromEntries([...this.#boxes].map(([id, box]) => [id, box.height]));
  }

  #layers() {
    const sources = Object.fromEntries([...this.#boxes.keys()].map((id) => [id, this.#session.sources(id)]));
    return Object.entries(layered(sources, this.#heights));
  }

  /** Find a place for each node that the graph has none for; it moves only where one above it became higher. */
  #layOut() {
    const { graph } = this.#session;
    const key = (id) => `${id} ${graph[id].class_type}`;
    const free = [...this.#boxes.keys()].filter((id) => !graph[id]._meta?.pos);
    if (this.#links.held && free.every((id) => id in this.#apart)) return; // nothing moves while a link is drawn
    if (free.some((id) => !(key(id) in this.#laid))) this.#laid = Object.fromEntries(this.#layers().map(([id, place]) => [key(id), place]));
    this.#apart = apart(Object.fromEntries(free.map((id) => [id, this.#laid[key(id)]])), this.#heights);
  }

  #drawWires() {
    const paths = [];
    for (const [id, box] of this.#boxes) {
      for (const dot of box.element.querySelectorAll(".dot.linked")) {
        const [source, slot] = this.#session.graph[id].inputs[dot.dataset.input] ?? [];
        const from = this.#boxes.get(source)?.element.querySelector(`.dot[data-output="${slot}"]`);
        if (from) paths.push(wire(this.#middle(source, from), this.#middle(id, dot), from.style.getPropertyValue("--hue")));
      }
    }
    const { held } = this.#links;
    const from = held && this.#boxes.get(held.id)?.element.querySelector(`.dot[data-output="${held.slot}"]`);
    if (from && held.point) paths.push(wire(this.#middle(held.id, from), held.point, from.style.getPropertyValue("--hue")));
    this.#element.querySelector("svg").replaceChildren(...paths);
  }

  #middle(id, dot) {
    const [x, y] = this.#place(id);
    return [x + dot.offsetLeft + dot.offsetWidth / 2, y + dot.offsetTop + dot.offsetHeight / 2];
  }

  // The view.

  #inWorld({ clientX, clientY }) {
    const { left, top } = this.#element.getBoundingClientRect();
    return [(clientX - left - this.#view.x) / this.#view.zoom, (clientY - top - this.#view.y) / this.#view.zoom];
  }

  #look(view) {
    Object.assign(this.#view, view);
    const { x, y, zoom } = this.#view;
    this.#world.style.transform = `translate(${x}px, ${y}px) scale(${zoom})`;
    document.getElementById("zoom").textContent = `${Math.round(100 * zoom)} %`;
  }

  /** Show all nodes, hardly larger than they are. */
  fit() {
    if (!this.#boxes.size) return;
    this.#fits = false;
    const places = [...this.#boxes].map(([id, box]) => [...this.#place(id), box.height]);
    const [left, top] = [0, 1].map((axis) => Math.min(...places.map((place) => place[axis])));
    const right = Math.max(...places.map(([x]) => x + WIDTH));
    const bottom = Math.max(...places.map(([, y, height]) => y + height));
    const { clientWidth: width, clientHeight: height } = this.#element;
    const zoom = Math.max(ZOOMS[0], Math.min(1.25, (width - 2 * MARGIN) / (right - left), (height - 2 * MARGIN) / (bottom - top)));
    this.#look({ zoom, x: (width - zoom * (left + right)) / 2, y: Math.max(MARGIN, (height - zoom * (bottom - top)) / 3) - zoom * top });
  }

  /** Zoom about a point of the window, by default the middle. */
  zoom(factor, point = null) {
    const { left, top, width, height } = this.#element.getBoundingClientRect();
    const [atX, atY] = point ? [point.clientX - left, point.clientY - top] : [width / 2, height / 2];
    const zoom = Math.min(ZOOMS[1], Math.max(ZOOMS[0], this.#view.zoom * factor));
    const [x, y] = [[atX, this.#view.x], [atY, this.#view.y]].map(([at, from]) => at - (at - from) * (zoom / this.#view.zoom));
    this.#look({ x, y, zoom });
  }

  pan(x, y) {
    this.#look({ x: this.#view.x + x, y: this.#view.y + y });
  }

  /** Return the place in the middle of what is seen at which a new node goes. */
  get middle() {
    const { left, top, width, height } = this.#element.getBoundingClientRect();
    const [x, y] = this.#inWorld({ clientX: left + width / 2, clientY: top + height / 3 });
    const taken = (place) => [...this.#boxes.keys()].some((id) => Math.hypot(...this.#place(id).map((at, axis) => at - place[axis])) < NUDGE);
    let place = [Math.round(x - WIDTH / 2), Math.round(y)];
    while (taken(place)) place = place.map((at) => at + NUDGE);
    return place;
  }

  /** Bring a node into view that has the focus. */
  #reveal(node) {
    if (!node || this.#moving) return;
    const [frame, box] = [this.#element.getBoundingClientRect(), node.getBoundingClientRect()];
    const off = (low, high, from, to) => (low < from ? from - low + MARGIN : high > to && low > from + MARGIN ? Math.max(to - high - MARGIN, from - low + MARGIN) : 0);
    this.pan(off(box.left, box.right, frame.left, frame.right), off(box.top, box.bottom, frame.top, frame.bottom));
  }

  /** Put all nodes where the layout would have them. */
  async arrange() {
    await this.#session.edit(...this.#layers().map(([node, pos]) => ({ op: "describe", node, pos })));
    this.#fits = true;
    this.#drawSoon();
  }

  // Moving: from the first node that is moved on, the graph keeps the places of all.

  #move(id, place) {
    const others = Object.keys(this.#session.graph).filter((each) => each !== id && !this.#session.graph[each]._meta?.pos);
    const edits = others.map((node) => ({ op: "describe", node, pos: this.#place(node) }));
    return this.#session.edit(...edits, { op: "describe", node: id, pos: place.map(Math.round) });
  }

  #pressed(event) {
    if (event.button > 1 || event.target.closest("button, input, select, textarea, a")) return;
    const head = event.target.closest(".head");
    if (event.target.closest(".node") && !head) return;
    const id = head?.closest(".node").id.slice("node-".length);
    const start = id ? this.#place(id) : [this.#view.x, this.#view.y];
    const scale = id ? this.#view.zoom : 1;
    const move = ({ clientX, clientY }) => {
      const place = [start[0] + (clientX - event.clientX) / scale, start[1] + (clientY - event.clientY) / scale];
      if (!id) return this.#look({ x: place[0], y: place[1] });
      this.#moving = { id, place };
      this.#drawSoon();
    };
    const up = async () => {
      this.#element.removeEventListener("pointermove", move);
      this.#element.removeEventListener("lostpointercapture", up);
      if (this.#moving) await this.#move(id, this.#moving.place);
      this.#moving = null;
      this.#drawSoon();
    };
    this.#element.setPointerCapture(event.pointerId);
    this.#element.addEventListener("pointermove", move);
    this.#element.addEventListener("lostpointercapture", up);
  }

  #wheel(event) {
    if (event.target.closest("textarea, pre") === document.activeElement && event.target !== this.#element) return;
    event.preventDefault();
    if (event.shiftKey) this.pan(-event.deltaY - event.deltaX, 0);
    else this.zoom(Math.exp(-event.deltaY / 600), event);
  }

  #key(event) {
    const node = event.target.matches(".node") ? event.target.id.slice("node-".length) : null;
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (step && (node || event.target === this.#element)) {
      event.preventDefault();
      if (node) this.#move(node, this.#place(node).map((at, axis) => at + NUDGE * step[axis]));
      else this.pan(-3 * NUDGE * step[0], -3 * NUDGE * step[1]);
    }
    if (node && ["Delete", "Backspace"].includes(event.key)) this.#session.edit({ op: "remove", node });
    if (event.key === "Escape") this.#links.drop();
  }
}

function wire([x1, y1], [x2, y2], hue) {
  const bend = Math.max(30, Math.abs(x2 - x1) / 2.5);
  const path = document.createElementNS(document.querySelector("svg").namespaceURI, "path");
  path.setAttribute("d", `M${x1},${y1} C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}`);
  path.style.setProperty("--hue", hue);
  return path;
}

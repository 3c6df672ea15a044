/**
 * A session of the native protocol (docs/protocol.md): all that this editor says to the server, and hears.
 *
 * The graph lives on the server. What is here is a copy that replies keep true, and edits that have no reply yet. Events:
 * ``nodes`` (ids that are other than before), ``graph`` (another graph; whether it was just opened), ``now`` (counts, runs, live mode, connection).
 */

import { fetchJson } from "../server.js";
import { Socket } from "../socket.js";

const KEY = "loomis.session";
const RETRY = 250;
const MOST_REMARKS = 3;
const ENDED = new Set(["succeeded", "failed", "cancelled"]);

export class Session extends EventTarget {
  graph = {}; // id -> { class_type, inputs, _meta }: the API format
  nodes = {}; // id -> { state, why, faults, error, outputs, ... }
  types = {}; // type -> { inputs, outputs, ... }
  doing = {}; // id -> { job, value, maximum, preview }: the nodes that run
  files = {}; // id -> the files that a run of this page saved
  runs = new Set();
  undos = 0;
  redos = 0;
  isLive = false;
  isTaken = false; // another page has the session
  isReady = false; // the graph is there
  connection = "connecting";
  said = "";
  #id = sessionStorage.getItem(KEY);
  #begin;
  #socket;
  #queue = []; // commands that change the graph or run it, in order; the first is under way
  #isSending = false;
  #ready = Promise.withResolvers();
  #liveTargets = "";

  /** Take up the session that this tab had, else begin with a graph. */
  constructor(begin) {
    super();
    this.#begin = begin;
    const address = new URL("api/v1/ws", document.baseURI);
    address.protocol = address.protocol.replace("http", "ws");
    this.#socket = new Socket(address);
    this.#socket.addEventListener("state", ({ detail: { state } }) => this.#connected(state));
    this.#socket.addEventListener("message", ({ detail }) => this.#hear(detail));
  }

  // The connection.

  #connected(state) {
    this.connection = state;
    if (state === "closed") {
      const next = Promise.withResolvers();
      this.#ready.resolve(next.promise); // who waits already waits for the next one
      this.#ready = next;
    }
    if (state === "open" && !this.isTaken) this.open().catch((error) => this.say(error));
    this.#tell("now");
  }

  /** Get the session, or open one if there is none any more, and hear what its runs told meanwhile. */
  async open() {
    this.types = Object.fromEntries((await fetchJson("api/v1/nodes")).map((type) => [type.type, type]));
    const found = this.#id && (await this.#socket.ask("session.get", { session: this.#id }).catch(onlyOf("no_session")));
    const kept = Object.keys(this.graph).length ? this.graph : this.#begin;
    const isNew = !Object.keys(this.graph).length;
    this.#opened(found || (await this.#socket.ask("session.open", { workflow: kept })), isNew);
    if (this.runs.size) await this.#socket.ask("subscribe", { jobs: [...this.runs], since: 0, previews: true });
    this.#liveTargets = "";
    await this.#keepLive();
    this.#ready.resolve();
  }

  #opened({ session, graph, nodes, runs, undo, redo, diagnostics }, isNew, said = null) {
    this.#id = session;
    sessionStorage.setItem(KEY, session);
    Object.assign(this, { graph, nodes, undos: undo, redos: redo, isTaken: false, isReady: true, doing: {} });
    this.runs = new Set(runs.map(({ job }) => job));
    if (isNew) this.files = {};
    this.said = said ?? remarks(diagnostics.filter(({ level }) => level !== "info"));
    this.#keepUnsent();
    this.#tell("graph", isNew);
    this.#tell("now");
  }

  #hear(message) {
    if (message.session !== this.#id) return;
    switch (message.event) {
      case "session.changed": return this.#changed(message);
      case "session.refused": return this.say(message.error);
      case "session.taken": [this.isTaken, this.isLive] = [true, false]; return this.#tell("now");
      case "progress": return this.#does(message.node, { job: message.job, value: message.value, maximum: message.maximum });
      case "preview": return this.#does(message.node, { job: message.job, preview: new Blob([message.data]) });
      case "fact": return this.#fact(message);
    }
  }

  #fact({ kind, job, node, body, current }) {
    if (ENDED.has(kind)) {
      this.runs.delete(job);
      const over = Object.keys(this.doing).filter((id) => this.doing[id].job === job);
      over.forEach((id) => delete this.doing[id]);
      this.#tell("nodes", over);
      if (kind === "failed") this.say(body.error);
    } else if (!this.runs.has(job)) {
      this.runs.add(job);
    }
    if (kind === "node_started" && current) this.#does(node, { job });
    if (kind === "node_finished") {
      delete this.doing[node];
      this.#tell("nodes", [node]);
    }
    if (kind === "saved") this.files[node] = body.files;
    this.#tell("now");
  }

  #does(id, what) {
    if (!this.runs.has(what.job) || this.isWaiting(id)) return;
    this.doing[id] = { ...this.doing[id], ...what };
    this.#tell("nodes", [id]);
  }

  // Edits. Each waits until that before it is answered; values that follow each other quickly become one edit.

  /** Set an input. What has the same ``step`` is undone together. */
  set(node, input, value, step) {
    const edit = { op: "set", node, input, value };
    const last = this.#queue.length > (this.#isSending ? 1 : 0) ? this.#queue.at(-1) : null;
    if (last?.sets && last.fields.step === step) last.sets.set(`${node} ${input}`, edit);
    else this.#do("session.edit", { step }, { sets: new Map([[`${node} ${input}`, edit]]) });
    this.#keepUnsent();
    this.#tell("nodes", this.#touched(node));
  }

  /** What a node and those below it do is not for the graph as it is now. Return their ids. */
  #touched(node) {
    const ids = this.#below(node);
    ids.forEach((id) => delete this.doing[id]);
    return ids;
  }

  /** Do edits as one step. */
  edit(...edits) {
    return this.#do("session.edit", { edits });
  }

  undo() {
    return this.#do("session.undo");
  }

  redo() {
    return this.#do("session.redo");
  }

  /** Open the workflow in the bytes of a file in the place of the graph; without bytes, an empty graph. */
  load(data = null) {
    return this.#do("session.load", {}, { data });
  }

  /** Run to some nodes; by default to all that nothing else takes from. */
  run(targets = this.#ends(true)) {
    return this.#do("session.run", { targets });
  }

  /** Return what the server replied, or null after an error, which ``said`` tells. */
  #do(command, fields = {}, more = {}) {
    return new Promise((resolve) => {
      this.#queue.push({ command, fields, resolve, ...more });
      this.#send();
    });
  }

  async #send() {
    if (this.#isSending) return;
    this.#isSending = true;
    while (this.#queue.length) {
      const { command, fields, sets, data, resolve } = this.#queue[0];
      let reply = null;
      try {
        await this.#ready.promise;
        reply = await this.#socket.ask(command, { session: this.#id, ...fields, ...(sets && { edits: [...sets.values()] }) }, data);
        this.said = "";
      } catch (error) {
        if (sets && !error.told) {
          await new Promise((wait) => setTimeout(wait, RETRY));
          continue; // the connection was lost, and setting a value twice does no harm
        }
        this.say(error);
      }
      this.#queue.shift();
      if (reply?.session) this.#opened(reply, true);
      else if (reply?.graph) this.#changed(reply);
      else if (sets) await this.#socket.ask("session.get", { session: this.#id }).then((found) => this.#opened(found, false, this.said), () => null);
      if (reply?.graph) await this.#keepLive();
      resolve(reply);
    }
    this.#isSending = false;
  }

  #changed({ graph = {}, nodes, removed = [], undo = this.undos, redo = this.redos }) {
    const written = ({ class_type: type, inputs } = {}) => JSON.stringify([type, inputs]);
    const other = Object.keys(graph).filter((id) => written(graph[id]) !== written(this.graph[id]));
    Object.assign(this.graph, graph);
    Object.assign(this.nodes, nodes);
    other.forEach((id) => this.#touched(id));
    for (const id of removed) {
      delete this.graph[id];
      delete this.nodes[id];
      delete this.doing[id];
    }
    [this.undos, this.redos] = [undo, redo];
    this.#keepUnsent();
    this.#tell("nodes", [...new Set([...Object.keys(graph), ...Object.keys(nodes), ...removed])]);
    this.#tell("now");
  }

  /** Lay what the server does not have yet over the copy of the graph. */
  #keepUnsent() {
    for (const { node, input, value } of this.#queue.flatMap(({ sets }) => [...(sets?.values() ?? [])])) {
      const found = this.graph[node];
      if (found) this.graph[node] = { ...found, inputs: { ...found.inputs, [input]: value } };
    }
  }

  /** Whether the server has yet to say what the values mean that were set for a node, or above it. */
  isWaiting(id) {
    const set = new Set(this.#queue.flatMap(({ sets }) => [...(sets?.values() ?? [])].map(({ node }) => node)));
    return set.size > 0 && [...this.above(id)].some((each) => set.has(each));
  }

  // Runs.

  /** Turn live mode on or off. It runs to what would be saved, and saves nothing. */
  live(on) {
    this.isLive = on;
    this.#tell("now");
    return this.#keepLive();
  }

  async #keepLive() {
    const targets = this.isLive ? this.#ends(false) : null;
    const now = JSON.stringify(targets);
    if (this.#liveTargets === now || (!this.isLive && this.#liveTargets === "")) return;
    this.#liveTargets = now;
    await this.#socket.ask("session.live", { session: this.#id, on: this.isLive, targets }).then(() => (this.said = ""), (error) => this.say(error));
    this.#tell("now");
  }

  cancel() {
    return this.#socket.ask("session.cancel", { session: this.#id }).catch((error) => this.say(error));
  }

  /**
   * Return the nodes that nothing else takes from; those that save may be replaced by what they would save.
   * Invalid ones are left out, but where all are invalid and would save: the server says why nothing can run.
   */
  #ends(saving) {
    const taken = new Set(Object.keys(this.graph).flatMap((id) => this.sources(id)));
    const all = Object.keys(this.graph).filter((id) => !taken.has(id));
    const valid = all.filter((id) => this.nodes[id]?.state !== "invalid");
    const ends = saving && !valid.length ? all : valid;
    const saves = (id) => !saving && this.types[this.graph[id].class_type]?.output_node;
    return [...new Set(ends.flatMap((id) => (saves(id) ? this.sources(id) : [id])))];
  }

  // Questions.

  isLink(value) {
    return Array.isArray(value) && value.length === 2 && Object.hasOwn(this.graph, value[0]) && typeof value[1] === "number";
  }

  /** Return the nodes that a node takes from. */
  sources(id) {
    return [...new Set(Object.values(this.graph[id]?.inputs ?? {}).filter((value) => this.isLink(value)).map(([source]) => source))];
  }

  /** Return the outputs of a node; those that links name where its type is not known. */
  outputs(id) {
    const spec = this.types[this.graph[id]?.class_type];
    if (spec) return spec.outputs;
    const links = Object.values(this.graph).flatMap(({ inputs }) => Object.values(inputs)).filter((value) => this.isLink(value) && value[0] === id);
    return Array.from({ length: Math.max(0, ...links.map(([, slot]) => slot + 1)) }, (_, slot) => ({ name: `output ${slot}`, type: "*" }));
  }

  /** Return a node and everything that it needs. */
  above(id) {
    const found = new Set([id]);
    for (const each of found) this.sources(each).forEach((source) => found.add(source));
    return found;
  }

  /** Return a node and everything that needs it. */
  #below(id) {
    const users = {};
    for (const each of Object.keys(this.graph)) this.sources(each).forEach((source) => (users[source] ??= []).push(each));
    const found = new Set([id]);
    for (const each of found) users[each]?.forEach((user) => found.add(user));
    return [...found];
  }

  /** Return a value by its digest. Such a question changes nothing, so it need not wait for edits. */
  async value(digest, item, size) {
    await this.#ready.promise;
    return this.#socket.ask("value.get", { digest, item, size });
  }

  say(error) {
    this.said = [error.told?.message ?? error.message, error.told?.hint ?? error.hint].filter(Boolean).join(" ");
    this.#tell("now");
  }

  #tell(event, detail = null) {
    this.dispatchEvent(new CustomEvent(event, { detail }));
  }
}

/** Say the first of some remarks about a file, and how many there are. */
function remarks(diagnostics) {
  const told = diagnostics.slice(0, MOST_REMARKS).map(({ message }) => message);
  const more = diagnostics.length - told.length;
  return [...told, ...(more ? [`And ${more} more remarks about the file.`] : [])].join(" ");
}

/** Let one error pass as null. */
const onlyOf = (code) => (error) => {
  if (error.told?.code !== code) throw error;
  return null;
};

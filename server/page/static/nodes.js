/** The list of a job's nodes: what each does or did, why, and for how long. */

import { each, h, text } from "./dom.js";
import { seconds } from "./format.js";

const MARKS = { waiting: "·", running: "▸", ran: "✓", remembered: "○", failed: "✕" };
const WORDS = { waiting: "waits", running: "runs", ran: "ran", remembered: "remembered", failed: "failed" };

export function nodeList() {
  return h("ol", { class: "nodes", tabindex: "0", "aria-label": "Nodes of this job" });
}

/** Show the nodes of a story: those that run first, then those that ran or wait, then remembered ones. */
export function showNodes(list, story, titles) {
  const order = { failed: 0, running: 0, ran: 1, waiting: 1, remembered: 2 };
  const nodes = [...story.nodes.values()].sort((a, b) => order[a.state] - order[b.state]);
  each(list, nodes, (node) => node.id, makeNode, (element, node) => updateNode(element, node, titles));
}

function makeNode() {
  return h(
    "li",
    {},
    h("span", { class: "mark", "aria-hidden": "true" }),
    h("span", { class: "name" }),
    h("span", { class: "why" }),
    h("span", { class: "time" }),
  );
}

function updateNode(element, node, titles) {
  const [mark, name, why, time] = element.children;
  element.className = node.state;
  text(mark, MARKS[node.state]);
  text(name, titles.get(node.id) ?? node.type ?? node.id);
  name.title = `${node.type ?? ""} ${node.id}`.trim();
  text(why, node.state === "remembered" ? "remembered" : node.why || WORDS[node.state]);
  text(time, timeOf(node));
}

function timeOf(node) {
  if (node.state === "ran") return seconds(node.seconds);
  if (node.state === "running") return node.maximum ? `${node.value} / ${node.maximum}` : "";
  if (node.state === "waiting" && node.expected?.[1]) return `about ${seconds((node.expected[0] + node.expected[1]) / 2)}`;
  return "";
}

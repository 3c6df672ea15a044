/** How jobs and nodes are called. */

import { fetchJson, jobPath } from "./server.js";

const titles = new Map();

export function jobName(job) {
  return job.labels.length ? job.labels.join(", ") : job.id.slice(0, 8);
}

/** Return the titles of a job's nodes by id, once they are there; they are asked for once. */
export async function titlesOf(id) {
  if (!titles.has(id)) {
    titles.set(id, fetchJson(jobPath(id, "/workflow")).then(({ workflow }) => readTitles(workflow), () => new Map()));
    if (titles.size > 200) titles.delete(titles.keys().next().value);
  }
  return titles.get(id);
}

function readTitles(workflow) {
  if (Array.isArray(workflow.nodes)) {
    return new Map(workflow.nodes.map((node) => [String(node.id), node.title ?? node.type]));
  }
  return new Map(Object.entries(workflow).map(([id, node]) => [id, node?._meta?.title ?? node?.class_type ?? id]));
}

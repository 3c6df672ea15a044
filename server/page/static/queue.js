/** What waits, in the order in which it will run. */

import { each, h, text } from "./dom.js";
import { jobName } from "./names.js";

/** ``actions`` are ``cancel(id)`` and ``front(id)``. ``more`` is how many wait beyond these. */
export function showQueue(parent, jobs, more, actions) {
  const items = jobs.length ? jobs.map((job, place) => ({ job, place })) : [{ empty: true }];
  if (more > 0) items.push({ more });
  each(parent, items, ({ job, more }) => job?.id ?? (more ? "more" : "empty"), (item) => make(item, actions), update);
}

function make({ job, more }, actions) {
  if (!job) return h("li", { class: "empty" }, more ? "" : "Nothing waits.");
  const name = jobName(job);
  return h(
    "li",
    {},
    h("span", { class: "place" }),
    h("span", { class: "what", title: job.id }, name),
    h("button", { class: "small", type: "button", "aria-label": `Run job ${name} next`, onclick: () => actions.front(job.id) }, "Next"),
    h("button", { class: "small", type: "button", "aria-label": `Cancel job ${name}`, onclick: () => actions.cancel(job.id) }, "Cancel"),
  );
}

function update(element, { job, place, more }) {
  if (more) text(element, `and ${more} more`);
  if (job) text(element.firstChild, String(place + 1));
}

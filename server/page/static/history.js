/** Jobs that ended, as pictures. */

import { each, h, text } from "./dom.js";
import { ago, seconds } from "./format.js";
import { jobName } from "./names.js";
import { fileUrl, isPicture, shownBy } from "./server.js";

const SMALL = 360;

/** ``open(job)`` shows one in full. */
export function showHistory(parent, jobs, now, open) {
  if (!jobs.length) {
    each(parent, ["empty"], (key) => key, () => h("li", { class: "empty" }, "No job has ended yet. Try: loomis submit workflows/portrait.json"));
    return;
  }
  each(parent, jobs, (job) => job.id, (job) => make(job, open), (element, job) => update(element, job, now));
}

function make(job, open) {
  const name = jobName(job);
  return h(
    "li",
    {},
    h(
      "button",
      { class: "shot", type: "button", "aria-label": `Job ${name}, ${job.state}`, onclick: () => open(job) },
      h("span", { class: "picture" }, face(job, name)),
      h("span", { class: "under" }, h("span", { class: `state ${job.state}` }), h("span", { class: "when" })),
    ),
  );
}

function face(job, name) {
  const { files, texts } = shownBy(job);
  const picture = files.find(isPicture);
  if (picture) return h("img", { src: fileUrl(picture, SMALL), alt: `Output of job ${name}`, loading: "lazy" });
  if (job.error) return h("span", { class: "text" }, job.error.message);
  if (texts.length) return h("span", { class: "text" }, texts[0].slice(0, 400));
  return h("span", { class: "text" }, files.length ? files[0].filename : "no output");
}

function update(element, job, now) {
  const took = job.began ? ` · ${seconds(Math.max(job.ended - job.began, 0))}` : "";
  text(element.querySelector(".state"), job.state === "succeeded" ? `done${took}` : job.state);
  text(element.querySelector(".when"), ago(job.ended, now));
}

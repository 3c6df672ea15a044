/** What runs: live preview, total progress, time left, and why each node runs. */

import { each, h, text } from "./dom.js";
import { percent, seconds } from "./format.js";
import { jobName, titlesOf } from "./names.js";
import { nodeList, showNodes } from "./nodes.js";
import { estimate } from "./story.js";

/** ``stories`` are those of the jobs that run, ``now`` the time of the server, ``cancel(id)`` cancels one. */
export function showNow(parent, stories, now, cancel) {
  if (!stories.length) {
    each(parent, ["empty"], (key) => key, () => h("p", { class: "empty" }, "Nothing runs."));
    return;
  }
  each(parent, stories, ({ job }) => job.id, (story) => makeJob(story, cancel), (element, story) => update(element, story, now));
}

function makeJob({ job }, cancel) {
  const name = jobName(job);
  return h(
    "article",
    { class: "job", "aria-label": `Job ${name}` },
    h("div", { class: "preview" }, h("span", {}, "no preview yet"), h("img", { alt: `Preview of job ${name}`, hidden: true })),
    h(
      "div",
      {},
      h(
        "div",
        { class: "head" },
        h("h3", {}, name),
        h("span", { class: "doing" }),
        h("button", { class: "small", type: "button", "aria-label": `Cancel job ${name}`, onclick: () => cancel(job.id) }, "Cancel"),
      ),
      h(
        "div",
        { class: "total" },
        h("div", { class: "numbers" }, h("span", { class: "count" }), h("span", { class: "left" })),
        h("progress", { max: "1", "aria-label": `Progress of job ${name}` }),
      ),
      nodeList(),
    ),
  );
}

function update(element, story, now) {
  const { fraction, left, done, count } = estimate(story, now);
  const running = [...story.nodes.values()].filter((node) => node.state === "running");
  text(element.querySelector(".count"), story.planned ? `${percent(fraction)} · ${done} of ${count} nodes` : "plans");
  text(element.querySelector(".left"), left === null ? "" : `about ${seconds(left)} left`);
  const bar = element.querySelector("progress");
  if (story.planned) bar.value = fraction;
  else bar.removeAttribute("value");
  titlesOf(story.job.id).then((titles) => {
    text(element.querySelector(".doing"), running.map((node) => titles.get(node.id) ?? node.type).join(", "));
    showNodes(element.querySelector(".nodes"), story, titles);
  });
  const picture = element.querySelector("img");
  if (story.preview && picture.src !== story.preview) {
    picture.src = story.preview;
    picture.hidden = false;
    element.querySelector(".preview span").hidden = true;
  }
}

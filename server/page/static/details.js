/** One job in full: its files, what it took, and why each node ran. */

import { h } from "./dom.js";
import { seconds } from "./format.js";
import { jobName, titlesOf } from "./names.js";
import { nodeList, showNodes } from "./nodes.js";
import { fetchJson, fileUrl, isPicture, isVideo, jobPath, shownBy } from "./server.js";
import { newStory, tell } from "./story.js";

const PAGE = 1000;

export async function showDetails(dialog, job) {
  dialog.querySelector("h2").textContent = `Job ${jobName(job)}`;
  const list = nodeList();
  const { files, texts } = shownBy(job);
  const body = dialog.querySelector("#details-body");
  body.className = files.length ? "pictured" : "";
  body.replaceChildren(
    ...(files.length ? [h("div", { class: "files" }, files.map(figure))] : []),
    h(
      "div",
      {},
      job.error ? h("p", { class: "error" }, errorText(job.error)) : null,
      texts.map((each) => h("p", { class: "mono" }, each)),
      facts(job),
      list,
    ),
  );
  dialog.showModal();
  showNodes(list, await readStory(job), await titlesOf(job.id));
}

function errorText({ message, node, expected, hint }) {
  return [`${node ? `Node ${node}: ` : ""}${message}`, expected && `Expected: ${expected}`, hint].filter(Boolean).join("\n");
}

function figure(file) {
  const url = fileUrl(file);
  const caption = h("figcaption", {}, h("a", { href: url, download: file.filename }, file.filename));
  if (isPicture(file)) return h("figure", {}, h("img", { src: url, alt: file.filename }), caption);
  if (isVideo(file)) return h("figure", {}, h("video", { src: url, controls: true, loop: true }), caption);
  return h("figure", {}, caption);
}

function facts(job) {
  const time = (unix) => new Date(unix * 1000).toLocaleString();
  const told = [
    ["State", job.state],
    ["Submitted", time(job.created)],
    job.began && ["Took", seconds(Math.max(job.ended - job.began, 0))],
    job.attempts > 1 && ["Attempts", String(job.attempts)],
    job.worker && ["Worker", job.worker],
    ["Id", job.id],
  ].filter(Boolean);
  return h("dl", { class: "facts" }, told.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

/** Return the story of a job, read from its facts. */
export async function readStory(job) {
  const story = newStory(job);
  for (let since = 0; ; ) {
    const { events } = await fetchJson(jobPath(job.id, `/events?since=${since}&limit=${PAGE}`));
    for (const { data, ...event } of events) tell(story, { ...event, body: data });
    if (events.length < PAGE) return story;
    since = events.at(-1).seq;
  }
}

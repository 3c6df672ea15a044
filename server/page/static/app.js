/** The page: listens to the server, keeps what it hears, and shows it. */

import { readStory, showDetails } from "./details.js";
import { text } from "./dom.js";
import { showHistory } from "./history.js";
import { jobName } from "./names.js";
import { showNow } from "./now.js";
import { showQueue } from "./queue.js";
import { showResources } from "./resources.js";
import { fetchJson } from "./server.js";
import { Socket } from "./socket.js";
import { advance, tell } from "./story.js";

const QUEUE_SHOWN = 30;
const HISTORY_STEP = 24;
const ENDED = ["succeeded", "failed", "cancelled"];
const LISTS = new Set(["queued", "moved", "began", "requeued", "paused", "resumed", ...ENDED]);

const view = Object.fromEntries(
  ["now", "queue", "history", "more", "pause", "counts", "connection", "resources", "details", "announce"].map((id) => [
    id,
    document.getElementById(id),
  ]),
);
const state = { seq: null, clock: 0, stories: new Map(), early: new Map(), queued: [], past: [], pastTotal: 0, wanted: HISTORY_STEP, counts: null };

const address = new URL("api/v1/ws", document.baseURI);
address.protocol = address.protocol.replace("http", "ws");
const socket = new Socket(address);
const now = () => Date.now() / 1000 + state.clock;

socket.addEventListener("state", ({ detail: { state: name, hello } }) => {
  text(view.connection, { open: "connected", closed: "connection lost, tries again", connecting: "connecting" }[name]);
  view.connection.className = `connection ${name}`;
  view.pause.disabled = name !== "open";
  if (hello) greet(hello).catch(retriedLater);
});

async function greet(hello) {
  const asked = Date.now() / 1000;
  state.clock = (await socket.ask("ping")).time - (asked + Date.now() / 1000) / 2;
  await subscribe(state.seq ?? hello.seq);
}

async function subscribe(since) {
  state.seq = since;
  await socket.ask("subscribe", { since, previews: !document.hidden });
  refreshSoon();
}

/** What a lost connection left undone is done after the next hello. */
const retriedLater = (error) => console.warn(error);

document.addEventListener("visibilitychange", () => state.seq !== null && subscribe(state.seq).catch(retriedLater));

socket.addEventListener("message", ({ detail: message }) => {
  if (message.event === "fact") hearFact(message);
  else if (message.event === "progress") storyOf(message.job, (story) => advance(story, message));
  else if (message.event === "preview") storyOf(message.job, (story) => hearPreview(story, message));
  else if (message.event === "pruned") subscribe(message.seq).catch(retriedLater);
  drawSoon();
});

function storyOf(id, change) {
  const story = state.stories.get(id);
  if (story) change(story);
}

function hearFact(fact) {
  state.seq = Math.max(state.seq, fact.seq);
  storyOf(fact.job, (story) => tell(story, fact));
  if (state.early.has(fact.job)) state.early.get(fact.job).push(fact);
  if (LISTS.has(fact.kind)) refreshSoon();
}

function hearPreview(story, { data }) {
  if (story.preview) URL.revokeObjectURL(story.preview);
  story.preview = URL.createObjectURL(new Blob([data]));
}

/** Facts come many at a time; the lists are asked for at most a few times a second, and again for what came meanwhile. */
let refreshing = false;
let stale = false;
async function refreshSoon() {
  stale = true;
  if (refreshing) return;
  refreshing = true;
  while (stale) {
    await new Promise((resolve) => setTimeout(resolve, 150));
    stale = false;
    await refresh().catch(retriedLater);
  }
  refreshing = false;
}

async function refresh() {
  const list = (states, limit) => socket.ask("job.list", { states, limit });
  const [queue, running, past] = await Promise.all([socket.ask("queue.get"), list(["running"], 20), list(ENDED, state.wanted)]);
  state.queued = await jobsOf(queue.order.slice(queue.running, queue.running + QUEUE_SHOWN));
  state.counts = queue;
  announceEnded(past.jobs);
  Object.assign(state, { past: past.jobs, pastTotal: past.total });
  await follow(running.jobs);
  drawSoon();
}

/** Return jobs by their ids; those that are shown already are not asked for again, and those that are gone are left out. */
async function jobsOf(ids) {
  const known = new Map(state.queued.map((job) => [job.id, job]));
  const found = await Promise.all(ids.map((job) => known.get(job) ?? socket.ask("job.get", { job }).catch(() => null)));
  return found.filter(Boolean);
}

/** Keep a story of each job that runs. What was told before this page listened is read first. */
async function follow(running) {
  const ids = new Set(running.map((job) => job.id));
  for (const [id, story] of state.stories) {
    if (!ids.has(id)) {
      if (story.preview) URL.revokeObjectURL(story.preview);
      state.stories.delete(id);
    }
  }
  await Promise.all(
    running.filter((job) => !state.stories.has(job.id)).map(async (job) => {
      state.early.set(job.id, []);
      const story = await readStory(job);
      state.early.get(job.id).forEach((fact) => tell(story, fact));
      state.early.delete(job.id);
      state.stories.set(job.id, story);
    }),
  );
}

function announceEnded(past) {
  const known = new Set(state.past.map((job) => job.id));
  const ended = state.past.length ? past.filter((job) => !known.has(job.id)) : [];
  if (ended.length) text(view.announce, ended.map((job) => `Job ${jobName(job)} ${job.state}.`).slice(0, 3).join(" "));
}

let drawing = null;
function drawSoon() {
  drawing ??= requestAnimationFrame(() => {
    drawing = null;
    draw();
  });
}

function draw() {
  showNow(view.now, [...state.stories.values()], now(), actions.cancel);
  if (!state.counts) return;
  const { queued, running, paused } = state.counts;
  showQueue(view.queue, state.queued, queued - state.queued.length, actions);
  showHistory(view.history, state.past, now(), (job) => showDetails(view.details, job));
  view.more.hidden = state.past.length >= state.pastTotal;
  text(view.counts, `${running} running · ${queued} waiting${paused ? " · paused" : ""}`);
  text(view.pause, paused ? "Resume queue" : "Pause queue");
  view.pause.setAttribute("aria-pressed", String(paused));
  document.title = running || queued ? `(${running + queued}) Loomis` : "Loomis";
}

const actions = {
  cancel: (job) => act("job.cancel", { job }),
  front: (job) => act("job.move", { job, front: true }),
};

async function act(command, fields = {}) {
  try {
    await socket.ask(command, fields);
  } catch (error) {
    text(view.announce, error.message);
  }
  refreshSoon();
}

view.pause.addEventListener("click", () => act(state.counts?.paused ? "queue.resume" : "queue.pause"));
view.more.addEventListener("click", () => {
  state.wanted += HISTORY_STEP;
  refreshSoon();
});

async function lookAtResources() {
  if (!document.hidden) await fetchJson("api/v1/system").then((system) => showResources(view.resources, system), () => {});
  setTimeout(lookAtResources, 3000);
}

lookAtResources();
setInterval(() => state.stories.size && drawSoon(), 500);
setInterval(drawSoon, 15_000);

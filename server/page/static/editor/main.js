/** The editor: an example of what the native protocol (docs/protocol.md) gives an editor. Start reading at session.js. */

import { h, text } from "../dom.js";
import { Adding } from "./add.js";
import { Canvas } from "./canvas.js";
import { Results } from "./results.js";
import { Session } from "./session.js";

const BEGIN = {
  1: { class_type: "CheckpointLoaderSimple", inputs: { ckpt_name: "tiny-portrait.safetensors" }, _meta: { title: "Model" } },
  2: { class_type: "CLIPTextEncode", inputs: { text: "portrait of a woman with red hair, blue background", clip: ["1", 1] }, _meta: { title: "Positive" } },
  3: { class_type: "CLIPTextEncode", inputs: { text: "", clip: ["1", 1] }, _meta: { title: "Negative" } },
  4: { class_type: "EmptyLatentImage", inputs: { width: 128, height: 128, batch_size: 1 }, _meta: { title: "Size" } },
  5: {
    class_type: "KSampler",
    inputs: {
      model: ["1", 0], seed: 11, steps: 20, cfg: 3, sampler_name: "euler", scheduler: "normal",
      positive: ["2", 0], negative: ["3", 0], latent_image: ["4", 0], denoise: 1,
    },
    _meta: { title: "Sampler" },
  },
  6: { class_type: "VAEDecode", inputs: { samples: ["5", 0], vae: ["1", 2] }, _meta: { title: "Decode" } },
  7: { class_type: "SaveImage", inputs: { images: ["6", 0], filename_prefix: "portrait" }, _meta: { title: "Save" } },
};

const $ = (id) => document.getElementById(id);
const session = new Session(BEGIN);
const canvas = new Canvas($("canvas"), session, new Results(session));
const adding = new Adding($("adding"), session, () => canvas.middle);

// What the header and the footer show.

session.addEventListener("now", () => {
  const { connection, isTaken, isReady, isLive, runs, undos, redos, said, graph } = session;
  const open = connection === "open" && !isTaken;
  text($("connection"), { open: "connected", closed: "connection lost, tries again", connecting: "connecting" }[connection]);
  $("connection").className = `connection ${connection}`;
  const empty = !Object.keys(graph).length;
  const able = { undo: open && undos, redo: open && redos, run: open && !empty, cancel: open && runs.size, export: !empty };
  for (const [id, yes] of Object.entries(able)) $(id).disabled = !yes;
  $("live").setAttribute("aria-checked", String(isLive));
  $("empty").hidden = !isReady || !empty;
  $("taken").hidden = !isTaken;
  text($("said"), said);
});

// What the buttons and keys do.

async function open(file) {
  if (file) await session.load(await file.arrayBuffer());
}

function save() {
  const url = URL.createObjectURL(new Blob([JSON.stringify(session.graph, null, 2)], { type: "application/json" }));
  h("a", { href: url, download: "workflow.json" }).click();
  setTimeout(() => URL.revokeObjectURL(url));
}

const actions = {
  new: () => session.load(),
  open: () => $("file").click(),
  export: save,
  undo: () => session.undo(),
  redo: () => session.redo(),
  add: () => adding.show(),
  arrange: () => canvas.arrange(),
  fit: () => canvas.fit(),
  closer: () => canvas.zoom(1.25),
  farther: () => canvas.zoom(0.8),
  live: () => session.live(!session.isLive),
  run: () => session.run(),
  cancel: () => session.cancel(),
  take: () => session.open().catch((error) => session.say(error)),
};
for (const [id, act] of Object.entries(actions)) $(id).addEventListener("click", act);

const KEYS = { a: "add", f: "fit", "+": "closer", "-": "farther" };
const KEYS_WITH_CONTROL = { z: "undo", Z: "redo", y: "redo", s: "export", o: "open", Enter: "run" };

addEventListener("keydown", (event) => {
  const isTyping = event.target.matches("input, textarea, select") || document.querySelector("dialog[open]");
  const id = event.ctrlKey || event.metaKey ? KEYS_WITH_CONTROL[event.key] : KEYS[event.key];
  if (!id || event.altKey || (isTyping && id !== "run")) return;
  event.preventDefault();
  if (!$(id).disabled) actions[id]();
});

$("file").addEventListener("change", async ({ target }) => {
  await open(target.files[0]);
  target.value = ""; // so that the same file can be opened again
});
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  open(event.dataTransfer.files[0]);
});

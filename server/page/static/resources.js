/** What the server uses: memory, the store of remembered results, its workers. */

import { each, h, text } from "./dom.js";
import { bytes } from "./format.js";

export function showResources(parent, system) {
  const { memory, store, disk, workers } = system;
  const used = workers.reduce((sum, worker) => sum + worker.rss, system.rss);
  const meters = [
    { name: "Memory", value: used, maximum: memory.total, note: `${bytes(used)} of ${bytes(memory.total)}` },
    { name: "Store", value: store.bytes, maximum: store.limit, note: `${bytes(store.bytes)} of ${bytes(store.limit)}` },
    ...workers.filter((worker) => worker.memory).map(card),
    { name: "Disk", value: disk.total - disk.free, maximum: disk.total, note: `${bytes(disk.free)} free` },
  ];
  each(parent, [...meters, { name: "workers", workers }], ({ name }) => name, make, update);
}

function card({ name, memory: { total, free, reserved } }) {
  return { name: `GPU memory ${name}`, value: total - free, maximum: total, note: `${bytes(reserved)} of ${bytes(total)}` };
}

function make({ name, workers }) {
  if (workers) return h("ul", { class: "workers", "aria-label": "Workers" });
  return h(
    "div",
    { class: "meter" },
    h("div", { class: "numbers" }, h("span", {}, name), h("span", {})),
    h("progress", { "aria-label": name }),
  );
}

function update(element, { value, maximum, note, workers }) {
  if (workers) {
    const row = () => h("li", {}, h("span", {}), h("span", { class: "soft" }));
    each(element, workers, ({ name }) => name, row, (line, worker) => {
      text(line.firstChild, worker.name);
      const state = worker.silent < 3 ? worker.state : `no answer for ${Math.round(worker.silent)} s`;
      text(line.lastChild, `${state}${worker.rss ? ` · ${bytes(worker.rss)}` : ""}`);
    });
    return;
  }
  text(element.querySelector(".numbers").lastChild, note);
  const bar = element.querySelector("progress");
  bar.max = maximum || 1;
  bar.value = value;
}

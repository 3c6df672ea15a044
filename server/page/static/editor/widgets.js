/** What a person sets an input with. A widget is { element, show(value) }; ``set(value)`` is called with each new value. */

import { h } from "../dom.js";
import { typedNumber } from "../socket.js";

const SLIDER_ENDS = 2 ** 32; // of seeds and the like only some number matters, not which

/** Return a widget for an input, or null where only a link will do. */
export function widgetOf(spec, attributes, set) {
  if (spec.choices) return choice(spec, attributes, set);
  const types = spec.type.split(",");
  if (types.includes("BOOLEAN")) return checkbox(attributes, set);
  if (types.includes("INT") || types.includes("FLOAT")) return number(spec, types.includes("FLOAT"), attributes, set);
  return types.includes("STRING") ? text(spec, attributes, set) : null;
}

function choice(spec, attributes, set) {
  const element = h("select", { ...attributes, onchange: () => set(spec.choices[element.selectedIndex] ?? element.value) });
  element.append(...spec.choices.map((each) => new Option(each)));
  const show = (value) => {
    const known = spec.choices.indexOf(value);
    if (known < 0 && element.options.length === spec.choices.length) element.append(new Option(""));
    if (known >= 0) element.options.item(spec.choices.length)?.remove();
    else element.options[spec.choices.length].text = value ?? "";
    element.selectedIndex = known < 0 ? spec.choices.length : known;
  };
  return { element, show };
}

function checkbox(attributes, set) {
  const element = h("input", { ...attributes, type: "checkbox", onchange: () => set(element.checked) });
  return { element, show: (value) => (element.checked = Boolean(value)) };
}

function text(spec, attributes, set) {
  const several = Boolean(spec.options?.multiline);
  const element = h(several ? "textarea" : "input", { ...attributes, oninput: () => set(element.value) });
  if (several) element.rows = 3;
  return { element, several, show: (value) => element.value !== value && (element.value = value ?? "") };
}

/** A number, with a slider over the part of its range that a person uses, or a button for another seed. */
function number(spec, isReal, attributes, set) {
  const box = h("input", { ...attributes, type: "number", step: isReal ? "any" : "1" });
  const use = (from) => () => from.value !== "" && set(typedNumber(from.value)) !== show(typedNumber(from.value), from);
  box.oninput = use(box);
  const isSeed = spec.maximum >= SLIDER_ENDS;
  const other = isSeed ? h("button", { type: "button", title: "Another number", "aria-label": `Another ${spec.name}` }, "⚄") : h("input", { type: "range", "aria-label": `${attributes["aria-label"]}, slider` });
  if (isSeed) {
    other.onclick = () => {
      box.value = Math.floor(Math.random() * SLIDER_ENDS);
      box.oninput();
      box.dispatchEvent(new Event("change", { bubbles: true }));
    };
  } else {
    other.oninput = use(other);
  }
  const show = (value, from = null) => {
    const written = String(value?.rawJSON ?? value ?? "");
    if (from !== box && box.value !== written) box.value = written;
    if (isSeed || from === other) return;
    const at = Number(written);
    const low = spec.minimum ?? Math.min(0, 2 * at);
    const high = Math.min(spec.maximum ?? Infinity, low + Math.max(isReal ? 10 : 100, 2 * Math.abs(at - low)));
    if (from === null) Object.assign(other, { min: low, max: high, step: spec.options?.step ?? (isReal ? 0.01 : 1) });
    other.value = written;
  };
  return { element: h("div", { class: isSeed ? "pair seed" : "pair" }, other, box), show };
}

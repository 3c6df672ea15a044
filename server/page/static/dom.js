/** Elements without a framework. Text is always text, never markup. */

/** Return an element: ``h("button", { class: "small", onclick }, "Cancel")``. Names with a value of null are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else if (value !== null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null));
  return element;
}

/**
 * Make the children of ``parent`` those that ``items`` stand for, in order. An item is kept as the element that it had,
 * so that focus and pictures stay: ``make(item)`` is called once for each key, ``update(element, item)`` every time.
 */
export function each(parent, items, key, make, update = () => {}) {
  const old = new Map([...parent.children].map((element) => [element.dataset.key, element]));
  const wanted = items.map((item) => {
    const name = String(key(item));
    const element = old.get(name) ?? make(item);
    element.dataset.key = name;
    update(element, item);
    return element;
  });
  const kept = new Set(wanted);
  for (const element of [...parent.children]) if (!kept.has(element)) element.remove();
  wanted.forEach((element, place) => {
    if (parent.children[place] !== element) parent.insertBefore(element, parent.children[place] ?? null);
  });
}

/** Set a text only where it is another: screen readers and selections stay undisturbed. */
export function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

/** Where nodes are drawn that nobody has put anywhere: in columns, each node as near as can be to what takes from it. */

export const WIDTH = 216;
const GAP = [36, 20];

/**
 * Return a place [x, y] for each node. ``sources`` has the ids that each id takes from, ``heights`` is in pixels.
 * A node stands left of everything that takes from it. In a column nodes stand in the order of what they lead to.
 */
export function layered(sources, heights) {
  const columns = inColumns(sources);
  const users = {};
  for (const [id, above] of Object.entries(sources)) above.forEach((source) => (users[source] ??= []).push(id));
  const places = {};
  for (const [column, ids] of [...columns.entries()].reverse()) {
    const wish = (id) => mean((users[id] ?? []).filter((user) => user in places).map((user) => places[user][1] + heights[user] / 2));
    const sorted = ids.map((id, order) => [wish(id) ?? order, id]).sort(([a], [b]) => a - b);
    let y = 0;
    for (const [, id] of sorted) {
      places[id] = [column * (WIDTH + GAP[0]), y];
      y += heights[id] + GAP[1];
    }
  }
  return places;
}

/** Return the places once each node is at least a gap below the one above it in its column: heights change. */
export function apart(places, heights) {
  const bottoms = {};
  const found = {};
  for (const [id, [x, y]] of Object.entries(places).sort(([, [, a]], [, [, b]]) => a - b)) {
    found[id] = [x, Math.max(y, (bottoms[x] ?? -Infinity) + GAP[1])];
    bottoms[x] = found[id][1] + heights[id];
  }
  return found;
}

/** Return the ids column by column: the last has what nothing takes from. Of a circle, some link points back. */
function inColumns(sources) {
  const users = Object.fromEntries(Object.keys(sources).map((id) => [id, 0]));
  Object.values(sources).flat().forEach((source) => (users[source] += 1));
  const away = Object.fromEntries(Object.keys(sources).map((id) => [id, 0])); // columns from the last one
  const waiting = new Set(Object.keys(sources));
  const free = [...waiting].filter((id) => !users[id]);
  while (waiting.size) {
    const id = free.pop() ?? waiting.values().next().value;
    if (!waiting.delete(id)) continue;
    for (const source of sources[id]) {
      if (waiting.has(source)) away[source] = Math.max(away[source], away[id] + 1);
      users[source] -= 1;
      if (users[source] === 0) free.push(source);
    }
  }
  const last = Math.max(0, ...Object.values(away));
  const columns = Array.from({ length: last + 1 }, () => []);
  Object.keys(sources).forEach((id) => columns[last - away[id]].push(id));
  return columns;
}

const mean = (values) => (values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null);

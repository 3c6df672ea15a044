/** The story of one job, told by its facts; how far it is, and how long it still takes. Pure functions. */

/** Seconds that are assumed of a node whose type never ran here. */
export const UNKNOWN_SECONDS = 1;
const LEAST_SECONDS = 0.01;

export function newStory(job) {
  return { job, seq: 0, began: job.began, planned: false, nodes: new Map() };
}

function node(story, id) {
  if (!story.nodes.has(id)) story.nodes.set(id, { id, state: "waiting", why: "", expected: null });
  return story.nodes.get(id);
}

/** Take a fact into a story. One that was told before changes nothing. */
export function tell(story, fact) {
  if (fact.seq <= story.seq) return;
  story.seq = fact.seq;
  const { kind, body } = fact;
  const id = fact.node ?? body.node;
  if (kind === "began") {
    story.began = fact.time;
    story.planned = false;
    story.nodes.clear();
  } else if (kind === "planned") {
    story.planned = true;
    const expected = body.expected ?? {};
    for (const id of body.remembered) node(story, id).state = "remembered";
    for (const [id, why] of Object.entries(body.runs)) Object.assign(node(story, id), { why, expected: expected[id] });
    for (const id of body.depends) Object.assign(node(story, id), { why: "what comes in may change", expected: expected[id] });
  } else if (kind === "node_started") {
    Object.assign(node(story, id), { state: "running", began: fact.time, type: body.class_type, why: body.why || node(story, id).why });
  } else if (kind === "node_finished") {
    Object.assign(node(story, id), { state: "ran", seconds: body.seconds });
  } else if (kind === "remembered") {
    Object.assign(node(story, id), { state: "remembered", type: body.class_type });
  } else if (kind === "failed" && body.error?.node) {
    Object.assign(node(story, body.error.node), { state: "failed", why: body.error.message });
  } else if (kind === "requeued") {
    story.nodes.clear();
  }
}

/** Take what a node says of its steps. */
export function advance(story, { node: id, value, maximum }) {
  Object.assign(node(story, id), { value, maximum });
}

function weight({ expected }) {
  const middle = expected ? (expected[0] + expected[1]) / 2 : 0;
  return middle > 0 ? Math.max(middle, LEAST_SECONDS) : UNKNOWN_SECONDS;
}

function done(each) {
  if (each.state === "ran" || each.state === "remembered") return 1;
  return each.state === "running" && each.maximum ? Math.min(each.value / each.maximum, 1) : 0;
}

/** Return the seconds that a node still takes: as its pace says once it shows one, else as it took before. */
function left(each, now) {
  const part = done(each);
  if (part === 1) return 0;
  if (each.state !== "running") return weight(each);
  const passed = Math.max(now - each.began, 0);
  return part > 0 ? (passed * (1 - part)) / part : Math.max(weight(each) - passed, 0);
}

/** Return ``{fraction, left, done, count}``: 0 to 1, seconds, and nodes. Remembered ones are no work. */
export function estimate(story, now) {
  const work = [...story.nodes.values()].filter((each) => each.state !== "remembered");
  const finished = work.filter((each) => each.state === "ran");
  if (!story.planned) return { fraction: 0, left: null, done: 0, count: 0 };
  const whole = work.reduce((sum, each) => sum + weight(each), 0);
  const at = work.reduce((sum, each) => sum + weight(each) * done(each), 0);
  return {
    fraction: whole ? at / whole : 1,
    left: work.reduce((sum, each) => sum + left(each, now), 0),
    done: finished.length,
    count: work.length,
  };
}

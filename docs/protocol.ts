// Loomis native protocol, version 1. Made from the server's own models: don't edit.
// In JSON a message with bytes is a binary frame: 4 bytes of length (big endian), so much JSON, then `data`.

/**
 * Add a node. Without an id it gets the next free number; the reply has it under `added`.
 */
export interface AddNode {
  op: "add";
  class_type: string;
  node?: string | null;
  inputs?: Record<string, unknown>;
  title?: string | null;
  pos?: number[] | null;
}

/**
 * Cancel a batch: no more rows begin, and those that run stop at their next step. What is done stays.
 */
export interface BatchCancel {
  id: number | string;
  command: "batch.cancel";
  batch: string;
}

/**
 * A batch as it stands. Times are Unix seconds, `left` is in seconds; null: nothing is known yet.
 *
 * `folder` is below the output folder; the files of rows, `manifest` and `sheet` are in it. `skipped` rows
 * were done before. A batch is `stopped` when the server could not go on with it (`error`); it tries again at
 * its next start.
 */
export interface BatchData {
  id: string;
  state: "running" | "stopped" | "succeeded" | "failed" | "cancelled";
  created: number;
  ended: number | null;
  folder: string;
  total: number;
  done: number;
  failed: number;
  skipped: number;
  left: number | null;
  manifest: string;
  sheet: string | null;
  labels: string[];
  owner: string;
  error: ErrorData | null;
}

/**
 * Ask for a batch as it stands.
 */
export interface BatchGet {
  id: number | string;
  command: "batch.get";
  batch: string;
}

/**
 * Ask for a page of batches, newest first. `start` is what their ids begin with.
 */
export interface BatchList {
  id: number | string;
  command: "batch.list";
  start?: string;
  limit?: number;
  offset?: number;
}

/**
 * Ask what became of the rows of a batch, by their numbers.
 */
export interface BatchRows {
  id: number | string;
  command: "batch.rows";
  batch: string;
  limit?: number;
  offset?: number;
}

/**
 * Submit a batch: a workflow and the rows of values with which it runs. The reply comes when it is on disk.
 *
 * `rows` are values by name; a text in place of a row says why it can't be used. `grid` has axes of which every
 * combination runs, `zip` such that move together; an axis is a list or a text such as `1..100`. `values` are
 * those of all rows, `out` a pattern of names below the output folder, such as `faces/{row}-{seed}.png`.
 * `batch_seeds` is how many rows that differ only by seed are sampled at once. `batch` is an id of the client's
 * own, as that of a job. What happens is told as facts whose `job` is this id.
 */
export interface BatchSubmit {
  id: number | string;
  command: "batch.submit";
  workflow: Record<string, unknown>;
  batch?: string | null;
  rows?: (Record<string, unknown> | string)[];
  grid?: Record<string, unknown[] | string>;
  zip?: Record<string, unknown[] | string>;
  values?: Record<string, unknown>;
  count?: number;
  seed?: number;
  batch_seeds?: number;
  out?: string | null;
  targets?: string[] | null;
  sheet?: boolean;
  priority?: number;
  labels?: string[];
  owner?: string;
}

/**
 * A page of batches, and how many there are in all.
 */
export interface BatchesData {
  batches: BatchData[];
  total: number;
}

/**
 * Link an input to an output, by its number or its name.
 */
export interface Connect {
  op: "connect";
  node: string;
  input: string;
  source: string;
  output?: number | string;
}

/**
 * Say how a node is called and where it is in the editor; what is left out stays, an empty title takes it away.
 *
 * The graph keeps it in `_meta`. It means nothing to a run: no state changes, and a run stays current.
 */
export interface DescribeNode {
  op: "describe";
  node: string;
  title?: string | null;
  pos?: number[] | null;
}

/**
 * One remark about a workflow file.
 */
export interface DiagnosticData {
  code: string;
  message: string;
  level: "error" | "warning" | "info";
  node: string | null;
  class_type: string | null;
  input: string | null;
  got: string | null;
  expected: string | null;
  hint: string | null;
}

/**
 * Take the link of an input away.
 */
export interface Disconnect {
  op: "disconnect";
  node: string;
  input: string;
}

/**
 * It is done; there is nothing more to say.
 */
export interface Done {
}

/**
 * What an edit changed: states that are other than before, nodes that are gone, ids that new nodes got.
 *
 * `graph` has the nodes that are written otherwise than before, as they are now. `undo` and `redo` are how many
 * steps there are.
 */
export interface Edited {
  revision: number;
  nodes: Record<string, NodeData>;
  graph: Record<string, unknown>;
  removed: string[];
  added: string[];
  undo: number;
  redo: number;
}

/**
 * What went wrong: where, what was got, what was expected, what to do. `code` is stable.
 *
 * `raised` is there for a job whose node failed.
 */
export interface ErrorData {
  code: string;
  message: string;
  node: string | null;
  class_type: string | null;
  input: string | null;
  got: string | null;
  expected: string | null;
  hint: string | null;
  faults: FaultData[];
  raised: RaisedData | null;
}

/**
 * Something that happened to a job and is on disk. `seq` counts up over all jobs; `body` depends on `kind`.
 *
 * Of a batch, `job` is its id: `row` for each row that ran, `batch_ended` at its end.
 *
 * Of a job that a session of this connection runs, `session` and `revision` say which and of what, and `current`
 * whether the graph still means the same.
 */
export interface Fact {
  event: "fact";
  seq: number;
  job: string | null;
  node: string | null;
  time: number;
  kind: "queued" | "moved" | "began" | "requeued" | "succeeded" | "failed" | "cancelled" | "planned" | "node_started" | "node_finished" | "remembered" | "saved" | "warned" | "paused" | "resumed" | "row" | "batch_ended";
  body: Record<string, unknown>;
  session: string | null;
  revision: number | null;
  current: boolean | null;
}

/**
 * One reason why a node can't run. `code` is stable.
 */
export interface FaultData {
  code: string;
  message: string;
  node: string | null;
  class_type: string | null;
  input: string | null;
  got: string | null;
  expected: string | null;
  hint: string | null;
  outputs: string[];
}

/**
 * The server is there. `seq` is the number of the newest fact.
 */
export interface Heartbeat {
  event: "heartbeat";
  seq: number;
}

/**
 * The first message of a connection. `seq` is the number of the newest fact; sizes are in bytes.
 *
 * `heartbeat` is after how many seconds without a message one comes to say that the server is there.
 */
export interface Hello {
  event: "hello";
  protocol: 1;
  server: string;
  seq: number;
  heartbeat: number;
  largest_message: number;
}

/**
 * Cancel a job: one that waits at once, one that runs at its next step. One that has ended stays as it is.
 */
export interface JobCancel {
  id: number | string;
  command: "job.cancel";
  job: string;
}

/**
 * A job as it stands. Times are Unix seconds.
 *
 * `outputs` has, per output node, `{"files": [...], "notes": {...}}`: of a running job those that are there.
 */
export interface JobData {
  id: string;
  state: "queued" | "running" | "succeeded" | "failed" | "cancelled";
  priority: number;
  number: number;
  created: number;
  began: number | null;
  ended: number | null;
  deadline: number | null;
  attempts: number;
  deaths: number;
  targets: string[];
  models: string[];
  labels: string[];
  owner: string;
  client: string | null;
  worker: string | null;
  faults: FaultData[];
  outputs: Record<string, unknown>;
  error: ErrorData | null;
}

/**
 * Ask for a job as it stands.
 */
export interface JobGet {
  id: number | string;
  command: "job.get";
  job: string;
}

/**
 * Ask for a page of jobs, newest first. `start` is what their ids begin with.
 *
 * Without `rows` those of batches are left out.
 */
export interface JobList {
  id: number | string;
  command: "job.list";
  states?: ("queued" | "running" | "succeeded" | "failed" | "cancelled")[];
  label?: string | null;
  owner?: string | null;
  start?: string;
  rows?: boolean;
  limit?: number;
  offset?: number;
}

/**
 * Give a job that waits another priority, or take it before all others of its priority.
 */
export interface JobMove {
  id: number | string;
  command: "job.move";
  job: string;
  priority?: number | null;
  front?: boolean;
}

/**
 * Submit a workflow as a durable job: as `workflow`, or as a file that carries one (`data`).
 *
 * The reply comes when it is on disk.
 * `job` is an id of the client's own: the same id with the same content is the same job, so that a submission can be
 * repeated. `timeout` is in seconds from now, `priority` higher first.
 */
export interface JobSubmit {
  id: number | string;
  command: "job.submit";
  workflow?: Record<string, unknown> | null;
  data?: Uint8Array | null;
  job?: string | null;
  parameters?: Record<string, unknown>;
  targets?: string[] | null;
  partial?: boolean;
  priority?: number;
  front?: boolean;
  timeout?: number | null;
  labels?: string[];
  owner?: string;
  client?: string | null;
  extra?: Record<string, unknown>;
}

/**
 * A page of jobs, and how many there are in all.
 */
export interface JobsData {
  jobs: JobData[];
  total: number;
  seq: number;
}

/**
 * The state of one node.
 *
 * `remembered`: its result is there; `outputs` are the digests of the values on each output. `runs`: it would
 * run, and `why`. `depends`: something above it runs, and an equal value would still be remembered. `invalid`:
 * it has `faults`, or needs the invalid nodes in `blocked_by`. `seconds` is how long it is expected to take,
 * lowest and highest. `error` is why it failed in a run of this session, as long as nothing that it needs is
 * changed.
 */
export interface NodeData {
  state: "remembered" | "runs" | "depends" | "invalid";
  why: string;
  seconds: [number, number];
  faults: FaultData[];
  blocked_by: string[];
  outputs: string[][];
  error: ErrorData | null;
}

/**
 * Ask whether the server is there.
 */
export interface Ping {
  id: number | string;
  command: "ping";
}

/**
 * What a run would do: the steps by node, sources first, and the seconds of work in all.
 */
export interface PlanData {
  revision: number;
  steps: Record<string, StepData>;
  seconds: [number, number];
}

/**
 * The time of the server in Unix seconds.
 */
export interface Pong {
  time: number;
}

/**
 * What a node of a job works on: `data` is a JPEG or PNG.
 */
export interface Preview {
  event: "preview";
  job: string;
  node: string;
  session: string | null;
  revision: number | null;
  data: Uint8Array;
}

/**
 * How far a node of a job is, and a word on its last step, such as a loss.
 *
 * Only the newest of each node is sent to a client that is slow.
 */
export interface Progress {
  event: "progress";
  job: string;
  node: string;
  value: number;
  maximum: number;
  note: string;
  session: string | null;
  revision: number | null;
}

/**
 * Facts up to `seq` are gone that were asked for. `jobs` is what runs and waits instead; facts go on after.
 */
export interface Pruned {
  event: "pruned";
  seq: number;
  jobs: JobData[];
}

/**
 * How many jobs wait and run, and whether the queue is paused. `order` are the ids, running ones first.
 */
export interface QueueData {
  queued: number;
  running: number;
  paused: boolean;
  order: string[];
}

/**
 * Ask what waits and runs.
 */
export interface QueueGet {
  id: number | string;
  command: "queue.get";
}

/**
 * Start no more jobs. Running ones go on.
 */
export interface QueuePause {
  id: number | string;
  command: "queue.pause";
}

/**
 * Let jobs that wait take, in this order, the places that they hold now.
 */
export interface QueueReorder {
  id: number | string;
  command: "queue.reorder";
  jobs: string[];
}

/**
 * Start jobs again.
 */
export interface QueueResume {
  id: number | string;
  command: "queue.resume";
}

/**
 * Where in the code of a node an error was raised: a text for each frame, the innermost last.
 *
 * `inputs` has short texts of the values that the node got, by input.
 */
export interface RaisedData {
  traceback: string[];
  inputs: Record<string, string[]>;
}

/**
 * What was wrong with a command; nothing was changed. `id` is null where it could not be read.
 */
export interface Refused {
  event: "error";
  id: number | string | null;
  error: ErrorData;
}

/**
 * Remove a node and every link to it.
 */
export interface RemoveNode {
  op: "remove";
  node: string;
}

/**
 * Put another node in the place of one. Links to it stay.
 *
 * Without `inputs` it keeps those of the old node that the new type has.
 */
export interface ReplaceNode {
  op: "replace";
  node: string;
  class_type: string;
  inputs?: Record<string, unknown> | null;
  title?: string | null;
}

/**
 * What came of a command that went well. `data` are the bytes of a value.
 */
export interface Reply {
  event: "reply";
  id: number | string;
  result: Record<string, unknown>;
  data: Uint8Array | null;
}

/**
 * The lines of the manifest about some rows that have ended, and how many rows there are in all.
 *
 * A line has `row`, `state`, `values`, `files`, and `seconds` or `error`.
 */
export interface RowsData {
  rows: Record<string, unknown>[];
  total: number;
}

/**
 * A run that a session started, and the revision that it is of.
 */
export interface RunData {
  job: string;
  revision: number;
}

/**
 * Cancel every run of a session that is under way.
 */
export interface SessionCancel {
  id: number | string;
  command: "session.cancel";
  session: string;
}

/**
 * States of nodes that are other than before, as a run went on or the graph was changed elsewhere.
 */
export interface SessionChanged {
  event: "session.changed";
  session: string;
  revision: number;
  nodes: Record<string, NodeData>;
  removed: string[];
}

/**
 * Close a session. Its runs under way are cancelled.
 */
export interface SessionClose {
  id: number | string;
  command: "session.close";
  session: string;
}

/**
 * A session as it stands. `graph` is in the API format, `nodes` has the state of each node.
 *
 * `undo` and `redo` are how many steps there are.
 */
export interface SessionData {
  session: string;
  revision: number;
  graph: Record<string, unknown>;
  nodes: Record<string, NodeData>;
  undo: number;
  redo: number;
  diagnostics: DiagnosticData[];
  live: boolean;
  runs: RunData[];
}

/**
 * Change the graph: all of the edits, or none when one makes no sense.
 *
 * `base` is the revision that they were made for. When the graph has another by now, the error is `conflict`.
 * Edits that follow each other with the same `step` are undone together, as those of one pull at a slider.
 */
export interface SessionEdit {
  id: number | string;
  command: "session.edit";
  session: string;
  edits: (SetInput | UnsetInput | Connect | Disconnect | AddNode | RemoveNode | ReplaceNode | DescribeNode)[];
  base?: number | null;
  step?: string | null;
}

/**
 * Ask for a session as it stands. It is this connection's own from now on, and no other's.
 */
export interface SessionGet {
  id: number | string;
  command: "session.get";
  session: string;
}

/**
 * Turn live mode on or off: after each edit that touches what `targets` need, they run again.
 *
 * A run that is under way for an older graph is cancelled first.
 */
export interface SessionLive {
  id: number | string;
  command: "session.live";
  session: string;
  on: boolean;
  targets?: string[] | null;
}

/**
 * Put the workflow of a file in the place of the graph: as `session.open` reads it, as one step of undo.
 */
export interface SessionLoad {
  id: number | string;
  command: "session.load";
  session: string;
  workflow?: Record<string, unknown> | null;
  data?: Uint8Array | null;
  seed?: number;
}

/**
 * Open a session on a workflow, or on an empty graph.
 *
 * `workflow` is JSON in the API format or as the editor saves it; `data` the bytes of a file of any kind that
 * carries one. `seed` decides random choices in what the editor saved.
 */
export interface SessionOpen {
  id: number | string;
  command: "session.open";
  workflow?: Record<string, unknown> | null;
  data?: Uint8Array | null;
  seed?: number;
}

/**
 * Ask what a run would do, why, and for how long. `targets` are ids, titles or types; default: all outputs.
 */
export interface SessionPlan {
  id: number | string;
  command: "session.plan";
  session: string;
  targets?: string[] | null;
  partial?: boolean;
}

/**
 * Do again what was undone last. The error is `no_step` when there is nothing.
 */
export interface SessionRedo {
  id: number | string;
  command: "session.redo";
  session: string;
}

/**
 * Live mode could not start a run of this revision.
 */
export interface SessionRefused {
  event: "session.refused";
  session: string;
  revision: number;
  error: ErrorData;
}

/**
 * Run the graph as it stands, to some nodes or to all outputs.
 *
 * `partial` leaves out what is not valid. `extra` goes into the files beside the graph (`{"workflow": ...}`).
 */
export interface SessionRun {
  id: number | string;
  command: "session.run";
  session: string;
  targets?: string[] | null;
  partial?: boolean;
  priority?: number;
  extra?: Record<string, unknown>;
}

/**
 * Live mode started a run of this revision. It comes before everything that is told of the job.
 */
export interface SessionStarted {
  event: "session.started";
  session: string;
  revision: number;
  job: string;
}

/**
 * Another connection took the session: this one hears no more of it, and may not change it.
 */
export interface SessionTaken {
  event: "session.taken";
  session: string;
}

/**
 * Take the last step back. The error is `no_step` when there is none.
 */
export interface SessionUndo {
  id: number | string;
  command: "session.undo";
  session: string;
}

/**
 * Give an input a value in the place of what it had, link or value.
 */
export interface SetInput {
  op: "set";
  node: string;
  input: string;
  value: unknown;
}

/**
 * What a run would do with one node, why, and for how many seconds (lowest, highest).
 */
export interface StepData {
  type: string;
  state: "remembered" | "runs" | "depends";
  why: string;
  seconds: [number, number];
}

/**
 * Hear what happens to jobs: those that are named, or all. It takes the place of an earlier subscription.
 *
 * With `since`, every fact with a higher number comes first, in order and once. `previews` adds pictures of what
 * samplers work on.
 */
export interface Subscribe {
  id: number | string;
  command: "subscribe";
  jobs?: string[] | null;
  since?: number | null;
  previews?: boolean;
}

/**
 * Facts with higher numbers than `seq` follow.
 */
export interface Subscribed {
  seq: number;
}

/**
 * Take the value of an input away: its default holds, or it is missing.
 */
export interface UnsetInput {
  op: "unset";
  node: string;
  input: string;
}

/**
 * Hear no more of jobs. Sessions go on telling of theirs.
 */
export interface Unsubscribe {
  id: number | string;
  command: "unsubscribe";
}

/**
 * What was sent of a value. The bytes are the `data` of the reply, unless `value` holds the JSON.
 *
 * `values` is how many values are on the output, `items` how many pictures are in this one (0: it is no picture).
 */
export interface ValueData {
  digest: string;
  format: "png" | "webp" | "json" | "safetensors";
  revision: number | null;
  values: number | null;
  items: number;
  value: unknown;
}

/**
 * Ask for a value: on an output of a node that is remembered, or by its digest.
 *
 * `value` is its place on the wire, `item` that of a picture in a batch, `size` bounds the longer side in
 * pixels. `auto` sends pictures as WEBP and everything else as JSON.
 */
export interface ValueGet {
  id: number | string;
  command: "value.get";
  session?: string | null;
  node?: string | null;
  output?: number | string;
  digest?: string | null;
  value?: number;
  item?: number;
  size?: number | null;
  format?: "auto" | "png" | "webp" | "json" | "safetensors";
}

export type Command =
  | Ping
  | SessionOpen
  | SessionGet
  | SessionEdit
  | SessionLoad
  | SessionUndo
  | SessionRedo
  | SessionPlan
  | SessionRun
  | SessionCancel
  | SessionLive
  | SessionClose
  | ValueGet
  | JobSubmit
  | JobGet
  | JobList
  | JobCancel
  | JobMove
  | BatchSubmit
  | BatchGet
  | BatchList
  | BatchRows
  | BatchCancel
  | QueueGet
  | QueueReorder
  | QueuePause
  | QueueResume
  | Subscribe
  | Unsubscribe;

export type Message =
  | Hello
  | Reply
  | Refused
  | Heartbeat
  | Fact
  | Progress
  | Preview
  | SessionChanged
  | SessionTaken
  | SessionStarted
  | SessionRefused
  | Pruned;

/** What the reply to each command holds. */
export interface Results {
  "ping": Pong;
  "session.open": SessionData;
  "session.get": SessionData;
  "session.edit": Edited;
  "session.load": SessionData;
  "session.undo": Edited;
  "session.redo": Edited;
  "session.plan": PlanData;
  "session.run": RunData;
  "session.cancel": Done;
  "session.live": Done;
  "session.close": Done;
  "value.get": ValueData;
  "job.submit": JobData;
  "job.get": JobData;
  "job.list": JobsData;
  "job.cancel": JobData;
  "job.move": JobData;
  "batch.submit": BatchData;
  "batch.get": BatchData;
  "batch.list": BatchesData;
  "batch.rows": RowsData;
  "batch.cancel": BatchData;
  "queue.get": QueueData;
  "queue.reorder": QueueData;
  "queue.pause": QueueData;
  "queue.resume": QueueData;
  "subscribe": Subscribed;
  "unsubscribe": Done;
}

/** The HTTP API, relative to where the page lies. */

export async function fetchJson(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: options.body ? { "content-type": "application/json" } : {} });
  if (answer.status === 204) return null;
  const body = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(body.error.message), { told: body.error });
  return body;
}

export const jobPath = (id, rest = "") => `api/v1/jobs/${encodeURIComponent(id)}${rest}`;

/** Where an output file is, small with a ``size`` in pixels. */
export function fileUrl(file, size = null) {
  const parts = [...(file.subfolder ? file.subfolder.split("/") : []), file.filename].map(encodeURIComponent);
  return `api/v1/files/${file.type}/${parts.join("/")}${size ? `?size=${size}` : ""}`;
}

/** Return the files and the texts of a job's outputs. */
export function shownBy(job) {
  const outputs = Object.values(job.outputs);
  return {
    files: outputs.flatMap((output) => output.files),
    texts: outputs.flatMap((output) => output.notes.text ?? []).map(String),
  };
}

const PICTURE = /\.(png|jpe?g|webp|gif|avif|bmp)$/i;
const VIDEO = /\.(mp4|webm|mov)$/i;

export const isPicture = (file) => PICTURE.test(file.filename);
export const isVideo = (file) => VIDEO.test(file.filename);

// The list of this browser's jobs, newest first: it survives a refresh, and all tabs share it.

const NAME = "deepfake-ssat-jobs";
const MOST = 200;

export function all() {
  try {
    return JSON.parse(localStorage.getItem(NAME)) || [];
  } catch {
    return [];
  }
}

export function add(job) {
  write([{ id: job.id, name: job.name, size: job.size_bytes }, ...all().filter((other) => other.id !== job.id)]);
}

export function forget(id) {
  write(all().filter((job) => job.id !== id));
}

/** Calls back when another tab changed the list. */
export function onChange(callback) {
  window.addEventListener("storage", (event) => event.key === NAME && callback());
}

function write(jobs) {
  localStorage.setItem(NAME, JSON.stringify(jobs.slice(0, MOST)));
}

// The page: sends dropped videos, keeps the list of this browser's jobs, and shows what was found.
import { get, getBlob, hasKey, remove, upload } from "/api.js";
import { clock, openPlayer } from "/player.js";
import * as remembered from "/remembered.js";

const POLL_MILLISECONDS = 700;
const SLOWEST_POLL_MILLISECONDS = 10000;
const RETRY_MILLISECONDS = 5000;
const EXPLAINING = 0.9;

const VERDICTS = {
  fake: ["fake", "⚠ Manipulated?", "Looks manipulated"],
  real: ["real", "✓ No sign", "No sign of manipulation found"],
  uncertain: ["uncertain", "? Uncertain", "Cannot tell"],
};
const NOT_SCORED = {
  no_face: "no face was found",
  too_short: "no face is visible for long enough",
  unreadable: "the file cannot be read",
};

const byId = (id) => document.getElementById(id);
const percent = (part) => `${Math.round(100 * part)} %`;
/** By job id: its element, and the file where this page was given it. */
const shown = new Map();
const files = new Map();

class Item {
  constructor(name) {
    this.element = byId("job").content.firstElementChild.cloneNode(true);
    this.part("name").textContent = name;
    this.closePlayer = null;
    this.stop = () => {};
    this.look("waiting", "… Sending", "");
    this.part("remove").onclick = () => this.removed();
  }

  part(name) {
    return this.element.querySelector(`.${name}`);
  }

  look(kind, badge, text, progress = null) {
    this.element.dataset.look = kind;
    this.part("badge").textContent = badge;
    this.part("state").textContent = text;
    const bar = this.element.querySelector("progress");
    bar.hidden = progress === null;
    bar.value = progress ?? 0;
  }

  /** What stays as it is from now on; said aloud to who does not see it. */
  conclude(kind, badge, text) {
    this.look(kind, badge, text);
    this.ended = true;
    this.part("remove").textContent = "Delete";
    byId("announcements").textContent = `${this.part("name").textContent}: ${text}`;
  }

  async removed() {
    this.stop();
    if (this.id) {
      try {
        await remove(`/api/v1/jobs/${this.id}`);
      } catch (problem) {
        if (problem.status !== 404) return showProblem(`It could not be deleted: ${problem.message}`);
      }
      remembered.forget(this.id);
      shown.delete(this.id);
    }
    this.gone();
  }

  gone() {
    this.closePlayer?.();
    this.element.remove();
    showEmpty();
  }

  /** From the service's answer about this job. */
  async update(job) {
    this.part("copy").hidden = false;
    this.part("copy").onclick = () => copyLink(job.id, this.part("copy"));
    if (job.state === "queued") {
      const before = job.jobs_ahead === 0 ? "it is next" : `${job.jobs_ahead} before it`;
      this.look("waiting", "… Waiting", `Waits for its turn: ${before}`, 0);
    } else if (job.state === "running") {
      const step = job.progress < EXPLAINING ? "Finding and scoring faces" : "Drawing what the scores rest on";
      const left = job.seconds_left === null ? "" : `, about ${clock(Math.ceil(job.seconds_left))} left`;
      this.look("working", "… Working", `${step}: ${percent(job.progress)}${left}`, job.progress);
    } else if (job.state === "failed") {
      this.conclude("failed", "✕ Failed", `It could not be analysed: ${job.reason}`);
    } else {
      await this.showResult(job);
    }
  }

  async showResult(job) {
    const video = (await get(job.result)).videos[0];
    if (video.status === "scored") {
      const [kind, badge, words] = VERDICTS[video.verdict];
      this.conclude(kind, badge, `${words}. Probability of a fake: ${percent(video.probability)}`);
    } else {
      this.conclude("failed", "– No verdict", `No verdict: ${NOT_SCORED[video.status]}`);
    }
    link(this.part("report"), job.report);
    link(this.part("result"), job.result, `${job.name}.json`);
    link(this.part("csv"), job.csv, `${job.name}.csv`);
    if (job.timeline) this.offerPlayer(job, Boolean(video.video?.is_still));
  }

  offerPlayer(job, isStill) {
    const [offer, close] = isStill ? ["Show with boxes", "Close the picture"] : ["Play with boxes", "Close the player"];
    const button = this.part("play");
    button.hidden = false;
    button.textContent = offer;
    button.onclick = async () => {
      if (this.closePlayer) {
        this.closePlayer();
        this.closePlayer = null;
        button.textContent = offer;
        return;
      }
      const file = files.get(job.id) || await chooseAgain(job);
      if (!file) return;
      files.set(job.id, file);
      this.closePlayer = openPlayer(this.part("stage"), job.id, file, await get(job.timeline));
      button.textContent = close;
    };
  }
}

/** The page keeps no video over a refresh, and the service none at all: its owner hands it over again. */
function chooseAgain(job) {
  return new Promise((resolve) => {
    const input = document.createElement("input");
    input.type = "file";
    input.oncancel = () => resolve(null);
    input.onchange = () => {
      const file = input.files[0];
      const same = file && file.size === job.size_bytes;
      if (file && !same) showProblem(`${file.name} is not the file that was analysed: choose ${job.name} again`);
      resolve(same ? file : null);
    };
    input.click();
  });
}

function showProblem(message) {
  byId("problem").textContent = message;
  byId("problem").hidden = !message;
}

function showEmpty() {
  byId("empty").hidden = byId("jobs").childElementCount > 0;
}

function link(anchor, address, fileName = "") {
  if (!address) return;
  anchor.hidden = false;
  anchor.href = address;
  anchor.target = "_blank";
  if (fileName) anchor.download = fileName;
  if (!hasKey()) return;
  // A link cannot carry the key.
  anchor.onclick = async (event) => {
    event.preventDefault();
    const kept = document.createElement("a");
    kept.href = URL.createObjectURL(await getBlob(address));
    kept.target = "_blank";
    if (fileName) kept.download = fileName;
    kept.click();
  };
}

async function copyLink(id, button) {
  const address = `${location.origin}/#job=${id}`;
  try {
    await navigator.clipboard.writeText(address);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy link"; }, 1500);
  } catch {
    window.prompt("The link to this result:", address);
  }
}

async function send(chosen) {
  showProblem("");
  const waiting = [...chosen].map((file) => {
    const item = new Item(file.name);
    byId("jobs").prepend(item.element);
    item.look("waiting", "… Sending", "Waits to be sent", 0);
    item.stop = () => { item.stopped = true; };
    return { file, item };
  });
  showEmpty();
  for (const { file, item } of waiting) if (!item.stopped) await sendOne(file, item);
}

async function sendOne(file, item) {
  const note = (part) => item.look("waiting", "… Sending",
    part < 1 ? `Sending: ${percent(part)}` : "Checking the file", part);
  const sending = upload(file, note);
  item.stop = () => { item.stopped = true; sending.stop(); };
  try {
    const job = await sending.job;
    item.id = job.id;
    item.stop = () => {};
    files.set(job.id, file);
    shown.set(job.id, item);
    remembered.add(job);
    await item.update(job);
  } catch (problem) {
    if (item.stopped) return;
    if (problem.status === 429) {
      item.look("waiting", "… Waiting", `${problem.message}; it is sent again by itself`, 0);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MILLISECONDS));
      if (!item.stopped) await sendOne(file, item);
    } else {
      item.conclude("failed", "✕ Refused", `Not accepted: ${problem.message}`);
    }
  }
}

/** Shows the list as it is remembered; other tabs add to it and delete from it too. */
function showRemembered() {
  const jobs = remembered.all();
  const known = new Set(jobs.map((job) => job.id));
  for (const [id, item] of shown) {
    if (known.has(id)) continue;
    shown.delete(id);
    item.gone();
  }
  for (const job of jobs.slice().reverse()) {
    if (shown.has(job.id)) continue;
    const item = new Item(job.name);
    item.id = job.id;
    item.look("waiting", "… Asking", "Asking the service", null);
    shown.set(job.id, item);
    byId("jobs").prepend(item.element);
  }
  showEmpty();
}

async function poll(pause = POLL_MILLISECONDS) {
  const open = [...shown.values()].filter((item) => !item.ended);
  let next = POLL_MILLISECONDS;
  try {
    for (let first = 0; first < open.length; first += 50) {
      const part = open.slice(first, first + 50);
      const answers = await get(`/api/v1/jobs?${part.map((item) => `id=${item.id}`).join("&")}`);
      const byJob = new Map(answers.map((job) => [job.id, job]));
      for (const item of part) {
        const job = byJob.get(item.id);
        if (job) await item.update(job);
        else item.conclude("failed", "– Gone", "Its result has expired, or was deleted");
      }
    }
    if (silent) showProblem("");
    silent = false;
  } catch {
    next = Math.min(2 * pause, SLOWEST_POLL_MILLISECONDS);
    showProblem("The service does not answer; this page goes on asking. Nothing that it accepted is lost.");
    silent = true;
  }
  setTimeout(() => poll(next), next);
}
let silent = false;

async function showLinkedJob() {
  const id = new URLSearchParams(location.hash.slice(1)).get("job");
  if (!id || shown.has(id)) return;
  history.replaceState(null, "", location.pathname);
  try {
    remembered.add(await get(`/api/v1/jobs/${encodeURIComponent(id)}`));
    showRemembered();
  } catch (problem) {
    showProblem(`The linked result cannot be shown: ${problem.message}`);
  }
}

const drop = byId("drop");
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
document.addEventListener("dragleave", (event) => event.relatedTarget || drop.classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  send(event.dataTransfer.files);
});
byId("files").addEventListener("change", (event) => {
  const chosen = [...event.target.files];
  // The same file chosen twice is a change only if nothing was chosen between.
  event.target.value = "";
  send(chosen);
});

showRemembered();
remembered.onChange(showRemembered);
window.addEventListener("hashchange", showLinkedJob);
showLinkedJob().then(() => poll());
get("/api/v1/limits").then((limits) => {
  byId("limits").textContent =
    `Up to ${limits.upload_megabytes} MB and ${Math.round(limits.video_seconds / 60)} minutes a video, ${limits.frame_megapixels} megapixels a picture.`;
}, (problem) => showProblem(problem.message));
get("/api/v1/model").then((model) => {
  byId("model").textContent = model.sha256 ? `Model ${model.sha256.slice(0, 12)}` : "";
}, () => {});

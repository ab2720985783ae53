// The page: sends each dropped video, asks how far it is, and links its report.
"use strict";

const POLL_MILLISECONDS = 700;
const byId = (id) => document.getElementById(id);
const percent = (part) => `${Math.round(100 * part)} %`;

const VERDICTS = {
  fake: "Looks manipulated",
  real: "No sign of manipulation found",
  uncertain: "Cannot tell",
};
const NOT_SCORED = {
  no_face: "No verdict: no face was found",
  too_short: "No verdict: no face is visible for long enough",
  unreadable: "No verdict: the video cannot be read",
};

let key = sessionStorage.getItem("api-key") || "";

function headers(more = {}) {
  return key ? { ...more, "X-API-Key": key } : more;
}

async function get(address) {
  const response = await fetch(address, { headers: headers() });
  if (response.status === 401 && askKey()) return get(address);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error || response.statusText);
  return answer;
}

function askKey() {
  const given = window.prompt("This service asks for its API key:");
  if (!given) return false;
  key = given.trim();
  sessionStorage.setItem("api-key", key);
  return true;
}

function showProblem(message) {
  byId("problem").textContent = message;
  byId("problem").hidden = !message;
}

function addItem(name) {
  const item = byId("job").content.firstElementChild.cloneNode(true);
  item.querySelector("h2").textContent = name;
  byId("jobs").prepend(item);
  return item;
}

function show(item, part, text) {
  item.querySelector("progress").value = part;
  item.querySelector(".state").textContent = text;
}

function upload(file, item) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/v1/jobs?name=${encodeURIComponent(file.name)}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    if (key) request.setRequestHeader("X-API-Key", key);
    request.responseType = "json";
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) show(item, 0, `Sending: ${percent(event.loaded / event.total)}`);
    };
    request.upload.onload = () => show(item, 0, "Checking the file");
    request.onload = () => {
      if (request.status === 202) resolve(request.response);
      else reject(new Error(request.response?.error || `refused with ${request.status}`));
    };
    request.onerror = () => reject(new Error("the service did not answer, or refused the file's size"));
    request.send(file);
  });
}

function follow(id, item) {
  get(`/api/v1/jobs/${id}`).then((job) => {
    if (job.state === "queued") show(item, 0, `Waiting: ${job.jobs_ahead} before it`);
    if (job.state === "running") show(item, job.progress, `Analysing: ${percent(job.progress)}`);
    if (job.state === "failed") return finish(item, `Failed: ${job.reason}`);
    if (job.state === "done") return conclude(job, item);
    return setTimeout(() => follow(id, item), POLL_MILLISECONDS);
  }, (problem) => finish(item, problem.message));
}

async function conclude(job, item) {
  const video = (await get(job.result)).videos[0];
  const text = video.status === "scored"
    ? `${VERDICTS[video.verdict]}: probability of a fake ${percent(video.probability)}`
    : NOT_SCORED[video.status];
  finish(item, text);
  link(item.querySelector(".report"), job.report);
  link(item.querySelector(".result"), job.result);
}

function link(anchor, address) {
  if (!address) return;
  anchor.hidden = false;
  anchor.href = address;
  anchor.target = "_blank";
  if (!key) return;
  anchor.onclick = async (event) => {
    event.preventDefault();
    const response = await fetch(address, { headers: headers() });
    window.open(URL.createObjectURL(await response.blob()), "_blank");
  };
}

function finish(item, text) {
  show(item, 1, text);
  item.querySelector("progress").hidden = true;
}

async function submit(files) {
  showProblem("");
  for (const file of files) {
    const item = addItem(file.name);
    try {
      const job = await upload(file, item);
      follow(job.id, item);
    } catch (problem) {
      finish(item, `Not accepted: ${problem.message}`);
    }
  }
}

const drop = byId("drop");
drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  submit(event.dataTransfer.files);
});
byId("file").addEventListener("change", (event) => submit(event.target.files));

get("/api/v1/limits").then((limits) => {
  byId("limits").textContent =
    `Up to ${limits.upload_megabytes} MB and ${Math.round(limits.video_seconds / 60)} minutes a video.`;
}, (problem) => showProblem(problem.message));
get("/api/v1/model").then((model) => {
  byId("model").textContent = model.sha256 ? `Model ${model.sha256.slice(0, 12)}` : "";
}, () => {});

// Heat maps of one clip, drawn on demand: the file goes to the service once more, and is deleted there after.
import { get, getBlob, remove, upload } from "/api.js";

const POLL_MILLISECONDS = 700;
const STEPS = { queued: "Waits for its turn", running: "Finding the clip and drawing its heat maps; this takes a while" };
const ROWS = "Rows, from above: what the model saw; evidence for a fake (where, not what: a genuine face has some too); "
  + "how badly the model predicts each place from the rest, if it can. Bright is high for this clip.";
const percent = (part) => `${Math.round(100 * part)} %`;

/** The picture as a Blob; `tell` is told what happens now, `signal` ends it. Leaves nothing at the service. */
async function draw(jobId, file, trackId, start, tell, signal) {
  const address = `/api/v1/jobs/${jobId}/maps?track_id=${trackId}&start_seconds=${start}`;
  const sending = upload(file, (part) => tell(part < 1 ? `Sending the file again: ${percent(part)}` : STEPS.queued), address);
  signal.addEventListener("abort", sending.stop);
  let job = await sending.job;
  try {
    while (!signal.aborted && job.state in STEPS) {
      tell(STEPS[job.state]);
      await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
      job = await get(`/api/v1/jobs/${job.id}`);
    }
    if (job.state === "failed") throw new Error(job.reason);
    return signal.aborted ? null : await getBlob(job.maps);
  } finally {
    // What cannot be removed now expires by itself.
    await remove(`/api/v1/jobs/${job.id}`).catch(() => {});
  }
}

/** Offers, below a player, the maps of the clips at the shown moment. */
export class MapsPanel {
  constructor(root, jobId, file) {
    this.offers = root.querySelector(".offers");
    this.figures = root.querySelector(".figures");
    this.jobId = jobId;
    this.file = file;
    this.closing = new AbortController();
    this.asked = new Set();
    this.addresses = [];
  }

  /** `clips` are pairs of a face's number and its clip, [start, end, probability]; `at` names their time. */
  offer(clips, at) {
    const offered = clips.map(([track, clip]) => `${track} ${clip[0]}`).join();
    if (offered === this.offered) return;
    this.offered = offered;
    this.offers.replaceChildren(...clips.map(([track, clip]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `Heat maps of face ${track}${at(clip)}`;
      button.disabled = this.asked.has(`${track} ${clip[0]}`);
      button.onclick = () => {
        button.disabled = true;
        this.show(track, clip, at(clip));
      };
      return button;
    }));
  }

  async show(track, clip, at) {
    const asked = `${track} ${clip[0]}`;
    this.asked.add(asked);
    const figure = document.createElement("figure");
    const [title, state] = [document.createElement("figcaption"), document.createElement("p")];
    title.textContent = `Face ${track}${at}: probability of a fake ${percent(clip[2])}`;
    state.setAttribute("role", "status");
    figure.append(title, state);
    this.figures.prepend(figure);
    try {
      const tell = (text) => { if (state.textContent !== text) state.textContent = text; };
      const picture = await draw(this.jobId, this.file, track, clip[0], tell, this.closing.signal);
      if (!picture) return;
      const image = document.createElement("img");
      image.src = URL.createObjectURL(picture);
      image.alt = `Crops of face ${track} with heat maps of the evidence for a fake and of the reconstruction error`;
      this.addresses.push(image.src);
      state.replaceWith(image);
      const rows = document.createElement("p");
      rows.textContent = ROWS;
      figure.append(rows);
    } catch (problem) {
      state.textContent = `No heat maps: ${problem.message}`;
      this.asked.delete(asked);
      this.offered = null;
    }
  }

  close() {
    this.closing.abort();
    this.addresses.forEach((address) => URL.revokeObjectURL(address));
  }
}

// Shows what the browser holds with its faces boxed: a video with its scores running along, or a picture.
import { MapsPanel } from "/maps.js";

const COLOURS = ["#0b6bcb", "#c2410c", "#7c3aed", "#047857", "#be185d", "#a16207", "#0e7490", "#4d7c0f"];
const DASHES = ["", "12 6", "3 5"];
const HEIGHT = 120;
const WIDTH = 1000;
const FOLLOWED_SECONDS = 0.5;
const KEY_SECONDS = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity };

export const clock = (seconds) =>
  `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
/** To tenths: a clip is as short as half a second. */
const exactly = (seconds) => `${clock(seconds)}.${Math.floor(10 * (seconds % 1))}`;
const percent = (part) => `${Math.round(100 * part)} %`;

/** Builds the player of a job into `stage`; `timeline` is what the service found. Returns a way to take it away. */
export function openPlayer(stage, jobId, file, timeline) {
  return (timeline.is_still ? openPicture : openVideo)(stage, jobId, file, timeline);
}

function openPicture(stage, jobId, file, timeline) {
  const root = document.getElementById("player").content.firstElementChild.cloneNode(true);
  const [image, canvas] = [document.createElement("img"), root.querySelector("canvas")];
  const scores = timeline.faces.map((face) => `face ${face.track_id} ${percent(face.clips[0][2])}`);
  image.alt = `The picture; probability of a fake: ${scores.join(", ")}`;
  root.querySelector("video").replaceWith(image);
  root.querySelectorAll(".line, .ticks").forEach((part) => part.remove());
  root.querySelector(".legend").replaceChildren(...legend(timeline));
  const draw = () => drawBoxes(canvas, image, [image.naturalWidth, image.naturalHeight], 0, timeline);
  const watcher = new ResizeObserver(draw);
  image.addEventListener("load", draw);
  showFile(root, image, file, "show");
  watcher.observe(image);
  const maps = new MapsPanel(root, jobId, file);
  maps.offer(timeline.faces.map((face) => [face.track_id, face.clips[0]]), () => "");
  stage.replaceChildren(root);
  stage.hidden = false;
  return () => {
    watcher.disconnect();
    maps.close();
    takeAway(stage, image);
  };
}

function showFile(root, element, file, verb) {
  element.addEventListener("error", () => {
    const message = document.createElement("p");
    message.textContent = `This browser cannot ${verb} the file; the report shows its faces and scores.`;
    root.querySelector(".picture")?.replaceWith(message);
  });
  element.src = URL.createObjectURL(file);
}

function takeAway(stage, element) {
  const address = element.src;
  element.removeAttribute("src");
  URL.revokeObjectURL(address);
  stage.replaceChildren();
  stage.hidden = true;
}

function openVideo(stage, jobId, file, timeline) {
  const root = document.getElementById("player").content.firstElementChild.cloneNode(true);
  const [video, canvas, line] = ["video", "canvas", ".line"].map((selector) => root.querySelector(selector));
  const maps = new MapsPanel(root, jobId, file);
  let running = true;
  root.querySelector(".legend").replaceChildren(...legend(timeline), ...bands());
  video.addEventListener("loadedmetadata", () => {
    drawLine(line, timeline, video.duration);
    root.querySelector(".last").textContent = clock(video.duration);
  });
  const seek = (seconds) => { video.currentTime = Math.min(Math.max(seconds, 0), video.duration || 0); };
  line.addEventListener("click", (event) => {
    const area = line.getBoundingClientRect();
    seek(((event.clientX - area.left) / area.width) * video.duration);
  });
  line.addEventListener("keydown", (event) => {
    if (!(event.key in KEY_SECONDS)) return;
    event.preventDefault();
    seek(video.currentTime + KEY_SECONDS[event.key]);
  });
  const follow = () => {
    if (!running) return;
    drawBoxes(canvas, video, [video.videoWidth, video.videoHeight], video.currentTime, timeline);
    showMoment(root, line, video, timeline);
    maps.offer(clipsAt(timeline, video.currentTime), ([start, end]) => `, ${exactly(start)}–${exactly(end)}`);
    requestAnimationFrame(follow);
  };
  showFile(root, video, file, "play");
  stage.replaceChildren(root);
  stage.hidden = false;
  requestAnimationFrame(follow);
  return () => {
    running = false;
    maps.close();
    takeAway(stage, video);
  };
}

const colour = (number) => COLOURS[number % COLOURS.length];
const dash = (number) => DASHES[Math.floor(number / COLOURS.length) % DASHES.length];

function legend(timeline) {
  return timeline.faces.map((face, number) => {
    const item = document.createElement("li");
    const sample = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    sample.setAttribute("viewBox", "0 0 40 8");
    sample.append(shape("line", { x1: 0, y1: 4, x2: 40, y2: 4, stroke: colour(number), "stroke-width": 4,
      "stroke-dasharray": dash(number) }));
    item.append(sample, ` face ${face.track_id}`);
    return item;
  });
}

/** What the colours behind the scores mean, as they lie from above. */
function bands() {
  return ["fake", "uncertain", "real"].map((name) => {
    const item = document.createElement("li");
    const sample = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    sample.append(shape("rect", { class: name, width: "100%", height: "100%" }));
    item.append(sample, ` ${name}`);
    return item;
  });
}

function shape(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
  return element;
}

function drawLine(line, timeline, duration) {
  const x = (seconds) => (seconds / duration) * WIDTH;
  const y = (probability) => HEIGHT * (1 - probability);
  const { uncertain_low: low, threshold: high } = timeline;
  line.replaceChildren(
    shape("rect", { class: "fake", x: 0, y: 0, width: WIDTH, height: y(high) }),
    shape("rect", { class: "uncertain", x: 0, y: y(high), width: WIDTH, height: y(low) - y(high) }),
    shape("rect", { class: "real", x: 0, y: y(low), width: WIDTH, height: HEIGHT - y(low) }),
    ...timeline.faces.map((face, number) => shape("path", {
      d: face.clips.map(([start, end, value]) => `M${x(start)},${y(value)}H${x(end)}`).join(""),
      stroke: colour(number), "stroke-dasharray": dash(number), class: "score",
    })),
    shape("line", { class: "cursor", x1: 0, x2: 0, y1: 0, y2: HEIGHT }),
  );
  line.setAttribute("aria-valuemin", 0);
  line.setAttribute("aria-valuemax", duration.toFixed(1));
}

function showMoment(root, line, video, timeline) {
  const seconds = video.currentTime;
  const cursor = line.querySelector(".cursor");
  if (!cursor) return;
  const place = (seconds / video.duration) * WIDTH;
  cursor.setAttribute("x1", place);
  cursor.setAttribute("x2", place);
  const scores = clipsAt(timeline, seconds).map(([track, clip]) => `face ${track} ${percent(clip[2])}`);
  const text = `${clock(seconds)} ${scores.join(", ") || "nothing was scored here"}`;
  const now = root.querySelector(".now");
  if (now.textContent === text) return;
  now.textContent = text;
  line.setAttribute("aria-valuenow", seconds.toFixed(1));
  line.setAttribute("aria-valuetext", text);
}

function clipAt(face, seconds) {
  return face.clips.find(([start, end]) => start <= seconds && seconds <= end);
}

function clipsAt(timeline, seconds) {
  return timeline.faces.flatMap((face) => {
    const clip = clipAt(face, seconds);
    return clip ? [[face.track_id, clip]] : [];
  });
}

function drawBoxes(canvas, element, [ownWidth, ownHeight], seconds, timeline) {
  const [width, height] = [element.clientWidth, element.clientHeight];
  const scale = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  if (!ownWidth) return;
  // The picture is centred in the element, as object-fit: contain lays it.
  const zoom = Math.min(width / ownWidth, height / ownHeight);
  const [shownWidth, shownHeight] = [ownWidth * zoom, ownHeight * zoom];
  const [left, top] = [(width - shownWidth) / 2, (height - shownHeight) / 2];
  timeline.faces.forEach((face, number) => {
    const box = boxAt(face.boxes, seconds);
    if (!box) return;
    const clip = clipAt(face, seconds);
    const [x, y] = [left + box[0] * shownWidth, top + box[1] * shownHeight];
    pen.strokeStyle = pen.fillStyle = colour(number);
    pen.lineWidth = 3;
    pen.setLineDash(clip ? [] : [6, 6]);
    pen.strokeRect(x, y, (box[2] - box[0]) * shownWidth, (box[3] - box[1]) * shownHeight);
    const text = ` face ${face.track_id}${clip ? `: ${percent(clip[2])}` : ""} `;
    pen.font = "600 14px system-ui, sans-serif";
    const textTop = Math.max(y - 20, 0);
    pen.fillRect(x - 1.5, textTop, pen.measureText(text).width, 20);
    pen.fillStyle = "#fff";
    pen.fillText(text, x - 1.5, textTop + 15);
  });
}

/** Between the two known boxes around a moment; null where the face was not looked at. */
export function boxAt(boxes, seconds) {
  const after = boxes.findIndex((box) => box[0] > seconds);
  const index = after < 0 ? boxes.length - 1 : after - 1;
  const before = boxes[index];
  if (!before) return null;
  const next = after < 0 ? undefined : boxes[after];
  if (!next || next[0] - before[0] > FOLLOWED_SECONDS) {
    return seconds - before[0] <= FOLLOWED_SECONDS / 2 ? before.slice(1) : null;
  }
  const part = (seconds - before[0]) / (next[0] - before[0]);
  return before.slice(1).map((value, side) => value + part * (next[side + 1] - value));
}

// Talks to the service: every answer is JSON or an Error that says what to do.

let key = sessionStorage.getItem("api-key") || "";

export class Refusal extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

function headers() {
  return key ? { "X-API-Key": key } : {};
}

function askForKey() {
  const given = window.prompt("This service asks for its API key:");
  if (given) sessionStorage.setItem("api-key", key = given.trim());
  return Boolean(given);
}

async function request(address, method) {
  const response = await fetch(address, { method, headers: headers() });
  if (response.status === 401 && askForKey()) return request(address, method);
  if (response.ok) return response;
  const answer = await response.json().catch(() => ({}));
  throw new Refusal(answer.error || `the service answered with ${response.status}`, response.status);
}

export const get = async (address) => (await request(address, "GET")).json();
export const getBlob = async (address) => (await request(address, "GET")).blob();
export const remove = (address) => request(address, "DELETE");
export const hasKey = () => key !== "";

/** Sends a file to be judged, or to another address; `onSent` is told the part that has arrived, in [0, 1]. Returns the job, and a way to stop. */
export function upload(file, onSent, address = `/api/v1/jobs?name=${encodeURIComponent(file.name)}`) {
  const sending = new XMLHttpRequest();
  const job = new Promise((resolve, reject) => {
    sending.open("POST", address);
    sending.setRequestHeader("Content-Type", "application/octet-stream");
    if (key) sending.setRequestHeader("X-API-Key", key);
    sending.responseType = "json";
    sending.upload.onprogress = (event) => event.lengthComputable && onSent(event.loaded / event.total);
    sending.onload = () => sending.status === 202 ? resolve(sending.response)
      : reject(new Refusal(sending.response?.error || `refused with ${sending.status}`, sending.status));
    sending.onerror = () => reject(new Refusal("the service did not answer, or refused the file's size", 0));
    sending.onabort = () => reject(new Refusal("cancelled", 0));
    sending.send(file);
  });
  return { job, stop: () => sending.abort() };
}

// The page: lists entries, adds them, and says in plain words what does not answer.
// Text of others is only ever set as textContent.

const REFRESH = 5000;
const PATIENCE = 20000;
const element = (id) => document.getElementById(id);

/** What a reader is told. `detail` is what the answer itself said. */
class Problem extends Error {
  constructor(message, detail = "") {
    super(message);
    this.detail = detail;
  }
}

function explain(status, body) {
  const detail = body?.error ?? `status ${status}`;
  const kind = body?.kind ?? "";
  if (kind === "api-unreachable") {
    return new Problem("The web server is there, but the API behind it does not answer.", detail);
  }
  if (kind.startsWith("database-")) {
    return new Problem("The API is there, but its database does not answer.", detail);
  }
  if (kind === "bad-request" || kind === "too-large") {
    return new Problem("The API did not take this entry.", detail);
  }
  if (status === 502 || status === 503 || status === 504) {
    return new Problem("Something on the way to the API says that it cannot be reached.", detail);
  }
  return new Problem("The API gave an answer that this page does not understand.", detail);
}

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
  } catch (error) {
    throw new Problem("The web server does not answer.", error.message);
  }
  show("web-pod", response.headers.get("x-web-pod"));
  const body = await response.json().catch(() => null);
  show("api-pod", body?.pod ?? response.headers.get("x-pod") ?? "none");
  if (!response.ok || body === null) throw explain(response.status, body);
  return body;
}

/** A null keeps what is shown: behind an Ingress the API's answers do not pass the web server. */
function show(id, text) {
  if (text !== null && element(id).textContent !== text) element(id).textContent = text;
}

function report(problem) {
  element("problem").hidden = problem === null;
  // Only a change is announced to people who listen to the page.
  show("problem-text", problem?.message ?? "");
  show("problem-detail", problem?.detail ?? "");
}

function item(entry) {
  const text = document.createElement("p");
  text.textContent = entry.text;
  const time = document.createElement("time");
  time.dateTime = entry.created;
  time.textContent = new Date(entry.created).toLocaleString();
  const pod = document.createElement("span");
  pod.className = "by";
  pod.textContent = entry.pod;
  const by = document.createElement("small");
  by.append(time, " · written by ", pod);
  const li = document.createElement("li");
  li.append(text, by);
  return li;
}

async function refresh() {
  try {
    const { entries } = await ask("/api/entries");
    element("entries").replaceChildren(...entries.map(item));
    element("empty").hidden = entries.length > 0;
    report(null);
  } catch (problem) {
    report(problem);
  }
}

async function add(event) {
  event.preventDefault();
  const text = element("text");
  element("add").disabled = true;
  element("done").textContent = "";
  try {
    const headers = { "content-type": "application/json" };
    const { pod } = await ask("/api/entries", { method: "POST", headers, body: JSON.stringify({ text: text.value }) });
    text.value = "";
    element("done").textContent = `Added by ${pod}.`;
    await refresh();
  } catch (problem) {
    // Beside the form, where the next refresh does not wipe it away.
    element("done").textContent = `Not added. ${problem.message} (${problem.detail})`;
  } finally {
    element("add").disabled = false;
    text.focus();
  }
}

async function firstWebPod() {
  try {
    const response = await fetch("/web-pod", { cache: "no-store" });
    show("web-pod", (await response.json()).pod);
  } catch {
    show("web-pod", "unknown");
  }
}

async function forever() {
  for (;;) {
    if (!document.hidden) await refresh();
    await new Promise((resolve) => setTimeout(resolve, REFRESH));
  }
}

element("form").addEventListener("submit", add);
await firstWebPod();
forever();

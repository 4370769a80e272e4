/** The service: requests, the session, errors. */

import { parse, stringify } from "./exact.js";
import { synchronize } from "./time.js";

/** Where the service is: below the stage, if there is one. */
const BASE = new URL("../../../", import.meta.url);
/** An access token is renewed this long before it expires, in ms. */
const RESERVE = 30_000;

/** An answer that is no success; status 0: there was none. */
export class Problem extends Error {
  constructor(status, body, retryAfter) {
    super(body?.detail ?? `HTTP ${status}`);
    this.status = status;
    this.body = body;
    this.code = body?.code ?? (status ? "" : "offline");
    /** In seconds; 0: not said. */
    this.retryAfter = retryAfter;
  }
}

let session = null;
let renewal = null;
const tabs = new BroadcastChannel("session");
// The cookie is the same for all tabs: whoever signed in or out there did so here.
tabs.onmessage = () => location.reload();

async function send(method, path, { body, headers = {} } = {}) {
  const sent = { ...headers };
  if (body !== undefined) sent["Content-Type"] = "application/json";
  let answer;
  let text;
  try {
    answer = await fetch(new URL(path, BASE), { method, body, headers: sent, cache: "no-store" });
    text = await answer.text();
  } catch {
    throw new Problem(0);
  }
  if (answer.headers.has("Date")) synchronize(answer.headers.get("Date"));
  let read = null;
  try {
    if (text) read = parse(text);
  } catch {
    // A proxy in between may answer with a page of its own.
    read = {};
  }
  const retryAfter = Number(answer.headers.get("Retry-After")) || 0;
  if (!answer.ok && answer.status !== 304) throw new Problem(answer.status, read, retryAfter);
  return { status: answer.status, body: read, retryAfter, headers: answer.headers };
}

function keep(access) {
  const claims = JSON.parse(atob(access.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));
  const lifetime = (claims.exp - claims.iat) * 1000;
  if (session && session.user !== claims.user_id) location.reload();
  session = { access, user: claims.user_id, renewAt: performance.now() + lifetime - RESERVE };
}

/** Gets a new access token. Tabs do so one after the other: each time the cookie changes. */
function renew() {
  renewal ??= navigator.locks
    .request("session", async () => keep((await send("POST", "console/session/refresh/")).body.access))
    .catch((problem) => {
      if (problem.status === 401) end();
      throw problem;
    })
    .finally(() => {
      renewal = null;
    });
  return renewal;
}

function end() {
  session = null;
  localStorage.removeItem("username");
  dispatchEvent(new Event("signedout"));
}

/** Sends a request with the access token, if there is a session. */
export async function request(method, path, options = {}) {
  if (!session) return send(method, path, options);
  if (performance.now() > session.renewAt) await renew();
  const authorized = () =>
    send(method, path, { ...options, headers: { ...options.headers, Authorization: `Bearer ${session.access}` } });
  try {
    return await authorized();
  } catch (problem) {
    if (problem.status !== 401 || !session) throw problem;
    await renew();
    return authorized();
  }
}

/** Creates a task, and waits for it if it can end at once. The same key makes it only once. */
export async function create(type, input, key, scheduled) {
  const body = stringify({ task_type: type, input_data: input, ...(scheduled ? { scheduled_at: scheduled } : {}) });
  const headers = { "Idempotency-Key": key, ...(scheduled ? {} : { Prefer: "wait" }) };
  return (await request("POST", "api/tasks/", { body, headers })).body;
}

/** The name of who is signed in; none: nobody is. */
export function username() {
  return localStorage.getItem("username");
}

/** Goes on with the session of before a reload; tells whether there is one. */
export async function restore() {
  // Without the name there is no session; asking would only cost a request.
  if (!username()) return false;
  try {
    await renew();
  } catch (problem) {
    if (problem.status !== 401) throw problem;
  }
  return session !== null;
}

export async function signIn(name, password) {
  const { body } = await send("POST", "console/session/", { body: JSON.stringify({ username: name, password }) });
  keep(body.access);
  localStorage.setItem("username", name.trim());
  tabs.postMessage("in");
}

export async function register(name, password) {
  await send("POST", "api/register/", { body: JSON.stringify({ username: name, password }) });
  await signIn(name, password);
}

export async function signOut() {
  await send("DELETE", "console/session/");
  tabs.postMessage("out");
  end();
}

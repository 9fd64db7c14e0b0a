/** A browser's storage, a server and a socket, for the tests of what is kept, sent and heard. */
import { Keeper, PREFIX } from "../static/frontend/keeping.js";
import { BusyError, RefusedError, StaleError } from "../static/frontend/server.js";

export const uuid = (/** @type {number} */ number) => `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;

export class FakeStore {
  values = new Map();
  get length() {
    return this.values.size;
  }
  key(place) {
    return [...this.values.keys()][place] ?? null;
  }
  getItem(key) {
    return this.values.get(key) ?? null;
  }
  setItem(key, value) {
    if (this.isFull) throw new Error("quota");
    this.values.set(key, value);
  }
  removeItem(key) {
    if (this.isLocked) throw new Error("forbidden");
    this.values.delete(key);
  }
}

export class FakeSocket extends EventTarget {
  closed = false;
  close() {
    this.closed = true;
  }
  /** @param {object} message */
  say(message) {
    this.dispatchEvent(Object.assign(new Event("message"), { data: JSON.stringify(message) }));
  }
  hangUp() {
    this.dispatchEvent(new Event("close"));
  }
}

/** The sockets and answers that a live page gets; without an answer left, it is out of reach. */
export class FakeNetwork {
  /** @type {FakeSocket[]} */
  sockets = [];
  asked = 0;
  /** @param {object[]} answers */
  constructor(answers) {
    this.answers = answers;
  }
  connect = () => {
    const socket = new FakeSocket();
    this.sockets.push(socket);
    return /** @type {any} */ (socket);
  };
  request = /** @type {any} */ (
    async () => {
      this.asked += 1;
      const answer = this.answers.shift();
      if (answer === undefined) throw new TypeError("out of reach");
      return { ok: true, json: async () => answer };
    }
  );
}

export const settle = () => new Promise((resolve) => setImmediate(resolve));

/** A server that records by UUID, and does what `mood` says at each post. */
export class FakeServer {
  recorded = [];
  posts = 0;
  moods = [];
  send = async (entries) => {
    this.posts += 1;
    const mood = this.moods.shift() ?? "well";
    if (mood === "down") throw new TypeError("no network");
    if (mood === "stale") throw new StaleError("403");
    if (mood === "busy") throw busy(503, "7");
    if (mood === "bad") throw new RefusedError("400 Bad Request");
    const results = entries.map(({ uuid }) => {
      const known = this.recorded.includes(uuid);
      if (mood === "signed-out") return { uuid, status: "signed-out", problem: { detail: "no", type: "" } };
      if (mood === "refuse") return { uuid, status: "refused", problem: { detail: "no", type: "" } };
      if (!known) this.recorded.push(uuid);
      return { uuid, status: known ? "already-recorded" : "recorded" };
    });
    if (mood === "lost-answer") throw new TypeError("the answer was lost on the way");
    return mood === "half" ? results.slice(0, 1) : results;
  };
}

/** @param {number} status @param {string} [after] */
export function busy(status, after) {
  return new BusyError(new Response("", { status, headers: after ? { "Retry-After": after } : {} }));
}

export const entry = (number, changes = {}) => ({
  uuid: uuid(number),
  version: 1,
  subject: number,
  annotations: [["shape", "smooth"]],
  started_at: "2026-01-01T00:00:00.000Z",
  metadata: {},
  account: null,
  ...changes,
});

/** Put text where an entry would lie. */
export function litter(store, name, text) {
  store.values.set(PREFIX + name, text);
}

export const keeper = (store) => new Keeper(store);

/**
 * Keeps classifications on this device until the server has answered for each of them.
 *
 * An entry leaves the outbox only when the server has named its UUID in an answer: recorded,
 * already recorded, or refused for good. Whatever else happens (no network, an error, a
 * reload, a closed tab) it stays and is sent again; the UUID makes that safe.
 *
 * @typedef {{uuid: string, version: number, subject: number, annotations: [string, string][],
 *   started_at: string, metadata: Record<string, unknown>}} Entry
 * @typedef {{uuid: string|null, status: "recorded"|"already-recorded"|"refused",
 *   echo?: {text: string, url: string}, problem?: {detail: string, type: string}}} Result
 * @typedef {Pick<Storage, "getItem"|"setItem">} Store
 */

export const KEY = "lenticular.outbox";
export const AT_ONCE = 50;
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 60000;

/** The server has understood, and wants this page reloaded before anything else is sent. */
export class StaleError extends Error {}

export class Outbox {
  /**
   * @param {object} options
   * @param {Store} options.store where entries survive a reload
   * @param {(entries: Entry[]) => Promise<Result[]>} options.send throws where nothing is known
   * @param {(results: Result[]) => void} [options.onResults] told once per answer
   * @param {(state: {waiting: number, error: Error|null}) => void} [options.onState]
   * @param {(task: () => void, milliseconds: number) => unknown} [options.later]
   */
  constructor({ store, send, onResults = () => {}, onState = () => {}, later = defer }) {
    this.store = store;
    this.send = send;
    this.onResults = onResults;
    this.onState = onState;
    this.later = later;
    this.failures = 0;
    this.sending = false;
    /** @type {Entry[]} what the store would not take */
    this.unstored = [];
  }

  /** @returns {Entry[]} what the server has not answered for, the oldest first */
  get entries() {
    return [...read(this.store), ...this.unstored];
  }

  /**
   * Keep one more classification and try to send.
   *
   * @param {Entry} entry
   * @returns {Promise<void>}
   */
  async add(entry) {
    try {
      this.store.setItem(KEY, JSON.stringify([...read(this.store), entry]));
    } catch {
      this.unstored.push(entry);
    }
    await this.flush();
  }

  /**
   * Send what waits; on failure, try again later and later.
   *
   * @returns {Promise<void>}
   */
  async flush() {
    if (this.sending) return;
    this.sending = true;
    try {
      while (this.entries.length > 0) {
        const batch = this.entries.slice(0, AT_ONCE);
        this.tell(null);
        this.settle(batch, await this.send(batch));
        this.failures = 0;
      }
      this.tell(null);
    } catch (error) {
      this.tell(/** @type {Error} */ (error));
      if (!(error instanceof StaleError)) this.later(() => void this.flush(), this.wait());
    } finally {
      this.sending = false;
    }
  }

  /**
   * Drop the entries that the server answered for.
   *
   * @param {Entry[]} batch
   * @param {Result[]} results
   */
  settle(batch, results) {
    const answered = new Set(results.map((result) => result.uuid));
    if (!batch.some((entry) => answered.has(entry.uuid))) {
      throw new Error("the server answered for none of the classifications");
    }
    const keep = (/** @type {Entry} */ entry) => !answered.has(entry.uuid);
    this.unstored = this.unstored.filter(keep);
    const stored = read(this.store);
    if (stored.some((entry) => !keep(entry))) {
      this.store.setItem(KEY, JSON.stringify(stored.filter(keep)));
    }
    this.onResults(results);
  }

  /** @returns {number} milliseconds until the next try: doubling, up to a minute */
  wait() {
    this.failures += 1;
    return Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (this.failures - 1));
  }

  /** @param {Error|null} error */
  tell(error) {
    this.onState({ waiting: this.entries.length, error });
  }
}

/**
 * @param {Store} store
 * @returns {Entry[]} nothing where the store is closed to us or holds something else
 */
function read(store) {
  try {
    const found = JSON.parse(store.getItem(KEY) ?? "[]");
    return Array.isArray(found) ? found.filter((entry) => typeof entry?.uuid === "string") : [];
  } catch {
    return [];
  }
}

/**
 * Return this browser's storage, or one that forgets where the browser keeps it from us.
 *
 * @returns {Store}
 */
export function deviceStore() {
  try {
    return localStorage;
  } catch {
    return { getItem: () => null, setItem: refuse };
  }
}

/** @returns {never} */
function refuse() {
  throw new Error("this browser keeps nothing for us");
}

/**
 * Make a random UUID; `crypto.randomUUID` exists only on secure addresses.
 *
 * @returns {string}
 */
export function newUuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/**
 * @param {() => void} task
 * @param {number} milliseconds
 */
function defer(task, milliseconds) {
  setTimeout(task, milliseconds);
}

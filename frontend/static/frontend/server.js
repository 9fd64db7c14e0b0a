/**
 * Talks to the classify API, and keeps what this page knows of the server: its token, whose
 * page it is, which tree is asked now.
 *
 * @typedef {import("./keeping.js").Entry} Entry
 * @typedef {import("./outbox.js").Result} Result
 * @typedef {import("./shelf.js").Served} Served
 * @typedef {{next: string, post: string, favourite?: string, version: number, account: number|null,
 *   volunteer?: string|null, tree: import("./tree.js").Tree, subject: import("./shelf.js").Subject,
 *   steps: import("./tree.js").Step[], words: Record<string, string>}} PageData
 */

const PATIENCE = 20000;
/** A browser sends no more than 64 KiB for a page that is being left. */
const KEEPALIVE = 60000;
const PROBLEM = "application/problem+json";

/** The server does not take this page's word, not even after a fresh token. */
export class StaleError extends Error {}

/** The page belongs to an account that is not signed in any more. */
export class SignedOutError extends Error {}

/** The server will never take this body. */
export class RefusedError extends Error {}

/** The server could not answer; `wait` is how many milliseconds it asks us to wait. */
export class BusyError extends Error {
  /** @param {Response} response */
  constructor(response) {
    super(`${response.status} ${response.statusText}`);
    const seconds = Number(response.headers.get("Retry-After"));
    this.wait = seconds > 0 ? seconds * 1000 : undefined;
  }
}

export class Server {
  /**
   * @param {PageData} data
   * @param {string} token
   * @param {object} [world]
   * @param {typeof fetch} [world.request]
   * @param {() => Promise<{token: string, data: PageData|null}>} [world.look] reads the page anew
   */
  constructor(data, token, { request = (...given) => fetch(...given), look = readPage } = {}) {
    this.data = data;
    this.token = token;
    this.request = request;
    this.look = look;
  }

  /**
   * @param {number} count
   * @returns {Promise<Served>}
   */
  async fetchNext(count) {
    /** @type {Served} */
    const served = await this.post(this.data.next, { count });
    // A new tree is asked from the next galaxy on.
    if (served.version !== this.data.version) await this.refresh().catch(() => {});
    return { ...served, subjects: served.subjects.map((subject) => this.mine(subject, served.volunteer)) };
  }

  /**
   * Say whose a galaxy is.
   *
   * @param {import("./shelf.js").Subject} subject
   * @param {string|null} [volunteer] the page's own, unless the server names another
   */
  mine(subject, volunteer = this.data.volunteer) {
    return { ...subject, account: this.data.account, volunteer };
  }

  /**
   * @param {Entry[]} entries
   * @returns {Promise<Result[]>}
   */
  send(entries) {
    const classifications = entries.map(sendable);
    return this.post(this.data.post, { classifications, sent_at: plausible(new Date()) });
  }

  /**
   * @param {number} subject
   * @param {boolean} favourite
   * @returns {Promise<{favourite: boolean}>}
   */
  markFavourite(subject, favourite) {
    return this.post((this.data.favourite ?? "").replace(/\b0\b/, String(subject)), { favourite });
  }

  /**
   * Post JSON and return the answer's; a token that has expired is replaced on the way.
   *
   * @param {string} address
   * @param {unknown} body
   * @returns {Promise<any>}
   */
  async post(address, body) {
    let response = await this.ask(address, body);
    if (response.status === 401) {
      await this.refresh();
      throw new SignedOutError(response.statusText);
    }
    if (response.status === 403) {
      const before = this.data.account;
      await this.refresh();
      if (before !== null && this.data.account !== before) throw new SignedOutError("signed out");
      response = await this.ask(address, body);
    }
    if (response.status === 401 || response.status === 403) throw new StaleError(response.statusText);
    if (isRefusal(response)) throw new RefusedError(response.statusText);
    if (!response.ok) throw new BusyError(response);
    return response.json();
  }

  /**
   * @param {string} address
   * @param {unknown} body
   * @returns {Promise<Response>}
   */
  ask(address, body) {
    const text = JSON.stringify(body);
    const headers = new Headers({ "Content-Type": "application/json", "X-CSRFToken": this.token });
    if (this.data.account !== null) headers.set("X-Account", String(this.data.account));
    return this.request(address, {
      method: "POST",
      headers,
      body: text,
      keepalive: text.length < KEEPALIVE,
      signal: AbortSignal.timeout(PATIENCE),
    });
  }

  /** Learn from the page, as it is now, who is asking and what is asked. */
  async refresh() {
    const { token, data } = await this.look();
    this.token = token;
    this.data = data ?? this.data;
  }
}

/**
 * @param {Entry} entry
 * @returns {Partial<Entry>} without what is only this device's business
 */
function sendable({ account: _, stranger: __, kept_at: ___, held_until: ____, ...entry }) {
  return entry;
}

/**
 * Tell whether our server refuses the body; a proxy, or a site that does not know its own
 * name, says 400 or 413 to anything, without a problem document.
 *
 * @param {Response} response
 * @returns {boolean}
 */
function isRefusal({ status, headers }) {
  return (status === 400 || status === 413) && (headers.get("Content-Type") ?? "").startsWith(PROBLEM);
}

/** @returns {Promise<{token: string, data: PageData|null}>} */
async function readPage() {
  const response = await fetch(location.pathname, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
  if (!response.ok) throw new BusyError(response);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const token = page.querySelector("[name=csrfmiddlewaretoken]")?.getAttribute("value") ?? "";
  const data = page.querySelector("#page-data")?.textContent;
  return { token, data: data ? JSON.parse(data) : null };
}

/**
 * Return a time as the server reads it; null for that of a clock which was never set.
 *
 * @param {Date} time
 * @returns {string|null}
 */
export function plausible(time) {
  const year = time.getUTCFullYear();
  return year >= 1970 && year <= 9000 ? time.toISOString() : null;
}

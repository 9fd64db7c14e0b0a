/**
 * Keeps classifications on this device until the server has answered for each of them.
 *
 * An entry leaves only when the server has named its UUID in an answer: recorded, already
 * recorded, or refused for good; an account's waits until it is signed in. Whatever happens
 * else (no network, an error, a reload, a closed tab) it stays and is sent again; the UUID
 * makes that safe. The latest may be held for a moment, so that it can be taken back.
 *
 * @typedef {import("./keeping.js").Entry} Entry
 * @typedef {{uuid: string|null, status: "recorded"|"already-recorded"|"refused"|"signed-out",
 *   echo?: {text: string, url: string}, feedback?: import("./feedback.js").Feedback,
 *   problem?: {detail: string, type: string}}} Result
 * @typedef {{waiting: number, foreign: number, held: boolean, forgetful: boolean,
 *   error: Error|null}} State
 */
import { HOLD, isHeld, isOf } from "./keeping.js";
import { defer, Retrying } from "./retrying.js";
import { RefusedError, SignedOutError } from "./server.js";

export const AT_ONCE = 50;

export class Outbox {
  /**
   * @param {object} options
   * @param {import("./keeping.js").Keeper} options.keeper where entries survive a reload
   * @param {(entries: Entry[]) => Promise<Result[]>} options.send throws where nothing is known
   * @param {() => number|null} [options.account] whose answers can be sent now, beside nobody's
   * @param {(results: Result[]) => void} [options.onResults] told once per answer
   * @param {(state: State) => void} [options.onState]
   * @param {(task: () => void, milliseconds: number) => unknown} [options.later]
   * @param {(task: () => Promise<void>) => Promise<void>} [options.alone] one tab at a time
   * @param {() => number} [options.now] milliseconds of the wall clock, which tabs share
   */
  constructor({ keeper, send, account = () => null, onResults = () => {}, onState = () => {}, later = defer, alone = (task) => task(), now = Date.now }) {
    this.keeper = keeper;
    this.send = send;
    this.account = account;
    this.onResults = onResults;
    this.onState = onState;
    this.later = later;
    this.retrying = new Retrying(later, () => void this.flush());
    this.alone = alone;
    this.now = now;
    this.isSending = false;
    /** @type {Set<string>} the UUIDs of what was sent and not answered yet */
    this.onItsWay = new Set();
    /** @type {string|null} */
    this.held = null;
    /** @type {Error|null} */
    this.error = null;
  }

  /** @returns {Entry[]} what the server has not answered for, the oldest first */
  get entries() {
    return this.keeper.entries;
  }

  /** @returns {Entry[]} what may be sent now, and is not on its way */
  get due() {
    const [latest, account] = [this.now(), this.account()];
    const free = this.entries.filter(({ uuid }) => !this.onItsWay.has(uuid));
    return free.filter((entry) => !isHeld(entry, latest) && isOf(entry, account));
  }

  /**
   * Keep one more classification and try to send.
   *
   * @param {Entry} entry
   */
  async add(entry) {
    this.keeper.put({ kept_at: this.now(), ...entry });
    await this.flush();
  }

  /**
   * Keep one more, and send it a little later, or when `release` is called.
   *
   * @param {Entry} entry
   */
  hold(entry) {
    this.release();
    this.held = entry.uuid;
    this.keeper.put({ kept_at: this.now(), ...entry, held_until: this.now() + HOLD });
    this.later(() => this.held === entry.uuid && this.release(), HOLD);
    this.tell();
  }

  /** @returns {boolean} whether what was held is ours again, and will not be sent */
  takeBack() {
    const uuid = this.held;
    this.held = null;
    const found = this.entries.some((entry) => entry.uuid === uuid && isHeld(entry, this.now()));
    if (found) this.keeper.remove(/** @type {string} */ (uuid));
    this.tell();
    return found;
  }

  /** Send what is held. */
  release() {
    if (this.letGo()) void this.flush();
  }

  /** @returns {boolean} whether something was held, which is now to be sent */
  letGo() {
    const entry = this.entries.find(({ uuid }) => uuid === this.held);
    this.held = null;
    if (entry) this.keeper.put({ ...entry, held_until: undefined });
    return entry !== undefined;
  }

  /** Send what this page has kept, while it still lives: without waiting for the other tabs. */
  async hurry() {
    this.letGo();
    this.tell();
    const batch = this.due.filter(({ uuid }) => this.keeper.mine.has(uuid)).slice(0, AT_ONCE);
    if (batch.length === 0 || this.retrying.isPaused) return;
    try {
      await this.deliver(batch);
    } catch (error) {
      this.failed(/** @type {Error & {wait?: number}} */ (error));
    }
  }

  /** Send what is due; on failure, try again later and later. */
  async flush() {
    if (this.isSending || this.retrying.isPaused) return;
    this.isSending = true;
    try {
      // Something may be let go while the other tabs are given their turn back.
      do await this.alone(() => this.sendAll());
      while (this.due.length > 0);
      this.retrying.succeeded();
      this.tell(null);
    } catch (error) {
      this.failed(/** @type {Error & {wait?: number}} */ (error));
    } finally {
      this.isSending = false;
    }
  }

  async sendAll() {
    let atOnce = AT_ONCE;
    for (let batch = this.due.slice(0, atOnce); batch.length > 0; batch = this.due.slice(0, atOnce)) {
      const asker = this.account();
      this.tell(null);
      try {
        await this.deliver(batch);
      } catch (error) {
        // Somebody else asks now: only what is nobody's or theirs is due.
        if (error instanceof SignedOutError && this.account() !== asker) continue;
        if (!(error instanceof RefusedError)) throw error;
        // One bad entry must not hold up the others.
        const problem = { detail: error.message, type: "" };
        if (batch.length === 1) this.settle(batch, [{ uuid: batch[0].uuid, status: "refused", problem }]);
        atOnce = 1;
      }
    }
  }

  /** @param {Entry[]} batch */
  async deliver(batch) {
    for (const { uuid } of batch) this.onItsWay.add(uuid);
    try {
      this.settle(batch, await this.send(batch));
    } finally {
      for (const { uuid } of batch) this.onItsWay.delete(uuid);
    }
  }

  /**
   * Drop the entries that the server answered for.
   *
   * @param {Entry[]} batch
   * @param {Result[]} results
   */
  settle(batch, results) {
    const answers = new Map(results.map(({ uuid, status }) => [uuid, status]));
    const left = batch.filter(({ uuid }) => answers.has(uuid));
    if (left.length === 0) throw new Error("the server answered for none of the classifications");
    for (const entry of left) this.keeper.settle(entry, answers.get(entry.uuid), this.account());
    this.onResults(results);
    this.tell();
  }

  /** @param {Error & {wait?: number}} error with the milliseconds that the server asked for */
  failed(error) {
    this.tell(error);
    this.retrying.failed(error.wait);
  }

  /** @param {Error|null} [error] unchanged where left out */
  tell(error = this.error) {
    this.error = error;
    const [entries, account] = [this.entries, this.account()];
    const foreign = entries.filter((entry) => !isOf(entry, account)).length;
    const [held, forgetful] = [this.held !== null, this.keeper.isForgetful];
    this.onState({ waiting: entries.length, foreign, held, forgetful, error });
  }
}

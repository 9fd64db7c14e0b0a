/**
 * Keeps entries on this device, each under a key of its own: two tabs that write at the same
 * moment lose nothing of each other's. What the store will not take is kept in memory.
 *
 * @typedef {{uuid: string, version: number, subject: number, annotations: [string, string][],
 *   started_at: string|null, metadata: Record<string, unknown>, account?: number|null,
 *   volunteer?: string|null, stranger?: number|null, kept_at?: number, held_until?: number}} Entry
 * @typedef {Pick<Storage, "getItem"|"setItem"|"removeItem"|"key"|"length">} Store
 */

export const PREFIX = "lenticular.outbox.";
/** How long the latest can be taken back, in milliseconds. */
export const HOLD = 6000;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export class Keeper {
  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    /** @type {Map<string, Entry>} what the store would not take */
    this.memory = new Map();
    /** @type {Set<string>} what the store would not let go of */
    this.gone = new Set();
    /** @type {Set<string>} what this page has kept, and no other tab */
    this.mine = new Set();
  }

  /** @returns {Entry[]} the oldest first */
  get entries() {
    const found = new Map(stored(this.store).map((entry) => [entry.uuid, entry]));
    for (const [uuid, entry] of this.memory) found.set(uuid, entry);
    for (const uuid of this.gone) found.delete(uuid);
    return [...found.values()].sort((one, other) => (one.kept_at ?? 0) - (other.kept_at ?? 0));
  }

  /** @returns {boolean} whether closing the page would lose something */
  get isForgetful() {
    return this.memory.size > 0;
  }

  /** @param {Entry} entry */
  put(entry) {
    this.mine.add(entry.uuid);
    try {
      this.store.setItem(PREFIX + entry.uuid, JSON.stringify(entry));
      this.memory.delete(entry.uuid);
    } catch {
      this.memory.set(entry.uuid, entry);
    }
  }

  /**
   * Let go of what the server has answered for; what it has not taken from `asker`, because it
   * is another account's, waits for somebody else to ask.
   *
   * @param {Entry} entry
   * @param {string|undefined} status
   * @param {number|null} asker
   */
  settle(entry, status, asker) {
    if (status === "signed-out") this.put({ ...entry, stranger: asker });
    else this.remove(entry.uuid);
  }

  /** @param {string} uuid */
  remove(uuid) {
    this.memory.delete(uuid);
    try {
      this.store.removeItem(PREFIX + uuid);
    } catch {
      this.gone.add(uuid);
    }
  }
}

/**
 * @param {Store} store
 * @returns {Entry[]} nothing where the store is closed to us; what is not ours is passed over
 */
function stored(store) {
  try {
    const keys = Array.from({ length: store.length }, (_, place) => store.key(place) ?? "");
    const ours = keys.filter((key) => key.startsWith(PREFIX));
    return ours.flatMap((key) => parsed(store.getItem(key), key.slice(PREFIX.length)));
  } catch {
    return [];
  }
}

/**
 * @param {string|null} text
 * @param {string} uuid
 * @returns {Entry[]} none for what no page of ours has written
 */
function parsed(text, uuid) {
  try {
    const entry = JSON.parse(text ?? "null");
    const isWhole = entry?.uuid === uuid && UUID.test(uuid) && Array.isArray(entry.annotations);
    return isWhole ? [entry] : [];
  } catch {
    return [];
  }
}

/**
 * @param {Entry} entry
 * @param {number} now
 * @returns {boolean} a time far ahead was written by a clock that has been set since
 */
export function isHeld({ held_until: until }, now) {
  return until !== undefined && now < until && until <= now + HOLD;
}

/**
 * @param {Entry} entry
 * @param {number|null} account
 * @returns {boolean} whether it may be sent as this account's, or as nobody's
 */
export function isOf(entry, account) {
  return entry.account == null ? entry.stranger !== account : entry.account === account;
}

/**
 * Keeps the next galaxies at hand, pictures decoded, so that nobody waits between two.
 *
 * @typedef {{name: string, page: string, full: string}} Rendering
 * @typedef {{id: number, external_id: string, images: {page: string, full: string, thumb: string},
 *   renderings: Rendering[], metadata: Record<string, unknown>, expires_at: string,
 *   account?: number|null, volunteer?: string|null, picture?: HTMLImageElement}} Subject
 * @typedef {{subjects: Subject[], remaining: boolean, version: number,
 *   volunteer?: string|null}} Served
 */

export const FULL = 5;
export const LOW = 3;
const MOST = 50;

export class Shelf {
  /**
   * @param {object} options
   * @param {(count: number) => Promise<Served>} options.fetchNext asks the server; those in
   *   hand come first
   * @param {(subject: Subject) => Promise<unknown>} options.preload fetches and decodes a picture
   * @param {() => number[]} options.unsent answered galaxies that the server may not know of
   * @param {(id: number) => Promise<boolean>} [options.claim] false for what another tab has
   */
  constructor({ fetchNext, preload, unsent, claim = () => Promise.resolve(true) }) {
    this.fetchNext = fetchNext;
    this.preload = preload;
    this.unsent = unsent;
    this.claim = claim;
    /** @type {Subject[]} */
    this.subjects = [];
    /** @type {Set<number>} on the desk, answered or skipped: not shown again in this page's life */
    this.seen = new Set();
    /** @type {Set<number>} skipped: in hand, but not wanted */
    this.skipped = new Set();
    /** @type {Set<Subject>} without their pictures */
    this.missing = new Set();
    /** @type {Promise<void>|null} */
    this.filling = null;
  }

  /**
   * Say that a galaxy is on the desk, or was answered before.
   *
   * @param {number} id
   */
  mark(id) {
    this.seen.add(id);
    this.subjects = this.subjects.filter((subject) => subject.id !== id);
  }

  /**
   * Take the next galaxy; null when nothing is left.
   *
   * @returns {Promise<Subject|null>}
   * @throws where the shelf is empty and the server can not be reached
   */
  async take() {
    if (this.subjects.length === 0) await this.fill();
    const next = this.subjects.shift() ?? null;
    if (next === null) return null;
    this.missing.delete(next);
    this.seen.add(next.id);
    this.topUp();
    return next;
  }

  /** Ask for pictures that did not arrive, and for more where few remain; try once, for now. */
  topUp() {
    for (const subject of this.missing) this.fetchPicture(subject);
    if (this.subjects.length <= LOW) void this.fill().catch(() => {});
  }

  /** @param {Subject} subject comes next */
  putBack(subject) {
    this.subjects.unshift(subject);
  }

  /** @param {Subject} subject */
  fetchPicture(subject) {
    this.missing.delete(subject);
    this.preload(subject).catch(() => this.subjects.includes(subject) && this.missing.add(subject));
  }

  /** Fill the shelf; a second call while one is on its way waits for that one. */
  fill() {
    this.filling ??= this.fetch().finally(() => {
      this.filling = null;
    });
    return this.filling;
  }

  /** Ask again, for more, where other tabs hold what came. */
  async fetch() {
    const onDesk = 1;
    let elsewhere = 0;
    for (let tries = 0; tries < 3 && this.subjects.length < FULL; tries += 1) {
      const count = Math.min(MOST, FULL + onDesk + this.unsent().length + this.skipped.size + elsewhere);
      const { subjects } = await this.fetchNext(count);
      elsewhere = await this.stock(subjects);
      if (subjects.length < count || elsewhere === 0) return;
    }
  }

  /**
   * @param {Subject[]} subjects
   * @returns {Promise<number>} how many another tab has
   */
  async stock(subjects) {
    const away = new Set(this.unsent());
    let elsewhere = 0;
    for (const subject of subjects) {
      const known = this.subjects.some(({ id }) => id === subject.id);
      if (known || this.seen.has(subject.id) || away.has(subject.id)) continue;
      if (this.subjects.length >= FULL) break;
      if (!(await this.claim(subject.id))) {
        elsewhere += 1;
        continue;
      }
      this.subjects.push(subject);
      this.fetchPicture(subject);
    }
    return elsewhere;
  }
}

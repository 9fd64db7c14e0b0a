/**
 * Keeps the next galaxies at hand, pictures decoded, so that nobody waits between two.
 *
 * @typedef {{id: number, external_id: string, images: {page: string, full: string, thumb: string},
 *   metadata: Record<string, unknown>, expires_at: string}} Subject
 * @typedef {{subjects: Subject[], remaining: boolean}} Served
 */

export const FULL = 4;
export const LOW = 3;

export class Shelf {
  /**
   * @param {object} options
   * @param {(count: number) => Promise<Served>} options.fetchNext asks the server; those in
   *   hand come first
   * @param {(subject: Subject) => Promise<unknown>} options.preload fetches and decodes a picture
   * @param {() => number} options.unsent how many answered galaxies the server may not know of
   */
  constructor({ fetchNext, preload, unsent }) {
    this.fetchNext = fetchNext;
    this.preload = preload;
    this.unsent = unsent;
    /** @type {Subject[]} */
    this.subjects = [];
    /** @type {Set<number>} never shown again in this page's life */
    this.seen = new Set();
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
    if (next) this.seen.add(next.id);
    if (next && this.subjects.length < LOW) void this.fill().catch(() => {});
    return next;
  }

  /** Fill the shelf; a second call while one is on its way waits for that one. */
  fill() {
    this.filling ??= this.fetch().finally(() => {
      this.filling = null;
    });
    return this.filling;
  }

  async fetch() {
    const onDesk = 1;
    const { subjects } = await this.fetchNext(Math.min(50, FULL + onDesk + this.unsent()));
    for (const subject of subjects) {
      const known = this.seen.has(subject.id) || this.subjects.some(({ id }) => id === subject.id);
      if (known) continue;
      this.subjects.push(subject);
      void this.preload(subject).catch(() => {});
    }
  }
}

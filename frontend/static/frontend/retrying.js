/** When to try again: soon, then later and later; and never before a server wants to be asked. */

const FIRST_WAIT = 1000;
const LONGEST_WAIT = 60000;

export class Retrying {
  /**
   * @param {(task: () => void, milliseconds: number) => unknown} later
   * @param {() => void} task
   */
  constructor(later, task) {
    this.later = later;
    this.task = task;
    this.failures = 0;
    this.tries = 0;
    /** The server has asked us to wait. */
    this.isPaused = false;
  }

  succeeded() {
    this.failures = 0;
  }

  /** @param {number} [asked] milliseconds that the server asked us to wait */
  failed(asked) {
    const mine = (this.tries += 1);
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.failures);
    this.failures += 1;
    this.isPaused = asked !== undefined;
    this.later(() => mine === this.tries && this.again(), Math.max(wait, asked ?? 0));
  }

  again() {
    this.isPaused = false;
    this.task();
  }
}

/**
 * @param {() => void} task
 * @param {number} milliseconds
 */
export function defer(task, milliseconds) {
  setTimeout(task, milliseconds);
}

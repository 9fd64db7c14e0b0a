/**
 * One galaxy on the desk: the tree that it is asked under, the answers so far, and those that
 * were given further on before the volunteer went back. Nothing here touches the page.
 *
 * @typedef {import("./tree.js").Step} Step
 */
import { keptAfter, openQuestion, extend } from "./tree.js";
import { plausible } from "./server.js";

export class Walk {
  /**
   * @param {object} options
   * @param {import("./shelf.js").Subject} options.subject
   * @param {import("./tree.js").Tree} options.tree
   * @param {number} options.version
   * @param {Step[]} [options.path]
   * @param {() => number} [options.tick] milliseconds that no setting of the clock disturbs
   */
  constructor({ subject, tree, version, path = [], tick = () => performance.now() }) {
    this.subject = subject;
    this.tree = tree;
    this.version = version;
    this.path = path;
    this.tick = tick;
    this.startedAt = new Date();
    this.begun = tick();
    /** @type {Map<string, string>} question to answer, of all that was ever answered here */
    this.kept = new Map(path);
  }

  get question() {
    return openQuestion(this.tree, this.path);
  }

  /** @returns {Step[]} answers kept beyond the open question, it included */
  get rest() {
    return keptAfter(this.tree, this.path, this.kept);
  }

  /** @param {string} answer */
  answer(answer) {
    this.path = extend(this.tree, this.path, answer);
    this.kept.set(...this.path[this.path.length - 1]);
  }

  /** Go over the answers that still apply, to the first question without one. */
  skipKept() {
    this.path = [...this.path, ...this.rest];
  }

  /** @param {number} steps how many answers to have behind us; those beyond are kept */
  goTo(steps) {
    this.path = [...this.path, ...this.rest].slice(0, Math.max(0, steps));
  }

  /**
   * @param {string} uuid
   * @returns {import("./keeping.js").Entry}
   */
  entry(uuid) {
    const seconds = Math.round(this.tick() - this.begun) / 1000;
    return {
      uuid,
      version: this.version,
      subject: this.subject.id,
      annotations: this.path,
      started_at: plausible(this.startedAt),
      metadata: { interface: "page", seconds },
      account: this.subject.account ?? null,
      volunteer: this.subject.volunteer ?? null,
    };
  }
}

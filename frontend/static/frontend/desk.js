/**
 * The desk: one galaxy at a time, the next ones at hand, the answers safe. It knows the walk,
 * the shelf and the outbox; what is seen of them is its parts' work.
 *
 * @typedef {import("./shelf.js").Subject} Subject
 */
import { newUuid } from "./device.js";
import { StaleError } from "./server.js";
import { expectedLength, spoken } from "./tree.js";
import { Walk } from "./walk.js";

const RETRY = 5000;

/**
 * @typedef {object} Parts
 * @property {import("./server.js").Server} server
 * @property {import("./outbox.js").Outbox} outbox
 * @property {import("./shelf.js").Shelf} shelf
 * @property {import("./asking.js").Asking} asking
 * @property {import("./status.js").Status} status
 * @property {import("./viewer.js").Viewer} viewer
 * @property {import("./settings.js").Settings} settings
 * @property {(subject: Subject) => void} display puts the galaxy's picture on the page
 */

export class Desk {
  /** @param {Parts} parts */
  constructor(parts) {
    this.parts = parts;
    this.isBetween = true;
    /** @type {Walk|null} finished, and still to be had back */
    this.held = null;
    const { subject, steps } = parts.server.data;
    this.walk = this.newWalk(parts.server.mine(subject), steps);
  }

  /**
   * @param {(id: number, patience: number) => Promise<boolean>} claim
   */
  async start(claim) {
    const { outbox, shelf } = this.parts;
    for (const entry of outbox.entries) shelf.mark(entry.subject);
    const first = this.walk;
    const isKnown = shelf.seen.has(first.subject.id);
    if (!isKnown) this.show(first);
    void outbox.flush();
    if (isKnown) await this.nextGalaxy();
    else if (!(await claim(first.subject.id, 400))) this.leave(first);
    await shelf.fill().catch(() => {});
  }

  /**
   * @param {Subject} subject
   * @param {import("./tree.js").Step[]} [path]
   */
  newWalk(subject, path) {
    const { tree, version } = this.parts.server.data;
    return new Walk({ subject, tree, version, path });
  }

  /**
   * @param {Walk} walk
   * @param {string} [news]
   */
  show(walk, news) {
    this.walk = walk;
    this.isBetween = false;
    this.parts.shelf.mark(walk.subject.id);
    this.parts.display(walk.subject);
    this.ask({ focus: news !== undefined, news });
  }

  /** @param {{focus: boolean, news?: string}} how */
  ask({ focus, news }) {
    const { asking, status } = this.parts;
    const { tree, path, question, rest } = this.walk;
    if (!question) return this.review();
    const kept = spoken(tree, [...path, ...rest]);
    const [crumbs, current, later] = [kept.slice(0, path.length), kept[path.length], kept.slice(path.length + 1)];
    asking.show(question, { chosen: this.walk.kept.get(question.slug), crumbs, current, later, focus });
    status.progress(path.length + 1, expectedLength(tree, path), news);
  }

  review() {
    const { asking, status } = this.parts;
    const { tree, path } = this.walk;
    const answers = spoken(tree, path);
    /** @type {[string, string][]} */
    const steps = path.map(([question], place) => [tree.questions[question].text, answers[place]]);
    asking.review({ title: status.words.review, send: status.words.send, steps });
    status.progress(path.length, path.length);
  }

  /**
   * @param {string} slug
   * @param {boolean} skip
   */
  answer(slug, skip) {
    const { outbox, status, settings, viewer } = this.parts;
    if (this.isBetween) return;
    // Nobody can tell what a galaxy is that they do not see.
    if (viewer.isBroken) return status.trouble("picture");
    outbox.release();
    status.calm();
    this.walk.answer(slug);
    if (skip) this.walk.skipKept();
    if (this.walk.question || settings.get("ask")) this.ask({ focus: true });
    else this.send();
  }

  /** Enter without an answer sends what is held; else an answer is missing. */
  nothing() {
    if (this.held) this.parts.outbox.release();
    else this.parts.status.trouble("choose");
  }

  /** @param {number} [steps] how many answers to have behind us; one less by default */
  back(steps = this.walk.path.length - 1) {
    if (this.isBetween) return;
    if (steps < 0) return this.undo();
    this.walk.goTo(steps);
    this.ask({ focus: true });
  }

  send() {
    if (this.isBetween) return;
    this.held = this.walk;
    this.parts.outbox.hold(this.walk.entry(newUuid()));
    void this.nextGalaxy();
  }

  /** Have the galaxy before back, with its answers, unless it is on its way already. */
  undo() {
    const { outbox, shelf, status } = this.parts;
    const back = this.held;
    if (!back || !outbox.takeBack()) return;
    this.held = null;
    if (!this.isBetween) shelf.putBack(this.walk.subject);
    status.rest(false);
    status.fetching(false);
    back.goTo(back.path.length - 1);
    this.show(back, "undone");
  }

  /** @param {Walk} first leave it to the tab that has it, unless it is begun here */
  leave(first) {
    if (this.walk === first && first.path.length === 0) void this.nextGalaxy("elsewhere");
  }

  /** Leave this galaxy to others. */
  skip() {
    if (this.isBetween) return;
    this.parts.shelf.skipped.add(this.walk.subject.id);
    void this.nextGalaxy("skipped");
  }

  /** @param {string} news */
  async nextGalaxy(news = "sent") {
    const { shelf, status } = this.parts;
    const turn = (this.turn = {});
    this.isBetween = true;
    status.fetching(true);
    try {
      const next = await shelf.take();
      // Somebody who took the galaxy before back is not interrupted.
      if (turn !== this.turn || !this.isBetween) return void (next && shelf.putBack(next));
      status.fetching(false);
      if (next === null) return status.rest(true);
      this.show(this.newWalk(next), news);
    } catch (error) {
      if (turn !== this.turn || !this.isBetween) return;
      status.trouble(error instanceof StaleError ? "stale" : "lost");
      setTimeout(() => turn === this.turn && this.isBetween && void this.nextGalaxy(news), RETRY);
    }
  }

  /** @param {import("./outbox.js").State} state */
  outboxChanged(state) {
    if (!state.held) this.held = null;
    this.parts.asking.offerUndo(state.held && this.held !== null);
    this.parts.status.outbox(state);
  }
}

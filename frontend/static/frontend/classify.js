/**
 * The classify page: walks the tree in the browser, keeps the next galaxies at hand and
 * the answers safe. Without it the form works too, one post per question.
 *
 * @typedef {import("./tree.js").Step} Step
 * @typedef {import("./shelf.js").Subject} Subject
 */
import { Asking, part } from "./asking.js";
import { bindKeys } from "./keys.js";
import { deviceStore, newUuid, Outbox, StaleError } from "./outbox.js";
import { preload, server, srcset } from "./server.js";
import { Shelf } from "./shelf.js";
import { expectedLength, extend, openQuestion, spoken } from "./tree.js";
import { Status } from "./status.js";
import { Viewer } from "./viewer.js";

const RETRY = 5000;

class Desk {
  constructor() {
    this.data = JSON.parse(part(document, "#page-data").textContent ?? "{}");
    const form = /** @type {HTMLFormElement} */ (part(document, "#asking"));
    const token = /** @type {HTMLInputElement} */ (part(form, "[name=csrfmiddlewaretoken]"));
    const { fetchNext, send } = server(this.data, () => token.value);
    this.image = /** @type {HTMLImageElement} */ (part(document, "#galaxy"));
    this.status = new Status(document, this.data.words);
    this.viewer = new Viewer(part(document, "#viewer"));
    this.asking = new Asking(form, {
      onAnswer: (slug) => void this.answer(slug),
      onNothing: () => this.status.say("choose"),
      onBack: () => this.back(this.path.length - 1),
      onCrumb: (steps) => this.back(steps),
    });
    this.outbox = new Outbox({
      store: deviceStore(),
      send,
      onResults: (results) => this.status.results(results),
      onState: (state) => this.status.outbox(state),
    });
    this.shelf = new Shelf({
      fetchNext,
      preload: (subject) => preload(subject, this.image.sizes),
      unsent: () => this.outbox.entries.length,
    });
    /** @type {Step[]} */
    this.path = this.data.steps;
    /** @type {Map<string, string>} answers given to this galaxy, kept when going back */
    this.memory = new Map();
    this.isBetween = false;
  }

  start() {
    for (const entry of this.outbox.entries) this.shelf.mark(entry.subject);
    this.image.addEventListener("error", () => this.status.trouble("picture"));
    bindKeys(document, {
      answer: (place) => this.isBetween || this.asking.choose(place),
      next: () => this.isBetween || this.asking.goOn(),
      back: () => this.isBetween || this.back(this.path.length - 1),
      help: () => this.status.toggleKeys(),
    });
    addEventListener("online", () => void this.outbox.flush());
    void this.outbox.flush();
    const known = this.shelf.seen.has(this.data.subject.id);
    void (known ? this.nextGalaxy() : this.showGalaxy(this.data.subject, this.path));
    void this.shelf.fill().catch(() => {});
  }

  /**
   * @param {Subject} subject
   * @param {Step[]} path
   */
  showGalaxy(subject, path = []) {
    this.subject = subject;
    this.shelf.mark(subject.id);
    this.path = path;
    this.memory = new Map(path);
    this.startedAt = new Date();
    if (!this.image.src.endsWith(subject.images.page)) {
      this.image.src = subject.images.page;
      this.image.srcset = srcset(subject.images);
    }
    this.viewer.reset();
    this.ask(false);
  }

  /** @param {boolean} focus */
  ask(focus) {
    const question = openQuestion(this.data.tree, this.path);
    if (!question) return;
    const crumbs = spoken(this.data.tree, this.path);
    this.asking.show(question, { chosen: this.memory.get(question.slug), crumbs, focus });
    this.status.progress(this.path.length + 1, expectedLength(this.data.tree, this.path));
  }

  /** @param {string} slug */
  async answer(slug) {
    if (this.isBetween) return;
    this.path = extend(this.data.tree, this.path, slug);
    this.memory = new Map([...this.memory, this.path[this.path.length - 1]]);
    this.status.calm();
    if (openQuestion(this.data.tree, this.path)) this.ask(true);
    else await this.finish();
  }

  /** @param {number} steps how many answers to keep */
  back(steps) {
    if (steps < 0) return;
    this.path = this.path.slice(0, steps);
    this.ask(true);
  }

  async finish() {
    const entry = {
      uuid: newUuid(),
      version: this.data.version,
      subject: /** @type {Subject} */ (this.subject).id,
      annotations: this.path,
      started_at: /** @type {Date} */ (this.startedAt).toISOString(),
      metadata: { interface: "page", seconds: (Date.now() - Number(this.startedAt)) / 1000 },
    };
    void this.outbox.add(entry);
    await this.nextGalaxy();
  }

  async nextGalaxy() {
    this.isBetween = true;
    this.status.fetching(true);
    try {
      const next = await this.shelf.take();
      this.isBetween = next === null;
      this.status.fetching(false);
      if (next === null) return this.status.nothingLeft();
      this.showGalaxy(next);
      this.asking.heading.focus({ preventScroll: true });
      this.status.say("sent");
    } catch (error) {
      if (error instanceof StaleError) return this.status.trouble("stale");
      this.status.trouble("lost");
      setTimeout(() => void this.nextGalaxy(), RETRY);
    }
  }
}

new Desk().start();

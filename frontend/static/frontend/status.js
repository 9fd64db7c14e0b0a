/**
 * What the classify page says beside the question: progress, what is sent, what went wrong.
 *
 * @typedef {import("./outbox.js").Result} Result
 */
import { part } from "./asking.js";
import { StaleError } from "./outbox.js";

/**
 * Fill `{name}` places of a sentence.
 *
 * @param {string} sentence
 * @param {Record<string, string|number>} values
 * @returns {string}
 */
export function fill(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

export class Status {
  /**
   * @param {Document} page
   * @param {Record<string, string>} words
   */
  constructor(page, words) {
    this.page = page;
    this.words = words;
    part(page, "#keys").hidden = false;
  }

  /**
   * @param {number} n
   * @param {number} m
   */
  progress(n, m) {
    part(this.page, "#progress").textContent = fill(this.words.progress, { n, m });
  }

  /**
   * Speak to screen readers.
   *
   * @param {string} name
   */
  say(name) {
    part(this.page, "#live").textContent = this.words[name];
    if (name === "choose") this.trouble(name);
  }

  /**
   * @param {string} name
   * @param {Record<string, string>} values
   */
  trouble(name, values = {}) {
    const notice = part(this.page, "#trouble");
    notice.dataset.name = name;
    notice.textContent = fill(this.words[name], values);
    notice.hidden = false;
  }

  /** Take back a complaint that the next answer has mended. */
  calm() {
    const notice = part(this.page, "#trouble");
    notice.hidden = ["choose", "lost", "picture"].includes(notice.dataset.name ?? "") || notice.hidden;
  }

  /** @param {{waiting: number, error: Error|null}} state */
  outbox({ waiting, error }) {
    const words = waiting ? fill(this.words.waiting, { n: waiting }) : this.words.saved;
    part(this.page, "#outbox-state").textContent = words;
    const notice = part(this.page, "#trouble");
    if (error) this.trouble(error instanceof StaleError ? "stale" : "offline");
    else if (["offline", "stale"].includes(notice.dataset.name ?? "") && !waiting) notice.hidden = true;
  }

  /** @param {Result[]} results */
  results(results) {
    for (const { status, echo, problem } of results) {
      if (status === "refused") this.trouble("refused", { why: problem?.detail ?? "" });
      if (echo) this.echo(echo);
    }
  }

  /** @param {{text: string, url: string}} echo */
  echo({ text, url }) {
    part(this.page, "#echo-text").textContent = text;
    part(this.page, "#echo-link").setAttribute("href", url);
    part(this.page, "#echo").hidden = false;
  }

  /** @param {boolean} on */
  fetching(on) {
    part(this.page, "#desk").classList.toggle("fetching", on);
    part(this.page, "#desk").setAttribute("aria-busy", String(on));
    if (!on) this.calm();
  }

  nothingLeft() {
    part(this.page, "#desk").hidden = true;
    const rest = part(this.page, "#rest");
    rest.hidden = false;
    part(rest, "h1").focus();
  }

  toggleKeys() {
    const keys = /** @type {HTMLDetailsElement} */ (part(this.page, "#keys"));
    keys.open = !keys.open;
  }
}

/**
 * What the classify page says beside the question: progress, what is sent, what went wrong.
 *
 * @typedef {import("./outbox.js").Result} Result
 * @typedef {import("./outbox.js").State} State
 */
import { fill, part } from "./page.js";
import { BusyError, SignedOutError, StaleError } from "./server.js";

/** Complaints that the next answer mends, and those that an empty outbox does. */
const PASSING = ["choose", "lost", "picture"];
const SENDING = ["offline", "busy", "stale", "foreign", "forgetful"];

/**
 * Return the name of what is wrong with sending; null for nothing.
 *
 * @param {State} state
 * @returns {string|null}
 */
export function trouble({ waiting, foreign, forgetful, error }) {
  if (error instanceof StaleError) return "stale";
  if (foreign || error instanceof SignedOutError) return "foreign";
  if (error) return error instanceof BusyError ? "busy" : "offline";
  return forgetful && waiting ? "forgetful" : null;
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
   * Show how far the volunteer is, and tell screen readers; `name` is told first.
   *
   * @param {number} n
   * @param {number} m
   * @param {string} [name]
   */
  progress(n, m, name) {
    const words = fill(this.words.progress, { n, m });
    part(this.page, "#progress").textContent = words;
    part(this.page, "#live").textContent = name ? `${this.words[name]} ${words}` : words;
  }

  /**
   * @param {string} name
   * @param {Record<string, string|number>} values
   */
  trouble(name, values = {}) {
    const notice = part(this.page, "#trouble");
    const words = fill(this.words[name], values);
    if (!notice.hidden && notice.dataset.text === words) return;
    Object.assign(notice.dataset, { name, text: words });
    notice.replaceChildren(words, ...(name === "foreign" ? [this.signIn()] : []));
    notice.hidden = false;
  }

  /** @returns {Node} the way back to the account, and then here */
  signIn() {
    const template = /** @type {HTMLTemplateElement} */ (part(this.page, "#sign-in-template"));
    return template.content.cloneNode(true);
  }

  /** @param {string[]} names */
  takeBack(names) {
    const notice = part(this.page, "#trouble");
    if (names.includes(notice.dataset.name ?? "")) notice.hidden = true;
  }

  /** Take back a complaint that the next answer has mended. */
  calm() {
    this.takeBack(PASSING);
  }

  /** @param {State} state */
  outbox(state) {
    const { waiting, foreign, held } = state;
    const words = waiting ? fill(this.words.waiting, { n: waiting }) : this.words.saved;
    part(this.page, "#outbox-state").textContent = words;
    const name = trouble(state);
    if (name) this.trouble(name, { n: foreign || waiting });
    else if (waiting === Number(held)) this.takeBack(SENDING);
  }

  /** @param {Result[]} results */
  results(results) {
    for (const { status, echo, feedback, problem } of results) {
      if (status === "refused") this.refused(problem);
      if (echo) this.echo(echo);
      if (feedback) part(this.page, "#echo").hidden = true;
    }
  }

  /** @param {{detail: string, type: string}} [problem] */
  refused(problem) {
    const kind = problem?.type.split(":").at(-1);
    if (kind === "already-classified") this.trouble("already");
    else this.trouble("refused", { why: this.words[`why-${kind}`] ?? this.words["why-other"] });
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

  /** @param {boolean} isOver nothing is left, or there is something again after all */
  rest(isOver) {
    part(this.page, "#desk").hidden = isOver;
    const rest = part(this.page, "#rest");
    rest.hidden = !isOver;
    // The last galaxy can be had back from here, too.
    part(this.page, isOver ? "#rest" : "#crumbs-row").append(part(this.page, "#undo"));
    if (isOver) part(rest, "h1").focus();
  }

  toggleKeys() {
    const keys = /** @type {HTMLDetailsElement} */ (part(this.page, "#keys"));
    keys.open = !keys.open;
  }

  /** Close what is open over the page. */
  close() {
    for (const open of this.page.querySelectorAll("main details[open]")) {
      /** @type {HTMLDetailsElement} */ (open).open = false;
      if (open.contains(this.page.activeElement)) part(open, "summary").focus();
    }
  }
}

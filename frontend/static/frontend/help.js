/**
 * The examples beside a question: fetched from the field guide when its help is opened, once
 * for each question, so that the page itself carries none of them. Until they are there, and
 * where they do not come, a link leads to the guide.
 *
 * @typedef {import("./tree.js").Tree} Tree
 * @typedef {(address: string) => Promise<DocumentFragment>} Load
 */
import { part } from "./page.js";

/**
 * Say which question of the tree stands on the page, by its words and its answers.
 *
 * @param {Tree} tree
 * @param {string} text
 * @param {string[]} answers slugs in their order
 * @returns {string|null} its slug; null for none of the tree's
 */
export function shownQuestion(tree, text, answers) {
  const isShown = (/** @type {import("./tree.js").Question} */ question) =>
    question.text === text && question.answers.map((each) => each.slug).join() === answers.join();
  return Object.values(tree.questions).find(isShown)?.slug ?? null;
}

/**
 * Fetch the part of a page that is meant to be placed in another.
 *
 * @type {Load}
 * @throws {Error} where the server does not give it
 */
export async function loadFragment(address) {
  const response = await fetch(address, { headers: { "HX-Request": "true" } });
  if (!response.ok) throw new Error(`${address} must be there, is ${response.status}`);
  const template = document.createElement("template");
  template.innerHTML = await response.text();
  return template.content;
}

export class Help {
  /**
   * @param {HTMLDetailsElement} help
   * @param {() => string|null} question the slug of the question shown
   * @param {Load} load
   */
  constructor(help, question, load) {
    this.help = help;
    this.question = question;
    this.load = load;
    this.place = part(help, "#help-examples");
    this.link = /** @type {HTMLAnchorElement} */ (part(this.place, "a"));
    /** @type {Map<string, DocumentFragment>} */
    this.known = new Map();
    help.addEventListener("toggle", () => void this.toggle());
  }

  async toggle() {
    this.place.replaceChildren(this.link);
    const slug = this.help.open ? this.question() : null;
    if (slug === null) return;
    this.link.href = `${this.place.dataset.guide}${slug}/`;
    try {
      const examples = this.known.get(slug) ?? (await this.load(this.link.href));
      this.known.set(slug, examples);
      if (this.help.open && this.question() === slug) this.place.replaceChildren(examples.cloneNode(true));
    } catch {
      // The link stays, and leads to the same examples.
    }
  }
}

/** @param {Document} page */
function start(page) {
  const { tree } = JSON.parse(part(page, "#page-data").textContent ?? "{}");
  const radios = () => /** @type {HTMLInputElement[]} */ ([...page.querySelectorAll("#answers input")]);
  const question = () =>
    shownQuestion(tree, part(page, "#question").textContent ?? "", radios().map((each) => each.value));
  new Help(/** @type {HTMLDetailsElement} */ (part(page, "#help")), question, loadFragment);
}

if (globalThis.document?.getElementById("help-examples")) start(document);

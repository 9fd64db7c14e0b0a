/**
 * What an expert saw on a galaxy of practice, once the volunteer has answered it: a card that
 * waits beside the next galaxy until it is closed.
 *
 * @typedef {{question: string, yours: string, expert: string, agrees: boolean, help: string}} Compared
 * @typedef {{agrees: boolean, title: string, text: string, url: string, thumb: string,
 *   steps: Compared[]}} Feedback
 */
import { fill, part } from "./page.js";

export class FeedbackCard {
  /**
   * @param {HTMLElement} root
   * @param {Record<string, string>} words
   */
  constructor(root, words) {
    this.root = root;
    this.words = words;
    const button = part(root, "button");
    button.hidden = false;
    button.addEventListener("click", () => this.close());
  }

  /** @param {Feedback} feedback */
  show({ agrees, title, text, url, thumb, steps }) {
    this.root.classList.toggle("agrees", agrees);
    part(this.root, "img").setAttribute("src", thumb);
    part(this.root, "h2").textContent = title;
    part(this.root, ".feedback-text").textContent = text;
    part(this.root, "a").setAttribute("href", url);
    const differing = steps.filter((step) => !step.agrees);
    part(this.root, "ul").replaceChildren(...differing.map((step) => this.compared(step)));
    this.root.hidden = false;
  }

  /**
   * @param {Compared} step
   * @returns {HTMLElement}
   */
  compared({ question, yours, expert, help }) {
    const item = document.createElement("li");
    const asked = document.createElement("strong");
    asked.textContent = question;
    const said = document.createElement("p");
    said.textContent = [fill(this.words.compared, { yours, expert }), help].filter(Boolean).join(" ");
    item.append(asked, said);
    return item;
  }

  close() {
    const hadFocus = this.root.contains(document.activeElement);
    this.root.hidden = true;
    if (hadFocus) part(document, "#question").focus({ preventScroll: true });
  }
}

/**
 * The question on the page: draws it, and tells which answer was chosen.
 *
 * @typedef {import("./tree.js").Question} Question
 * @typedef {{crumbs: string[], current?: string, later?: string[]}} Crumbs the words of the
 *   answers behind us, of the one kept here, and of those kept further on
 */
import { part } from "./page.js";

/** A second click this soon after a new question was meant for the one before (milliseconds). */
const SETTLE = 250;

export class Asking {
  /**
   * @param {HTMLFormElement} form
   * @param {object} told
   * @param {(slug: string, skip: boolean) => void} told.onAnswer the volunteer goes on with this
   *   answer, and over those kept from before where `skip` is set
   * @param {() => void} told.onNothing the volunteer goes on without one
   * @param {() => void} told.onSend the volunteer has seen the summary
   * @param {() => void} told.onBack
   * @param {(steps: number) => void} told.onCrumb back to the answer after so many steps
   */
  constructor(form, told) {
    this.form = form;
    this.told = told;
    this.shownAt = 0;
    this.isSummary = false;
    this.canUndo = false;
    this.depth = 0;
    this.next = /** @type {HTMLButtonElement} */ (part(form, "#next"));
    this.nextWord = this.next.textContent;
    this.answers = part(form, "#answers");
    this.crumbs = part(form, "#crumbs");
    this.heading = part(form, "#question");
    this.template = /** @type {HTMLTemplateElement} */ (part(form.ownerDocument, "#answer-template"));
    form.noValidate = true;
    form.addEventListener("submit", (event) => this.submit(event));
    this.answers.addEventListener("click", (event) => this.click(event));
  }

  /**
   * Show a question.
   *
   * @param {Question} question
   * @param {Crumbs & {chosen: string|undefined, focus: boolean}} state
   */
  show(question, { chosen, focus, ...crumbs }) {
    this.isSummary = false;
    this.next.textContent = this.nextWord;
    this.head(question.text, question.help, crumbs);
    this.answers.classList.toggle("many", question.answers.length > 4);
    this.answers.replaceChildren(
      ...question.answers.map((answer, place) => this.draw(answer, place, answer.slug === chosen)),
    );
    if (focus) this.heading.focus({ preventScroll: true });
  }

  /**
   * Show every answer of the galaxy before it is sent.
   *
   * @param {{title: string, send: string, steps: [question: string, answer: string][]}} summary
   */
  review({ title, send, steps }) {
    this.isSummary = true;
    this.next.textContent = send;
    this.head(title, "", { crumbs: steps.map(([, answer]) => answer) });
    const list = document.createElement("dl");
    list.className = "panel facts summary";
    list.append(...steps.flatMap(([question, answer]) => [line("dt", question), line("dd", answer)]));
    this.answers.replaceChildren(list);
    this.heading.focus({ preventScroll: true });
  }

  /**
   * @param {string} title
   * @param {string} text
   * @param {Crumbs} crumbs
   */
  head(title, text, { crumbs, current, later = [] }) {
    this.heading.textContent = title;
    const help = /** @type {HTMLDetailsElement} */ (part(this.form, "#help"));
    help.hidden = !text;
    help.open = false;
    part(this.form, "#help-text").textContent = text;
    const now = current === undefined ? [] : [current];
    const chips = [...crumbs, ...now, ...later].map((each, place) => this.crumb(each, place));
    this.crumbs.replaceChildren(...chips);
    if (now.length) chips[crumbs.length].setAttribute("aria-current", "step");
    const focus = now.length ? chips[crumbs.length].offsetLeft - chips[0].offsetLeft : this.crumbs.scrollWidth;
    this.crumbs.scrollLeft = focus;
    this.depth = crumbs.length;
    this.shownAt = performance.now();
    this.offerUndo(this.canUndo);
  }

  /** @param {boolean} canUndo whether the galaxy before can still be had back */
  offerUndo(canUndo) {
    this.canUndo = canUndo;
    part(this.form.ownerDocument, "#undo").hidden = !canUndo;
    /** @type {HTMLButtonElement} */ (part(this.form, "#back")).disabled = !this.depth && !canUndo;
  }

  /**
   * @param {import("./tree.js").Answer} answer
   * @param {number} place
   * @param {boolean} chosen
   * @returns {Node}
   */
  draw(answer, place, chosen) {
    const drawn = /** @type {DocumentFragment} */ (this.template.content.cloneNode(true));
    const radio = /** @type {HTMLInputElement} */ (part(drawn, "input"));
    radio.value = answer.slug;
    radio.checked = chosen;
    part(drawn, "use").setAttribute("href", answer.icon);
    part(drawn, ".answer-text").textContent = answer.text;
    part(drawn, ".key").textContent = String(place + 1);
    return drawn;
  }

  /**
   * @param {string} text
   * @param {number} place
   * @returns {HTMLElement}
   */
  crumb(text, place) {
    const chip = document.createElement("li");
    const button = document.createElement("button");
    chip.className = "crumb";
    button.type = "button";
    button.textContent = text;
    button.addEventListener("click", () => this.told.onCrumb(place));
    chip.append(button);
    return chip;
  }

  /** @returns {HTMLInputElement[]} */
  get radios() {
    return [...this.answers.querySelectorAll("input")];
  }

  /**
   * Choose the answer at a place and go on.
   *
   * @param {number} place
   */
  choose(place) {
    const radio = this.radios[place];
    if (!radio) return;
    radio.checked = true;
    this.goOn(false);
  }

  /** @param {boolean} skip go over the answers kept from before, too */
  goOn(skip) {
    const chosen = this.radios.find((radio) => radio.checked);
    if (this.isSummary) this.told.onSend();
    else if (chosen) this.told.onAnswer(chosen.value, skip);
    else this.told.onNothing();
  }

  /** @param {SubmitEvent} event */
  submit(event) {
    event.preventDefault();
    const pressed = /** @type {HTMLButtonElement|null} */ (event.submitter);
    if (pressed?.value === "back") this.told.onBack();
    else this.goOn(true);
  }

  /**
   * A pointer's click goes on; arrow keys, which click too, only choose.
   *
   * @param {MouseEvent} event
   */
  click(event) {
    const isRadio = /** @type {Element} */ (event.target).matches("input");
    if (!isRadio || event.detail === 0) return;
    if (performance.now() - this.shownAt < SETTLE) event.preventDefault();
    else this.goOn(false);
  }
}

/**
 * @param {string} name
 * @param {string} text
 * @returns {HTMLElement}
 */
function line(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

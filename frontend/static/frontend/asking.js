/**
 * The question on the page: draws it, and tells which answer was chosen.
 *
 * @typedef {import("./tree.js").Question} Question
 */

/** A second click this soon after a new question was meant for the one before (milliseconds). */
const SETTLE = 250;

export class Asking {
  /**
   * @param {HTMLFormElement} form
   * @param {object} told
   * @param {(slug: string) => void} told.onAnswer the volunteer goes on with this answer
   * @param {() => void} told.onNothing the volunteer goes on without one
   * @param {() => void} told.onBack
   * @param {(steps: number) => void} told.onCrumb back to the answer after so many steps
   */
  constructor(form, told) {
    this.form = form;
    this.told = told;
    this.shownAt = 0;
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
   * @param {{chosen: string|undefined, crumbs: string[], focus: boolean}} state
   */
  show(question, { chosen, crumbs, focus }) {
    this.heading.textContent = question.text;
    const help = /** @type {HTMLDetailsElement} */ (part(this.form, "#help"));
    help.hidden = !question.help;
    help.open = false;
    part(this.form, "#help-text").textContent = question.help;
    this.answers.classList.toggle("many", question.answers.length > 4);
    this.answers.replaceChildren(
      ...question.answers.map((answer, place) => this.draw(answer, place, answer.slug === chosen)),
    );
    this.crumbs.replaceChildren(...crumbs.map((text, place) => this.crumb(text, place)));
    this.crumbs.scrollLeft = this.crumbs.scrollWidth;
    /** @type {HTMLButtonElement} */ (part(this.form, "#back")).disabled = crumbs.length === 0;
    this.shownAt = performance.now();
    if (focus) this.heading.focus({ preventScroll: true });
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
   * @returns {Node}
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
    this.goOn();
  }

  goOn() {
    const chosen = this.radios.find((radio) => radio.checked);
    if (chosen) this.told.onAnswer(chosen.value);
    else this.told.onNothing();
  }

  /** @param {SubmitEvent} event */
  submit(event) {
    event.preventDefault();
    const pressed = /** @type {HTMLButtonElement|null} */ (event.submitter);
    if (pressed?.value === "back") this.told.onBack();
    else this.goOn();
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
    else this.goOn();
  }
}

/**
 * Find what the template must have.
 *
 * @param {ParentNode} root
 * @param {string} selector
 * @returns {HTMLElement}
 */
export function part(root, selector) {
  const found = root.querySelector(selector);
  if (!found) throw new Error(`the page must have ${selector}, has not`);
  return /** @type {HTMLElement} */ (found);
}

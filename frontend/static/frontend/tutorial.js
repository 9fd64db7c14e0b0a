/**
 * The tutorial: a dialog on a volunteer's first visit, and again whenever its link is pressed.
 * That it was seen is kept on this device; where nothing can be kept, it waits to be asked for.
 *
 * @typedef {Pick<Storage, "getItem"|"setItem">} Store
 */
import { part } from "./page.js";
import { loadFragment } from "./help.js";

/** What this device remembers of one workflow's tutorial. */
export class Seen {
  /**
   * @param {() => Store} store may throw, as a browser that keeps nothing does
   * @param {string} workflow
   */
  constructor(store, workflow) {
    this.store = store;
    this.name = `lenticular.tutorial.${workflow}`;
  }

  /** Whether it was seen; true too where this browser does not tell. */
  get isSeen() {
    try {
      return this.store().getItem(this.name) !== null;
    } catch {
      return true;
    }
  }

  /** @returns {boolean} whether this browser keeps it */
  remember() {
    try {
      this.store().setItem(this.name, "seen");
      return true;
    } catch {
      return false;
    }
  }
}

/** Walks the steps of a dialog. */
export class Steps {
  /** @param {HTMLDialogElement} dialog */
  constructor(dialog) {
    this.dialog = dialog;
    this.steps = /** @type {HTMLElement[]} */ ([...dialog.querySelectorAll(".tutorial-step")]);
    this.next = /** @type {HTMLButtonElement} */ (part(dialog, "[data-move=next]"));
    this.back = /** @type {HTMLButtonElement} */ (part(dialog, "[data-move=back]"));
    this.words = this.next.textContent ?? "";
    this.at = 0;
    dialog.addEventListener("click", (event) => this.click(event));
    dialog.addEventListener("keydown", (event) => this.press(event));
  }

  /** @param {number} place before the first is the first; after the last, the dialog closes */
  show(place) {
    if (place >= this.steps.length) return this.dialog.close();
    this.at = Math.max(0, place);
    this.steps.forEach((step, number) => { step.hidden = number !== this.at; });
    this.back.disabled = this.at === 0;
    const isLast = this.at === this.steps.length - 1;
    this.next.textContent = isLast ? this.next.dataset.last ?? "" : this.words;
    part(this.steps[this.at], "h2").focus();
  }

  /** @param {Event} event */
  click(event) {
    const target = /** @type {Element} */ (event.target);
    const move = /** @type {HTMLElement|null} */ (target.closest("[data-move]"))?.dataset.move;
    if (move === "close") this.dialog.close();
    else if (move) this.show(this.at + (move === "next" ? 1 : -1));
  }

  /**
   * Arrows walk; and no key reaches the question behind the dialog.
   *
   * @param {KeyboardEvent} event
   */
  press(event) {
    // A dialog that has just closed holds the focus until the next frame.
    if (!this.dialog.open) return;
    event.stopPropagation();
    if (event.key === "ArrowRight" && this.at < this.steps.length - 1) this.show(this.at + 1);
    if (event.key === "ArrowLeft") this.show(this.at - 1);
  }
}

/**
 * Fetch the dialog, and put it on the page.
 *
 * @param {string} address
 * @returns {Promise<Steps>}
 */
async function fetchSteps(address) {
  const found = await loadFragment(address);
  const dialog = /** @type {HTMLDialogElement} */ (part(found, "dialog"));
  document.body.append(found);
  return new Steps(dialog);
}

/** @param {HTMLAnchorElement} link */
function start(link) {
  const seen = new Seen(() => localStorage, link.dataset.workflow ?? "");
  /** @type {Promise<Steps>|null} */
  let fetched = null;
  let isBusy = false;
  const open = async (/** @type {boolean} */ isAsked) => {
    fetched ??= fetchSteps(link.href);
    const steps = await fetched.catch((error) => { fetched = null; throw error; });
    if (steps.dialog.open || (isBusy && !isAsked)) return;
    if (!seen.remember() && !isAsked) return;
    steps.dialog.showModal();
    steps.show(0);
  };
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(true).catch(() => location.assign(link.href));
  });
  if (!("first" in link.dataset) || seen.isSeen) return;
  // Someone who has begun to answer is not interrupted.
  for (const deed of ["pointerdown", "keydown"]) addEventListener(deed, () => { isBusy = true; }, { once: true });
  open(false).catch(() => {});
}

const link = globalThis.document?.getElementById("tutorial-link");
if (link) start(/** @type {HTMLAnchorElement} */ (link));

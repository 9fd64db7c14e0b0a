/**
 * Keys for the light table and for the page of a flag, and a form that asks only the
 * questions of the path. Both pages are whole without this file.
 *
 * Light table: j and k walk the pictures. Flag: j and k walk the flags, 1, 2 and 3 are the
 * verdicts.
 */

/**
 * Tell whether a key is meant for what has the focus, or for the browser.
 * @param {KeyboardEvent} event
 */
export function isTaken(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return true;
  const target = /** @type {Element | null} */ (event.target);
  return target?.closest?.('textarea, select, input:not([type="radio"], [type="checkbox"])') != null;
}

/**
 * Move the focus by one picture; the first key goes to the first.
 * @param {HTMLElement[]} cards
 * @param {Element | null} focused
 * @param {number} step
 */
export function neighbour(cards, focused, step) {
  const place = cards.findIndex((card) => card === focused);
  if (place === -1) return cards[0];
  return cards[Math.min(Math.max(place + step, 0), cards.length - 1)];
}

/**
 * Return the questions that the answers so far lead to, in order of asking.
 * @param {string} start
 * @param {(question: string) => string | null | undefined} nextOf the question that the
 *   chosen answer leads to, empty at the end, null or undefined while none is chosen
 */
export function pathOf(start, nextOf) {
  const path = [];
  /** @type {string | null | undefined} */
  let question = start;
  while (question) {
    path.push(question);
    question = nextOf(question);
  }
  return path;
}

/**
 * Show only the questions on the path; the others are not sent.
 * @param {HTMLElement} form
 */
function showPath(form) {
  const fields = /** @type {HTMLFieldSetElement[]} */ ([...form.querySelectorAll("[data-question]")]);
  if (fields.length === 0) return;
  const byQuestion = new Map(fields.map((field) => [String(field.dataset.question), field]));
  const path = pathOf(String(fields[0].dataset.question), (question) => {
    const chosen = byQuestion.get(question)?.querySelector("input:checked");
    return chosen instanceof HTMLInputElement ? chosen.dataset.next : null;
  });
  for (const [question, field] of byQuestion) {
    const isAsked = path.includes(question);
    field.hidden = !isAsked;
    field.disabled = !isAsked;
  }
}

/** @param {HTMLElement} table */
function walkTable(table) {
  const cards = /** @type {HTMLElement[]} */ ([...table.querySelectorAll("[data-flag]")]);
  document.addEventListener("keydown", (event) => {
    const step = { j: 1, k: -1 }[event.key];
    if (step === undefined || isTaken(event)) return;
    const card = neighbour(cards, document.activeElement, step);
    card?.focus();
    card?.scrollIntoView({ block: "nearest" });
  });
}

function walkFlags() {
  document.addEventListener("keydown", (event) => {
    const rel = { j: "next", k: "prev" }[event.key];
    if (rel === undefined || isTaken(event)) return;
    /** @type {HTMLElement | null} */ (document.querySelector(`a[rel="${rel}"]`))?.click();
  });
}

/** @param {HTMLFormElement} form */
function judgeByKey(form) {
  const answers = /** @type {HTMLDetailsElement} */ (form.querySelector("details"));
  answerByPath(form);
  // Answers are sent with the verdict that they belong to, and with no other.
  form.addEventListener("submit", (event) => {
    const button = /** @type {HTMLButtonElement | null} */ (event.submitter);
    if (button?.value === "mislabel") return;
    for (const field of form.querySelectorAll("fieldset")) field.disabled = true;
  });
  answers.addEventListener("toggle", () => {
    if (answers.open) answers.querySelector("input")?.focus();
  });
  document.addEventListener("keydown", (event) => {
    if (!["1", "2", "3"].includes(event.key) || isTaken(event)) return;
    event.preventDefault();
    /** @type {HTMLElement | null} */ (form.querySelector(`[data-key="${event.key}"]`))?.click();
  });
}

/**
 * Ask only the questions that the answers so far lead to.
 * @param {HTMLFormElement} form
 */
function answerByPath(form) {
  for (const choice of form.querySelectorAll("[data-not-asked]")) choice.remove();
  form.addEventListener("change", () => showPath(form));
  // Whoever comes back finds the questions as they were, not as they were sent.
  window.addEventListener("pageshow", () => showPath(form));
}

function start() {
  const table = document.getElementById("light-table");
  if (table !== null) walkTable(table);
  else walkFlags();
  const form = document.getElementById("verdict");
  if (form instanceof HTMLFormElement) judgeByKey(form);
  const gold = document.getElementById("gold");
  if (gold instanceof HTMLFormElement) answerByPath(gold);
}

if (typeof document !== "undefined") start();

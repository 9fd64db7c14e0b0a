/**
 * The keyboard of the classify page: digits answer, Enter goes on, Backspace goes back.
 *
 * @typedef {{answer: (place: number) => void, next: () => void, back: () => void,
 *   help: () => void}} Actions
 */

/**
 * Say what a key press asks for; null for nothing of ours.
 *
 * @param {{key: string, ctrlKey: boolean, metaKey: boolean, altKey: boolean}} press
 * @returns {{name: "answer", place: number}|{name: "next"|"back"|"help"}|null}
 */
export function meaning({ key, ctrlKey, metaKey, altKey }) {
  if (ctrlKey || metaKey || altKey) return null;
  if (/^[1-9]$/.test(key)) return { name: "answer", place: Number(key) - 1 };
  if (key === "Enter") return { name: "next" };
  if (key === "Backspace") return { name: "back" };
  return key === "?" ? { name: "help" } : null;
}

/**
 * Listen on the whole page, but leave alone what a focused control does by itself.
 *
 * @param {Document} page
 * @param {Actions} actions
 */
export function bindKeys(page, actions) {
  page.addEventListener("keydown", (event) => {
    const asked = meaning(event);
    const target = /** @type {Element} */ (event.target);
    if (!asked || event.repeat || target.matches("textarea, select, input:not([type=radio])")) return;
    if (asked.name === "next" && target.closest("a, button, summary")) return;
    event.preventDefault();
    if (asked.name === "answer") actions.answer(asked.place);
    else actions[asked.name]();
  });
}

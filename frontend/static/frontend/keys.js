/**
 * The keyboard of the classify page: digits answer, Enter goes on, Backspace goes back, and
 * a letter or sign for each tool.
 *
 * @typedef {"next"|"back"|"help"|"undo"|"favourite"|"in"|"out"|"reset"|"rotate"|"invert"|
 *   "earlier"|"later"} Name
 * @typedef {{answer: (place: number) => void, close: () => void} & Record<Name, () => void>} Actions
 */

/** @type {Record<string, Name>} */
const NAMES = {
  Enter: "next",
  Backspace: "back",
  "?": "help",
  u: "undo",
  f: "favourite",
  "+": "in",
  "=": "in",
  "-": "out",
  0: "reset",
  r: "rotate",
  i: "invert",
  "[": "earlier",
  "]": "later",
};

/**
 * Say what a key press asks for; null for nothing of ours.
 *
 * @param {{key: string, ctrlKey: boolean, metaKey: boolean, altKey: boolean}} press
 * @returns {{name: "answer", place: number}|{name: Name|"close"}|null}
 */
export function meaning({ key, ctrlKey, metaKey, altKey }) {
  if (ctrlKey || metaKey || altKey) return null;
  if (/^[1-9]$/.test(key)) return { name: "answer", place: Number(key) - 1 };
  if (key === "Escape") return { name: "close" };
  const name = NAMES[key.length === 1 ? key.toLowerCase() : key];
  return name ? { name } : null;
}

/**
 * Listen on the whole page, but leave alone what a focused control does by itself.
 *
 * @param {Document} page
 * @param {Actions} actions
 * @param {() => boolean} areOn whether single letters, digits and signs are shortcuts
 */
export function bindKeys(page, actions, areOn) {
  page.addEventListener("keydown", (event) => {
    const asked = meaning(event);
    const target = /** @type {Element} */ (event.target);
    if (!asked || event.repeat || target.matches("textarea, select, input:not([type=radio], [type=checkbox], [type=range])")) return;
    if (target.matches("[type=range]") && event.key.length > 1 && asked.name !== "close") return;
    if (event.key.length === 1 && !areOn()) return;
    if (asked.name === "next" && target.closest("a, button, summary")) return;
    if (asked.name !== "close") event.preventDefault();
    if (asked.name === "answer") actions.answer(asked.place);
    else actions[asked.name]();
  });
}

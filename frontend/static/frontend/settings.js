/**
 * What a volunteer has chosen for this browser: to be asked before an answer is sent, and
 * whether single keys are shortcuts.
 */

const KEY = "lenticular.settings.";

export class Settings {
  /**
   * @param {HTMLElement} root checkboxes, each named as its setting
   * @param {Pick<Storage, "getItem"|"setItem">} store
   */
  constructor(root, store) {
    /** @type {Map<string, HTMLInputElement>} */
    this.boxes = new Map([...root.querySelectorAll("input")].map((box) => [box.name, box]));
    for (const [name, box] of this.boxes) {
      const kept = store.getItem(KEY + name);
      if (kept !== null) box.checked = kept === "true";
      box.addEventListener("change", () => keep(store, name, box.checked));
    }
  }

  /** @param {"ask"|"keys"} name */
  get(name) {
    return this.boxes.get(name)?.checked ?? false;
  }
}

/**
 * @param {Pick<Storage, "setItem">} store
 * @param {string} name
 * @param {boolean} value
 */
function keep(store, name, value) {
  try {
    store.setItem(KEY + name, String(value));
  } catch {
    // It holds until the page is left.
  }
}

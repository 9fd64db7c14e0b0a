/**
 * Pictures of a galaxy: fetched and decoded ahead, and its renderings (surveys, bands) to
 * choose from.
 *
 * @typedef {import("./shelf.js").Rendering} Rendering
 * @typedef {import("./shelf.js").Subject} Subject
 */

/**
 * Fetch and decode a galaxy's first picture before it is needed; it stays with the galaxy.
 *
 * @param {Subject} subject
 * @param {string} sizes as on the page's own picture
 * @returns {Promise<void>}
 */
export function preload(subject, sizes) {
  subject.picture = picture(subject.images, sizes);
  return subject.picture.decode();
}

/**
 * @param {{page: string, full: string}} addresses
 * @param {string} sizes
 * @returns {HTMLImageElement}
 */
export function picture({ page, full }, sizes) {
  const image = new Image(512, 512);
  image.decoding = "sync";
  image.sizes = sizes;
  image.srcset = `${page} 512w, ${full} 1024w`;
  image.src = page;
  return image;
}

export class Renderings {
  /**
   * @param {HTMLElement} root links to each, which become buttons
   * @param {(rendering: Rendering) => void} onChoose
   */
  constructor(root, onChoose) {
    this.root = root;
    this.onChoose = onChoose;
    this.place = 0;
    /** @type {Rendering[]} */
    this.all = [];
    root.addEventListener("click", (event) => {
      const button = /** @type {Element} */ (event.target).closest("button");
      if (button) this.choose([...root.children].indexOf(button));
    });
  }

  /** @param {Rendering[]} renderings of the next galaxy, the first of them on show */
  offer(renderings) {
    this.all = renderings;
    this.root.hidden = renderings.length < 2;
    this.root.replaceChildren(...renderings.map(({ name }) => button(name)));
    this.mark(0);
  }

  /** @param {number} place beyond either end nothing happens */
  choose(place) {
    if (!this.all[place] || place === this.place) return;
    this.mark(place);
    this.onChoose(this.all[place]);
  }

  /** @param {number} place */
  mark(place) {
    this.place = place;
    for (const [each, child] of [...this.root.children].entries()) {
      child.setAttribute("aria-pressed", String(each === place));
    }
  }
}

/** @param {string} name */
function button(name) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = name;
  return made;
}

/** The picture's tools: zoom, drag, rotate, invert, brighten. They change the view, never the file. */

const STEPS = [1, 1.5, 2.25, 3.4, 5];

/**
 * Return the CSS of a view.
 *
 * @param {{zoom: number, turns: number, x: number, y: number, invert: boolean, brighten: boolean}} view
 * @returns {{transform: string, filter: string}}
 */
export function styleOf({ zoom, turns, x, y, invert, brighten }) {
  const filters = [invert && "invert(1)", brighten && "brightness(1.9) contrast(1.1)"];
  const transform = `translate(${x}px, ${y}px) rotate(${turns * 90}deg) scale(${STEPS[zoom]})`;
  return { transform, filter: filters.filter(Boolean).join(" ") || "none" };
}

/** How every picture is first shown. */
const PLAIN = { zoom: 0, turns: 0, x: 0, y: 0, invert: false, brighten: false };

export class Viewer {
  /** @param {HTMLElement} root the figure with the frame, the picture and the tools */
  constructor(root) {
    this.frame = /** @type {HTMLElement} */ (root.querySelector(".viewer-frame"));
    this.image = /** @type {HTMLImageElement} */ (root.querySelector("img"));
    this.tools = /** @type {HTMLElement} */ (root.querySelector(".viewer-tools"));
    this.tools.hidden = false;
    this.tools.addEventListener("click", (event) => this.use(/** @type {Element} */ (event.target)));
    this.frame.addEventListener("pointermove", (event) => this.drag(event));
    this.image.draggable = false;
    this.view = { ...PLAIN };
  }

  /** Show the next galaxy plainly: a view chosen for one picture may mislead for another. */
  reset() {
    this.view = { ...PLAIN };
    this.apply();
  }

  /** @param {Element} target */
  use(target) {
    const tool = target.closest("button")?.dataset.tool;
    if (tool === "in") this.view.zoom = Math.min(STEPS.length - 1, this.view.zoom + 1);
    if (tool === "out") this.view.zoom = Math.max(0, this.view.zoom - 1);
    if (tool === "rotate") this.view.turns += 1;
    if (tool === "invert") this.view.invert = !this.view.invert;
    if (tool === "brighten") this.view.brighten = !this.view.brighten;
    if (this.view.zoom === 0) Object.assign(this.view, { x: 0, y: 0 });
    this.apply();
  }

  /** @param {PointerEvent} event */
  drag(event) {
    if (event.buttons !== 1 || this.view.zoom === 0) return;
    const reach = (this.frame.clientWidth * (STEPS[this.view.zoom] - 1)) / 2;
    this.view.x = Math.max(-reach, Math.min(reach, this.view.x + event.movementX));
    this.view.y = Math.max(-reach, Math.min(reach, this.view.y + event.movementY));
    this.apply();
  }

  apply() {
    Object.assign(this.image.style, styleOf(this.view));
    this.frame.classList.toggle("zoomed", this.view.zoom > 0);
    for (const name of /** @type {const} */ (["invert", "brighten"])) {
      const button = this.tools.querySelector(`[data-tool="${name}"]`);
      button?.setAttribute("aria-pressed", String(this.view[name]));
    }
  }
}

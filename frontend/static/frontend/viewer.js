/**
 * The picture and its tools: zoom, move, rotate, invert, light. They change the view, never
 * the file, and every galaxy is first shown plainly: a view may mislead for another.
 *
 * @typedef {import("./shelf.js").Rendering} Rendering
 */
import { fill, part } from "./page.js";
import { moved, PLAIN, STEP, styleOf, zoomed } from "./view.js";

/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const MIDDLE = { x: 0, y: 0 };

export class Viewer {
  /**
   * @param {HTMLElement} root the figure with the frame, the picture and the tools
   * @param {Record<string, string>} words
   * @param {(tool: string) => void} onTool told of the tools that are not the picture's own
   */
  constructor(root, words, onTool) {
    this.root = root;
    this.words = words;
    this.onTool = onTool;
    this.frame = part(root, ".viewer-frame");
    this.image = /** @type {HTMLImageElement} */ (part(root, "img"));
    this.tools = part(root, ".viewer-tools");
    this.light = /** @type {HTMLDetailsElement} */ (part(root, ".viewer-light"));
    this.view = { ...PLAIN };
    /** @type {Map<number, PointerEvent>} fingers on the picture */
    this.pointers = new Map();
    this.isBroken = false;
    this.listen();
    this.watch();
  }

  listen() {
    const { frame } = this;
    this.tools.hidden = false;
    frame.tabIndex = 0;
    frame.setAttribute("role", "group");
    frame.setAttribute("aria-label", this.words.frame);
    this.root.addEventListener("click", (event) => this.click(/** @type {Element} */ (event.target)));
    this.light.addEventListener("input", () => this.lighten());
    frame.addEventListener("keydown", (event) => this.arrow(event));
    frame.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    frame.addEventListener("dblclick", (event) => this.zoom(STEP, this.at(event)));
    frame.addEventListener("pointerdown", (event) => this.press(event));
    frame.addEventListener("pointermove", (event) => this.drag(event));
    for (const name of ["pointerup", "pointercancel"]) {
      frame.addEventListener(name, (event) => this.pointers.delete(/** @type {PointerEvent} */ (event).pointerId));
    }
  }

  watch() {
    this.image.draggable = false;
    this.image.addEventListener("error", (event) => event.target === this.image && this.broken(true));
    this.image.addEventListener("load", (event) => event.target === this.image && this.broken(false));
    if (this.image.complete) this.broken(this.image.naturalWidth === 0);
  }

  /**
   * Put a picture into the frame, seen plainly.
   *
   * @param {HTMLImageElement} picture
   */
  show(picture) {
    if (picture !== this.image) {
      picture.id = this.image.id;
      picture.alt = this.image.alt;
      this.image.replaceWith(picture);
      this.image = picture;
      this.broken(false);
      this.watch();
    }
    this.light.open = false;
    this.reset();
  }

  /** @param {boolean} isBroken */
  broken(isBroken) {
    this.isBroken = isBroken;
    part(this.root, "#failed").hidden = !isBroken;
  }

  reset() {
    this.view = { ...PLAIN };
    for (const slider of this.sliders) slider.value = slider.defaultValue;
    this.apply();
  }

  /** @returns {NodeListOf<HTMLInputElement>} */
  get sliders() {
    return this.light.querySelectorAll("input");
  }

  /** @param {Element} target */
  click(target) {
    const tool = target.closest("button")?.dataset.tool;
    if (tool) this.use(tool);
  }

  /** @param {string} tool */
  use(tool) {
    if (tool === "in") this.zoom(STEP, MIDDLE);
    else if (tool === "out") this.zoom(1 / STEP, MIDDLE);
    else if (tool === "rotate") this.change({ turns: this.view.turns + 1 });
    else if (tool === "invert") this.change({ invert: !this.view.invert });
    else if (tool === "reset") this.reset();
    else return this.onTool(tool);
    this.say();
  }

  /** @param {Partial<import("./view.js").View>} changes */
  change(changes) {
    this.view = { ...this.view, ...changes };
    this.apply();
  }

  /**
   * @param {number} factor
   * @param {{x: number, y: number}} point
   */
  zoom(factor, point) {
    this.change(zoomed(this.view, factor, point, this.frame.clientWidth));
  }

  lighten() {
    const [brightness, contrast] = [...this.sliders].map((slider) => slider.valueAsNumber);
    this.change({ brightness, contrast });
  }

  /** @param {KeyboardEvent} event */
  arrow(event) {
    const way = ARROWS[event.key];
    if (!way || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const stride = this.frame.clientWidth / 8;
    this.change(moved(this.view, way[0] * stride, way[1] * stride, this.frame.clientWidth));
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    const isOut = event.deltaY > 0;
    if (event.deltaY === 0 || (isOut && this.view.zoom === 1)) return;
    event.preventDefault();
    this.zoom(isOut ? 1 / 1.2 : 1.2, this.at(event));
  }

  /** @param {PointerEvent} event */
  press(event) {
    this.pointers.set(event.pointerId, event);
    this.frame.setPointerCapture(event.pointerId);
  }

  /**
   * One finger moves the picture; two also bring it nearer.
   *
   * @param {PointerEvent} event
   */
  drag(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const other = [...this.pointers.values()].find(({ pointerId }) => pointerId !== event.pointerId);
    if (other) this.zoom(apart(event, other) / Math.max(1, apart(before, other)), this.at(other));
    else this.change(moved(this.view, event.clientX - before.clientX, event.clientY - before.clientY, this.frame.clientWidth));
    this.pointers.set(event.pointerId, event);
  }

  /** @param {MouseEvent} event */
  at(event) {
    const box = this.frame.getBoundingClientRect();
    return { x: event.clientX - box.left - box.width / 2, y: event.clientY - box.top - box.height / 2 };
  }

  apply() {
    Object.assign(this.image.style, styleOf(this.view));
    this.frame.classList.toggle("zoomed", this.view.zoom > 1);
    part(this.tools, "[data-tool=invert]").setAttribute("aria-pressed", String(this.view.invert));
  }

  say() {
    const { zoom, turns, invert } = this.view;
    const words = fill(this.words.view, { zoom: Math.round(100 * zoom), turn: (turns % 4) * 90 });
    part(this.root, "#view-state").textContent = invert ? `${words} ${this.words.inverted}` : words;
  }
}

/**
 * @param {PointerEvent} one
 * @param {PointerEvent} other
 */
function apart(one, other) {
  return Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
}

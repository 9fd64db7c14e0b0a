/**
 * How a picture is looked at: numbers only, nothing here touches the page. Lengths are in
 * pixels of a square frame, measured from its middle.
 *
 * @typedef {{zoom: number, turns: number, x: number, y: number, invert: boolean,
 *   brightness: number, contrast: number}} View
 */

export const CLOSEST = 8;
export const STEP = 1.5;

/** @type {Readonly<View>} how every picture is first shown */
export const PLAIN = Object.freeze({ zoom: 1, turns: 0, x: 0, y: 0, invert: false, brightness: 100, contrast: 100 });

/**
 * Return the CSS of a view.
 *
 * @param {View} view
 * @returns {{transform: string, filter: string}}
 */
export function styleOf({ zoom, turns, x, y, invert, brightness, contrast }) {
  const filters = [
    invert && "invert(1)",
    brightness !== 100 && `brightness(${brightness / 100})`,
    contrast !== 100 && `contrast(${contrast / 100})`,
  ];
  const transform = `translate(${x}px, ${y}px) rotate(${turns * 90}deg) scale(${zoom})`;
  return { transform, filter: filters.filter(Boolean).join(" ") || "none" };
}

/**
 * Return the view nearer or farther by `factor`, the picture under (x, y) staying there.
 *
 * @param {View} view
 * @param {number} factor
 * @param {{x: number, y: number}} point
 * @param {number} side of the frame
 * @returns {View}
 */
export function zoomed(view, factor, point, side) {
  const zoom = Math.min(CLOSEST, Math.max(1, view.zoom * factor));
  const real = zoom / view.zoom;
  const moved = { x: point.x - real * (point.x - view.x), y: point.y - real * (point.y - view.y) };
  return within({ ...view, zoom, ...moved }, side);
}

/**
 * @param {View} view
 * @param {number} x
 * @param {number} y
 * @param {number} side
 * @returns {View}
 */
export function moved(view, x, y, side) {
  return within({ ...view, x: view.x + x, y: view.y + y }, side);
}

/**
 * Keep the picture over the frame.
 *
 * @param {View} view
 * @param {number} side
 * @returns {View}
 */
function within(view, side) {
  const reach = (side * (view.zoom - 1)) / 2;
  const clamp = (/** @type {number} */ length) => Math.max(-reach, Math.min(reach, length)) || 0;
  return { ...view, x: clamp(view.x), y: clamp(view.y) };
}

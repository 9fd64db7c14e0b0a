import assert from "node:assert/strict";
import { test } from "node:test";

import { CLOSEST, moved, PLAIN, styleOf, zoomed } from "../static/frontend/view.js";

const SIDE = 400;

/** Where a point of the plain picture is seen. */
const seen = (view, x, y) => ({ x: view.x + view.zoom * x, y: view.y + view.zoom * y });

test("a plain view changes nothing of the picture", () => {
  assert.deepEqual(styleOf(PLAIN), { transform: "translate(0px, 0px) rotate(0deg) scale(1)", filter: "none" });
});

test("each tool has its part in the style", () => {
  const { transform, filter } = styleOf({ ...PLAIN, zoom: 2, turns: 3, x: 4, y: 5, invert: true, brightness: 150, contrast: 50 });
  assert.equal(transform, "translate(4px, 5px) rotate(270deg) scale(2)");
  assert.equal(filter, "invert(1) brightness(1.5) contrast(0.5)");
});

test("what is under the pointer stays under it", () => {
  for (const point of [{ x: 0, y: 0 }, { x: 60, y: -30 }, { x: -199, y: 199 }]) {
    const view = zoomed(PLAIN, 2.5, point, SIDE);
    const there = seen(view, point.x, point.y);
    assert.ok(Math.hypot(there.x - point.x, there.y - point.y) < 1e-9);
  }
});

test("zoom has both ends, and the picture covers the frame at every one", () => {
  let view = PLAIN;
  for (let step = 0; step < 20; step += 1) view = zoomed(view, 1.5, { x: 150, y: 0 }, SIDE);
  assert.equal(view.zoom, CLOSEST);
  for (let step = 0; step < 20; step += 1) {
    view = zoomed(view, 1 / 1.5, { x: -200, y: 0 }, SIDE);
    assert.ok(Math.abs(view.x) <= (SIDE * (view.zoom - 1)) / 2 + 1e-9);
  }
  assert.deepEqual(view, PLAIN);
});

test("a picture that is not enlarged does not move, and an enlarged one not beyond its edge", () => {
  assert.deepEqual(moved(PLAIN, 50, 50, SIDE), PLAIN);
  assert.equal(moved({ ...PLAIN, zoom: 2 }, 1e6, -10, SIDE).x, SIDE / 2);
  assert.equal(moved({ ...PLAIN, zoom: 2 }, 1e6, -10, SIDE).y, -10);
});

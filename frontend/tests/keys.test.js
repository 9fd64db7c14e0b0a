import assert from "node:assert/strict";
import { test } from "node:test";

import { meaning } from "../static/frontend/keys.js";
import { styleOf } from "../static/frontend/viewer.js";

const press = (key, changes = {}) => ({ key, ctrlKey: false, metaKey: false, altKey: false, ...changes });

test("digits answer, Enter goes on, Backspace goes back", () => {
  assert.deepEqual(meaning(press("1")), { name: "answer", place: 0 });
  assert.deepEqual(meaning(press("9")), { name: "answer", place: 8 });
  assert.deepEqual(meaning(press("Enter")), { name: "next" });
  assert.deepEqual(meaning(press("Backspace")), { name: "back" });
  assert.deepEqual(meaning(press("?")), { name: "help" });
});

test("the browser's own shortcuts are left alone", () => {
  assert.equal(meaning(press("1", { ctrlKey: true })), null);
  assert.equal(meaning(press("Backspace", { altKey: true })), null);
  assert.equal(meaning(press("0")), null);
  assert.equal(meaning(press("a")), null);
});

test("a plain view changes nothing of the picture", () => {
  const plain = { zoom: 0, turns: 0, x: 0, y: 0, invert: false, brighten: false };
  assert.deepEqual(styleOf(plain), { transform: "translate(0px, 0px) rotate(0deg) scale(1)", filter: "none" });
  assert.match(styleOf({ ...plain, invert: true, turns: 1 }).filter, /invert/);
});

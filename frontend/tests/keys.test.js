import assert from "node:assert/strict";
import { test } from "node:test";

import { meaning } from "../static/frontend/keys.js";

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
  assert.equal(meaning(press("a")), null);
  assert.equal(meaning(press("Unidentified")), null);
});

test("letters and signs are the tools', whatever the shift key", () => {
  const names = { u: "undo", U: "undo", "+": "in", "=": "in", "-": "out", r: "rotate", i: "invert" };
  for (const [key, name] of Object.entries(names)) assert.deepEqual(meaning(press(key)), { name });
  assert.deepEqual(meaning(press("0")), { name: "reset" });
  assert.deepEqual([meaning(press("[")), meaning(press("]"))], [{ name: "earlier" }, { name: "later" }]);
  assert.deepEqual(meaning(press("Escape")), { name: "close" });
});

import assert from "node:assert/strict";
import { test } from "node:test";

import { isTaken, neighbour, pathOf } from "../static/frontend/review.js";

const TREE = { shape: { smooth: "roundness", featured: "" }, roundness: { round: "" } };

/** @param {Record<string, string>} chosen */
function path(chosen) {
  return pathOf("shape", (question) => TREE[question][chosen[question]]);
}

test("only the first question is asked before an answer", () => {
  assert.deepEqual(path({}), ["shape"]);
});

test("an answer opens the question that it leads to", () => {
  assert.deepEqual(path({ shape: "smooth" }), ["shape", "roundness"]);
  assert.deepEqual(path({ shape: "smooth", roundness: "round" }), ["shape", "roundness"]);
});

test("an answer that ends the path asks no more", () => {
  assert.deepEqual(path({ shape: "featured", roundness: "round" }), ["shape"]);
});

test("keys walk the pictures and stop at both ends", () => {
  const cards = ["a", "b", "c"];
  assert.equal(neighbour(cards, null, 1), "a");
  assert.equal(neighbour(cards, "a", 1), "b");
  assert.equal(neighbour(cards, "c", 1), "c");
  assert.equal(neighbour(cards, "a", -1), "a");
  assert.equal(neighbour([], null, 1), undefined);
});

test("keys typed into a field or with a modifier are left alone", () => {
  const field = { closest: () => ({}) };
  const picture = { closest: () => null };
  assert.equal(isTaken({ target: field }), true);
  assert.equal(isTaken({ target: picture }), false);
  assert.equal(isTaken({ target: picture, ctrlKey: true }), true);
  assert.equal(isTaken({ target: {} }), false);
});

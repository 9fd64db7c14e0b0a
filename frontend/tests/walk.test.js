import assert from "node:assert/strict";
import { test } from "node:test";

import { Walk } from "../static/frontend/walk.js";

const answer = (slug, next) => ({ slug, text: slug, next, icon: "" });
const question = (slug, ...answers) => ({ slug, text: slug, help: "", answers });
const tree = {
  start: "a",
  questions: {
    a: question("a", answer("x", "b"), answer("y", "b"), answer("z", "c")),
    b: question("b", answer("x", "c"), answer("y", null)),
    c: question("c", answer("x", null), answer("y", null)),
  },
};

function walkOf(...answers) {
  const clock = { at: 0 };
  const subject = { id: 7, account: 5 };
  const walk = new Walk({ subject: /** @type {any} */ (subject), tree, version: 3, tick: () => clock.at });
  for (const each of answers) walk.answer(each);
  return { walk, clock };
}

test("an entry tells what was asked, of whom, and how long it took by a clock that nobody sets", () => {
  const { walk, clock } = walkOf("x", "y");
  clock.at = 2500;
  const { started_at: startedAt, ...entry } = walk.entry("u");
  assert.deepEqual(entry, {
    uuid: "u",
    version: 3,
    subject: 7,
    annotations: [["a", "x"], ["b", "y"]],
    metadata: { interface: "page", seconds: 2.5 },
    account: 5,
    volunteer: null,
  });
  assert.ok(Math.abs(Date.parse(startedAt) - Date.now()) < 5000);
});

test("an entry bears the name of the volunteer to whom its galaxy was served", () => {
  const subject = { id: 7, account: null, volunteer: "signed" };
  const walk = new Walk({ subject: /** @type {any} */ (subject), tree, version: 3 });
  assert.equal(walk.entry("u").volunteer, "signed");
});

test("going back keeps the answers beyond, and a changed one keeps those that still apply", () => {
  const { walk } = walkOf("x", "x", "y");
  walk.goTo(0);
  assert.deepEqual(walk.rest, [["a", "x"], ["b", "x"], ["c", "y"]]);
  walk.answer("y");
  walk.skipKept();
  assert.equal(walk.question, null);
  assert.deepEqual(walk.path, [["a", "y"], ["b", "x"], ["c", "y"]]);
});

test("an answer that leads past a question leaves its answer out, but does not forget it", () => {
  const { walk } = walkOf("x", "x", "y");
  walk.goTo(0);
  walk.answer("z");
  walk.skipKept();
  assert.deepEqual(walk.path, [["a", "z"], ["c", "y"]]);
  walk.goTo(0);
  walk.answer("x");
  assert.deepEqual(walk.rest, [["b", "x"], ["c", "y"]]);
});

test("one can go on to an answer further on, and never before the first", () => {
  const { walk } = walkOf("x", "x");
  walk.goTo(0);
  walk.goTo(1);
  assert.equal(walk.question.slug, "b");
  walk.goTo(-1);
  assert.equal(walk.question.slug, "a");
});

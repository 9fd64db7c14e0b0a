import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { answerAt, expectedLength, extend, keptAfter, openQuestion, spoken } from "../static/frontend/tree.js";

const small = {
  start: "shape",
  questions: {
    shape: {
      slug: "shape",
      text: "Smooth?",
      help: "",
      answers: [
        { slug: "smooth", text: "Smooth", next: "round", icon: "" },
        { slug: "star", text: "Star", next: null, icon: "" },
      ],
    },
    round: {
      slug: "round",
      text: "Round?",
      help: "",
      answers: [
        { slug: "yes", text: "Round", next: null, icon: "" },
        { slug: "no", text: "Long", next: null, icon: "" },
      ],
    },
  },
};

/** Read a tree of the fixtures as the page receives it. */
function fixture(name) {
  const path = new URL(`../../fixtures/trees/${name}.json`, import.meta.url);
  const { start, questions } = JSON.parse(readFileSync(path, "utf8"));
  return { start, questions: Object.fromEntries(questions.map((each) => [each.slug, each])) };
}

/** Every complete path, by brute force over all answers. */
function allPaths(tree, path = []) {
  const question = openQuestion(tree, path);
  if (!question) return [path];
  return question.answers.flatMap(({ slug }) => allPaths(tree, extend(tree, path, slug)));
}

test("the walk starts at the start and ends after an answer that leads nowhere", () => {
  assert.equal(openQuestion(small, []).slug, "shape");
  assert.equal(openQuestion(small, [["shape", "smooth"]]).slug, "round");
  assert.equal(openQuestion(small, [["shape", "star"]]), null);
});

test("answers that the tree does not allow there are refused, with their names", () => {
  assert.throws(() => extend(small, [], "blue"), /shape: blue/);
  assert.throws(() => openQuestion(small, [["round", "yes"]]), /must go on with shape, has round/);
  assert.throws(() => extend(small, [["shape", "star"]], "yes"), /is complete/);
  assert.throws(() => answerAt(small, ["colour", "blue"]), RangeError);
});

test("extending leaves the path before as it was", () => {
  const before = [["shape", "smooth"]];
  assert.deepEqual(extend(small, before, "yes"), [["shape", "smooth"], ["round", "yes"]]);
  assert.equal(before.length, 1);
});

test("the answers so far are spoken in order", () => {
  assert.deepEqual(spoken(small, [["shape", "smooth"], ["round", "no"]]), ["Smooth", "Long"]);
});

test("the expected length is right at both ends and lies between the shortest and longest", () => {
  for (const name of ["gz-decals-5", "gz2", "gz1", "yes-no"]) {
    const tree = fixture(name);
    const paths = allPaths(tree);
    const lengths = paths.map((path) => path.length);
    const expected = expectedLength(tree, []);
    assert.ok(expected >= Math.min(...lengths) && expected <= Math.max(...lengths), name);
    for (const path of paths.slice(0, 200)) assert.equal(expectedLength(tree, path), path.length);
  }
});

test("every path of a fixture asks each question at most once", () => {
  for (const path of allPaths(fixture("gz-decals-5"))) {
    assert.equal(new Set(path.map(([question]) => question)).size, path.length);
  }
});

test("answers kept from before apply as far as the new path leads to their questions", () => {
  const kept = new Map([["shape", "smooth"], ["round", "no"]]);
  assert.deepEqual(keptAfter(small, [], kept), [["shape", "smooth"], ["round", "no"]]);
  assert.deepEqual(keptAfter(small, [["shape", "smooth"]], kept), [["round", "no"]]);
  assert.deepEqual(keptAfter(small, [["shape", "star"]], kept), []);
  assert.deepEqual(keptAfter(small, [], new Map([["round", "no"]])), []);
  assert.deepEqual(keptAfter(small, [], new Map([["shape", "blue"]])), []);
});

test("whatever was kept, path and rest together are a path that the tree allows", () => {
  const tree = fixture("gz-decals-5");
  const paths = allPaths(tree);
  for (const kept of [paths[0], paths[7], paths.at(-1)]) {
    for (const path of paths.slice(0, 300)) {
      const begun = path.slice(0, 2);
      const whole = [...begun, ...keptAfter(tree, begun, new Map([...kept, ...begun]))];
      assert.doesNotThrow(() => openQuestion(tree, whole));
    }
  }
});

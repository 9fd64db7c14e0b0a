import assert from "node:assert/strict";
import { test } from "node:test";

import { FULL, Shelf } from "../static/frontend/shelf.js";

const subject = (id) => ({ id, external_id: `g${id}`, images: {}, metadata: {}, expires_at: "" });

/** A server with `total` galaxies, which serves those in hand first, as ours does. */
function survey(total) {
  const answered = new Set();
  const asked = [];
  const fetchNext = async (count) => {
    asked.push(count);
    const left = Array.from({ length: total }, (_, id) => id).filter((id) => !answered.has(id));
    return { subjects: left.slice(0, count).map(subject), remaining: left.length > count };
  };
  return { answered, asked, fetchNext };
}

function makeShelf(fetchNext, unsent = () => [], claim = undefined) {
  const preloaded = [];
  const preload = async ({ id }) => preloaded.push(id);
  return { shelf: new Shelf({ fetchNext, preload, unsent, claim }), preloaded };
}

test("galaxies come in order, each once, with their pictures fetched ahead", async () => {
  const { answered, fetchNext } = survey(12);
  const { shelf, preloaded } = makeShelf(fetchNext);
  const taken = [];
  for (let next = await shelf.take(); next; next = await shelf.take()) {
    taken.push(next.id);
    answered.add(next.id);
  }
  assert.deepEqual(taken, Array.from({ length: 12 }, (_, id) => id));
  assert.deepEqual(preloaded, taken);
});

test("what is on the desk or answered but unsent is not shown again", async () => {
  const { asked, fetchNext } = survey(8);
  const { shelf } = makeShelf(fetchNext, () => [1, 2, 3]);
  shelf.mark(0);
  assert.equal((await shelf.take()).id, 4);
  assert.equal(asked[0], FULL + 1 + 3);
});

test("nothing left is null, a server out of reach is an error", async () => {
  assert.equal(await makeShelf(survey(0).fetchNext).shelf.take(), null);
  const down = makeShelf(async () => {
    throw new TypeError("no network");
  });
  await assert.rejects(down.shelf.take(), TypeError);
});

test("a picture that does not arrive early does not stop the next galaxy", async () => {
  const preload = async () => {
    throw new Error("404");
  };
  const shelf = new Shelf({ fetchNext: survey(2).fetchNext, preload, unsent: () => [] });
  assert.equal((await shelf.take()).id, 0);
});

test("two callers share one request", async () => {
  const { asked, fetchNext } = survey(9);
  const { shelf } = makeShelf(fetchNext);
  await Promise.all([shelf.fill(), shelf.fill()]);
  assert.equal(asked.length, 1);
});

test("five lie ready beyond the one on the desk, and more are asked for when three remain", async () => {
  const { asked, fetchNext } = survey(30);
  const { shelf } = makeShelf(fetchNext);
  await shelf.fill();
  assert.equal(shelf.subjects.length, 5);
  await shelf.take();
  assert.equal(asked.length, 1);
  await shelf.take();
  assert.equal(asked.length, 2);
});

test("what another tab has claimed is left to it, and more is asked for instead", async () => {
  const { asked, fetchNext } = survey(30);
  const { shelf } = makeShelf(fetchNext, undefined, async (id) => id > 5);
  await shelf.fill();
  assert.deepEqual(shelf.subjects.map(({ id }) => id), [6, 7, 8, 9, 10]);
  assert.deepEqual(asked, [6, 12]);
});

test("what was put back comes next, and a skipped one never", async () => {
  const { fetchNext } = survey(9);
  const { shelf } = makeShelf(fetchNext);
  const first = await shelf.take();
  shelf.putBack(first);
  assert.equal(await shelf.take(), first);
  shelf.skipped.add(first.id);
  const rest = [];
  for (let next = await shelf.take(); next && rest.length < 20; next = await shelf.take()) rest.push(next.id);
  assert.equal(rest.includes(first.id), false);
});

test("a picture that did not arrive is asked for again when there is an occasion", async () => {
  const asked = [];
  const preload = async ({ id }) => {
    asked.push(id);
    if (asked.length === 2) throw new Error("no network");
  };
  const shelf = new Shelf({ fetchNext: survey(5).fetchNext, preload, unsent: () => [] });
  await shelf.fill();
  await new Promise((resolve) => setImmediate(resolve));
  shelf.topUp();
  shelf.topUp();
  assert.deepEqual(asked, [0, 1, 2, 3, 4, 1]);
});

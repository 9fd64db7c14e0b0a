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

function makeShelf(fetchNext, unsent = () => 0) {
  const preloaded = [];
  const preload = async ({ id }) => preloaded.push(id);
  return { shelf: new Shelf({ fetchNext, preload, unsent }), preloaded };
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
  const { shelf } = makeShelf(fetchNext, () => 3);
  for (const id of [0, 1, 2, 3]) shelf.mark(id);
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
  const shelf = new Shelf({ fetchNext: survey(2).fetchNext, preload, unsent: () => 0 });
  assert.equal((await shelf.take()).id, 0);
});

test("two callers share one request", async () => {
  const { asked, fetchNext } = survey(9);
  const { shelf } = makeShelf(fetchNext);
  await Promise.all([shelf.fill(), shelf.fill()]);
  assert.equal(asked.length, 1);
});

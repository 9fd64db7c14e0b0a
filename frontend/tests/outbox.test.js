import assert from "node:assert/strict";
import { test } from "node:test";

import { AT_ONCE, KEY, newUuid, Outbox, StaleError } from "../static/frontend/outbox.js";

class FakeStore {
  values = new Map();
  getItem(key) {
    return this.values.get(key) ?? null;
  }
  setItem(key, value) {
    if (this.isFull) throw new Error("quota");
    this.values.set(key, value);
  }
}

/** A server that records by UUID, and does what `mood` says at each post. */
class FakeServer {
  recorded = [];
  posts = 0;
  moods = [];
  send = async (entries) => {
    this.posts += 1;
    const mood = this.moods.shift() ?? "well";
    if (mood === "down") throw new TypeError("no network");
    if (mood === "stale") throw new StaleError("403");
    const results = entries.map(({ uuid }) => {
      const known = this.recorded.includes(uuid);
      if (mood === "refuse") return { uuid, status: "refused", problem: { detail: "no", type: "" } };
      if (!known) this.recorded.push(uuid);
      return { uuid, status: known ? "already-recorded" : "recorded" };
    });
    if (mood === "lost-answer") throw new TypeError("the answer was lost on the way");
    return mood === "half" ? results.slice(0, 1) : results;
  };
}

const entry = (uuid) => ({
  uuid,
  version: 1,
  subject: 7,
  annotations: [["shape", "smooth"]],
  started_at: "2026-01-01T00:00:00Z",
  metadata: {},
});

function desk(server, store = new FakeStore()) {
  const later = [];
  const states = [];
  const results = [];
  const outbox = new Outbox({
    store,
    send: server.send,
    onState: (state) => states.push(state),
    onResults: (each) => results.push(...each),
    later: (task, wait) => later.push({ task, wait }),
  });
  return { outbox, store, later, states, results };
}

test("an entry leaves once the server has said yes", async () => {
  const server = new FakeServer();
  const { outbox, results, states } = desk(server);
  await outbox.add(entry("a"));
  assert.deepEqual(outbox.entries, []);
  assert.deepEqual(results, [{ uuid: "a", status: "recorded" }]);
  assert.deepEqual(states.at(-1), { waiting: 0, error: null });
});

test("an entry stays while the server can not be reached, and waits longer each time", async () => {
  const server = new FakeServer();
  server.moods = Array(9).fill("down");
  const { outbox, later } = desk(server);
  await outbox.add(entry("a"));
  for (let tries = 0; tries < 8; tries += 1) await outbox.flush();
  assert.deepEqual(outbox.entries.map(({ uuid }) => uuid), ["a"]);
  assert.deepEqual(later.slice(0, 3).map(({ wait }) => wait), [1000, 2000, 4000]);
  assert.equal(later.at(-1).wait, 60000);
  await outbox.flush();
  assert.deepEqual(server.recorded, ["a"]);
});

test("what one page left, the next page sends", async () => {
  const server = new FakeServer();
  server.moods = ["down"];
  const { outbox, store } = desk(server);
  await outbox.add(entry("a"));
  const reloaded = desk(server, store);
  await reloaded.outbox.flush();
  assert.deepEqual(server.recorded, ["a"]);
  assert.deepEqual(reloaded.outbox.entries, []);
});

test("an answer lost on the way does not count a vote twice", async () => {
  const server = new FakeServer();
  server.moods = ["lost-answer"];
  const { outbox, results } = desk(server);
  await outbox.add(entry("a"));
  assert.equal(outbox.entries.length, 1);
  await outbox.flush();
  assert.deepEqual(server.recorded, ["a"]);
  assert.equal(results[0].status, "already-recorded");
});

test("only the entries that the server named leave", async () => {
  const server = new FakeServer();
  server.moods = ["down", "down", "half"];
  const { outbox } = desk(server);
  await outbox.add(entry("a"));
  await outbox.add(entry("b"));
  await outbox.flush();
  assert.deepEqual(server.recorded, ["a", "b"]);
  assert.deepEqual(outbox.entries, []);
  assert.equal(server.posts, 4);
});

test("an answer that names nobody is a failure, not a reason to forget", async () => {
  const { outbox, later } = desk({ send: async () => [] });
  await outbox.add(entry("a"));
  assert.equal(outbox.entries.length, 1);
  assert.equal(later.length, 1);
});

test("what the server refuses for good leaves, and is reported", async () => {
  const server = new FakeServer();
  server.moods = ["refuse"];
  const { outbox, results } = desk(server);
  await outbox.add(entry("a"));
  assert.equal(outbox.entries.length, 0);
  assert.equal(results[0].status, "refused");
});

test("a stale page keeps its entries and does not hammer the server", async () => {
  const server = new FakeServer();
  server.moods = ["stale"];
  const { outbox, later, states } = desk(server);
  await outbox.add(entry("a"));
  assert.equal(outbox.entries.length, 1);
  assert.equal(later.length, 0);
  assert.ok(states.at(-1).error instanceof StaleError);
});

test("a full store costs nothing while the page lives", async () => {
  const server = new FakeServer();
  server.moods = ["down"];
  const store = new FakeStore();
  store.isFull = true;
  const { outbox } = desk(server, store);
  await outbox.add(entry("a"));
  assert.equal(outbox.entries.length, 1);
  await outbox.flush();
  assert.deepEqual(outbox.entries, []);
  assert.deepEqual(server.recorded, ["a"]);
});

test("a store that holds something else is taken as empty", async () => {
  for (const text of ["", "{", "7", "[1, null, {}]"]) {
    const store = new FakeStore();
    store.values.set(KEY, text);
    assert.deepEqual(desk(new FakeServer(), store).outbox.entries, []);
  }
});

test("many entries go in batches", async () => {
  const server = new FakeServer();
  const store = new FakeStore();
  const entries = Array.from({ length: AT_ONCE + 1 }, (_, place) => entry(`u${place}`));
  store.setItem(KEY, JSON.stringify(entries));
  await desk(server, store).outbox.flush();
  assert.equal(server.posts, 2);
  assert.equal(server.recorded.length, AT_ONCE + 1);
});

test("a made UUID is a version 4 one, and never the same", () => {
  const made = Array.from({ length: 100 }, newUuid);
  for (const uuid of made) assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(new Set(made).size, 100);
});

import assert from "node:assert/strict";
import { test } from "node:test";

import { newUuid } from "../static/frontend/device.js";
import { HOLD, PREFIX } from "../static/frontend/keeping.js";
import { AT_ONCE, Outbox } from "../static/frontend/outbox.js";
import { SignedOutError, StaleError } from "../static/frontend/server.js";
import { entry, FakeServer, FakeStore, keeper, litter, uuid } from "./fakes.js";

const CLOCK = 1_800_000_000_000;

function desk(server, store = new FakeStore(), options = {}) {
  const later = [];
  const states = [];
  const results = [];
  const clock = { now: CLOCK };
  const outbox = new Outbox({
    keeper: keeper(store),
    send: server.send,
    onState: (state) => states.push(state),
    onResults: (each) => results.push(...each),
    later: (task, wait) => later.push({ task, wait }),
    now: () => clock.now,
    ...options,
  });
  return { outbox, store, later, states, results, clock };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

test("an entry leaves once the server has said yes", async () => {
  const server = new FakeServer();
  const { outbox, results, states } = desk(server);
  await outbox.add(entry(1));
  assert.deepEqual(outbox.entries, []);
  assert.deepEqual(results, [{ uuid: uuid(1), status: "recorded" }]);
  assert.deepEqual(states.at(-1), { waiting: 0, foreign: 0, held: false, forgetful: false, error: null });
});

test("an entry stays while the server can not be reached, and waits longer each time", async () => {
  const server = new FakeServer();
  server.moods = Array(9).fill("down");
  const { outbox, later } = desk(server);
  await outbox.add(entry(1));
  for (let tries = 0; tries < 8; tries += 1) await outbox.flush();
  assert.equal(outbox.entries.length, 1);
  assert.deepEqual(later.slice(0, 3).map(({ wait }) => wait), [1000, 2000, 4000]);
  assert.equal(later.at(-1).wait, 60000);
  await outbox.flush();
  assert.deepEqual(server.recorded, [uuid(1)]);
});

test("of many failures only the last tries again by itself", async () => {
  const server = new FakeServer();
  server.moods = ["down", "down"];
  const { outbox, later } = desk(server);
  await outbox.add(entry(1));
  await outbox.flush();
  later[0].task();
  await settle();
  assert.equal(server.posts, 2);
  later[1].task();
  await settle();
  assert.equal(server.posts, 3);
});

test("a server that asks to be left alone is left alone for as long as it asks", async () => {
  const server = new FakeServer();
  server.moods = ["busy"];
  const { outbox, later } = desk(server);
  await outbox.add(entry(1));
  assert.equal(later[0].wait, 7000);
  await outbox.add(entry(2));
  await outbox.flush();
  await outbox.hurry();
  assert.equal(server.posts, 1);
  later[0].task();
  await settle();
  assert.deepEqual(server.recorded, [uuid(1), uuid(2)]);
});

test("what one page left, the next page sends", async () => {
  const server = new FakeServer();
  server.moods = ["down"];
  const { outbox, store } = desk(server);
  await outbox.add(entry(1));
  const reloaded = desk(server, store);
  await reloaded.outbox.flush();
  assert.deepEqual(server.recorded, [uuid(1)]);
  assert.deepEqual(outbox.entries, []);
});

test("an answer lost on the way does not count a vote twice", async () => {
  const server = new FakeServer();
  server.moods = ["lost-answer"];
  const { outbox, results } = desk(server);
  await outbox.add(entry(1));
  assert.equal(outbox.entries.length, 1);
  await outbox.flush();
  assert.deepEqual(server.recorded, [uuid(1)]);
  assert.equal(results[0].status, "already-recorded");
});

test("only the entries that the server named leave", async () => {
  const server = new FakeServer();
  server.moods = ["down", "down", "half"];
  const { outbox } = desk(server);
  await outbox.add(entry(1));
  await outbox.add(entry(2));
  await outbox.flush();
  assert.deepEqual(server.recorded, [uuid(1), uuid(2)]);
  assert.deepEqual(outbox.entries, []);
  assert.equal(server.posts, 4);
});

test("an answer that names nobody is a failure, not a reason to forget", async () => {
  const { outbox, later } = desk({ send: async () => [] });
  await outbox.add(entry(1));
  assert.equal(outbox.entries.length, 1);
  assert.equal(later.length, 1);
});

test("what the server refuses for good leaves, and is reported", async () => {
  const server = new FakeServer();
  server.moods = ["refuse"];
  const { outbox, results } = desk(server);
  await outbox.add(entry(1));
  assert.equal(outbox.entries.length, 0);
  assert.equal(results[0].status, "refused");
});

test("where a batch is refused as a whole, each goes alone, and only the bad one is lost", async () => {
  const server = new FakeServer();
  server.moods = ["bad", "bad"];
  const store = new FakeStore();
  const { outbox, results } = desk(server, store);
  for (const number of [1, 2, 3]) outbox.keeper.put({ ...entry(number), kept_at: number });
  await outbox.flush();
  assert.deepEqual(server.recorded, [uuid(2), uuid(3)]);
  assert.deepEqual(results.map(({ status }) => status), ["refused", "recorded", "recorded"]);
});

test("a stale page keeps its entries and tries again later", async () => {
  const server = new FakeServer();
  server.moods = ["stale"];
  const { outbox, later, states } = desk(server);
  await outbox.add(entry(1));
  assert.equal(outbox.entries.length, 1);
  assert.equal(later.length, 1);
  assert.ok(states.at(-1).error instanceof StaleError);
});

test("what was answered under an account waits for it, and the rest goes", async () => {
  const server = new FakeServer();
  const asker = { account: 5 };
  const { outbox, states } = desk(
    {
      send: async (entries) => {
        if (asker.account !== null) {
          asker.account = null;
          throw new SignedOutError("401");
        }
        return server.send(entries);
      },
    },
    new FakeStore(),
    { account: () => asker.account },
  );
  outbox.keeper.put(entry(1, { account: 5 }));
  outbox.keeper.put(entry(2));
  await outbox.flush();
  assert.deepEqual(server.recorded, [uuid(2)]);
  assert.deepEqual([states.at(-1).waiting, states.at(-1).foreign], [1, 1]);
});

test("what the server takes to be another account's is kept, said, and tried once for each who asks", async () => {
  const server = new FakeServer();
  server.moods = ["signed-out", "signed-out"];
  const store = new FakeStore();
  const asker = { account: null };
  const { outbox, results, states } = desk(server, store, { account: () => asker.account });
  await outbox.add(entry(1, { volunteer: "signed" }));
  await outbox.flush();
  assert.deepEqual([server.posts, results.length], [1, 1]);
  assert.deepEqual([states.at(-1).waiting, states.at(-1).foreign, states.at(-1).error], [1, 1, null]);
  await desk(server, store).outbox.flush();
  assert.equal(server.posts, 1);
  asker.account = 6;
  await outbox.flush();
  await outbox.flush();
  assert.deepEqual([server.posts, outbox.entries.length], [2, 1]);
  asker.account = 5;
  await outbox.flush();
  assert.deepEqual([server.recorded, outbox.entries], [[uuid(1)], []]);
});

test("an account's answers are sent once it is back", async () => {
  const server = new FakeServer();
  const { outbox } = desk(server, new FakeStore(), { account: () => 5 });
  outbox.keeper.put(entry(1, { account: 5 }));
  outbox.keeper.put(entry(2, { account: 6 }));
  await outbox.flush();
  assert.deepEqual(server.recorded, [uuid(1)]);
});

test("the latest is held, can be had back, and is then never sent", async () => {
  const server = new FakeServer();
  const { outbox, states, clock } = desk(server);
  outbox.hold(entry(1));
  assert.equal(states.at(-1).held, true);
  await outbox.flush();
  assert.equal(server.posts, 0);
  assert.equal(outbox.takeBack(), true);
  clock.now += 2 * HOLD;
  await outbox.flush();
  assert.equal(server.posts, 0);
  assert.deepEqual(outbox.entries, []);
});

test("what is held is sent when it is let go, when its time is over, and when another is held", async () => {
  const server = new FakeServer();
  const { outbox, later } = desk(server);
  outbox.hold(entry(1));
  outbox.release();
  await settle();
  assert.deepEqual(server.recorded, [uuid(1)]);
  assert.equal(outbox.takeBack(), false);
  outbox.hold(entry(2));
  outbox.hold(entry(3));
  await settle();
  assert.deepEqual(server.recorded, [uuid(1), uuid(2)]);
  for (const { task } of later) task();
  await settle();
  assert.deepEqual(server.recorded, [uuid(1), uuid(2), uuid(3)]);
});

test("a page that is left sends what is held at once, without asking the other tabs", async () => {
  const server = new FakeServer();
  const { outbox } = desk(server, new FakeStore(), { alone: () => new Promise(() => {}) });
  outbox.hold(entry(1));
  await outbox.hurry();
  assert.deepEqual(server.recorded, [uuid(1)]);
  assert.deepEqual(outbox.entries, []);
});

test("what is let go while the tabs change turns is sent, too", async () => {
  const server = new FakeServer();
  const alone = async (task) => {
    await task();
    await settle(); // as a browser's lock, which is free a little after the task
  };
  const { outbox } = desk(server, new FakeStore(), { alone });
  outbox.hold(entry(1));
  outbox.hold(entry(2));
  await Promise.resolve();
  outbox.release();
  for (let turns = 0; turns < 3; turns += 1) await settle();
  assert.deepEqual(server.recorded, [uuid(1), uuid(2)]);
});

test("a page that is left sends all that it kept, but for what is on its way or another tab's", async () => {
  const server = new FakeServer();
  const sent = [];
  let answer = () => {};
  const send = (entries) => {
    sent.push(...entries.map((each) => each.uuid));
    return new Promise((resolve) => (answer = () => resolve(server.send(entries))));
  };
  const { outbox, store } = desk({ send });
  void outbox.add(entry(1));
  outbox.keeper.put(entry(2));
  keeper(store).put(entry(3));
  outbox.hold(entry(4));
  void outbox.hurry();
  void outbox.hurry();
  assert.deepEqual(sent, [uuid(1), uuid(2), uuid(4)]);
  answer();
  await settle();
  assert.deepEqual(outbox.entries.map((each) => each.uuid).sort(), [uuid(1), uuid(3)]);
});

test("what could not be sent is tried once more when the page is left", async () => {
  const server = new FakeServer();
  server.moods = ["down"];
  const { outbox } = desk(server);
  await outbox.add(entry(1));
  await outbox.hurry();
  assert.deepEqual(server.recorded, [uuid(1)]);
});

test("what a tab that died had held, another tab sends; so it does where the clock was set back", async () => {
  const server = new FakeServer();
  const store = new FakeStore();
  desk(server, store).outbox.hold(entry(1));
  const other = desk(server, store);
  await other.outbox.flush();
  assert.equal(server.posts, 0);
  other.clock.now = CLOCK + HOLD;
  await other.outbox.flush();
  assert.deepEqual(server.recorded, [uuid(1)]);
  desk(server, store).outbox.hold(entry(2));
  other.clock.now = CLOCK - 3_600_000;
  await other.outbox.flush();
  assert.deepEqual(server.recorded, [uuid(1), uuid(2)]);
});

test("two tabs that keep at the same time keep both", () => {
  const store = new FakeStore();
  const [one, other] = [keeper(store), keeper(store)];
  one.put(entry(1));
  other.put(entry(2));
  assert.deepEqual(one.entries, other.entries);
  assert.equal(one.entries.length, 2);
});

test("a full store costs nothing while the page lives, and the page knows", async () => {
  const server = new FakeServer();
  server.moods = ["down"];
  const store = new FakeStore();
  store.isFull = true;
  const { outbox, states } = desk(server, store);
  await outbox.add(entry(1));
  assert.equal(states.at(-1).forgetful, true);
  await outbox.flush();
  assert.deepEqual(server.recorded, [uuid(1)]);
  assert.deepEqual([outbox.entries.length, states.at(-1).forgetful], [0, false]);
});

test("what the store will not let go of is not sent for ever", async () => {
  const server = new FakeServer();
  const store = new FakeStore();
  store.isLocked = true;
  const { outbox } = desk(server, store);
  await outbox.add(entry(1));
  assert.deepEqual([server.posts, outbox.entries.length], [1, 0]);
});

test("a store that is closed to us is taken as empty", () => {
  const store = new FakeStore();
  Object.defineProperty(store, "length", { get: () => assert.fail("SecurityError") });
  assert.deepEqual(keeper(store).entries, []);
});

test("what no page of ours has written is passed over, and what is ours still goes", async () => {
  const server = new FakeServer();
  const store = new FakeStore();
  const garbage = ["", "{", "7", "null", "[]", '{"uuid": "x"}', `{"uuid": "${uuid(9)}"}`];
  garbage.forEach((text, place) => litter(store, String(place), text));
  litter(store, uuid(9), `{"uuid": "${uuid(9)}"}`);
  litter(store, uuid(8), JSON.stringify(entry(7)));
  const { outbox } = desk(server, store);
  assert.deepEqual(outbox.entries, []);
  await outbox.add(entry(1));
  assert.deepEqual(server.recorded, [uuid(1)]);
  assert.ok([...store.values.keys()].every((key) => key.startsWith(PREFIX)));
});

test("many entries go in batches, the oldest first", async () => {
  const server = new FakeServer();
  const { outbox } = desk(server);
  for (let place = AT_ONCE; place >= 0; place -= 1) outbox.keeper.put({ ...entry(place), kept_at: place });
  await outbox.flush();
  assert.equal(server.posts, 2);
  assert.deepEqual(server.recorded, Array.from({ length: AT_ONCE + 1 }, (_, place) => uuid(place)));
});

test("a made UUID is a version 4 one, and never the same", () => {
  const made = Array.from({ length: 100 }, newUuid);
  for (const each of made) assert.match(each, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(new Set(made).size, 100);
});

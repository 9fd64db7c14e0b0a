import assert from "node:assert/strict";
import { test } from "node:test";

import { FakeNetwork, settle } from "./fakes.js";
import { follow, grouped, newcomers } from "../static/frontend/home.js";

/** @typedef {import("../static/frontend/home.js").Snapshot} Snapshot */

/** @param {number} classifications */
const snapshot = (classifications) => ({
  counts: { classifications },
  workflows: [],
  strip: [],
  round: 0,
});

/** @param {object[]} answers */
function world(answers = []) {
  const network = new FakeNetwork(answers);
  /** @type {number[]} */
  const seen = [];
  const page = { hidden: false };
  const stop = follow({
    socket: "ws://host/ws/home/",
    api: "/live/",
    onSnapshot: (found) => seen.push(found.counts.classifications),
    isHidden: () => page.hidden,
    connect: network.connect,
    request: network.request,
  });
  return { network, sockets: network.sockets, seen, page, stop };
}

/** @param {import("node:test").TestContext} t */
const clock = (t) => t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });

test("what the socket says is shown, and the server is not asked", async (t) => {
  clock(t);
  const { sockets, seen, network, stop } = world();
  sockets[0].say(snapshot(7));
  sockets[0].say(snapshot(8));
  t.mock.timers.tick(60_000);
  await settle();
  assert.deepEqual(seen, [7, 8]);
  assert.equal(network.asked, 0);
  stop();
});

test("without a socket the server is asked, and the socket is tried again", async (t) => {
  clock(t);
  const { sockets, seen, stop } = world([snapshot(7)]);
  sockets[0].hangUp();
  t.mock.timers.tick(10_000);
  await settle();
  assert.deepEqual(seen, [7]);
  t.mock.timers.tick(40_000);
  await settle();
  assert.equal(sockets.length, 2);
  stop();
});

test("a socket that comes back ends the asking", async (t) => {
  clock(t);
  const { sockets, network, stop } = world([snapshot(7)]);
  sockets[0].hangUp();
  t.mock.timers.tick(45_000);
  await settle();
  sockets[1].say(snapshot(9));
  const before = network.asked;
  t.mock.timers.tick(30_000);
  await settle();
  assert.equal(network.asked, before);
  stop();
});

test("a page that nobody sees asks nothing", async (t) => {
  clock(t);
  const { network, page, seen, stop } = world([snapshot(7)]);
  page.hidden = true;
  t.mock.timers.tick(30_000);
  await settle();
  assert.equal(network.asked, 0);
  page.hidden = false;
  t.mock.timers.tick(10_000);
  await settle();
  assert.deepEqual(seen, [7]);
  stop();
});

test("a server that is out of reach is asked again", async (t) => {
  clock(t);
  const { network, seen, stop } = world();
  for (let turn = 0; turn < 3; turn += 1) {
    t.mock.timers.tick(10_000);
    await settle();
  }
  assert.equal(network.asked, 3);
  assert.deepEqual(seen, []);
  stop();
});

test("after the end nothing is shown any more", async (t) => {
  clock(t);
  const { sockets, seen, network, stop } = world([snapshot(7)]);
  stop();
  sockets[0].say(snapshot(8));
  sockets[0].hangUp();
  t.mock.timers.tick(60_000);
  await settle();
  assert.deepEqual([seen, network.asked, sockets.length], [[], 0, 1]);
  assert.equal(sockets[0].closed, true);
});

test("numbers are grouped as the server groups them", () => {
  assert.deepEqual([0, 999, 1000, 1234567].map(grouped), ["0", "999", "1\u202f000", "1\u202f234\u202f567"]);
});

test("only galaxies that are not on the page are put on it, the latest last", () => {
  /** @param {number} id */
  const galaxy = (id) => ({ id, name: `g${id}`, image: "", url: "" });
  const found = newcomers([galaxy(5), galaxy(4), galaxy(3)], new Set([3, 9]));
  assert.deepEqual(found.map((each) => each.id), [4, 5]);
});

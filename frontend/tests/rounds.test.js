import assert from "node:assert/strict";
import { test } from "node:test";

import { FakeNetwork, settle } from "./fakes.js";
import { follow, shape } from "../static/frontend/rounds.js";

/** @param {Partial<import("../static/frontend/rounds.js").Snapshot>} changes */
const snapshot = (changes = {}) => ({
  id: 1,
  state: "running",
  is_active: true,
  cancel_requested: false,
  is_stalled: false,
  stages: [],
  ...changes,
});

/** @param {object[]} answers */
function world(answers = []) {
  const network = new FakeNetwork(answers);
  /** @type {string[]} */
  const seen = [];
  const stop = follow({
    socket: "ws://host/ws/rounds/1/",
    api: "/api/v1/rounds/1/",
    onSnapshot: (found) => seen.push(found.state),
    connect: network.connect,
    request: network.request,
  });
  return { network, sockets: network.sockets, seen, stop };
}

test("a live socket is shown, and the API is left alone", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const { sockets, seen, network, stop } = world();
  sockets[0].say(snapshot());
  t.mock.timers.tick(10000);
  await settle();
  assert.deepEqual(seen, ["running"]);
  assert.equal(network.asked, 0);
  stop();
});

test("without a socket the API is asked, and the socket is tried again", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const { sockets, seen, stop } = world([snapshot({ state: "pending" })]);
  sockets[0].hangUp();
  t.mock.timers.tick(2000);
  await settle();
  assert.deepEqual(seen, ["pending"]);
  t.mock.timers.tick(8000);
  await settle();
  assert.equal(sockets.length, 2);
  stop();
});

test("a server that is out of reach is asked again", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const { network, seen, stop } = world();
  for (let turn = 0; turn < 3; turn += 1) {
    t.mock.timers.tick(2000);
    await settle();
  }
  assert.equal(network.asked, 3);
  assert.deepEqual(seen, []);
  stop();
});

test("a finished round ends the watch", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const { sockets, network, seen } = world();
  sockets[0].say(snapshot({ state: "succeeded", is_active: false }));
  sockets[0].say(snapshot());
  t.mock.timers.tick(20000);
  await settle();
  assert.deepEqual(seen, ["succeeded"]);
  assert.equal(sockets[0].closed, true);
  assert.equal(network.asked, 0);
});

test("progress alone does not change the shape of a page", () => {
  const stages = [{ name: "train", state: "started", progress: 0.5, message: "", error: "" }];
  assert.equal(shape(snapshot()), shape(snapshot({ stages })));
  assert.notEqual(shape(snapshot()), shape(snapshot({ cancel_requested: true })));
});

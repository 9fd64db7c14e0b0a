import assert from "node:assert/strict";
import { test } from "node:test";

import { claims, oneAtATime } from "../static/frontend/claims.js";

/** The browser's locks, which all tabs share. */
class FakeLocks {
  held = new Set();
  request = async (name, options, task = options) => {
    if (this.held.has(name)) {
      if (options.ifAvailable) return task(null);
      return new Promise((_, reject) => options.signal.addEventListener("abort", () => reject(new Error("late"))));
    }
    this.held.add(name);
    return Promise.resolve(task({ name })).finally(() => this.held.delete(name));
  };
}

test("a galaxy is one tab's, however often it asks", async () => {
  const locks = /** @type {any} */ (new FakeLocks());
  const [one, other] = [claims(locks), claims(locks)];
  assert.equal(await one(7), true);
  assert.equal(await one(7), true);
  assert.equal(await other(7), false);
  assert.equal(await other(8), true);
});

test("patience for a tab that is closing comes to an end", async () => {
  const locks = /** @type {any} */ (new FakeLocks());
  await claims(locks)(7);
  const awake = setInterval(() => {}, 5);
  assert.equal(await claims(locks)(7, 10), false);
  clearInterval(awake);
});

test("without locks every claim is granted and every task runs", async () => {
  assert.equal(await claims(undefined)(7), true);
  let ran = 0;
  await oneAtATime(undefined)(async () => void (ran += 1));
  await oneAtATime(/** @type {any} */ (new FakeLocks()))(async () => void (ran += 1));
  assert.equal(ran, 2);
});

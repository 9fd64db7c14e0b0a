import assert from "node:assert/strict";
import { test } from "node:test";

import { Seen, Steps } from "../static/frontend/tutorial.js";

function memory() {
  const kept = new Map();
  return {
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => void kept.set(name, value),
  };
}

const forbidden = () => { throw new Error("forbidden"); };

/** A dialog of steps, as small as the module needs it. */
class FakeDialog extends EventTarget {
  open = true;
  constructor(count) {
    super();
    this.closed = 0;
    this.focused = [];
    this.steps = Array.from({ length: count }, (_, number) => ({
      hidden: number > 0,
      querySelector: () => ({ focus: () => this.focused.push(number) }),
    }));
    this.next = { textContent: "Next", dataset: { last: "Start" } };
    this.back = { disabled: true };
  }

  querySelectorAll() {
    return this.steps;
  }

  querySelector(selector) {
    return selector.includes("next") ? this.next : this.back;
  }

  close() {
    this.open = false;
    this.closed += 1;
  }

  get shown() {
    return this.steps.flatMap((step, number) => (step.hidden ? [] : [number]));
  }
}

const click = (move) => ({ target: { closest: () => move && { dataset: { move } } } });
const press = (key) => ({ key, stopped: false, stopPropagation() { this.stopped = true; } });

test("what was seen is remembered, for each workflow", () => {
  const store = memory();
  const seen = new Seen(() => store, "drawn");
  assert.equal(seen.isSeen, false);
  assert.equal(seen.remember(), true);
  assert.equal(new Seen(() => store, "drawn").isSeen, true);
  assert.equal(new Seen(() => store, "other").isSeen, false);
});

test("a browser that keeps nothing is not bothered", () => {
  assert.equal(new Seen(forbidden, "drawn").isSeen, true);
  assert.equal(new Seen(forbidden, "drawn").remember(), false);
  const full = new Seen(() => ({ getItem: () => null, setItem: forbidden }), "drawn");
  assert.equal(full.isSeen, false);
  assert.equal(full.remember(), false);
});

test("the buttons walk forth and back, and the last one closes", () => {
  const dialog = new FakeDialog(3);
  const steps = new Steps(dialog);
  steps.show(0);
  assert.deepEqual([dialog.shown, dialog.back.disabled, dialog.next.textContent], [[0], true, "Next"]);
  steps.click(click("next"));
  assert.deepEqual([dialog.shown, dialog.back.disabled], [[1], false]);
  steps.click(click("next"));
  assert.deepEqual([dialog.shown, dialog.next.textContent], [[2], "Start"]);
  steps.click(click("back"));
  assert.deepEqual([dialog.shown, dialog.next.textContent], [[1], "Next"]);
  steps.click(click("next"));
  steps.click(click("next"));
  assert.equal(dialog.closed, 1);
  assert.deepEqual(dialog.focused, [0, 1, 2, 1, 2]);
});

test("skipping closes, and a click beside the buttons does nothing", () => {
  const dialog = new FakeDialog(3);
  const steps = new Steps(dialog);
  steps.show(0);
  steps.click(click(null));
  assert.deepEqual([dialog.shown, dialog.closed], [[0], 0]);
  steps.click(click("close"));
  assert.equal(dialog.closed, 1);
});

test("arrow keys walk within the steps, and no key reaches the page behind", () => {
  const dialog = new FakeDialog(2);
  const steps = new Steps(dialog);
  steps.show(0);
  const digit = press("1");
  steps.press(digit);
  assert.equal(digit.stopped, true);
  steps.press(press("ArrowLeft"));
  assert.deepEqual(dialog.shown, [0]);
  steps.press(press("ArrowRight"));
  steps.press(press("ArrowRight"));
  assert.deepEqual([dialog.shown, dialog.closed], [[1], 0]);
  steps.press(press("ArrowLeft"));
  assert.deepEqual(dialog.shown, [0]);
});

test("a closed dialog that still holds the focus leaves keys to the page", () => {
  const dialog = new FakeDialog(1);
  const steps = new Steps(dialog);
  steps.show(1);
  const digit = press("1");
  steps.press(digit);
  assert.deepEqual([dialog.closed, digit.stopped], [1, false]);
});

import assert from "node:assert/strict";
import { test } from "node:test";

import { Help, loadFragment, shownQuestion } from "../static/frontend/help.js";

const answers = (...slugs) => slugs.map((slug) => ({ slug, text: slug, next: null, icon: "" }));
const tree = {
  start: "shape",
  questions: {
    shape: { slug: "shape", text: "What shape?", help: "", answers: answers("smooth", "featured") },
    bar: { slug: "bar", text: "A bar?", help: "", answers: answers("yes", "no") },
    ring: { slug: "ring", text: "A bar?", help: "", answers: answers("no", "yes") },
  },
};

/** A details element with a place for the examples, as small as the module needs it. */
class FakeHelp extends EventTarget {
  constructor() {
    super();
    this.open = false;
    this.link = { href: "" };
    this.shown = [this.link];
    this.place = {
      dataset: { guide: "/classify/ours/guide/" },
      querySelector: () => this.link,
      replaceChildren: (...children) => { this.shown = children; },
    };
  }

  querySelector() {
    return this.place;
  }

  async toggle(open) {
    this.open = open;
    this.dispatchEvent(new Event("toggle"));
    await new Promise((done) => setImmediate(done));
  }
}

const copies = (name) => ({ name, cloneNode: () => `copy of ${name}` });

test("the question is known by its words and its answers", () => {
  assert.equal(shownQuestion(tree, "What shape?", ["smooth", "featured"]), "shape");
  assert.equal(shownQuestion(tree, "A bar?", ["yes", "no"]), "bar");
  assert.equal(shownQuestion(tree, "A bar?", ["no", "yes"]), "ring");
  assert.equal(shownQuestion(tree, "A bar?", ["yes"]), null);
  assert.equal(shownQuestion(tree, "", []), null);
});

test("examples are fetched when the help is opened, once for each question", async () => {
  const help = new FakeHelp();
  const asked = [];
  let question = "shape";
  const load = async (address) => { asked.push(address); return copies(address); };
  new Help(help, () => question, load);
  assert.deepEqual(asked, []);
  await help.toggle(true);
  assert.deepEqual(help.shown, ["copy of /classify/ours/guide/shape/"]);
  await help.toggle(false);
  assert.deepEqual(help.shown, [help.link]);
  await help.toggle(true);
  assert.deepEqual(asked, ["/classify/ours/guide/shape/"]);
  question = "bar";
  await help.toggle(true);
  assert.deepEqual(help.shown, ["copy of /classify/ours/guide/bar/"]);
  assert.equal(asked.length, 2);
});

test("examples that come too late are not shown beside another question", async () => {
  const help = new FakeHelp();
  let question = "shape", arrive;
  new Help(help, () => question, () => new Promise((done) => { arrive = done; }));
  await help.toggle(true);
  question = "bar";
  arrive(copies("shape"));
  await new Promise((done) => setImmediate(done));
  assert.deepEqual(help.shown, [help.link]);
});

test("where examples do not come, the link to this question's guide stays", async () => {
  const help = new FakeHelp();
  new Help(help, () => "bar", () => Promise.reject(new Error("no network")));
  await help.toggle(true);
  assert.deepEqual(help.shown, [help.link]);
  assert.equal(help.link.href, "/classify/ours/guide/bar/");
});

test("an unknown question asks for nothing", async () => {
  const help = new FakeHelp();
  new Help(help, () => null, () => assert.fail("nothing is there to be fetched"));
  await help.toggle(true);
  assert.deepEqual(help.shown, [help.link]);
});

test("an answer that is no success is an error", async (context) => {
  context.mock.method(globalThis, "fetch", async () => ({ ok: false, status: 404 }));
  await assert.rejects(loadFragment("/x/"), /\/x\/ must be there, is 404/);
});

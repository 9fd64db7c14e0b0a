import assert from "node:assert/strict";
import { test } from "node:test";

import { Outbox } from "../static/frontend/outbox.js";
import { BusyError, plausible, RefusedError, Server, SignedOutError, StaleError } from "../static/frontend/server.js";
import { trouble } from "../static/frontend/status.js";
import { busy, entry, FakeStore, keeper } from "./fakes.js";

const DATA = { next: "/next/", post: "/post/", favourite: "/s/0/favourite/", version: 1, account: null };

/** A server that gives these answers in turn, and a page that is `anew` when it is read again. */
function world(answers, { data = DATA, anew = {} } = {}) {
  const asked = [];
  const looks = { times: 0 };
  const server = new Server(/** @type {any} */ (data), "old", {
    request: async (address, options) => {
      asked.push({ address, body: JSON.parse(options.body), headers: options.headers, keepalive: options.keepalive });
      const { status = 200, body = {}, headers = {} } = answers.shift();
      return new Response(JSON.stringify(body), { status, headers });
    },
    look: async () => {
      looks.times += 1;
      return { token: "new", data: /** @type {any} */ ({ ...data, ...anew }) };
    },
  });
  return { server, asked, looks };
}

test("an entry is sent without what only this device knows, and survives the page", async () => {
  const { server, asked } = world([{ body: [] }]);
  await server.send([{ ...entry(1), kept_at: 1, held_until: 2 }]);
  const [{ address, body, keepalive, headers }] = asked;
  const { account: _, ...sent } = entry(1);
  assert.equal(address, "/post/");
  assert.deepEqual(body.classifications, [sent]);
  assert.ok(Math.abs(Date.parse(body.sent_at) - Date.now()) < 5000);
  assert.equal(keepalive, true);
  assert.equal(headers.get("X-Account"), null);
});

test("a body too long to outlive the page is sent as any other", async () => {
  const { server, asked } = world([{ body: [] }]);
  await server.send([entry(1, { metadata: { text: "x".repeat(70000) } })]);
  assert.equal(asked[0].keepalive, false);
});

test("an expired token is replaced, and the post goes on by itself", async () => {
  const { server, asked, looks } = world([{ status: 403 }, { body: { favourite: true } }]);
  assert.deepEqual(await server.markFavourite(12, true), { favourite: true });
  assert.equal(looks.times, 1);
  assert.deepEqual(asked.map(({ headers }) => headers.get("X-CSRFToken")), ["old", "new"]);
  assert.equal(asked[0].address, "/s/12/favourite/");
});

test("a token that is refused again is a stale page", async () => {
  const { server } = world([{ status: 403 }, { status: 403 }]);
  await assert.rejects(server.send([]), StaleError);
});

test("an account that is signed out is not taken for somebody new", async () => {
  const data = { ...DATA, account: 5 };
  for (const status of [401, 403]) {
    const { server, asked } = world([{ status }], { data, anew: { account: null } });
    await assert.rejects(server.send([entry(1)]), SignedOutError);
    assert.equal(asked.length, 1);
    assert.equal(asked[0].headers.get("X-Account"), "5");
    assert.equal(server.data.account, null);
  }
});

test("somebody who signs in elsewhere goes on as the account", async () => {
  const { server, asked } = world([{ status: 403 }, { body: [] }], { anew: { account: 5 } });
  await server.send([entry(1)]);
  assert.equal(asked[1].headers.get("X-Account"), "5");
});

test("galaxies know whose they are, and a new tree is read when they come", async () => {
  const body = { subjects: [{ id: 3 }], remaining: true, version: 2 };
  const { server, looks } = world([{ body }, { body }], { data: { ...DATA, account: 5 }, anew: { version: 2 } });
  assert.deepEqual((await server.fetchNext(1)).subjects, [{ id: 3, account: 5, volunteer: undefined }]);
  assert.equal(server.data.version, 2);
  await server.fetchNext(1);
  assert.equal(looks.times, 1);
});

test("a galaxy bears the name of whom it was served to, not of whom the page was made for", async () => {
  const body = { subjects: [{ id: 3 }], remaining: true, version: 1 };
  const { server, asked } = world(
    [{ body: { ...body, volunteer: "signed-by-next" } }, { body: { ...body, volunteer: null } }, { body: [] }],
    { data: { ...DATA, volunteer: "signed-by-page" } },
  );
  assert.equal(server.mine(/** @type {any} */ ({ id: 2 })).volunteer, "signed-by-page");
  assert.equal((await server.fetchNext(1)).subjects[0].volunteer, "signed-by-next");
  assert.equal((await server.fetchNext(1)).subjects[0].volunteer, null);
  await server.send([entry(1, { volunteer: "signed-by-next", stranger: null })]);
  const [sent] = asked[2].body.classifications;
  assert.deepEqual([sent.volunteer, "stranger" in sent], ["signed-by-next", false]);
});

test("errors tell what to do: wait, wait so long, or never again", async () => {
  const headers = { "Content-Type": "application/problem+json" };
  for (const [status, kind] of [[500, BusyError], [429, BusyError], [400, RefusedError], [413, RefusedError]]) {
    await assert.rejects(world([{ status, headers }]).server.send([]), kind);
  }
  assert.equal(busy(429, "30").wait, 30000);
  assert.equal(busy(503).wait, undefined);
  assert.equal(busy(503, "Wed, 21 Oct 2026 07:28:00 GMT").wait, undefined);
});

test("only our server's own refusal ends an entry: a proxy's, or a wrong host's, is waited out", async () => {
  for (const status of [400, 413]) {
    for (const type of ["text/html", "application/json"]) {
      const { server } = world([{ status, headers: { "Content-Type": type } }]);
      const outbox = new Outbox({ keeper: keeper(new FakeStore()), send: (entries) => server.send(entries), later: () => {} });
      await outbox.add(entry(1));
      assert.deepEqual(outbox.entries.map(({ uuid }) => uuid), [entry(1).uuid], `${status} ${type}`);
      assert.ok(outbox.error instanceof BusyError);
    }
  }
});

test("the time of a clock that was never set is not sent", () => {
  assert.equal(plausible(new Date(8.64e15)), null);
  assert.equal(plausible(new Date(-1)), null);
  assert.equal(plausible(new Date(0)), "1970-01-01T00:00:00.000Z");
});

test("each trouble with sending has its own words", () => {
  const well = { waiting: 1, foreign: 0, held: false, forgetful: false, error: null };
  assert.equal(trouble(well), null);
  assert.equal(trouble({ ...well, forgetful: true }), "forgetful");
  assert.equal(trouble({ ...well, forgetful: true, waiting: 0 }), null);
  assert.equal(trouble({ ...well, foreign: 1 }), "foreign");
  assert.equal(trouble({ ...well, error: new TypeError("no network") }), "offline");
  assert.equal(trouble({ ...well, error: busy(503) }), "busy");
  assert.equal(trouble({ ...well, error: new StaleError("") }), "stale");
});

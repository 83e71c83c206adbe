// The npm package in Node, as a provider's tests use it. `PACKAGE` is its folder.

import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import test from "node:test";

const { check, sign, ConfigError } = await import(pathToFileURL(`${process.env.PACKAGE}/index.js`));

const event = { event_type: "device.online", timestamp: "2026-02-10T14:24:18Z", device_id: "lock_491829" };
const config = {
  environment: "test",
  sources: [{ name: "acme", path: "/acme", verify: { hmac: { header: "x-signature", secrets: [{ env: "SECRET" }] } } }],
  accounts: [{ connected_account_id: "ca_hotel", devices: ["lock_491829"] }],
};

test("objects, text and bytes are judged alike", () => {
  for (const given of [event, JSON.stringify(event), new TextEncoder().encode(JSON.stringify(event))]) {
    const judgement = check(given, config);
    assert.equal(judgement.outcome, "forwarded");
    assert.deepEqual(judgement.subject.accounts, [{ connectedAccountId: "ca_hotel", customerKey: null }]);
    assert.equal(new Map(judgement.headers).get("x-assigned-by"), "device_id");
  }
  assert.equal(check(event).outcome, "forwarded");
});

test("a fault has its pointer and its place", () => {
  const { outcome, errors, answer } = check('{\n"event_type":"device.online",\n"timestamp":1}');
  assert.equal(outcome, "event_invalid");
  assert.equal(answer.status, 422);
  assert.deepEqual([errors[0].pointer, errors[0].place.line, errors[0].place.column], ["/timestamp", 3, 13]);
  assert.equal(check("{").errors[0].pointer, null);
});

test("what is signed is proved, and a refused configuration throws", () => {
  const now = new Date("2026-01-01T00:00:00Z");
  const headers = sign(event, { hmac: { header: "x-signature" } }, "topsecret", { now });
  assert.equal(check(event, config, { secret: "topsecret", headers, now }).outcome, "forwarded");
  assert.equal(check(event, config, { secret: "other", headers, now }).signatureFault, "mismatch");
  assert.throws(
    () => check(event, { environment: "x" }),
    (error) => error instanceof ConfigError && error.path === "sources",
  );
  assert.throws(() => sign(event, { hmac: {} }, "topsecret"), TypeError);
});

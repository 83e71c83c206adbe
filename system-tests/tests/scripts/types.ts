// What the compiler must accept of the package's types, and what it must not.

import { check, sign, ConfigError, type Cause, type Judgement } from "bellhop-inspector";

const judgement: Judgement = check({ event_type: "device.online" }, { environment: "test" }, { source: "acme" });
const cause: Cause = "event_invalid";
if (judgement.outcome === cause) {
  for (const { pointer, place } of judgement.errors) console.log(pointer?.length, place?.line);
}
const headers: Record<string, string> = sign(new Uint8Array(), { token: { header: "x-key" } }, "secret", {
  now: new Date(),
});
check("{}", undefined, { headers });
check("{}", "{}", { headers: [["x-key", "secret"]] });
console.log(new Map(judgement.headers).get("x-event-id"), judgement.answer?.status.toFixed());

// @ts-expect-error: no such outcome
judgement.outcome === "lost";
// @ts-expect-error: an event is no number
check(7);
// @ts-expect-error: no such option
check("{}", "{}", { sauce: "acme" });

export const path = (error: unknown): string => (error instanceof ConfigError ? error.path : "");

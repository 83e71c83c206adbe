// The signature helper: schemes, a secret that stays in its field, the headers to send, and what given ones are worth.

import { byId, copyButton, element } from "./dom.js";

/** @type {[string, object][]} what a scheme is called, and its `verify` */
const SCHEMES = [
  ["Standard Webhooks, Svix", { standard_webhooks: {} }],
  ["GitHub", { hmac: { header: "x-hub-signature-256", prefix: "sha256=" } }],
  ["Nuki", { hmac: { header: "x-nuki-signature-sha256" } }],
  ["Shopify", { hmac: { header: "x-shopify-hmac-sha256", encoding: "base64" } }],
  ["Stripe", { hmac: { header: "stripe-signature", item: "v1", timestamp: { item: "t" } } }],
  [
    "Slack",
    {
      hmac: {
        header: "x-slack-signature",
        prefix: "v0=",
        timestamp: { header: "x-slack-request-timestamp" },
        signed: "v0:{timestamp}:{body}",
      },
    },
  ],
  ["August, or any fixed token", { token: { header: "x-august-token" } }],
];

const WORTH = {
  proved: "The request headers prove who sent this event.",
  missing: "The request headers lack what the scheme asks for.",
  too_long: "A header is longer than any signature needs.",
  malformed: "Nothing in the request headers has the form of a signature.",
  id_invalid: "The id of the message is not one.",
  timestamp_invalid: "The timestamp is not a number of seconds.",
  timestamp_too_old: "The timestamp is too far in the past.",
  timestamp_too_new: "The timestamp is too far in the future.",
  mismatch: "This secret does not give the signature in the request headers.",
  header_ambiguous: "A header that proves who sent is repeated.",
};

export class Signing {
  /** `request` gives the body and the request headers. */
  constructor(sign, request, say) {
    this.sign = sign;
    this.request = request;
    this.say = say;
    this.scheme = byId("scheme");
    this.verify = byId("verify");
    this.secret = byId("secret");
    this.out = byId("signed");
    this.id = `msg_${Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) => byte.toString(36).padStart(2, "0")).join("")}`;
    for (const [name] of SCHEMES) this.scheme.append(element("option", name));
    this.#choose();
    this.scheme.addEventListener("change", () => {
      this.#choose();
      this.show();
    });
    for (const field of [this.verify, this.secret]) field.addEventListener("input", () => this.show());
  }

  #choose() {
    this.verify.value = JSON.stringify(SCHEMES[this.scheme.selectedIndex][1]);
  }

  /** Signs again: the body, the time or a field has changed. */
  show() {
    if (this.secret.value === "") {
      this.out.replaceChildren(element("p.muted", "Type a secret: it signs here, and goes into no link."));
      return;
    }
    let verify;
    try {
      verify = JSON.parse(this.verify.value);
    } catch {
      this.out.replaceChildren(element("p.fault", "`verify` is not JSON."));
      return;
    }
    const { body, headers } = this.request();
    const question = { verify, secret: this.secret.value, id: this.id, nowS: now(), headers };
    const reply = this.sign(body, question);
    if (reply.error) {
      this.out.replaceChildren(element("p.fault", reply.error));
      return;
    }
    const text = reply.headers.map(([name, value]) => `${name}: ${value}`).join("\n");
    const head = element("p.row", [
      "Headers to send with this body",
      element("span.spacer"),
      copyButton("the signed headers", () => text, this.say),
    ]);
    const worth =
      reply.check && element(reply.check === "proved" ? "p.notice.good" : "p.notice.bad", WORTH[reply.check]);
    this.out.replaceChildren(...[head, element("pre.http", text), worth].filter(Boolean));
  }
}

/** In seconds since 1970. */
export function now() {
  return Math.floor(Date.now() / 1000);
}

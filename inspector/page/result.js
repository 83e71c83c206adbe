// What would become of an event, in words and tables. Every judgement in it is the core's.

import { copyButton, element } from "./dom.js";

/** In the words of Envoy. */
const REASONS = {
  200: "OK",
  202: "Accepted",
  400: "Bad Request",
  401: "Unauthorized",
  404: "Not Found",
  405: "Method Not Allowed",
  413: "Payload Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Entity",
  503: "Service Unavailable",
};

/** One sentence, for those who hear it. */
export function sentence(judgement) {
  const { outcome, title, quarantined, subject, errors } = judgement;
  if (outcome === "forwarded") {
    const accounts = subject?.accounts.map((account) => account.connectedAccountId).join(" and ");
    return accounts ? `Forwarded to ${accounts}.` : "Forwarded, without an account.";
  }
  if (outcome === "asks_the_directory") return "The account directory would be asked whose it is.";
  const places = errors.length === 1 ? " One fault." : errors.length > 1 ? ` ${errors.length} faults.` : "";
  return `${quarantined ? "Quarantined" : "Refused"}: ${title}.${places}`;
}

/** The line on top. */
export function verdict(judgement) {
  const { outcome, title, quarantined, retry, answer, source, subject, event } = judgement;
  const of = event ? `${event.eventType}${event.known ? "" : ", a type without a schema of its own"}` : null;
  if (outcome === "forwarded") {
    const accounts = subject.accounts.map(({ connectedAccountId }) => connectedAccountId).join(", ");
    const head = element("strong", ["Forwarded", element("code", accounts ? `to ${accounts}` : "without an account")]);
    return element("div.verdict.good", [head, element("span", `${of}, from ${source}`)]);
  }
  if (outcome === "asks_the_directory") {
    const head = element("strong", ["Asks the directory", element("code", "whose it is")]);
    const why = "No account of the configuration owns its ids. This page asks nobody: the answer decides.";
    return element("div.verdict.warn", [head, element("span", why)]);
  }
  const what = quarantined ? "Quarantined" : retry ? "Deferred" : "Refused";
  const head = element("strong", [what, element("code", `${outcome} · ${answer.status}`)]);
  const advice = quarantined
    ? "It goes to the quarantine sink; its sender need not send it again."
    : retry
      ? "Its sender should send it again, unchanged and later."
      : "Sending it again unchanged changes nothing.";
  return element(`div.verdict.${quarantined || retry ? "warn" : "bad"}`, [
    head,
    element("span", `${title}. ${advice}`),
  ]);
}

/** Everything below it. */
export function details(judgement, goTo, say) {
  const sections = [];
  if (judgement.errors.length > 0) sections.push(errors(judgement, goTo));
  if (judgement.subject) sections.push(subject(judgement));
  if (judgement.answer) sections.push(answer(judgement, say));
  else if (judgement.outcome === "forwarded") sections.push(upstreamAnswers());
  if (judgement.headers.length > 0) sections.push(headers(judgement, say));
  if (judgement.removed.length > 0) sections.push(removed(judgement));
  return sections;
}

function section(title, more, children) {
  const heading = element("h3", [title, ...more]);
  return element("section", [heading, ...children]);
}

function errors({ errors }, goTo) {
  const inOrder = errors.toSorted((one, other) => (one.place?.startByte ?? 0) - (other.place?.startByte ?? 0));
  const items = inOrder.map(({ pointer, message, place }) => {
    const where = place ? `line ${place.line}, col ${place.column}` : "";
    const what = element("span", [pointer !== null && element("code", pointer || "the whole event"), message]);
    const button = element("button", [element("span.where", where), what], { type: "button" });
    button.addEventListener("click", () => place && goTo(place));
    return element("li", [button]);
  });
  const list = element("ul.errors", items);
  return section("Faults", [element("span.muted", "choose one to go to its place")], [list]);
}

function subject({ subject, event }) {
  const rows = subject.ids.flatMap(({ kind, id, owners }) => [
    element("dt", kind),
    element("dd", [
      element("code", id),
      element("span.muted", owners.length > 0 ? `owned by ${owners.join(", ")}` : "not in the configuration"),
    ]),
  ]);
  if (subject.ids.length === 0)
    rows.push(element("dt", "ids"), element("dd", "none: no device, bridge or access code"));
  if (subject.accounts.length > 0) {
    const accounts = subject.accounts.map(({ connectedAccountId, customerKey }) =>
      customerKey === null ? connectedAccountId : `${connectedAccountId} of ${customerKey}`,
    );
    rows.push(element("dt", "assigned to"), element("dd", `${accounts.join(", ")}, by its ${subject.assignedBy}`));
  }
  rows.push(element("dt", "instant"), element("dd", [element("code", event.timestamp)]));
  return section("Subject", [], [element("dl.grid", rows)]);
}

function answer({ answer, retry }, say) {
  const lines = [
    `HTTP/1.1 ${answer.status} ${REASONS[answer.status] ?? ""}`,
    ...answer.headers.map(([name, value]) => `${name}: ${value}`),
  ];
  const text = `${lines.join("\n")}\n\n${answer.body}`;
  const shown = `${lines.join("\n")}\n\n${JSON.stringify(JSON.parse(answer.body), null, 2)}`;
  const hint = retry ? element("span.muted", "retry-after is spread: the earliest is shown") : null;
  return section(
    "The sender gets",
    [hint, element("span.spacer"), copyButton("the answer", () => text, say)].filter(Boolean),
    [element("pre.http", shown)],
  );
}

function upstreamAnswers() {
  return section(
    "The sender gets",
    [],
    [
      element(
        "p.muted",
        "Upstream's own answer if it is 2xx or 4xx (but 410); else 503 upstream_unavailable, after the retries.",
      ),
    ],
  );
}

function headers({ headers, quarantined }, say) {
  const rows = headers.map(([name, value]) =>
    element(name.startsWith("x-envoy-") ? "tr.router" : "tr", [
      element("th", name, { scope: "row" }),
      element("td", value),
    ]),
  );
  const text = () => headers.map(([name, value]) => `${name}: ${value}`).join("\n");
  const title = quarantined ? "The quarantine sink gets" : "Upstream gets";
  const hint = element("span.muted", "the same bytes, and these headers");
  return section(
    title,
    [hint, element("span.spacer"), copyButton("the headers", text, say)],
    [element("table", [element("tbody", rows)])],
  );
}

function removed({ removed }) {
  return section("Removed from the request", [], [element("p", [element("code", removed.join(", "))])]);
}

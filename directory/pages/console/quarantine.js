// Quarantine: events that were set aside, what of them may be shown, replaying and dropping them.

import { PAGE_SIZE, get, path, post, remove } from "./api.js";
import { ask } from "./dialog.js";
import { ago, bytes, choice, count, empty, facts, field, h, id, none, say, span, table, tag, when } from "./dom.js";
import { pages, searchForm } from "./list.js";
import { link } from "./place.js";

/** The most events of one replay. */
const MOST = 100;

const OUTCOMES = {
  replayed: ["replayed", "good"],
  refused: ["refused", "bad"],
  unreachable: ["edge unreachable", "bad"],
  busy: ["being replayed", "warn"],
  absent: ["gone", ""],
  not_tried: ["not tried", "warn"],
};

export const quarantine = {
  frame(place, { refresh }) {
    if (place.item !== null) {
      return { title: `Event ${place.item}`, back: { href: link("quarantine"), text: "Quarantine" } };
    }
    const given = (name) => place.parameters.get(name) ?? "";
    const input = (name, placeholder) =>
      h("input", { type: "search", name, value: given(name), autocomplete: "off", spellcheck: "false", placeholder });
    const toolbar = searchForm(
      "quarantine",
      [
        field("Source", input("source", "all sources")),
        field("Cause", input("cause", "all causes")),
        field(
          "State",
          choice(
            "state",
            [
              ["", "any"],
              ["waiting", "waiting"],
              ["replayed", "replayed"],
            ],
            given("state"),
          ),
        ),
      ],
      {
        refresh,
        more: [h("button", { type: "button", class: "primary", id: "replay-many", hidden: true }, "Replay waiting…")],
      },
    );
    return { title: "Quarantine", toolbar };
  },

  load(place, context) {
    return place.item === null ? loadList(place, context) : loadEvent(place, context);
  },
};

async function loadList(place, context) {
  const { signal, overview } = context;
  const button = document.getElementById("replay-many");
  button.hidden = !overview.quarantine?.can_replay || overview.quarantine.waiting === 0;
  button.onclick = () => replayMany(place, context);
  if (overview.quarantine === null) {
    const said = "No quarantine is configured";
    return {
      said,
      nodes: [
        empty(said, "With `[quarantine]` in its configuration, the service keeps events that the filter sets aside."),
      ],
    };
  }
  const { source, cause, state } = filterOf(place);
  const query = { source, cause, state, limit: PAGE_SIZE, page_cursor: place.parameters.get("after") };
  const list = await get(path(["v1", "quarantine"], query), { signal });
  const isFiltered = [source, cause, state].some((value) => value !== null);
  const body =
    list.items.length > 0
      ? table("Quarantined events, oldest first", columns(), list.items)
      : empty(
          isFiltered ? "No event is like this" : "The quarantine is empty",
          isFiltered ? "Sources and causes have to be given whole." : "Nothing waits, and nothing was replayed lately.",
        );
  const said = `${count(list.items.length, "event")} shown`;
  return { said, nodes: [room(overview.quarantine), body, pages("quarantine", place, list)] };
}

function filterOf(place) {
  const given = (name) => place.parameters.get(name) || null;
  return { source: given("source"), cause: given("cause"), state: given("state") };
}

function columns() {
  return [
    ["No.", (it) => h("a", { href: link("quarantine", it.id) }, it.id), "number"],
    ["Last seen", (it) => ago(it.last_seen_at)],
    ["State", (it) => stateOf(it)],
    ["Cause", (it) => id(it.cause)],
    ["Source", (it) => id(it.source)],
    ["Type", (it) => id(it.event_type)],
    ["About", (it) => id(it.device_id ?? it.bridge_id ?? it.access_code_id)],
    ["Seen", (it) => `${it.times_seen.toLocaleString("en")}×`, "number"],
    ["Last replay", (it) => lastReplay(it)],
  ];
}

function stateOf(event) {
  return event.state === "waiting" ? tag("waiting", "warn") : tag(event.state, "good");
}

function lastReplay(event) {
  if (event.replay_attempts === 0) return none();
  const answer =
    event.replay_status === null ? "no answer" : [event.replay_status, event.replay_cause].filter(Boolean).join(" · ");
  return h(
    "span",
    {},
    `${answer} `,
    h("span", { class: "muted" }, event.replay_attempts > 1 ? `(${event.replay_attempts}×)` : ""),
  );
}

function room(quarantine) {
  const { waiting, replayed, oldest_waiting_at: oldest, max_age_ms: age } = quarantine;
  const number = (value, text) => h("li", {}, h("b", {}, value), ` ${text}`);
  const left = oldest === null ? null : age - (Date.now() - oldest);
  return h(
    "div",
    { class: "counts" },
    h(
      "ul",
      {},
      number(waiting.toLocaleString("en"), "waiting"),
      number(replayed.toLocaleString("en"), "replayed"),
      number(bytes(quarantine.bytes), `of ${bytes(quarantine.max_bytes)}`),
      oldest !== null &&
        h(
          "li",
          {},
          "oldest waiting ",
          h("b", {}, span(Math.max(0, Date.now() - oldest))),
          left > 0 ? `, goes in ${span(left)} unless replayed` : ", goes now",
        ),
    ),
    !quarantine.can_replay && h("p", { class: "muted" }, "There is no `quarantine.edge_url`: nothing can be replayed."),
  );
}

async function loadEvent(place, context) {
  const event = await get(path(["v1", "quarantine", place.item]), { signal: context.signal });
  const body = event.body_is_json ? JSON.stringify(event.masked_body, null, 2) : event.masked_body;
  const kind = event.body_is_json ? "JSON" : "no strict JSON: letters and digits are replaced";
  return {
    said: `Event ${event.id}, ${event.state}`,
    nodes: [
      actions(event, context),
      h("div", { id: "came" }),
      facts([
        ["State", stateOf(event)],
        ["Cause", id(event.cause)],
        ["Source", id(event.source)],
        ["Environment", id(event.environment)],
        known("Type", event.event_type),
        known("Time", event.event_timestamp),
        known("Device", event.device_id),
        known("Bridge", event.bridge_id),
        known("Access code", event.access_code_id),
        ["Event id", id(event.event_id)],
        ["Path", id(event.path)],
        ["Media type", id(event.content_type)],
        known("Partition key", event.partition_key),
        ["First seen", when(event.first_seen_at)],
        [
          "Last seen",
          h(
            "span",
            {},
            when(event.last_seen_at),
            event.times_seen > 1 ? ` · ${event.times_seen.toLocaleString("en")}×` : "",
          ),
        ],
        [
          "Last replay",
          event.replay_attempts === 0 ? none() : h("span", {}, when(event.replayed_at), " · ", lastReplay(event)),
        ],
      ]),
      h(
        "section",
        { class: "body" },
        h("h2", {}, "Body ", h("span", { class: "muted" }, `${bytes(event.body_bytes)}, ${kind}`)),
        event.body_is_json && h("p", { class: "muted" }, "Secrets are ***, and longer runs of digits are zeros."),
        body === ""
          ? h("p", { class: "muted" }, "It is empty.")
          : h("pre", { tabindex: "0", role: "region", "aria-label": "Body, masked" }, body),
      ),
    ],
  };
}

/** What the filter could read of an event it could not take; what it could not is left out. */
function known(name, text) {
  return text === null ? null : [name, id(text)];
}

function actions(event, context) {
  const replay = h(
    "button",
    { type: "button", class: event.state === "waiting" ? "primary" : null, onclick: () => replayOne(event, context) },
    event.state === "waiting" ? "Replay" : "Replay again",
  );
  const drop = h("button", { type: "button", class: "danger", onclick: () => dropOne(event, context) }, "Drop…");
  return h("div", { class: "actions" }, context.overview.quarantine?.can_replay ? replay : null, drop);
}

async function replayOne(event, { refresh }) {
  const actions = document.querySelector(".actions");
  if (actions.getAttribute("aria-busy") === "true") return;
  // Disabled buttons would lose the focus.
  actions.setAttribute("aria-busy", "true");
  say("Replaying…");
  let notice;
  try {
    const came = await post(path(["v1", "quarantine", event.id, "replay"]));
    notice = outcome(came);
  } catch (error) {
    notice = failed(error);
  }
  await refresh();
  document.getElementById("came")?.replaceChildren(notice);
  /** @type {HTMLElement | null} */ (document.querySelector(".actions button"))?.focus();
  say(notice.textContent);
}

function outcome(came) {
  const [text, kind] = OUTCOMES[came.outcome] ?? [came.outcome, ""];
  const more = [came.status === null ? null : `status ${came.status}`, came.cause].filter(Boolean).join(", ");
  const what = {
    replayed: "The edge has accepted the event.",
    refused: "The edge has not accepted it; it waits on.",
    unreachable: "The edge did not answer. It may have the event; it waits on.",
  };
  return h(
    "div",
    { class: `notice ${kind}` },
    h("p", {}, h("b", {}, capital(text)), more === "" ? ". " : ` (${more}). `, what[came.outcome] ?? ""),
  );
}

function failed(error) {
  return h(
    "div",
    { class: "notice bad" },
    h("p", {}, h("b", {}, error.title ?? "This page failed"), `: ${error.message}.`),
  );
}

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}

async function dropOne(event, { leaveFor }) {
  if (document.querySelector(".actions").getAttribute("aria-busy") === "true") return;
  const isSure = await ask({
    title: `Drop event ${event.id}?`,
    text: "It goes for good. Its sender was told that it is kept, and will not send it again.",
    action: "Drop the event",
    isDangerous: true,
  });
  if (!isSure) return;
  try {
    await remove(path(["v1", "quarantine", event.id]));
  } catch (error) {
    const notice = failed(error);
    document.getElementById("came").replaceChildren(notice);
    say(notice.textContent);
    return;
  }
  await leaveFor(link("quarantine"), `Event ${event.id} is dropped.`);
}

async function replayMany(place, { refresh }) {
  const { source, cause } = filterOf(place);
  const of = [
    source === null ? "of every source" : `of source ${source}`,
    cause === null ? "with any cause" : `with cause ${cause}`,
  ].join(", ");
  const limit = h("input", {
    type: "number",
    name: "limit",
    min: "1",
    max: String(MOST),
    value: String(MOST),
    required: true,
  });
  const isSure = await ask({
    title: "Replay waiting events?",
    text: `The oldest that wait, ${of}, are posted to the edge again: those of one partition key in order. When the edge does not answer, no more are begun.`,
    more: [field(`At most (1–${MOST})`, limit)],
    action: "Replay",
  });
  if (!isSure) return;
  await replayBatch({ source, cause, limit: Number(limit.value), page_cursor: null }, refresh);
}

/** Replays a part, shows what came of each, and offers the next part. */
async function replayBatch(which, refresh) {
  const button = /** @type {HTMLButtonElement} */ (document.getElementById("replay-many"));
  button.disabled = true;
  say("Replaying…");
  let node;
  try {
    const given = Object.fromEntries(Object.entries(which).filter(([, value]) => value !== null));
    const came = await post("v1/quarantine/replay", given);
    node = batch(came, (cursor) => replayBatch({ ...which, page_cursor: cursor }, refresh));
  } catch (error) {
    node = failed(error);
  }
  button.disabled = false;
  await refresh();
  const results = document.getElementById("results");
  results.prepend(
    h("div", { id: "came", tabindex: "-1", role: "group", "aria-label": "What came of the replay" }, node),
  );
  document.getElementById("came").focus();
  say(node.textContent);
}

function batch(came, goOn) {
  const by = Map.groupBy(came.items, (item) => item.outcome);
  const parts = [...by].map(([name, items]) => `${items.length.toLocaleString("en")} ${(OUTCOMES[name] ?? [name])[0]}`);
  const text = came.items.length === 0 ? "No event like this waits." : `${parts.join(", ")}.`;
  const others = came.items.filter((item) => item.outcome !== "replayed");
  const isGood = came.items.length > 0 && others.length === 0;
  return h(
    "div",
    { class: `notice ${isGood ? "good" : others.length > 0 ? "bad" : ""}` },
    h("p", {}, h("b", {}, text)),
    others.length > 0 &&
      table(
        "Events that were not replayed",
        [
          ["No.", (it) => h("a", { href: link("quarantine", it.id) }, it.id), "number"],
          ["Outcome", (it) => tag(...(OUTCOMES[it.outcome] ?? [it.outcome]))],
          ["Status", (it) => it.status ?? none(), "number"],
          ["Cause", (it) => id(it.cause)],
        ],
        others,
      ),
    came.next_page_cursor !== null &&
      h("button", { type: "button", onclick: () => goOn(came.next_page_cursor) }, "Go on with the next"),
  );
}

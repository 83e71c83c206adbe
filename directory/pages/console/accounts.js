// Accounts: found by customer or id, how far they are, what they have.

import { PAGE_SIZE, get, path } from "./api.js";
import { ago, choice, count, empty, facts, field, h, id, none, table, tag, when } from "./dom.js";
import { pages, searchForm } from "./list.js";
import { link } from "./place.js";

const STATES = {
  ready: ["ready", "good"],
  connected: ["first sync pending", "warn"],
  disconnected: ["disconnected", "bad"],
};

/** What an account has: each a list of its own. */
const PARTS = {
  ids: { name: "Ids", nothing: "It owns no ids: no event is assigned to it." },
  devices: { name: "Devices", nothing: "No devices were synced. Imported accounts have ids only." },
  acs_systems: { name: "Access systems", nothing: "It has no access control systems." },
  acs_entrances: { name: "Entrances", nothing: "It has no entrances." },
};

const KINDS = { device_id: "device", bridge_id: "bridge", access_code_id: "access code" };

export const accounts = {
  frame(place, { refresh }) {
    if (place.item !== null) {
      return { title: place.item, back: { href: link("accounts"), text: "Accounts" } };
    }
    const given = (name) => place.parameters.get(name) ?? "";
    const toolbar = searchForm(
      "accounts",
      [
        field(
          "Customer key or account id",
          h("input", {
            type: "search",
            name: "q",
            value: given("q"),
            autocomplete: "off",
            spellcheck: "false",
            placeholder: "all accounts",
          }),
        ),
        field(
          "Sync",
          choice(
            "sync",
            [
              ["", "any"],
              ["failing", "failing"],
            ],
            given("sync"),
          ),
        ),
      ],
      { refresh },
    );
    return { title: "Accounts", toolbar };
  },

  load(place, context) {
    return place.item === null ? loadList(place, context) : loadAccount(place, context);
  },
};

async function loadList(place, { signal, overview }) {
  const q = (place.parameters.get("q") ?? "").trim();
  const sync = place.parameters.get("sync") === "failing" ? "failing" : null;
  const query = { q, sync, limit: PAGE_SIZE, page_cursor: place.parameters.get("after") };
  const list = await get(path(["v1", "accounts"], query), { signal });
  if (list.items.length === 0) return nothingFound(q, sync, overview);
  const said = `${count(list.items.length, "account")} shown`;
  return { said, nodes: [table("Accounts", columns(), list.items), pages("accounts", place, list)] };
}

function nothingFound(q, sync, overview) {
  if (q !== "") {
    const said = "No account found";
    return { said, nodes: [empty(said, "Keys and ids have to be given whole, and capitals count.")] };
  }
  if (sync !== null) {
    const said = "No sync is failing";
    return { said, nodes: [empty(said)] };
  }
  const how =
    overview.sync === null
      ? "Import some with `bellhop import FILE`."
      : "Let a customer connect with `bellhop connect`, or import some with `bellhop import FILE`.";
  return { said: "There are no accounts", nodes: [empty("There are no accounts yet", how)] };
}

function columns() {
  return [
    [
      "Account",
      (it) => h("a", { href: link("accounts", it.connected_account_id), class: "mono id" }, it.connected_account_id),
    ],
    [
      "Customer",
      (it) =>
        it.customer_key === null
          ? none()
          : h("a", { href: link("accounts", null, { q: it.customer_key }), class: "mono id" }, it.customer_key),
    ],
    ["State", (it) => tag(...(STATES[it.state] ?? [it.state]))],
    ["From", (it) => origin(it)],
    ["Last sync", (it) => ago(it.synced_at)],
    ["Next due", (it) => due(it.sync)],
    ["Sync", (it) => failure(it)],
  ];
}

function origin(account) {
  if (account.origin === "import") return "import";
  return account.provider === null ? "Seam" : `Seam · ${account.provider}`;
}

function due(sync) {
  if (sync === null) return none();
  return sync.is_running ? tag("running", "warn") : ago(sync.due_at);
}

function failure({ sync, synced_at }) {
  if (sync === null) return none();
  if (sync.attempts === 0) return synced_at === null ? tag("not yet") : tag("ok", "good");
  return tag(`failed ${sync.attempts}× · ${sync.last_error ?? "unknown"}`, "bad");
}

async function loadAccount(place, { signal }) {
  const part = place.parameters.get("part") in PARTS ? place.parameters.get("part") : "ids";
  const kind = part === "ids" ? place.parameters.get("kind") : null;
  const base = ["v1", "accounts", place.item];
  const query = { limit: PAGE_SIZE, page_cursor: place.parameters.get("after"), kind };
  const [account, list] = await Promise.all([
    get(path(base), { signal }),
    get(path([...base, part], query), { signal }),
  ]);
  const name = PARTS[part].name;
  const body =
    list.items.length === 0
      ? empty(kind === null ? PARTS[part].nothing : "It owns none of this kind.")
      : table(`${name} of the account`, PART_COLUMNS[part](), list.items);
  return {
    said: `${name}: ${count(list.items.length, "item")} shown`,
    nodes: [
      summary(account),
      tabs(place, part),
      part === "ids" && kinds(place, kind),
      body,
      pages("accounts", place, list),
    ],
  };
}

function summary(account) {
  const { sync } = account;
  return facts([
    ["State", tag(...(STATES[account.state] ?? [account.state]))],
    [
      "Customer",
      account.customer_key === null
        ? none()
        : h("a", { href: link("accounts", null, { q: account.customer_key }), class: "mono id" }, account.customer_key),
    ],
    ["From", origin(account)],
    [
      "Source",
      account.source === null
        ? h("span", { class: "muted" }, account.origin === "import" ? "its ids say it" : "none: its ids assign nothing")
        : id(account.source),
    ],
    ["Last sync", when(account.synced_at)],
    ["Next due", sync === null ? none() : sync.is_running ? tag("running", "warn") : when(sync.due_at)],
    sync === null
      ? null
      : [
          "Failed attempts",
          sync.attempts === 0 ? "0" : tag(`${sync.attempts} · ${sync.last_error ?? "unknown"}`, "bad"),
        ],
    ["First stored", when(account.created_at)],
    ["Last told of", when(account.updated_at)],
  ]);
}

function tabs(place, part) {
  const tab = ([key, { name }]) =>
    h("a", { href: link("accounts", place.item, { part: key }), "aria-current": key === part ? "true" : null }, name);
  return h("nav", { class: "tabs", "aria-label": "What it has" }, Object.entries(PARTS).map(tab));
}

function kinds(place, kind) {
  const to = (key, name) =>
    h(
      "a",
      { href: link("accounts", place.item, { part: "ids", kind: key }), "aria-current": key === kind ? "true" : null },
      name,
    );
  return h(
    "nav",
    { class: "kinds", "aria-label": "Kind of id" },
    to(null, "all kinds"),
    Object.entries(KINDS).map(([key, name]) => to(key, `${name}s`)),
  );
}

const PART_COLUMNS = {
  ids: () => [
    ["Id", (it) => id(it.id)],
    ["Kind", (it) => KINDS[it.kind] ?? it.kind],
    ["Source", (it) => (it.source === null ? "every source" : id(it.source))],
  ],
  devices: () => [
    ["Device", (it) => id(it.device_id)],
    ["Name", (it) => it.display_name ?? none()],
    ["Type", (it) => it.device_type ?? none()],
    ["Managed", (it) => (it.is_managed ? "yes" : "no")],
    ["Source", (it) => id(it.source)],
    [
      "Ids in events",
      (it) =>
        h(
          "span",
          { class: "several" },
          it.ids.map((owned) => id(owned.id)),
        ),
    ],
  ],
  acs_systems: () => [
    ["System", (it) => id(it.acs_system_id)],
    ["Name", (it) => it.display_name ?? none()],
    ["Type", (it) => it.system_type ?? none()],
  ],
  acs_entrances: () => [
    ["Entrance", (it) => id(it.acs_entrance_id)],
    ["Name", (it) => it.display_name ?? none()],
    ["System", (it) => id(it.acs_system_id)],
  ],
};

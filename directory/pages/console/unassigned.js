// Unassigned: what the filter asked for, lately, and nobody owns.

import { PAGE_SIZE, get, path } from "./api.js";
import { ago, choice, count, empty, field, h, id, span, table, tag } from "./dom.js";
import { pages, searchForm } from "./list.js";

const REASONS = {
  unknown: ["nobody owns it", "warn"],
  conflict: ["owners differ", "bad"],
  contradiction: ["links contradicted", "bad"],
};

export const unassigned = {
  frame(place, { refresh }) {
    const given = (name) => place.parameters.get(name) ?? "";
    const options = [["", "any"], ...Object.entries(REASONS).map(([value, [text]]) => [value, text])];
    const toolbar = searchForm(
      "unassigned",
      [
        field(
          "Source",
          h("input", {
            type: "search",
            name: "source",
            value: given("source"),
            autocomplete: "off",
            spellcheck: "false",
            placeholder: "all sources",
          }),
        ),
        field("Reason", choice("reason", options, given("reason"))),
      ],
      { refresh },
    );
    return { title: "Unassigned", toolbar };
  },

  async load(place, { signal, overview }) {
    const query = {
      source: place.parameters.get("source"),
      reason: place.parameters.get("reason"),
      limit: PAGE_SIZE,
      page_cursor: place.parameters.get("after"),
    };
    const list = await get(path(["v1", "unassigned"], query), { signal });
    const columns = [
      ["Device", (it) => id(it.device_id)],
      ["Bridge", (it) => id(it.bridge_id)],
      ["Access code", (it) => id(it.access_code_id)],
      ["Source", (it) => id(it.source)],
      ["Why", (it) => tag(...(REASONS[it.reason] ?? [it.reason]))],
      ["Times", (it) => `${it.times_seen.toLocaleString("en")}×`, "number"],
      ["First", (it) => ago(it.first_seen_at)],
      ["Last", (it) => ago(it.last_seen_at)],
    ];
    const isFiltered = query.source !== null || query.reason !== null;
    const body =
      list.items.length > 0
        ? table("What led to no account, newest first", columns, list.items)
        : empty(
            isFiltered || list.next_page_cursor !== null
              ? "Nothing of this kind"
              : "Nothing was asked for that nobody owns",
            "What gets an account leaves this list.",
          );
    const said = `${count(list.items.length, "entry", "entries")} shown`;
    return { said, nodes: [counts(overview), body, pages("unassigned", place, list)] };
  },
};

/** What this process has answered: the rings of several processes are several. */
function counts({ started_at, questions, links }) {
  const number = (value, text) => h("li", {}, h("b", {}, value.toLocaleString("en")), ` ${text}`);
  return h(
    "div",
    { class: "counts" },
    h(
      "p",
      { class: "muted" },
      `This process, in the ${span(Math.max(1000, Date.now() - started_at))} since it started:`,
    ),
    h(
      "ul",
      {},
      number(questions.assigned, "assigned"),
      number(questions.unknown, "unknown"),
      number(questions.conflict, "in conflict"),
      number(links.stored, links.stored === 1 ? "link learned" : "links learned"),
      number(links.contradicted, links.contradicted === 1 ? "link contradicted" : "links contradicted"),
    ),
  );
}

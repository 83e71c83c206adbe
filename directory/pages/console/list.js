// What lists share: the form that narrows them, and the way from page to page. Both change the address, and nothing else.

import { h } from "./dom.js";
import { here, link } from "./place.js";

/** A form whose fields become the query of the address. The buttons of `more` stand at its end. */
export function searchForm(view, fields, { refresh, more = [] }) {
  const submit = (event) => {
    event.preventDefault();
    const given = Object.fromEntries(
      [...new FormData(event.currentTarget)].map(([name, value]) => [name, String(value).trim()]),
    );
    const to = link(view, null, given);
    // The same question again is answered again.
    if (to === link(view, null, Object.fromEntries(here().parameters))) refresh();
    else location.hash = to;
  };
  // A choice is made with its key or click; text is sent with Enter.
  const change = (event) => event.target instanceof HTMLSelectElement && event.currentTarget.requestSubmit();
  return h(
    "form",
    { class: "toolbar", role: "search", onsubmit: submit, onchange: change },
    fields,
    h(
      "div",
      { class: "buttons" },
      h("button", { type: "submit" }, "Search"),
      h("button", { type: "button", onclick: () => refresh() }, "Refresh"),
      more,
    ),
  );
}

/** Links to the first and the next page, as far as there are such. */
export function pages(view, place, list) {
  const query = Object.fromEntries(place.parameters);
  delete query.after;
  const to = (after, text) => h("a", { class: "button", href: link(view, place.item, { ...query, after }) }, text);
  const isFirst = !place.parameters.has("after");
  if (isFirst && list.next_page_cursor === null) return null;
  return h(
    "nav",
    { class: "pages", "aria-label": "Pages" },
    !isFirst && to(null, "First page"),
    list.next_page_cursor === null
      ? h("span", { class: "muted" }, "This is the last page.")
      : to(list.next_page_cursor, "Next page"),
  );
}

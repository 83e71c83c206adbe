// Where one is: the fragment of the address, `#/view/item?filter=…`. It never leaves the browser, reloading and going back keep
// it, and no secret is put into it.

import { path } from "./api.js";

export const VIEWS = ["accounts", "unassigned", "quarantine"];

/** The place that the address says; the first view if it says none. */
export function here() {
  const [before, query = ""] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [view, ...rest] = before.split("/");
  const parameters = new URLSearchParams(query);
  if (!VIEWS.includes(view)) return { view: VIEWS[0], item: null, parameters: new URLSearchParams() };
  return { view, item: rest.length === 0 || rest[0] === "" ? null : decoded(rest[0]), parameters };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The address of a place. */
export function link(view, item, query = {}) {
  const parts = item === null || item === undefined ? [view] : [view, item];
  return `#/${path(parts, query)}`;
}

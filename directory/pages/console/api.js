// Asking the service. The token lives in this tab's session storage: it survives a reload, no other tab has it, and it goes
// when the tab is closed. It is in no address and in no lasting storage.

const KEY = "bellhop-token";

/** Below this file's own folder stands the page, beside it the routes: also behind a proxy that puts a path in front. */
const ROOT = new URL("../", import.meta.url);

export const PAGE_SIZE = 50;

/** A refusal, or no answer: `status` is 0 then. */
export class Refusal extends Error {
  constructor(status, title, detail) {
    super(detail);
    this.status = status;
    this.title = title;
  }
}

export const token = {
  get: () => sessionStorage.getItem(KEY),
  keep: (value) => sessionStorage.setItem(KEY, value),
  forget: () => sessionStorage.removeItem(KEY),
  /** As the configuration takes one: anything else could not be a header. */
  isGood: (value) => /^[\x21-\x7e]{16,1024}$/.test(value),
};

/** A path of these parts, percent-encoded, with what is there of the query. */
export function path(parts, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const text = parts.map(encodeURIComponent).join("/");
  return given.length === 0 ? text : `${text}?${new URLSearchParams(given)}`;
}

/**
 * @param {string} method
 * @param {string} where the path, from the root of the service
 * @param {{ signal?: AbortSignal, body?: unknown, bearer?: string }} [options]
 */
async function ask(method, where, { signal, body, bearer = token.get() } = {}) {
  const headers = { accept: "application/json", authorization: `Bearer ${bearer}` };
  if (body !== undefined) headers["content-type"] = "application/json";
  /** @type {RequestInit} */
  const options = {
    method,
    headers,
    signal,
    cache: "no-store",
    credentials: "omit",
    referrerPolicy: "no-referrer",
    redirect: "error",
  };
  let response;
  try {
    response = await fetch(new URL(where, ROOT), {
      ...options,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, "The service does not answer", "It may be down, or the network between.");
  }
  if (response.status === 204) return null;
  const value = await response.json().catch((error) => {
    if (error.name === "AbortError") throw error;
    return null;
  });
  if (response.ok && value !== null) return value;
  const title = typeof value?.title === "string" ? value.title : `The service answered ${response.status}`;
  throw new Refusal(response.status, title, typeof value?.detail === "string" ? value.detail : "It did not say why.");
}

export const get = (where, options) => ask("GET", where, options);
export const post = (where, body, options) => ask("POST", where, { ...options, body });
export const remove = (where, options) => ask("DELETE", where, options);

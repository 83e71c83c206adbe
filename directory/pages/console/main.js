// The frame: the token, the place, loading, what went wrong. What a view shows stands in its own file.

import { Refusal, get, token } from "./api.js";
import { accounts } from "./accounts.js";
import { count, h, say } from "./dom.js";
import { here } from "./place.js";
import { quarantine } from "./quarantine.js";
import { unassigned } from "./unassigned.js";

const VIEWS = { accounts, unassigned, quarantine };
const NAMES = { accounts: "Accounts", unassigned: "Unassigned", quarantine: "Quarantine" };

const main = document.getElementById("main");
const views = document.getElementById("views");
const leave = document.getElementById("leave");

/** What was done before one came here, to be said with what is here. */
let done = null;

/** What is shown: its view and item, and what stops it. */
let shown = { place: null, stop: new AbortController() };

/** Shows the place that the address says. `moved`: the reader has gone there, and the focus goes along. */
async function show({ moved }) {
  if (token.get() === null) return askForToken();
  const place = here();
  const before = shown.place;
  shown.stop.abort();
  const stop = new AbortController();
  shown = { place, stop };
  const isNew = before === null || before.view !== place.view || before.item !== place.item;
  if (isNew) {
    views.hidden = leave.hidden = false;
    for (const a of views.querySelectorAll("a")) {
      if (a.dataset.view === place.view) a.setAttribute("aria-current", "page");
      else a.removeAttribute("aria-current");
    }
  }
  if (isNew) main.replaceChildren(...newFrame(place));
  else showFilter(place.parameters);
  const results = main.querySelector("#results");
  if (isNew && moved) main.querySelector("h1").focus();
  await load(place, stop.signal, results, { moved: moved && !isNew });
}

/** Lets the form say what the address says: one may have gone back. */
function showFilter(parameters) {
  /** @type {HTMLFormElement | null} */
  const form = main.querySelector("form.toolbar");
  for (const control of /** @type {Iterable<any>} */ (form?.elements ?? [])) {
    if (control.name !== "") control.value = parameters.get(control.name) ?? "";
  }
}

/** Heading, filter, and room for what comes. */
function newFrame(place) {
  const view = VIEWS[place.view];
  const { title, back, toolbar } = view.frame(place, { refresh });
  document.title = `${title} · Bellhop console`;
  const way = back === undefined ? null : h("p", { class: "back" }, h("a", { href: back.href }, `← ${back.text}`));
  const top = h("div", { class: "top" }, way, h("h1", { tabindex: "-1" }, title));
  const results = h("section", { id: "results", tabindex: "-1", "aria-label": NAMES[place.view], "aria-busy": "true" });
  return toolbar === undefined ? [top, results] : [top, toolbar, results];
}

/** Asks for the view's content and shows it, or why there is none. */
async function load(place, signal, results, { moved }) {
  results.setAttribute("aria-busy", "true");
  // What answers at once does not flash.
  const late = setTimeout(() => {
    if (results.childElementCount === 0) results.replaceChildren(h("p", { class: "muted loading" }, "Loading…"));
  }, 250);
  try {
    const overview = await get("v1/overview", { signal });
    showCounts(overview);
    const content = await VIEWS[place.view].load(place, { signal, overview, refresh, leaveFor });
    const notice = done === null ? null : h("p", { class: "notice" }, done);
    results.replaceChildren(...[notice, ...content.nodes].filter((node) => node instanceof Node));
    say([done, content.said].filter((text) => text !== null).join(" "));
    done = null;
    if (moved) results.focus();
  } catch (error) {
    if (error.name === "AbortError") return;
    if (error instanceof Refusal && error.status === 401) return tokenIsWrong();
    results.replaceChildren(wrong(error));
    if (!(error instanceof Refusal)) console.error(error);
  } finally {
    clearTimeout(late);
    if (!signal.aborted) results.setAttribute("aria-busy", "false");
  }
}

/** Shows the same place as it is now. The focus stays. */
function refresh() {
  return show({ moved: false });
}

/** Goes elsewhere from what is no more: nobody can come back to it. `what` was done is said there. */
function leaveFor(address, what) {
  done = what;
  history.replaceState(null, "", address);
  return show({ moved: true });
}

function showCounts(overview) {
  document.getElementById("count-accounts").textContent = overview.accounts.toLocaleString("en");
  const waiting = overview.quarantine?.waiting ?? 0;
  const place = document.getElementById("count-quarantine");
  place.textContent = waiting === 0 ? "" : waiting.toLocaleString("en");
  place.title = waiting === 0 ? "" : count(waiting, "event waits", "events wait");
}

function wrong(error) {
  const [title, detail] =
    error instanceof Refusal ? [error.title, error.message] : ["This page failed", "The browser's console says more."];
  const again = h("button", { type: "button", onclick: () => refresh() }, "Try again");
  return h(
    "div",
    { class: "notice bad", role: "alert" },
    h("p", { class: "title" }, title),
    h("p", {}, sentence(detail)),
    again,
  );
}

/** Details of problems are parts of sentences. */
function sentence(text) {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function tokenIsWrong() {
  token.forget();
  askForToken("The service does not know this token. Tokens are those under `tokens` in its configuration.");
}

/** Asks for the token in place of everything else. */
function askForToken(complaint = null) {
  shown.stop.abort();
  shown = { place: null, stop: new AbortController() };
  views.hidden = leave.hidden = true;
  document.title = "Bellhop console";
  const input = h("input", {
    id: "token",
    type: "password",
    autocomplete: "off",
    spellcheck: "false",
    autocapitalize: "off",
    "aria-describedby": "token-wrong token-where",
    required: true,
  });
  const fault = h("p", { id: "token-wrong", class: "fault", role: "alert" });
  const open = h("button", { type: "submit", class: "primary" }, "Open");
  const form = h(
    "form",
    { class: "gate", onsubmit: submit },
    h("h1", {}, "Open the console"),
    h("label", { class: "label", for: "token" }, "API token"),
    h("div", { class: "row" }, input, open),
    fault,
    h(
      "p",
      { id: "token-where", class: "muted" },
      "One of the service’s tokens. This tab keeps it until it is closed, in its session storage, so that reloading works; it is sent to this service only.",
    ),
  );
  // What is wrong is said in a sentence that stays.
  form.noValidate = true;
  main.replaceChildren(form);
  input.focus();
  if (complaint !== null) complain(complaint);

  function complain(text) {
    fault.textContent = text;
    input.setAttribute("aria-invalid", "true");
    input.focus();
    input.select();
  }

  async function submit(event) {
    event.preventDefault();
    const value = input.value.trim();
    if (!token.isGood(value)) return complain("A token is 16 to 1024 visible characters without spaces.");
    open.disabled = true;
    try {
      await get("v1/overview", { bearer: value });
    } catch (error) {
      open.disabled = false;
      if (error.status === 401) return complain("The service does not know this token.");
      return complain(`${error.title ?? "This page failed"}. ${sentence(error.message)}`);
    }
    token.keep(value);
    await show({ moved: true });
  }
}

leave.addEventListener("click", () => {
  token.forget();
  askForToken();
  say("The token is forgotten.");
});

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});

addEventListener("hashchange", () => show({ moved: true }));
show({ moved: false });

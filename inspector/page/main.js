// The page: what is typed goes to the core, what the core says is shown. It asks no server for anything after it has loaded.

import * as core from "./core.js";
import { byId, copy, element } from "./dom.js";
import { Editor } from "./editor.js";
import * as link from "./link.js";
import { details, sentence, verdict } from "./result.js";
import { Signing, now } from "./signing.js";

// A field with more is slow in any browser; the edge takes at most 4 MiB.
const MOST_BYTES = 1024 * 1024;
const TYPING_MS = 120;
const WARM_ROUNDS = 6;

const event = new Editor(byId("event-editor"));
const config = new Editor(byId("config-editor"));
const headers = byId("headers");
const source = byId("source");
const encoder = new TextEncoder();

/** The bytes of a file, as long as its text is not edited: a field cannot hold all of them. */
let file = null;
let timer = 0;
let sample = "";
let isFirst = true;
let said = "";

function say(text) {
  byId("said").textContent = text;
}

function note(text) {
  const shown = byId("note");
  shown.textContent = text;
  shown.hidden = text === "";
}

function body() {
  return file ?? encoder.encode(event.text);
}

/** Lines of `name: value`, a list of pairs. */
function requestHeaders() {
  return headers.value
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.indexOf(":") > 0)
    .map((line) => [line.slice(0, line.indexOf(":")).trim(), line.slice(line.indexOf(":") + 1).trim()]);
}

function judge() {
  clearTimeout(timer);
  const bytes = body();
  byId("size").textContent = `${bytes.length.toLocaleString("en")} bytes${file ? " of the file" : ""}`;
  if (bytes.length > MOST_BYTES) {
    refuse(
      `This page takes up to 1 MiB, and this is ${(bytes.length / MOST_BYTES).toFixed(1)} MiB. \`bellhop check FILE\` judges it.`,
    );
    return;
  }
  showSources();
  const question = { config: config.text, headers: requestHeaders(), nowS: now() };
  if (!byId("source-row").hidden) question.source = source.value;
  const started = performance.now();
  const { configError, judgement } = core.judge(bytes, question);
  performance.measure("inspector-judge", { start: started });
  byId("headers-summary").textContent = headers.value.trim() === "" ? "none" : `${requestHeaders().length}`;
  showConfigError(configError);
  if (configError) {
    refuse(`The configuration is refused: ${configError.path ? `${configError.path} ` : ""}${configError.message}`);
  } else {
    event.mark(judgement.errors.map((error) => error.place));
    byId("verdict").replaceChildren(verdict(judgement));
    byId("details").replaceChildren(...details(judgement, (place) => event.goTo(place), say));
    announce(sentence(judgement));
  }
  signing.show();
  if (isFirst) performance.mark("inspector-ready");
  isFirst = false;
}

function refuse(text) {
  event.mark([]);
  byId("verdict").replaceChildren(
    element("div.verdict.warn", [element("strong", "Not judged"), element("span", text)]),
  );
  byId("details").replaceChildren();
  announce(text);
}

/** Said once, not at every key. */
function announce(text) {
  if (text !== said) say(text);
  said = text;
}

function showConfigError(error) {
  config.mark(error ? [error.place] : []);
  byId("config-error").textContent = error ? `${error.path ? `${error.path}: ` : ""}${error.message}` : "";
  if (error) byId("config-panel").open = true;
  const accounts = parsed(config.text)?.accounts?.length ?? 0;
  const which = config.text === sample ? "sample" : "yours";
  byId("config-summary").textContent = error ? "refused" : `${which}, ${accounts} account${accounts === 1 ? "" : "s"}`;
}

/** Lets one choose where there are several. */
function showSources() {
  const sources = parsed(config.text)?.sources;
  const names = Array.isArray(sources) ? sources.map((it) => it?.name).filter((name) => typeof name === "string") : [];
  byId("source-row").hidden = names.length < 2;
  const known = Array.from(source.options, (option) => option.value);
  if (names.join("\n") !== known.join("\n")) {
    const chosen = source.value;
    source.replaceChildren(...names.map((name) => element("option", name, { value: name })));
    if (names.includes(chosen)) source.value = chosen;
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(judge, TYPING_MS);
}

function show(text) {
  file = null;
  event.text = text;
  judge();
}

async function openFile(chosen) {
  if (!chosen) return;
  if (chosen.size > MOST_BYTES) {
    note(`${chosen.name} is not opened: this page takes up to 1 MiB. \`bellhop check\` judges it.`);
    return;
  }
  const bytes = new Uint8Array(await chosen.arrayBuffer());
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  event.text = text;
  const same = encoder.encode(event.text);
  const isSame = same.length === bytes.length && same.every((byte, index) => byte === bytes[index]);
  file = isSame ? null : bytes;
  note(
    isSame
      ? ""
      : `The bytes of ${chosen.name} are judged. A text field cannot hold all of them: once you edit, what you see is judged.`,
  );
  byId("example").value = "";
  judge();
}

async function copyLink() {
  const masked = core.maskEvent(event.text);
  const state = { event: masked };
  const notes = [];
  if (masked !== event.text) notes.push("codes are masked in it");
  if (config.text !== sample) {
    const safe = core.maskConfiguration(config.text);
    if (safe === undefined) notes.push("the refused configuration is not in it");
    else state.config = safe;
    if (!byId("source-row").hidden) state.source = source.value;
  }
  if (headers.value.trim() !== "") notes.push("the request headers are not in it");
  const fragment = await link.write(state);
  if (fragment === null) {
    note("This is too long for a link.");
    return;
  }
  history.replaceState(null, "", fragment);
  const where = (await copy(location.href)) ? "The link is copied" : "The link is in the address bar";
  note(
    `${where}${notes.length > 0 ? `; ${notes.join(", ")}` : ""}. It holds all of the state itself: no server gets it.`,
  );
}

function showExamples(events) {
  const groups = [
    ["Known types", 0, 13],
    ["More", 13, 17],
    ["Refused", 17, events.length],
  ];
  for (const [label, from, to] of groups) {
    const options = events
      .slice(from, to)
      .map(({ name }, index) => element("option", name, { value: String(from + index) }));
    byId("example").append(element("optgroup", options, { label }));
  }
  byId("example").addEventListener("change", ({ target }) => {
    if (target.value !== "") show(events[Number(target.value)].text);
  });
}

async function restore(first) {
  const state = await link.read(location.hash);
  config.text = state?.config ?? sample;
  showSources();
  if (state?.source) source.value = state.source;
  show(state?.event ?? first);
  if (location.hash.startsWith("#v") && state === null)
    note("This link cannot be read: it was cut, or it is of another version.");
}

function listen() {
  event.field.addEventListener("input", () => {
    file = null;
    byId("example").value = "";
    soon();
  });
  for (const field of [config.field, headers]) field.addEventListener("input", soon);
  addEventListener("hashchange", () => location.hash.startsWith("#v") && restore(event.text));
  source.addEventListener("change", judge);
  byId("sample").addEventListener("click", () => {
    config.text = sample;
    judge();
  });
  byId("link").addEventListener("click", copyLink);
  byId("open").addEventListener("click", () => byId("file").click());
  byId("file").addEventListener("change", ({ target }) => {
    openFile(target.files[0]);
    target.value = "";
  });
  const root = document.documentElement;
  addEventListener("dragover", (drag) => {
    if (!drag.dataTransfer?.types.includes("Files")) return;
    drag.preventDefault();
    root.classList.add("drop");
  });
  addEventListener("dragleave", ({ relatedTarget }) => relatedTarget === null && root.classList.remove("drop"));
  addEventListener("drop", (drop) => {
    root.classList.remove("drop");
    if (drop.dataTransfer?.files.length > 0) {
      drop.preventDefault();
      openFile(drop.dataTransfer.files[0]);
    }
  });
}

/**
 * Judges something large while nobody waits, a piece at a time: a browser compiles code well only after it has run
 * for a while, and that shall not be during the first large event of a person.
 */
function warmUp(text, rounds) {
  const idle = globalThis.requestIdleCallback ?? setTimeout;
  idle(() => {
    core.judge(encoder.encode(text), { config: sample, headers: [], nowS: now() });
    if (rounds > 1) warmUp(text, rounds - 1);
  });
}

const signing = new Signing(core.sign, () => ({ body: body(), headers: requestHeaders() }), say);
try {
  await core.ready;
  const { configuration, events } = core.examples();
  sample = configuration;
  showExamples(events);
  listen();
  const first = events.find(({ name }) => name === "access_code.created").text;
  await restore(first);
  const items = Array.from({ length: 1000 }, (_, index) => ({ name: `item ${index}`, value: index }));
  warmUp(JSON.stringify({ ...JSON.parse(first), items }), WARM_ROUNDS);
} catch (error) {
  refuse(`The page could not start: ${error.message}`);
  throw error;
}

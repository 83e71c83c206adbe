// Building the document. Text goes in as text and nothing else: nothing here, or anywhere in the page, parses markup.

/**
 * An element. Of `properties`, `on*` are listeners, `dataset` is data, booleans are set as they are, and the rest are
 * attributes; what is null or undefined is left out. Children are nodes, or anything that is shown as text.
 */
export function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "dataset") Object.assign(element.dataset, value);
    else if (typeof value === "boolean") element[key] = value;
    else element.setAttribute(key, value);
  }
  add(element, children);
  return element;
}

function add(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) add(element, child);
    else element.append(child instanceof Node ? child : String(child));
  }
}

/** Says something to those who do not see the page, and is not seen. The same thing said twice is said twice. */
export function say(text) {
  const status = document.getElementById("said");
  status.textContent = status.textContent === text ? `${text}\u00a0` : text;
}

/** A word that says a state. */
export function tag(word, kind = "") {
  return h("span", { class: `tag ${kind}` }, word);
}

/** What identifies something, as it is; a dash if there is nothing. */
export function id(text) {
  return text === null || text === undefined || text === "" ? none() : h("span", { class: "mono id" }, text);
}

export function none() {
  return h(
    "span",
    { class: "muted none" },
    h("span", { "aria-hidden": "true" }, "–"),
    h("span", { class: "visually-hidden" }, "none"),
  );
}

/** @type {[string, number][]} */
const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1_000],
];

/** A span of milliseconds in its largest unit. */
export function span(milliseconds) {
  const unit = UNITS.find(([, length]) => milliseconds >= length) ?? UNITS.at(-1);
  return `${Math.floor(milliseconds / unit[1])} ${unit[0]}`;
}

function relative(at) {
  const ago = Date.now() - at;
  if (Math.abs(ago) < 1_000) return "now";
  return ago < 0 ? `in ${span(-ago)}` : `${span(ago)} ago`;
}

function absolute(at) {
  const date = new Date(at);
  const two = (number) => String(number).padStart(2, "0");
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":")}`;
}

/** Unix milliseconds, for a cell: how long ago. */
export function ago(at) {
  if (at === null) return none();
  return h("time", { datetime: new Date(at).toISOString(), title: absolute(at) }, relative(at));
}

/** Unix milliseconds, with room: when, and how long ago. */
export function when(at) {
  if (at === null) return none();
  const time = h("time", { datetime: new Date(at).toISOString() }, absolute(at));
  return h("span", {}, time, h("span", { class: "muted" }, ` · ${relative(at)}`));
}

export function bytes(number) {
  if (number < 1024) return `${number} B`;
  const kilo = number / 1024;
  return kilo < 1024 ? `${kilo.toFixed(1)} KB` : `${(kilo / 1024).toFixed(1)} MB`;
}

export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

/**
 * A table. Columns are `[heading, cell of an item, class]`. Its rows become blocks on narrow screens, so the roles are said
 * aloud: a browser may drop those that it would give.
 */
export function table(caption, columns, items) {
  const head = columns.map(([heading, , kind]) =>
    h("th", { role: "columnheader", scope: "col", class: kind }, heading),
  );
  const row = (item) =>
    h(
      "tr",
      { role: "row" },
      columns.map(([heading, cell, kind], place) =>
        h(
          place === 0 ? "th" : "td",
          place === 0
            ? { role: "rowheader", scope: "row", class: kind, dataset: { label: heading } }
            : { role: "cell", class: kind, dataset: { label: heading } },
          cell(item),
        ),
      ),
    );
  return h(
    "table",
    { role: "table" },
    h("caption", { class: "visually-hidden" }, caption),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, head)),
    h("tbody", { role: "rowgroup" }, items.map(row)),
  );
}

/** Facts, each `[name, value]`; those that are null are left out. */
export function facts(pairs) {
  const fact = ([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  return h("dl", { class: "facts" }, pairs.filter((pair) => pair !== null).map(fact));
}

/** What stands in place of an empty list. */
export function empty(title, ...more) {
  return h(
    "div",
    { class: "empty" },
    h("p", { class: "title" }, title),
    more.map((text) => h("p", { class: "muted" }, text)),
  );
}

/** A field with its label. */
export function field(label, control) {
  return h("label", { class: "field" }, h("span", { class: "label" }, label), control);
}

/** A choice; `options` are `[value, text]`. */
export function choice(name, options, chosen) {
  const option = ([value, text]) => h("option", { value, selected: value === chosen }, text);
  return h("select", { name }, options.map(option));
}

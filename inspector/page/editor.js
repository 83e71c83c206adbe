// A text field with line numbers and marks behind its text. Screen readers meet the text field alone; what is wrong stands in a
// list beside it. It judges nothing.

import { element } from "./dom.js";

// Numbers of lines beyond these help nobody, and cost.
const MOST_LINES = 20_000;

export class Editor {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.field = /** @type {HTMLTextAreaElement} */ (root.querySelector("textarea"));
    this.gutter = root.querySelector(".gutter");
    this.marks = root.querySelector(".marks");
    this.places = [];
    this.field.addEventListener("scroll", () => this.#follow(), { passive: true });
  }

  get text() {
    return this.field.value;
  }

  set text(text) {
    this.field.value = text;
    this.field.scrollTop = 0;
    this.field.scrollLeft = 0;
    this.field.setSelectionRange(0, 0);
    this.mark([]);
  }

  /** Marks these places; each is where `judge` says that a fault stands. */
  mark(places) {
    this.places = places.filter((place) => place !== null);
    const starts = lineStarts(this.text);
    const length = this.text.length;
    const offset = (line, column) => Math.min((starts[line - 1] ?? length) + column - 1, length);
    const ranges = this.places
      .map((place) => [offset(place.line, place.column), offset(place.endLine, place.endColumn)])
      .sort((one, other) => one[0] - other[0]);
    const pieces = [];
    let from = 0;
    for (const [start, end] of ranges) {
      if (start < from) continue;
      // A place without a character is shown at the end of its line.
      const text = this.text.slice(start, end);
      pieces.push(this.text.slice(from, start), element(text ? "mark" : "mark.end", text));
      from = end;
    }
    // Without the last one an empty line at the end has no height.
    pieces.push(this.text.slice(from), "\n");
    this.marks.replaceChildren(...pieces);
    this.field.setAttribute("aria-invalid", String(this.places.length > 0));
    this.#number(starts.length);
    this.#follow();
  }

  /** Brings the cursor to a place. */
  goTo(place) {
    const starts = lineStarts(this.text);
    const offset = (line, column) => (starts[line - 1] ?? this.text.length) + column - 1;
    const start = offset(place.line, place.column);
    this.field.focus();
    this.field.setSelectionRange(start, Math.max(start, offset(place.endLine, place.endColumn)));
    const height = parseFloat(getComputedStyle(this.field).lineHeight);
    const wanted = (place.line - 1) * height - this.field.clientHeight / 3;
    this.field.scrollTop = Math.max(0, wanted);
  }

  #number(count) {
    const wrong = new Set(this.places.map((place) => place.line));
    const numbers = [];
    let plain = "";
    for (let line = 1; line <= Math.min(count, MOST_LINES); line += 1) {
      if (wrong.has(line)) {
        numbers.push(plain, element("b", String(line)), "\n");
        plain = "";
      } else {
        plain += `${line}\n`;
      }
    }
    this.gutter.replaceChildren(...numbers, plain, "\n\n");
  }

  #follow() {
    this.gutter.scrollTop = this.field.scrollTop;
    this.marks.scrollTop = this.field.scrollTop;
    this.marks.scrollLeft = this.field.scrollLeft;
  }
}

/** Where each line begins. A text field has no line ends but LF. */
function lineStarts(text) {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

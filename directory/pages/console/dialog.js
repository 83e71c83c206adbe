// A question that has to be answered before something is done. The focus goes back to where it was.

import { h } from "./dom.js";

/** Whether the reader says yes. `more` are fields; what they hold has to be valid first. */
export function ask({ title, text, action, more = [], isDangerous = false }) {
  return new Promise((resolve) => {
    const before = /** @type {HTMLElement | null} */ (document.activeElement);
    const cancel = h("button", { type: "button", onclick: () => dialog.close("") }, "Cancel");
    const yes = h("button", { type: "submit", class: isDangerous ? "danger" : "primary" }, action);
    const form = h(
      "form",
      {
        onsubmit: (event) => {
          event.preventDefault();
          dialog.close("yes");
        },
      },
      h("h2", { id: "dialog-title" }, title),
      h("p", { id: "dialog-text" }, text),
      more,
      h("div", { class: "buttons" }, cancel, yes),
    );
    const dialog = h("dialog", { "aria-labelledby": "dialog-title", "aria-describedby": "dialog-text" }, form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      before?.focus();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
    // What cannot be undone is not one Enter away.
    if (isDangerous) cancel.focus();
    else yes.focus();
  });
}

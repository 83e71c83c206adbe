// Elements, made of text and never of markup. It knows no page.

/**
 * @param {string} tag with classes, as in `p.muted`
 * @param {(Node | string | null | false)[] | string} [children]
 * @param {Record<string, string>} [attributes]
 */
export function element(tag, children = [], attributes = {}) {
  const [name, ...classes] = tag.split(".");
  const made = document.createElement(name);
  if (classes.length > 0) made.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  const list = typeof children === "string" ? [children] : children;
  for (const child of list) if (child) made.append(child);
  return made;
}

/**
 * The element of the page with this id, whatever its kind: the types know no markup.
 *
 * @param {string} id
 * @returns {any}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no #${id}`);
  return found;
}

/** A button that copies text, and says so. */
export function copyButton(label, text, say) {
  const button = element("button.small", "Copy", { type: "button", "aria-label": `Copy ${label}` });
  button.addEventListener("click", async () => {
    say((await copy(text())) ? `Copied ${label}.` : `The browser does not let this page copy ${label}.`);
  });
  return button;
}

/** Whether the browser took it: pages over plain HTTP may not. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

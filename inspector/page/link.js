// The state of the page in its address: behind `#`, which browsers send to nobody. What may be in it is said by the caller.

const VERSION = "v1.";
// Longer ones are cut by mail programs and chats.
const MOST_CHARACTERS = 8_000;
// What a stranger's link may unfold to.
const MOST_BYTES = 1024 * 1024;

/** The fragment of a state, or null if it is too long for a link. */
export async function write(state) {
  const packed = new Blob([JSON.stringify(state)]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(packed).arrayBuffer());
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  const text = btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return text.length <= MOST_CHARACTERS ? `#${VERSION}${text}` : null;
}

/** The state of a fragment, or null if it is none. */
export async function read(fragment) {
  if (!fragment.startsWith(`#${VERSION}`) || fragment.length > MOST_CHARACTERS + 10) return null;
  try {
    const binary = atob(
      fragment
        .slice(1 + VERSION.length)
        .replaceAll("-", "+")
        .replaceAll("_", "/"),
    );
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
    const decoder = new TextDecoder();
    let text = "";
    let length = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      length += value.length;
      if (length > MOST_BYTES) return null;
      text += decoder.decode(value, { stream: true });
    }
    const state = JSON.parse(text);
    const isText = (value) => value === undefined || typeof value === "string";
    return typeof state.event === "string" && isText(state.config) && isText(state.source) ? state : null;
  } catch {
    return null;
  }
}

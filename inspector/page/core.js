// The core's functions, with objects in place of JSON text. It decides nothing.

import init, * as wasm from "./inspector.js";

/** Done when the functions below may be called. */
export const ready = init({ module_or_path: new URL("inspector_bg.wasm", import.meta.url) });

export const judge = (body, question) => JSON.parse(wasm.judge(body, JSON.stringify(question)));
export const sign = (body, question) => JSON.parse(wasm.sign(body, JSON.stringify(question)));
export const examples = () => JSON.parse(wasm.examples());
export const maskEvent = (text) => wasm.maskEvent(text);
export const maskConfiguration = (text) => wasm.maskConfiguration(text);

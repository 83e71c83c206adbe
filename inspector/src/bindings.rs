//! The functions that JavaScript calls. Each is one line over a function of this crate: what they do is tested natively.

use wasm_bindgen::prelude::wasm_bindgen;

/// What would become of a body: [`crate::judge::judge`].
#[wasm_bindgen]
pub fn judge(body: &[u8], question: &str) -> String {
    crate::judge::judge(body, question)
}

/// The headers that prove a body: [`crate::sign::sign`].
#[wasm_bindgen]
pub fn sign(body: &[u8], question: &str) -> String {
    crate::sign::sign(body, question)
}

/// An event without its codes: [`crate::mask::event`].
#[wasm_bindgen(js_name = maskEvent)]
pub fn mask_event(text: &str) -> String {
    crate::mask::event(text)
}

/// A configuration without its secrets: [`crate::mask::configuration`].
#[wasm_bindgen(js_name = maskConfiguration)]
pub fn mask_configuration(text: &str) -> Option<String> {
    crate::mask::configuration(text)
}

/// Events to begin with: [`crate::examples::examples`].
#[wasm_bindgen]
pub fn examples() -> String {
    crate::examples::examples()
}

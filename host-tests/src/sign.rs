//! What a sender signs, at the time of sending: scenarios cannot hold a signature, since on Envoy the time is real. It judges
//! no signature.

use anyhow::{Context, Result};
use base64ct::{Base64, Encoding as _};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

/// The hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC-SHA-1.
    Sha1,
    /// HMAC-SHA-256.
    Sha256,
}

/// How a request is signed. Names in braces stand for what is known only then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sign {
    /// The hash function.
    pub algorithm: Algorithm,
    /// The key.
    pub key: Vec<u8>,
    /// What is signed: `{timestamp}` and `{body}` are filled in.
    pub text: String,
    /// How far the clock of the sender is ahead.
    pub seconds_from_now: i64,
}

impl Sign {
    /// Fills a header: `{timestamp}`, and the signature as `{hex}` and `{base64}`.
    ///
    /// # Panics
    /// When a buffer is too small, which it is not.
    pub fn fill(&self, header: &str, body: &[u8], now_s: u64) -> String {
        let timestamp = now_s.saturating_add_signed(self.seconds_from_now).to_string();
        let mut message = Vec::new();
        for (index, part) in self.text.replace("{timestamp}", &timestamp).split("{body}").enumerate() {
            if index > 0 {
                message.extend_from_slice(body);
            }
            message.extend_from_slice(part.as_bytes());
        }
        let signature = match self.algorithm {
            Algorithm::Sha1 => mac::<Hmac<Sha1>>(&self.key, &message),
            Algorithm::Sha256 => mac::<Hmac<Sha256>>(&self.key, &message),
        };
        let mut buffer = vec![0; 2 * signature.len()];
        let base64 = Base64::encode(&signature, &mut buffer).expect("twice the bytes are enough");
        let hex: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
        header.replace("{timestamp}", &timestamp).replace("{hex}", &hex).replace("{base64}", base64)
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// The bytes of a base64 text.
///
/// # Errors
/// When it is none.
pub fn from_base64(text: &str) -> Result<Vec<u8>> {
    let mut buffer = vec![0; text.len()];
    let key = Base64::decode(text, &mut buffer).ok().context("the key is not base64")?;
    Ok(key.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_github_comes_out() {
        let sign = Sign {
            algorithm: Algorithm::Sha256,
            key: b"It's a Secret to Everybody".to_vec(),
            text: "{body}".to_owned(),
            seconds_from_now: -5,
        };
        assert_eq!(
            sign.fill("sha256={hex} {timestamp}", b"Hello, World!", 1000),
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17 995"
        );
    }
}

//! The other side of a proof: what a sender has to send. For tests and for whoever writes a sender; no gateway signs.

use super::encoding::Encoding;
use super::keys::Keys;
use super::{Hmac, Message, Stamp, StampPlace, Verify};

impl Verify {
    /// The headers that prove this body. `secret` is the first one, as the configuration writes it: a token's own text is not
    /// kept. `id` counts for Standard Webhooks only.
    pub(crate) fn sign(&self, secret: &str, id: &str, body: &[u8], now_s: u64) -> Vec<(String, String)> {
        let time = now_s.to_string();
        match self {
            Self::None => Vec::new(),
            Self::StandardWebhooks(scheme) => {
                let message: [&[u8]; 5] = [id.as_bytes(), b".", time.as_bytes(), b".", body];
                let signature = written(&scheme.keys, Encoding::Base64, &message);
                vec![
                    ("webhook-id".to_owned(), id.to_owned()),
                    ("webhook-signature".to_owned(), format!("v1,{signature}")),
                    ("webhook-timestamp".to_owned(), time),
                ]
            }
            Self::Hmac(hmac) => hmac.sign(body, time),
            Self::Token(token) => vec![token.present(secret)],
        }
    }
}

impl Hmac {
    fn sign<'a>(&'a self, body: &'a [u8], time: String) -> Vec<(String, String)> {
        let piece = |piece: &'a Message| match piece {
            Message::Text(text) => text.as_bytes(),
            Message::Timestamp => time.as_bytes(),
            Message::Body => body,
        };
        let message: Vec<&[u8]> = self.message.iter().map(piece).collect();
        let signature = format!("{}{}", self.prefix, written(&self.keys, self.encoding, &message));
        let place = self.timestamp.as_ref().map(|Stamp { place, .. }| place);
        let value = match (&self.item, place) {
            (None, _) => signature,
            (Some(item), Some(StampPlace::Item(stamp))) => format!("{stamp}={time},{item}={signature}"),
            (Some(item), Some(StampPlace::Header(_)) | None) => format!("{item}={signature}"),
        };
        let mut headers = vec![(self.header.to_string(), value)];
        if let Some(StampPlace::Header(header)) = place {
            headers.push((header.to_string(), time));
        }
        headers
    }
}

/// The signature under the first secret, as text.
fn written(keys: &Keys, encoding: Encoding, message: &[&[u8]]) -> String {
    encoding.encode(&keys.sign(message))
}

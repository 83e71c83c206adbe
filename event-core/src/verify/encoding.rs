//! How bytes are written in a header or a secret. The decoders take the same time for every text of one length.

use super::keys::MAC_BYTES;
use base64ct::Encoding as _;

/// Hex or base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Two digits a byte, in either case.
    Hex,
    /// The standard alphabet, padded (RFC 4648, section 4).
    Base64,
}

impl Encoding {
    /// Adds the bytes of a signature to `signatures`, if the text is a whole one of just this many bytes. A shorter one would
    /// be easier to guess.
    pub(super) fn push_signature(self, text: &[u8], n_bytes: usize, signatures: &mut Vec<u8>) {
        let mut buffer = [0; MAC_BYTES];
        if let Some(signature) = self.decode(text, &mut buffer)
            && signature.len() == n_bytes
        {
            signatures.extend_from_slice(signature);
        }
    }

    /// The bytes of a secret.
    pub(crate) fn decode_secret(self, text: &str) -> Option<Vec<u8>> {
        let mut buffer = vec![0; text.len()];
        let n_bytes = self.decode(text.as_bytes(), &mut buffer)?.len();
        buffer.truncate(n_bytes);
        Some(buffer)
    }

    /// The text of these bytes, as [`Encoding::push_signature`] reads it.
    pub(super) fn encode(self, bytes: &[u8]) -> String {
        let mut buffer = vec![0; bytes.len() * 2 + 4];
        let text = match self {
            Self::Hex => base16ct::lower::encode_str(bytes, &mut buffer).ok(),
            Self::Base64 => base64ct::Base64::encode(bytes, &mut buffer).ok(),
        };
        // The buffer is long enough for both.
        text.unwrap_or_default().to_owned()
    }

    fn decode<'b>(self, text: &[u8], buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        match self {
            Self::Hex => base16ct::mixed::decode(text, buffer).ok(),
            Self::Base64 => base64ct::Base64::decode(text, buffer).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn signature(encoding: Encoding, text: &str, n_bytes: usize) -> Option<Vec<u8>> {
        let mut signatures = Vec::new();
        encoding.push_signature(text.as_bytes(), n_bytes, &mut signatures);
        (!signatures.is_empty()).then_some(signatures)
    }

    #[test]
    fn hex_is_read_in_either_case_and_base64_only_in_its_one_form() {
        assert_eq!(signature(Encoding::Hex, "00fFA0", 3), Some(vec![0, 255, 160]));
        assert_eq!(signature(Encoding::Base64, "AP+g", 3), Some(vec![0, 255, 160]));
        assert_eq!(signature(Encoding::Base64, "AP8=", 2), Some(vec![0, 255]));
        for text in ["", "0", "00f", "00g0", "0x00", " 00", "00 ", "00\0\0"] {
            assert_eq!(signature(Encoding::Hex, text, 2), None, "{text:?}");
        }
        for text in ["", "A", "AP8", "AP9=", "AP8==", "=AP8", "AP-_", "AP 8=", "AP8=\n", "AP8=AP8="] {
            assert_eq!(signature(Encoding::Base64, text, 2), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn only_a_whole_signature_counts(bytes in prop::collection::vec(any::<u8>(), 0..100), n_bytes in 1usize..70) {
            let mut hex = vec![0; bytes.len() * 2];
            let hex = base16ct::lower::encode_str(&bytes, &mut hex).unwrap();
            let mut base64 = vec![0; bytes.len() * 2 + 4];
            let base64 = base64ct::Base64::encode(&bytes, &mut base64).unwrap();
            let whole = bytes.len() == n_bytes && n_bytes <= MAC_BYTES;
            for (encoding, text) in [(Encoding::Hex, hex), (Encoding::Base64, base64)] {
                prop_assert_eq!(signature(encoding, text, n_bytes), whole.then(|| bytes.clone()));
                prop_assert_eq!(encoding.decode_secret(text), Some(bytes.clone()));
            }
        }

        #[test]
        fn no_text_breaks_it(text: Vec<u8>) {
            for encoding in [Encoding::Hex, Encoding::Base64] {
                let mut signatures = Vec::new();
                encoding.push_signature(&text, 32, &mut signatures);
                prop_assert!(signatures.is_empty() || signatures.len() == 32);
            }
        }
    }
}

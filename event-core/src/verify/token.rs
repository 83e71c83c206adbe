//! A fixed secret in a header. It proves nothing about the body: whoever has seen one request can make others.

use super::SignatureFault;
use super::presented::Presented;
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::{Choice, ConstantTimeEq};

/// The header, and a hash of each token: comparing hashes tells nothing about a token's length or its beginning, and the tokens
/// themselves are not kept.
pub(crate) struct Token {
    header: Box<str>,
    prefix: Box<str>,
    hashes: Vec<[u8; 32]>,
}

impl Token {
    pub(crate) fn new<S: AsRef<[u8]>>(header: &str, prefix: &str, tokens: &[S]) -> Self {
        let hashes = tokens.iter().map(|token| Sha256::digest(token).into()).collect();
        Self { header: header.into(), prefix: prefix.into(), hashes }
    }

    pub(super) fn header(&self) -> &[u8] {
        self.header.as_bytes()
    }

    /// The header that shows this token.
    pub(super) fn present(&self, token: &str) -> (String, String) {
        (self.header.to_string(), format!("{}{token}", self.prefix))
    }

    pub(super) fn check(&self, presented: &Presented) -> Result<(), SignatureFault> {
        self.check_value(presented.signature()?)
    }

    /// Judges the value of the header.
    pub(crate) fn check_value(&self, value: &[u8]) -> Result<(), SignatureFault> {
        let token = value.strip_prefix(self.prefix.as_bytes());
        let hash: [u8; 32] = Sha256::digest(token.ok_or(SignatureFault::Malformed)?).into();
        let mut found = Choice::from(0);
        for known in &self.hashes {
            found |= known.ct_eq(&hash);
        }
        if found.into() { Ok(()) } else { Err(SignatureFault::Mismatch) }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("header", &self.header).finish_non_exhaustive()
    }
}

//! HMAC under several secrets at once, so that one can be replaced by another. It knows no header.

use ::hmac::digest::CtOutput;
use ::hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;
use std::fmt;
use subtle::{Choice, ConstantTimeEq};

/// The hash function under an HMAC. SHA-1 is broken for signatures of documents, not for HMAC: senders that know nothing
/// else would otherwise have to go unverified. SHA-512 would be a twentieth of the module, and no device cloud asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// HMAC-SHA-1.
    Sha1,
    /// HMAC-SHA-256.
    Sha256,
}

impl Algorithm {
    /// Bytes in an HMAC.
    pub(super) const fn mac_bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }
}

/// The most bytes in an HMAC.
pub(super) const MAC_BYTES: usize = Algorithm::Sha256.mac_bytes();

/// Secrets of one algorithm, hashed once so that each event costs only its own blocks. Its `Debug` shows none.
pub(crate) enum Keys {
    /// For HMAC-SHA-1.
    Sha1(Vec<Hmac<Sha1>>),
    /// For HMAC-SHA-256.
    Sha256(Vec<Hmac<Sha256>>),
}

impl Keys {
    /// Prepares the state of each secret.
    pub(crate) fn prepare<S: AsRef<[u8]>>(algorithm: Algorithm, secrets: &[S]) -> Self {
        match algorithm {
            Algorithm::Sha1 => Self::Sha1(states(secrets)),
            Algorithm::Sha256 => Self::Sha256(states(secrets)),
        }
    }

    pub(super) const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha1(_) => Algorithm::Sha1,
            Self::Sha256(_) => Algorithm::Sha256,
        }
    }

    /// The HMAC of the message under the first secret.
    pub(super) fn sign(&self, message: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::Sha1(keys) => sign(keys, message),
            Self::Sha256(keys) => sign(keys, message),
        }
    }

    /// Whether any of these signatures, laid end to end, is that of the message under any of the secrets. Every pair is
    /// compared, in constant time, so that nothing tells which one it was.
    pub(super) fn any_signed(&self, message: &[&[u8]], signatures: &[u8]) -> bool {
        match self {
            Self::Sha1(keys) => any_signed(keys, message, signatures),
            Self::Sha256(keys) => any_signed(keys, message, signatures),
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({:?})", self.algorithm())
    }
}

/// HMAC takes keys of any length: none is left out.
fn states<M: KeyInit, S: AsRef<[u8]>>(secrets: &[S]) -> Vec<M> {
    secrets.iter().filter_map(|secret| M::new_from_slice(secret.as_ref()).ok()).collect()
}

fn sign<M: Mac + Clone>(keys: &[M], message: &[&[u8]]) -> Vec<u8> {
    keys.first().map(|key| mac_of(key, message).into_bytes().to_vec()).unwrap_or_default()
}

fn mac_of<M: Mac + Clone>(key: &M, message: &[&[u8]]) -> CtOutput<M> {
    let mut mac = key.clone();
    for part in message {
        mac.update(part);
    }
    mac.finalize()
}

fn any_signed<M: Mac + Clone>(keys: &[M], message: &[&[u8]], signatures: &[u8]) -> bool {
    let mut found = Choice::from(0);
    for key in keys {
        let mac = mac_of(key, message).into_bytes();
        for signature in signatures.chunks_exact(mac.len()) {
            found |= mac.ct_eq(signature);
        }
    }
    found.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, and RFC 2202 for SHA-1: algorithm, key, data and the HMACs, in hex.
    const VECTORS: &str = include_str!("keys/vectors.txt");

    fn bytes(hex: &str) -> Vec<u8> {
        let mut bytes = vec![0; hex.len() / 2];
        base16ct::mixed::decode(hex, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn published_vectors_hold_and_no_bit_of_them_is_free() {
        let mut n_checked = 0;
        for line in VECTORS.lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split_whitespace();
            let (algorithm, key, data, mac) =
                (words.next().unwrap(), words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            let algorithm = match algorithm {
                "sha1" => Algorithm::Sha1,
                "sha256" => Algorithm::Sha256,
                other => panic!("{other}"),
            };
            let keys = Keys::prepare(algorithm, &[bytes(key)]);
            let (data, mac) = (bytes(data), bytes(mac));
            assert_eq!(mac.len(), algorithm.mac_bytes());
            assert!(keys.any_signed(&[&data], &mac), "{line}");
            let (one, other) = data.split_at(data.len() / 2);
            assert!(keys.any_signed(&[one, b"", other], &mac), "{line}: in pieces");
            for bit in 0..mac.len() * 8 {
                let mut changed = mac.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                assert!(!keys.any_signed(&[&data], &changed), "{line}: bit {bit}");
            }
            n_checked += 1;
        }
        assert_eq!(n_checked, 13);
    }

    #[test]
    fn any_secret_and_any_signature_will_do() {
        let keys = Keys::prepare(Algorithm::Sha256, &["old", "new"]);
        let sign = |secret: &str| {
            let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).unwrap();
            mac.update(b"body");
            mac.finalize().into_bytes().to_vec()
        };
        for (secrets, signed) in [
            (vec!["old"], true),
            (vec!["new"], true),
            (vec!["other", "new"], true),
            (vec!["old", "other"], true),
            (vec!["other"], false),
            (vec![], false),
        ] {
            let signatures: Vec<u8> = secrets.iter().flat_map(|secret| sign(secret)).collect();
            assert_eq!(keys.any_signed(&[b"body"], &signatures), signed, "{secrets:?}");
        }
        assert!(!Keys::prepare::<&str>(Algorithm::Sha256, &[]).any_signed(&[b"body"], &sign("old")));
    }

    #[test]
    fn keys_never_print() {
        let shown = format!("{:?}", Keys::prepare(Algorithm::Sha256, &["topsecret"]));
        assert_eq!(shown, "Keys(Sha256)");
    }
}

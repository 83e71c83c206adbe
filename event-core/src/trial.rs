//! Events tried without a gateway: by `bellhop check`, and by the inspector. It judges nothing in another way than
//! [`Edge`] does, and remembers nothing, so it finds no duplicates.

use crate::accounts::Lookup;
use crate::config::ConfigError;
use crate::edge::{Edge, SourceIndex, Verdict};
use crate::json;
use crate::subject::Ids;
use crate::verify::Verify;
use serde_json::Value;
use std::fmt;

/// The configuration without one: any event that has the standard shape and a subject goes on.
const ANY: &str = r#"{"environment":"check","sources":[{"name":"any","path":"/","verify":"none"}],"on_unassigned":"forward"}"#;

/// In place of a secret that is not here, and not asked for: hex and base64 at once, so that it suits any `secret_encoding`.
const NO_SECRET: &str = "c0ffee00";

/// One environment, and the source of it that would send the events.
#[derive(Debug)]
pub struct Trial {
    edge: Edge,
    source: SourceIndex,
    secret: Option<Secret>,
}

/// What a sender signs with. Its `Debug` shows none of it.
struct Secret(Box<str>);

/// Whether events must prove who sent them.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum Proof<'s> {
    /// No proof is asked for, whatever the configuration says.
    NotAsked,
    /// As the configuration says, with this secret in place of the source's own.
    Under(&'s str),
}

/// Why there is nothing to try events on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrialError {
    /// The configuration is refused.
    Config(ConfigError),
    /// It has no source of this name.
    SourceUnknown,
    /// It has several, and none was named.
    SourceNotNamed,
}

/// What would become of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome<'t> {
    /// The verdict.
    pub verdict: Verdict<'t>,
    /// Names of headers that would be removed before the event goes on, as the sender spelt them.
    pub removed: Vec<String>,
}

impl Trial {
    /// On form and shape alone: whatever has a subject is forwarded, and nothing is assigned.
    ///
    /// # Errors
    /// None: the configuration is our own.
    pub fn of_shape() -> Result<Self, TrialError> {
        Self::new(ANY.as_bytes(), None, Proof::NotAsked)
    }

    /// On a plugin configuration, as JSON text. `source` must be named if there are several. Variables of the environment are
    /// taken for set.
    ///
    /// # Errors
    /// When the configuration is refused, or the source is not clear.
    pub fn new(config: &[u8], source: Option<&str>, proof: Proof<'_>) -> Result<Self, TrialError> {
        let environment = |_: &str| Some(NO_SECRET.to_owned());
        let mut edge = Edge::with_environment(config, &environment).map_err(TrialError::Config)?;
        let index = edge.config().named(source)?;
        let secret = match proof {
            Proof::NotAsked => {
                edge.ask_no_proofs();
                None
            }
            Proof::Under(secret) => {
                let text = with_secret(config, index, secret).map_err(TrialError::Config)?;
                edge = Edge::with_environment(&text, &environment).map_err(TrialError::Config)?;
                Some(Secret(secret.into()))
            }
        };
        Ok(Self { edge, source: SourceIndex(index), secret })
    }

    /// The edge that judges.
    #[must_use]
    pub const fn edge(&self) -> &Edge {
        &self.edge
    }

    /// The name of the source.
    #[must_use]
    pub fn source(&self) -> &str {
        self.edge.config().sources.get(self.source.0).map_or("", |source| &source.name)
    }

    /// Judges an event that the source would send with these headers, to its own path. `now_s` is in seconds since 1970 and
    /// counts only for proofs.
    #[must_use]
    pub fn judge(&self, headers: &[(&[u8], &[u8])], body: &[u8], now_s: u64) -> Outcome<'_> {
        let path = self.edge.config().sources.get(self.source.0).map_or("", |source| &source.path);
        let mut head: Vec<(&[u8], &[u8])> = vec![(b":method", b"POST"), (b":path", path.as_bytes())];
        // A sender sends no pseudo-headers of its own.
        head.extend(headers.iter().filter(|(name, _)| !name.starts_with(b":")));
        match self.edge.admit(head) {
            Ok(admission) => {
                let verdict = self.edge.judge(&admission, body, now_s, &());
                Outcome { verdict, removed: admission.forbidden }
            }
            Err(refusal) => Outcome { verdict: Verdict::Refuse(refusal), removed: Vec::new() },
        }
    }

    /// What the embedded accounts say of these ids.
    #[must_use]
    pub fn owners(&self, ids: &Ids<'_>) -> Lookup<'_> {
        self.edge.config().accounts.assign(self.source.0, ids)
    }

    /// The headers that prove this body under the secret of [`Proof::Under`]; none where no proof is asked for. `id` counts only
    /// where the scheme has an id of its own: visible ASCII without a dot.
    #[must_use]
    pub fn sign(&self, id: &str, body: &[u8], now_s: u64) -> Vec<(String, String)> {
        let source = self.edge.config().sources.get(self.source.0);
        match (source, &self.secret) {
            (Some(source), Some(secret)) => source.verify.sign(&secret.0, id, body, now_s),
            (_, _) => Vec::new(),
        }
    }
}

/// The configuration with this secret as the only one of a source.
fn with_secret(config: &[u8], source: usize, secret: &str) -> Result<Vec<u8>, ConfigError> {
    let mut value = json::parse(config, json::MAX_DEPTH).map_err(ConfigError::not_json)?;
    let verify = value.pointer_mut(&format!("/sources/{source}/verify")).and_then(Value::as_object_mut);
    for scheme in verify.into_iter().flat_map(|verify| verify.iter_mut()).map(|(_, scheme)| scheme) {
        if let Some(scheme) = scheme.as_object_mut() {
            scheme.insert("secrets".to_owned(), Value::from(vec![secret]));
        }
    }
    Ok(value.to_string().into_bytes())
}

impl crate::Config {
    /// Which source this is.
    fn named(&self, name: Option<&str>) -> Result<usize, TrialError> {
        let mut matching = self.sources.iter().enumerate();
        match name {
            Some(name) => {
                let found = matching.find(|(_, source)| &*source.name == name);
                found.map(|(index, _)| index).ok_or(TrialError::SourceUnknown)
            }
            None if self.sources.len() > 1 => Err(TrialError::SourceNotNamed),
            None => Ok(0),
        }
    }

    /// Whoever posts is believed.
    pub(crate) fn ask_no_proofs(&mut self) {
        for source in &mut self.sources {
            source.verify = Verify::None;
        }
    }
}

impl fmt::Display for TrialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::SourceUnknown => f.write_str("the plugin configuration has no such source"),
            Self::SourceNotNamed => {
                f.write_str("the plugin configuration has several sources, and none is named")
            }
        }
    }
}

/// Its message says all: it has no source.
impl std::error::Error for TrialError {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Debug for Proof<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAsked => "NotAsked",
            Self::Under(_) => "Under(…)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cause, SignatureFault};
    use serde_json::json;

    const NOW_S: u64 = 1_767_225_600;
    const JSON: (&[u8], &[u8]) = (b"content-type", b"application/json");
    const EVENT: &[u8] =
        br#"{"event_type":"device.online","timestamp":"2026-02-10T14:24:18Z","device_id":"lock_491829"}"#;

    fn config(verify: &Value) -> Vec<u8> {
        json!({
            "environment": "test",
            "sources": [
                {"name": "other", "path": "/other", "verify": "none"},
                {"name": "acme", "path": "/acme", "verify": verify}
            ],
            "on_unassigned": "forward"
        })
        .to_string()
        .into_bytes()
    }

    fn cause(outcome: &Outcome<'_>) -> Option<Cause> {
        match &outcome.verdict {
            Verdict::Refuse(refusal) => Some(refusal.cause()),
            Verdict::Forward(_) | Verdict::Ask(_) => None,
        }
    }

    fn judge(trial: &Trial, headers: &[(String, String)], body: &[u8], now_s: u64) -> Option<SignatureFault> {
        let mut all = vec![JSON];
        all.extend(headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
        match trial.judge(&all, body, now_s).verdict {
            Verdict::Refuse(refusal) => refusal.signature_fault(),
            Verdict::Forward(_) | Verdict::Ask(_) => None,
        }
    }

    /// Every way to sign that README.md shows, and what else can be configured.
    fn schemes() -> Vec<(Value, &'static str)> {
        let own = json!([{"env": "NOT_HERE"}]);
        vec![
            (json!({"standard_webhooks": {"secrets": own}}), "whsec_c2VjcmV0IG9mIGFjbWU="),
            (json!({"hmac": {"header": "x-hub-signature-256", "prefix": "sha256=", "secrets": own}}), "s"),
            (json!({"hmac": {"header": "x-nuki-signature-sha256", "secrets": own}}), "s"),
            (json!({"hmac": {"header": "x-sha1", "algorithm": "sha1", "secrets": own}}), "s"),
            (json!({"hmac": {"header": "x-hex", "secret_encoding": "hex", "secrets": own}}), "00ff"),
            (json!({"hmac": {"header": "x-shopify-hmac-sha256", "encoding": "base64", "secrets": own}}), "s"),
            (json!({"hmac": {"header": "x", "item": "s", "secrets": own}}), "s"),
            (
                json!({"hmac": {"header": "stripe-signature", "item": "v1", "timestamp": {"item": "t"}, "secrets": own}}),
                "s",
            ),
            (
                json!({"hmac": {"header": "x-slack-signature", "prefix": "v0=", "secrets": own,
                    "timestamp": {"header": "x-slack-request-timestamp"}, "signed": "v0:{timestamp}:{body}"}}),
                "s",
            ),
            (json!({"token": {"header": "x-august-token", "prefix": "Bearer ", "secrets": own}}), "s"),
        ]
    }

    #[test]
    fn what_is_signed_for_a_scheme_passes_its_check_and_nothing_else_does() {
        for (scheme, secret) in schemes() {
            let text = config(&scheme);
            let trial = Trial::new(&text, Some("acme"), Proof::Under(secret)).unwrap();
            let headers = trial.sign("msg_1", EVENT, NOW_S);
            assert_eq!(judge(&trial, &headers, EVENT, NOW_S + 300), None, "{scheme}");
            assert_eq!(judge(&trial, &[], EVENT, NOW_S), Some(SignatureFault::Missing), "{scheme}");
            let is_token = scheme.get("token").is_some();
            let other_body = judge(&trial, &headers, b"{}", NOW_S);
            assert_eq!(other_body, (!is_token).then_some(SignatureFault::Mismatch), "{scheme}");
            let other_secret = if secret == "00ff" { "00fe" } else { "c2Vj" };
            let other = Trial::new(&text, Some("acme"), Proof::Under(other_secret)).unwrap();
            assert_eq!(judge(&other, &headers, EVENT, NOW_S), Some(SignatureFault::Mismatch), "{scheme}");
        }
    }

    #[test]
    fn without_a_secret_no_proof_is_asked_for() {
        for (scheme, _) in schemes() {
            let trial = Trial::new(&config(&scheme), Some("acme"), Proof::NotAsked).unwrap();
            assert_eq!(cause(&trial.judge(&[JSON], EVENT, 0)), None, "{scheme}");
            assert_eq!(trial.sign("msg_1", EVENT, NOW_S), []);
        }
    }

    #[test]
    fn an_error_says_everything_once() {
        use std::error::Error as _;
        for config in [&b"{"[..], b"{}", br#"{"environment":5}"#] {
            let error = Trial::new(config, None, Proof::NotAsked).unwrap_err();
            assert!(error.source().is_none_or(|behind| !error.to_string().contains(&behind.to_string())));
        }
    }

    #[test]
    fn the_source_is_named_where_there_are_several() {
        let text = config(&"none".into());
        let none = |source| Trial::new(&text, source, Proof::NotAsked).unwrap_err();
        assert_eq!(none(None), TrialError::SourceNotNamed);
        assert_eq!(none(Some("acm")), TrialError::SourceUnknown);
        assert_eq!(Trial::new(&text, Some("acme"), Proof::NotAsked).unwrap().source(), "acme");
        assert!(matches!(Trial::new(b"{}", None, Proof::NotAsked), Err(TrialError::Config(_))));
    }

    #[test]
    fn a_senders_headers_count_but_not_its_pseudo_headers() {
        let trial = Trial::of_shape().unwrap();
        assert_eq!(cause(&trial.judge(&[], EVENT, 0)), Some(Cause::MediaTypeUnsupported));
        let outcome = trial.judge(&[JSON, (b":path", b"/nowhere"), (b"X-Device-Id", b"stolen")], EVENT, 0);
        assert_eq!(cause(&outcome), None);
        assert_eq!(outcome.removed, ["X-Device-Id"]);
    }

    #[test]
    fn a_secret_is_never_shown() {
        let trial = Trial::new(&config(&schemes()[1].0), Some("acme"), Proof::Under("topsecret")).unwrap();
        let shown = format!("{trial:?} {:?}", Proof::Under("topsecret"));
        assert!(!shown.contains("topsecret"), "{shown}");
    }
}

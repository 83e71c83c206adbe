//! What the request headers alone decide, row by row.

use crate::{Admission, Cause, Edge, Refusal};

const CONFIG: &[u8] = br#"{
    "environment": "test",
    "sources": [
        { "name": "acme", "path": "/provider_events", "verify": "none" },
        { "name": "other", "path": "/other", "verify": "none" }
    ],
    "limits": { "body_bytes": 100 }
}"#;

type Header<'h> = (&'h str, &'h [u8]);

fn admit(headers: &[Header<'_>]) -> Result<Admission, Refusal> {
    Edge::from_json(CONFIG).unwrap().admit(headers.iter().map(|(name, value)| (name.as_bytes(), *value)))
}

/// An admissible request but for these headers: a name that starts with `-` leaves the usual one out.
fn admit_with(headers: &[Header<'_>]) -> Result<Admission, Refusal> {
    let usual: [Header<'_>; 3] =
        [(":method", b"POST"), (":path", b"/provider_events"), ("content-type", b"application/json")];
    let mut all: Vec<Header<'_>> = usual
        .into_iter()
        .filter(|(name, _)| !headers.iter().any(|(other, _)| other.trim_start_matches('-') == *name))
        .collect();
    all.extend(headers.iter().filter(|(name, _)| !name.starts_with('-')));
    admit(&all)
}

fn cause(headers: &[Header<'_>]) -> Option<Cause> {
    admit_with(headers).err().map(|refusal| refusal.cause())
}

#[test]
fn the_path_names_the_source_and_the_query_does_not_count() {
    for (path, source) in [
        ("/provider_events", Some(0)),
        ("/provider_events?", Some(0)),
        ("/provider_events?a=/other", Some(0)),
        ("/other", Some(1)),
        ("/", None),
        ("", None),
        ("/provider_events/", None),
        ("/Provider_events", None),
        ("/provider%5Fevents", None),
        ("/provider_events/x", None),
        ("?/provider_events", None),
    ] {
        let admitted = admit_with(&[(":path", path.as_bytes())]).map(|admission| admission.source.0);
        assert_eq!(admitted.ok(), source, "{path}");
    }
}

#[test]
fn an_unknown_path_is_refused_before_its_method_is_looked_at() {
    assert_eq!(cause(&[(":path", b"/unknown"), (":method", b"GET")]), Some(Cause::SourceUnknown));
    assert_eq!(cause(&[("-:path", b"")]), Some(Cause::SourceUnknown));
}

#[test]
fn only_post_brings_events() {
    for method in ["GET", "HEAD", "PUT", "OPTIONS", "DELETE", "post", ""] {
        assert_eq!(cause(&[(":method", method.as_bytes())]), Some(Cause::MethodNotAllowed), "{method}");
    }
}

#[test]
fn json_media_types_are_admitted() {
    for value in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=\"a,b\"",
        r#"application/json; a="\",""#,
        " application/json ",
        "application/cloudevents+json",
        "application/vnd.acme.v1+JSON; x=1",
        "application/a+b+json",
    ] {
        assert_eq!(cause(&[("content-type", value.as_bytes())]), None, "{value}");
    }
}

#[test]
fn other_media_types_are_not() {
    for value in [
        "",
        "json",
        "text/json",
        "application/",
        "application/jsonx",
        "application/json-seq",
        "application/+json",
        "application/x json",
        "application/x y+json",
        "application/x/y+json",
        "application/x-www-form-urlencoded",
        "application/jsön",
    ] {
        assert_eq!(
            cause(&[("content-type", value.as_bytes())]),
            Some(Cause::MediaTypeUnsupported),
            "{value}"
        );
    }
    assert_eq!(cause(&[("content-type", b"application/\xff+json")]), Some(Cause::MediaTypeUnsupported));
    assert_eq!(cause(&[("-content-type", b"")]), Some(Cause::MediaTypeUnsupported));
}

#[test]
fn a_repeated_content_type_is_ambiguous() {
    for value in
        ["application/json, application/json", "application/json,text/plain", "application/json; a=\"b\", c"]
    {
        assert_eq!(cause(&[("content-type", value.as_bytes())]), Some(Cause::HeaderAmbiguous), "{value}");
    }
    let twice: [Header<'_>; 2] =
        [("content-type", b"application/json"), ("Content-Type", b"application/json")];
    assert_eq!(cause(&twice), Some(Cause::HeaderAmbiguous));
}

#[test]
fn encoded_content_is_not_admitted() {
    for (value, admitted) in [
        ("identity", true),
        ("Identity", true),
        ("gzip", false),
        ("br", false),
        ("identity, gzip", false),
        ("identity, identity", false),
        ("", false),
    ] {
        let expected = (!admitted).then_some(Cause::MediaTypeUnsupported);
        assert_eq!(cause(&[("content-encoding", value.as_bytes())]), expected, "{value}");
    }
    let twice: [Header<'_>; 2] = [("content-encoding", b"identity"), ("content-encoding", b"identity")];
    assert_eq!(cause(&twice), Some(Cause::MediaTypeUnsupported));
}

#[test]
fn a_content_length_over_the_limit_is_refused_at_once() {
    for (value, over) in [
        ("0", false),
        ("100", false),
        ("0100", false),
        ("101", true),
        ("18446744073709551616", true),
        ("999999999999999999999999", true),
    ] {
        let expected = over.then_some(Cause::BodyTooLarge);
        assert_eq!(cause(&[("content-length", value.as_bytes())]), expected, "{value}");
    }
}

#[test]
fn repeated_signature_headers_are_ambiguous_in_any_spelling() {
    for (one, other) in [
        ("webhook-id", "webhook-id"),
        ("webhook-signature", "Webhook-Signature"),
        ("svix-id", "svix_id"),
        ("webhook-x", "webhook-x"),
    ] {
        assert_eq!(cause(&[(one, b"a"), (other, b"b")]), Some(Cause::HeaderAmbiguous), "{one} {other}");
    }
    assert_eq!(cause(&[("webhook-id", b"a"), ("webhook-timestamp", b"b"), ("svix-id", b"c")]), None);
}

#[test]
fn headers_that_only_bellhop_may_set_are_named_for_removal() {
    let headers: [Header<'_>; 6] = [
        ("x-event-id", b"forged"),
        ("X_Device_Id", b"forged"),
        ("x-envoy-retry-on", b"forged"),
        ("x-envoy-external-address", b"192.0.2.1"),
        ("ce-source", b"forged"),
        ("user-agent", b"a cloud"),
    ];
    let admission = admit_with(&headers).unwrap();
    assert_eq!(admission.forbidden, ["x-event-id", "X_Device_Id", "x-envoy-retry-on", "ce-source"]);
}

#[test]
fn header_values_need_not_be_text() {
    assert!(admit_with(&[("user-agent", b"\xff\xfe"), (":path", b"/other?\xff")]).is_ok());
}

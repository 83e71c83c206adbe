//! How Istio and Envoy Gateway patch what they generate, as far as our files use it. It knows no file.

use edge_tests::BoxError;
use serde_json::Value;

/// Protobuf's merge: messages member by member, lists one after the other, and of values the newer.
pub(crate) fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (Value::Array(into), Value::Array(from)) => into.extend(from.iter().cloned()),
        (into, from) => *into = from.clone(),
    }
}

/// Carries out one `operation` of an EnvoyPatchPolicy: `add` at `path`, which counts from each place of `jsonPath` if that is there.
pub(crate) fn json_patch(resource: &mut Value, operation: &Value) -> Result<(), BoxError> {
    assert_eq!(operation["op"], "add", "{operation}");
    let path = operation["path"].as_str().unwrap_or_default();
    let starts = match operation["jsonPath"].as_str() {
        Some(expression) => evaluate(resource, expression)?,
        None => vec![String::new()],
    };
    for start in starts {
        add(resource, &format!("{start}{path}"), &operation["value"])?;
    }
    Ok(())
}

/// RFC 6902's `add`.
fn add(resource: &mut Value, pointer: &str, value: &Value) -> Result<(), BoxError> {
    let (parent, last) = pointer.rsplit_once('/').ok_or("no pointer")?;
    let missing = || format!("nothing is at {parent}");
    match resource.pointer_mut(parent).ok_or_else(missing)? {
        Value::Object(members) => {
            members.insert(last.replace("~1", "/").replace("~0", "~"), value.clone());
        }
        Value::Array(items) => items.insert(last.parse()?, value.clone()),
        leaf @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            return Err(format!("{parent} is {leaf}").into());
        }
    }
    Ok(())
}

/// Pointers to where an expression leads: `$`, `.name`, `[0]` and `[?(@.name=='…')]`. Nothing found is an error, as in Envoy Gateway.
fn evaluate(resource: &Value, expression: &str) -> Result<Vec<String>, BoxError> {
    let mut rest = expression.strip_prefix('$').ok_or("no `$`")?;
    let mut pointer = String::new();
    while !rest.is_empty() {
        if let Some(behind) = rest.strip_prefix("[?(@.name=='") {
            let (name, behind) = behind.split_once("')]").ok_or("a filter without an end")?;
            let items = resource.pointer(&pointer).and_then(Value::as_array).ok_or("no list")?;
            let index = items.iter().position(|it| it["name"] == name).ok_or_else(|| format!("no {name}"))?;
            pointer = format!("{pointer}/{index}");
            rest = behind;
        } else if let Some(behind) = rest.strip_prefix('[') {
            let (index, behind) = behind.split_once(']').ok_or("an index without an end")?;
            pointer = format!("{pointer}/{index}");
            rest = behind;
        } else if let Some(behind) = rest.strip_prefix('.') {
            let end = behind.find(['.', '[']).unwrap_or(behind.len());
            pointer = format!("{pointer}/{}", &behind[..end]);
            rest = &behind[end..];
        } else {
            return Err(format!("not understood: {rest}").into());
        }
    }
    resource.pointer(&pointer).ok_or_else(|| format!("nothing is at {pointer}"))?;
    Ok(vec![pointer])
}

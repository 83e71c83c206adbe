//! The command language: commands parted by `;`, words by blanks. Each leaves ` | command=status:value`.

use std::fmt::Write as _;

use crate::{abi, probe};

/// What the commands of one callback did.
#[derive(Default)]
pub(crate) struct Ran {
    /// What is logged.
    pub(crate) text: String,
    /// What the callback is to return, if a command said so.
    pub(crate) returned: Option<u32>,
}

pub(crate) fn run_all(context: u32, commands: &str) -> Ran {
    let mut ran = Ran::default();
    for command in commands.split(';').map(str::trim).filter(|command| !command.is_empty()) {
        let words: Vec<&str> = command.split_whitespace().collect();
        if let ["return", number] = words.as_slice() {
            ran.returned = number.parse().ok();
            continue;
        }
        let result = run(context, &words).unwrap_or_else(|| "unreadable".to_owned());
        // Writing to a String does not fail.
        let _ = write!(ran.text, " | {command}={result}");
    }
    ran
}

/// Runs one command. `None` means that it is not one.
fn run(context: u32, words: &[&str]) -> Option<String> {
    Some(match words {
        ["get", map, name] => shown(abi::get_header(map.parse().ok()?, name)),
        ["set", map, name, value] => {
            abi::replace_header(map.parse().ok()?, name, value.as_bytes()).to_string()
        }
        ["set", map, name] => abi::replace_header(map.parse().ok()?, name, b"").to_string(),
        ["add", map, name, value] => abi::add_header(map.parse().ok()?, name, value.as_bytes()).to_string(),
        ["remove", map, name] => abi::remove_header(map.parse().ok()?, name).to_string(),
        ["pairs", map, prefix] => pairs(map.parse().ok()?, prefix),
        ["set-pairs", map, rest @ ..] => abi::set_pairs(map.parse().ok()?, &marshal(rest)).to_string(),
        ["body", kind, start, len] => {
            shown(abi::get_buffer(kind.parse().ok()?, start.parse().ok()?, len.parse().ok()?))
        }
        ["body-len", kind] => {
            let (status, len) = abi::buffer_len(kind.parse().ok()?);
            format!("{status}:{len}")
        }
        ["set-body", kind, start, len, data] => {
            abi::set_buffer(kind.parse().ok()?, start.parse().ok()?, len.parse().ok()?, data.as_bytes())
                .to_string()
        }
        ["property", path] => shown(abi::get_property(path.replace('.', "\0").as_bytes())),
        // The path is one element, whatever dots it has.
        ["property-one", path] => shown(abi::get_property(path.as_bytes())),
        ["number", path] => {
            let (status, value) = abi::get_property(path.replace('.', "\0").as_bytes());
            let bytes = value.and_then(|value| <[u8; 8]>::try_from(value).ok());
            format!(
                "{status}:{}",
                bytes.map_or("none".to_owned(), |bytes| u64::from_le_bytes(bytes).to_string())
            )
        }
        ["set-property", path, value] => {
            abi::set_property(path.replace('.', "\0").as_bytes(), value.as_bytes()).to_string()
        }
        ["set-property-one", path, value] => abi::set_property(path.as_bytes(), value.as_bytes()).to_string(),
        ["reply", status, body, rest @ ..] => {
            let body = if *body == "-" { "" } else { body };
            abi::reply(status.parse().ok()?, "probe details", body.as_bytes(), &marshal(rest)).to_string()
        }
        ["continue", kind] => abi::continue_stream(kind.parse().ok()?).to_string(),
        ["close", kind] => abi::close_stream(kind.parse().ok()?).to_string(),
        ["call", cluster, timeout_ms, rest @ ..] => call(context, cluster, timeout_ms.parse().ok()?, rest),
        ["shared-get", key] => shown(abi::shared_get(key).0),
        ["shared-set", key, value] => abi::shared_set(key, value.as_bytes(), 0).to_string(),
        // Reads the number and writes with it, off by the third word.
        ["shared-swap", key, value, off] => {
            let (_, cas) = abi::shared_get(key);
            abi::shared_set(key, value.as_bytes(), cas.wrapping_add(off.parse().ok()?)).to_string()
        }
        ["queue-register", name] => flag(abi::queue_register(name)),
        ["queue-resolve", vm_id, name] => flag(abi::queue_resolve(vm_id, name)),
        ["enqueue", name, item] => abi::enqueue(abi::queue_register(name).1, item.as_bytes()).to_string(),
        ["enqueue-token", token, item] => abi::enqueue(token.parse().ok()?, item.as_bytes()).to_string(),
        ["dequeue", name] => shown(abi::dequeue(abi::queue_register(name).1)),
        ["dequeue-token", token] => shown(abi::dequeue(token.parse().ok()?)),
        ["metric", kind, name, action, value] => metric(kind.parse().ok()?, name, action, value)?,
        ["metric-id", id] => abi::metric_increment(id.parse().ok()?, 1).to_string(),
        ["tick", period_ms] => abi::tick(period_ms.parse().ok()?).to_string(),
        ["effective", id] => abi::effective_context(id.parse().ok()?).to_string(),
        ["done"] => abi::done().to_string(),
        ["foreign", name] => abi::foreign(name).to_string(),
        ["grpc", service] => abi::grpc_call(service).0.to_string(),
        ["status"] => {
            let (status, code, message) = abi::status();
            format!("{status}:{code}:{}", String::from_utf8_lossy(&message))
        }
        ["log-level", level] => abi::log(level.parse().ok()?, "a line").to_string(),
        ["environment", name] => std::env::var(name).unwrap_or_else(|_| "unset".to_owned()),
        ["print", word] => {
            println!("{word}");
            "printed".to_owned()
        }
        ["grow", pages] => {
            let bytes = pages.parse::<usize>().ok()? * 65_536;
            std::mem::forget(vec![1u8; bytes]);
            "grown".to_owned()
        }
        ["spin", rounds] => {
            let rounds = rounds.parse::<u64>().ok()?;
            (0..rounds).fold(0u64, |sum, round| std::hint::black_box(sum ^ round)).to_string()
        }
        ["random"] => format!("{:?}", std::collections::hash_map::RandomState::new()).len().to_string(),
        ["trap"] => panic!("the script said so"),
        _ => return None,
    })
}

fn call(context: u32, cluster: &str, timeout_ms: u32, rest: &[&str]) -> String {
    let headers = match rest {
        ["bare"] => marshal(&[":method=GET"]),
        _ => marshal(&[":method=POST", ":path=/callout", ":authority=callout.test"]),
    };
    let (status, token) = abi::http_call(cluster, &headers, b"ask", timeout_ms);
    if status == 0 {
        probe::remember_call(token, context);
    }
    status.to_string()
}

fn metric(kind: u32, name: &str, action: &str, value: &str) -> Option<String> {
    let (status, id) = abi::metric_define(kind, name);
    if status != 0 {
        return Some(format!("define:{status}"));
    }
    Some(match action {
        "increment" => abi::metric_increment(id, value.parse().ok()?).to_string(),
        "record" => abi::metric_record(id, value.parse().ok()?).to_string(),
        "get" => {
            let (status, value) = abi::metric_get(id);
            format!("{status}:{value}")
        }
        _ => return None,
    })
}

/// A token differs from run to run: only whether there is one is shown.
fn flag((status, token): (u32, u32)) -> String {
    format!("{status}:{}", if token == 0 { "none" } else { "some" })
}

fn shown((status, value): abi::Answer) -> String {
    match value {
        None => status.to_string(),
        Some(value) if value.len() > 80 => format!("{status}:{} bytes", value.len()),
        Some(value) => format!("{status}:{}", value.escape_ascii()),
    }
}

fn pairs(kind: u32, prefix: &str) -> String {
    let (status, bytes) = abi::get_pairs(kind);
    let Some(bytes) = bytes else { return status.to_string() };
    let word = |at: usize| {
        bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).map_or(0, u32::from_le_bytes) as usize
    };
    let count = word(0);
    let mut at = 4 + count * 8;
    let mut text = format!("{status}:");
    for index in 0..count {
        let (name_len, value_len) = (word(4 + index * 8), word(8 + index * 8));
        let name = String::from_utf8_lossy(&bytes[at..at + name_len]).into_owned();
        at += name_len + 1;
        let value = bytes[at..at + value_len].escape_ascii().to_string();
        at += value_len + 1;
        if name.starts_with(prefix) {
            text.push_str(&format!("[{name}={value}]"));
        }
    }
    text
}

/// `name=value` words in the ABI's form of pairs.
fn marshal(words: &[&str]) -> Vec<u8> {
    let pairs: Vec<(&str, &str)> = words.iter().filter_map(|word| word.split_once('=')).collect();
    let mut out = (pairs.len() as u32).to_le_bytes().to_vec();
    for (name, value) in &pairs {
        out.extend((name.len() as u32).to_le_bytes());
        out.extend((value.len() as u32).to_le_bytes());
    }
    for (name, value) in &pairs {
        out.extend(name.as_bytes());
        out.push(0);
        out.extend(value.as_bytes());
        out.push(0);
    }
    out
}

//! Ports and folders of a page: the ones that it names, and the ones that its run uses instead, so that it can run beside
//! anything. It opens no port.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use testbed::bootstrap::{ADMIN_PORT, DIRECTORY_PORT, LISTENER_PORT, UPSTREAM_PORT};
use testbed::paths;

/// What stands in front of a port in a page.
const BEFORE_PORT: [&str; 5] = ["127.0.0.1:", "127.0.0.1\", ", "127.0.0.1', ", "localhost:", "port_value: "];

/// The ports of `cargo xtask up`, and the options that move them.
const UP: [(&str, u16); 4] = [
    ("--port", LISTENER_PORT),
    ("--admin-port", ADMIN_PORT),
    ("--upstream-port", UPSTREAM_PORT),
    ("--directory-port", DIRECTORY_PORT),
];

/// The command that has these options.
const UP_COMMAND: &str = "cargo xtask up";

/// Where the run of a page happens.
#[derive(Debug)]
pub(super) struct Places {
    /// Of each port that the page names, the free one.
    ports: BTreeMap<u16, u16>,
    /// What a path in the page begins with, and what stands there in the run. The first that fits counts.
    folders: Vec<(String, String)>,
    /// The folder of `cargo xtask up`.
    up: String,
}

impl Places {
    /// For a page with this text, in this scratch folder and with this build folder.
    ///
    /// # Errors
    /// When there is no free port.
    pub(super) fn new(scratch: &Path, build: &Path, page: &str) -> io::Result<Self> {
        let named = UP.iter().map(|(_, port)| *port).chain(ports_in(page));
        // All are held until all are chosen, so that no two are the same.
        let mut held = Vec::new();
        let mut ports = BTreeMap::new();
        for port in named {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            ports.insert(port, listener.local_addr()?.port());
            held.push(listener);
        }
        let in_scratch = |name: &str| (format!("target/{name}"), scratch.join(name).display().to_string());
        let folders = vec![
            in_scratch("try"),
            in_scratch("up"),
            ("target/".to_owned(), format!("{}/", build.display())),
        ];
        let up = scratch.join("up").display().to_string();
        Ok(Self { ports, folders, up })
    }

    /// The text of a page as it is run.
    pub(super) fn in_run(&self, text: &str) -> String {
        let mut text = with_ports(text, &|port| self.ports.get(&port).copied());
        for (of_page, of_run) in &self.folders {
            text = with_path(&text, of_page, of_run);
        }
        let mut out = String::new();
        for line in text.split_inclusive('\n') {
            match line.split_once(UP_COMMAND) {
                Some((before, after)) if !after.contains("--send-examples") && !after.contains("--help") => {
                    let of_directory = after.contains("--with-directory");
                    let options =
                        UP.iter().filter(|(option, _)| of_directory || *option != "--directory-port");
                    let mut options: String =
                        options.map(|(option, port)| format!(" {option} {}", self.ports[port])).collect();
                    if of_directory {
                        options.push_str(&format!(" --directory-folder '{}'", self.up));
                    }
                    out.push_str(&format!("{before}{UP_COMMAND}{options}{after}"));
                }
                _ => out.push_str(line),
            }
        }
        out
    }

    /// A port that the page names and that a text of the run still has: it stands where nobody looks for one.
    pub(super) fn unmoved(&self, text_of_run: &str) -> Option<u16> {
        let mut numbers = text_of_run.split(|it: char| !it.is_alphanumeric() && it != '_' && it != '-');
        numbers.find_map(|word| word.parse().ok().filter(|port| self.ports.contains_key(port)))
    }

    /// An output of the run as the page would show it.
    pub(super) fn in_page(&self, output: &str) -> String {
        let back: BTreeMap<u16, u16> = self.ports.iter().map(|(page, run)| (*run, *page)).collect();
        let mut text = with_ports(output, &|port| back.get(&port).copied());
        for (of_page, of_run) in &self.folders {
            let relative = Path::new(of_run).strip_prefix(paths::repository()).ok();
            text = text.replace(of_run, of_page);
            if let Some(relative) = relative.filter(|it| *it != Path::new(of_page)) {
                text = text.replace(&relative.display().to_string(), of_page.trim_end_matches('/'));
            }
        }
        text
    }
}

/// The ports that a text names.
fn ports_in(text: &str) -> Vec<u16> {
    let mut ports = std::collections::BTreeSet::new();
    for before in BEFORE_PORT {
        let behind = text.split(before).skip(1);
        ports.extend(behind.filter_map(|rest| Some(port_at(rest)?.0)).filter(|port| *port != 0));
    }
    for (_, port) in UP {
        ports.remove(&port);
    }
    ports.into_iter().collect()
}

/// The number that the text begins with, and how long it is.
fn port_at(text: &str) -> Option<(u16, usize)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    Some((text[..length].parse().ok()?, length))
}

/// The text with other ports, where `other` knows one.
fn with_ports(text: &str, other: &dyn Fn(u16) -> Option<u16>) -> String {
    let mut text = text.to_owned();
    for before in BEFORE_PORT {
        let mut out = String::new();
        let mut parts = text.split(before);
        out.push_str(parts.next().unwrap_or_default());
        for part in parts {
            out.push_str(before);
            match port_at(part).and_then(|(port, length)| Some((other(port)?, length))) {
                Some((port, length)) => out.push_str(&format!("{port}{}", &part[length..])),
                None => out.push_str(part),
            }
        }
        text = out;
    }
    text
}

/// The text with another beginning of paths. What stands behind a letter, a dash, a dot or a slash is the end of a longer path.
fn with_path(text: &str, old: &str, new: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(old) {
        let before = out.chars().chain(rest[..start].chars()).next_back();
        let is_part = before.is_some_and(|it| it.is_alphanumeric() || "-._/".contains(it));
        out.push_str(&rest[..start]);
        out.push_str(if is_part { old } else { new });
        rest = &rest[start + old.len()..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(page: &str) -> Places {
        Places::new(Path::new("/scratch"), Path::new("/build"), page).unwrap()
    }

    #[test]
    fn every_port_of_a_page_is_another_one_in_its_run_and_comes_back() {
        let page = "curl http://127.0.0.1:10000/a 127.0.0.1:3000 localhost:3000 (\"127.0.0.1\", 9000) 127.0.0.1:0 [10000] port_value: 9901 127.0.0.1:100001";
        let places = places(page);
        let run = places.in_run(page);
        for old in ["127.0.0.1:10000/", "127.0.0.1:3000", "9000", "localhost:3000", "port_value: 9901"] {
            assert!(!run.contains(old), "{run}");
        }
        assert_eq!(places.unmoved(&run), Some(10000));
        assert_eq!(places.unmoved(&run.replace("[10000]", "10000ms lock_9901")), None);
        for kept in [" 127.0.0.1:0 ", "[10000]", "127.0.0.1:100001"] {
            assert!(run.contains(kept), "{run}");
        }
        assert_eq!(places.in_page(&run), page);
    }

    #[test]
    fn the_gateway_gets_the_free_ports() {
        let places = places("");
        let run = places.in_run("cargo xtask up --plugin-config a # x\n");
        let [listener, admin, upstream] = [10000, 9901, 9000].map(|port| places.ports[&port]);
        assert_eq!(
            run,
            format!(
                "cargo xtask up --port {listener} --admin-port {admin} --upstream-port {upstream} --plugin-config a # x\n"
            )
        );
        let run = places.in_run("cargo xtask up --with-directory");
        assert!(run.contains(" --directory-port "), "{run}");
        assert!(run.contains(" --directory-folder '/scratch/up' "), "{run}");
        assert_eq!(places.in_run("cargo xtask up --send-examples"), "cargo xtask up --send-examples");
    }

    #[test]
    fn folders_are_those_of_the_run_and_come_back() {
        let page = "cat target/try/a 'target/up/b' target/debug/bellhop src/target/debug mytarget/up";
        let places = places(page);
        let run = places.in_run(page);
        assert_eq!(
            run,
            "cat /scratch/try/a '/scratch/up/b' /build/debug/bellhop src/target/debug mytarget/up"
        );
        assert_eq!(places.in_page(&run), page);
    }
}

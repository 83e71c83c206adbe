//! The parts of `cargo xtask test --all` that need more than rustup and Python: one row each in [`PARTS`].
//! Nothing is installed unless asked for.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::bail;
use testbed::{fake_seam, npm, paths};

use crate::run;
use crate::setup::{self, announce};

/// A part that runs when its tools are there.
pub(crate) struct Part {
    /// What it checks.
    pub(crate) name: &'static str,
    /// What it needs.
    tools: &'static [Tool],
    /// The command, in the root of the repository.
    run: &'static [&'static str],
    /// Files whose names follow the command: all in this folder with this ending.
    files: Option<(&'static str, &'static str)>,
}

/// A tool of a part.
struct Tool {
    /// A command that succeeds when it is there.
    probe: &'static [&'static str],
    /// Where it comes from.
    source: Source,
}

/// Who installs a tool.
enum Source {
    /// A package of the system.
    Apt(&'static str),
    /// A Python package with its exact version, installed into the build folder.
    Pip(&'static str),
    /// A package of npm with its exact version, installed into the build folder.
    Npm(&'static str),
}

const NODE: Tool = Tool { probe: &["node", "--version"], source: Source::Apt("nodejs") };
const NPM: Tool = Tool { probe: &["npm", "--version"], source: Source::Apt("npm") };
const CURL: Tool = Tool { probe: &["curl", "--version"], source: Source::Apt("curl") };
const TYPESCRIPT: Tool = Tool {
    probe: &["node", "--eval", "require.resolve('typescript')"],
    source: Source::Npm(npm::TYPESCRIPT),
};

/// The published fake of the Seam API.
const FAKE_SEAM: Tool = Tool {
    probe: &["node", "--eval", "require.resolve('@seamapi/fake-seam-connect')"],
    source: Source::Npm(fake_seam::PACKAGE),
};

/// What shows pages and looks at them.
const CHROMIUM: &[Tool] = &[
    Tool { probe: &["chromium", "--version"], source: Source::Apt("chromium") },
    Tool { probe: &["chromedriver", "--version"], source: Source::Apt("chromium-driver") },
    NODE,
    NPM,
    Tool { probe: &["node", "--eval", "require.resolve('axe-core')"], source: Source::Npm(npm::AXE_CORE) },
    // What the console shows of a synced account comes from it.
    FAKE_SEAM,
    TYPESCRIPT,
    Tool { probe: &["node", "--eval", "require.resolve('prettier')"], source: Source::Npm(npm::PRETTIER) },
];

/// Every part, in the order in which they run.
pub(crate) const PARTS: &[Part] = &[
    Part {
        name: "shell scripts",
        tools: &[Tool { probe: &["shellcheck", "--version"], source: Source::Apt("shellcheck") }],
        run: &["shellcheck", ".ci/run"],
        files: None,
    },
    // The library that the code is generated with must not be the only one that understands the schemas.
    Part {
        name: "schemas against their meta-schema, with another implementation",
        tools: &[Tool {
            probe: &["python3", "-c", "import check_jsonschema"],
            source: Source::Pip("check-jsonschema==0.39.0"),
        }],
        run: &["python3", "-m", "check_jsonschema", "--check-metaschema"],
        files: Some(("schemas", ".schema.json")),
    },
    Part {
        name: "the account directory with the published fake of the Seam API",
        tools: &[NODE, NPM, FAKE_SEAM],
        run: &[
            "cargo",
            "test",
            "--no-fail-fast",
            "--package",
            "seam",
            "--package",
            "cli",
            "--features",
            "seam/fake-seam",
            "--test",
            "fake_seam",
        ],
        files: None,
    },
    Part {
        name: "the whole chain with the published fake of the Seam API",
        tools: &[NODE, NPM, FAKE_SEAM],
        run: &["cargo", "test", "--package", "system-tests", "--test", "seam"],
        files: None,
    },
    Part {
        name: "dashboard and alert rules with real Prometheus",
        tools: &[
            Tool { probe: &["prometheus", "--version"], source: Source::Apt("prometheus") },
            Tool { probe: &["promtool", "--version"], source: Source::Apt("prometheus") },
        ],
        run: &["cargo", "test", "--package", "system-tests", "--test", "monitoring"],
        files: None,
    },
    Part {
        name: "the account directory on PostgreSQL",
        tools: &[Tool {
            // Debian puts the server outside of `PATH`.
            probe: &["sh", "-c", "command -v postgres || ls /usr/lib/postgresql/*/bin/postgres"],
            source: Source::Apt("postgresql"),
        }],
        run: &["cargo", "test", "--package", "directory", "--test", "postgres"],
        files: None,
    },
    Part {
        name: "pages in Chromium, and their scripts",
        tools: CHROMIUM,
        run: &[
            "cargo",
            "test",
            "--no-fail-fast",
            "--package",
            "testbed",
            "--package",
            "system-tests",
            "--features",
            "testbed/browser,system-tests/browser",
            "--test",
            "browser",
            "--test",
            "console",
            "--test",
            "inspect",
            "--test",
            "scripts",
        ],
        files: None,
    },
    // Whoever signs with the libraries that senders use must get in.
    Part {
        name: "signatures of other libraries, verified in real Envoy",
        tools: &[
            Tool {
                probe: &["python3", "-c", "import standardwebhooks"],
                source: Source::Pip("standardwebhooks==1.1.0"),
            },
            Tool { probe: &["python3", "-c", "import svix.webhooks"], source: Source::Pip("svix==2.9.1") },
            NODE,
            NPM,
            Tool {
                probe: &["node", "--eval", "require.resolve('standardwebhooks')"],
                source: Source::Npm("standardwebhooks@1.1.1"),
            },
            Tool { probe: &["node", "--eval", "require.resolve('svix')"], source: Source::Npm("svix@2.5.0") },
        ],
        run: &["cargo", "test", "--package", "edge-tests", "--test", "interoperability"],
        files: None,
    },
    Part {
        name: "every command of the documentation",
        tools: &[CURL, Tool { probe: &["openssl", "version"], source: Source::Apt("openssl") }, NODE, NPM],
        run: &["cargo", "xtask", "guides"],
        files: None,
    },
    Part {
        name: "the files of deploy/",
        tools: &[
            Tool {
                probe: &["python3", "-c", "import check_jsonschema, ruamel.yaml"],
                source: Source::Pip("check-jsonschema==0.39.0"),
            },
            NODE,
            NPM,
            // Definitions of Kubernetes, of Istio 1.29 and of the Gateway API, as TypeScript.
            Tool {
                probe: &["sh", "-c", "test -d \"$NODE_PATH/kubernetes-models\""],
                source: Source::Npm("kubernetes-models@5.1.0"),
            },
            Tool {
                probe: &["sh", "-c", "test -d \"$NODE_PATH/@kubernetes-models/istio\""],
                source: Source::Npm("@kubernetes-models/istio@3.0.1"),
            },
            Tool {
                probe: &["sh", "-c", "test -d \"$NODE_PATH/@kubernetes-models/gateway-api\""],
                source: Source::Npm("@kubernetes-models/gateway-api@2.0.0"),
            },
            TYPESCRIPT,
            Tool { probe: &["systemd-analyze", "--version"], source: Source::Apt("systemd") },
            CURL,
        ],
        run: &["cargo", "test", "--package", "edge-tests", "--test", "deploy"],
        files: None,
    },
    // Built twice, so it takes some minutes.
    Part {
        name: "a release",
        tools: &[
            Tool { probe: &["skopeo", "--version"], source: Source::Apt("skopeo") },
            Tool {
                probe: &["python3", "-c", "import cyclonedx, jsonschema"],
                source: Source::Pip("cyclonedx-python-lib[json-validation]==11.12.0"),
            },
        ],
        run: &["cargo", "test", "--package", "xtask", "--test", "dist"],
        files: None,
    },
];

impl Part {
    /// Runs it when its tools are there, or can be had. Whether it succeeded.
    pub(crate) fn run(&self, install: bool) -> anyhow::Result<bool> {
        for tool in self.tools {
            if tool.is_there() {
                continue;
            }
            if !install {
                let name = tool.source.package();
                bail!("{name} is missing: install it, or let `cargo xtask test --all --install` do it");
            }
            tool.source.install()?;
            if !tool.is_there() {
                bail!("{} was installed and is still missing", tool.source.package());
            }
        }
        let mut command = command(self.run);
        if let Some((folder, ending)) = self.files {
            let files = files_in(folder, ending)?;
            if files.is_empty() {
                bail!("there is no file {folder}/*{ending}");
            }
            command.args(files);
        }
        run::succeeds(&mut command)
    }
}

impl Tool {
    fn is_there(&self) -> bool {
        run::probe(&mut command(self.probe))
    }
}

impl Source {
    fn package(&self) -> &'static str {
        match self {
            Self::Apt(package) | Self::Pip(package) | Self::Npm(package) => package,
        }
    }

    fn install(&self) -> anyhow::Result<()> {
        announce(&format!("installing {}", self.package()));
        match self {
            Self::Apt(package) => {
                run::checked(&mut as_root(&["apt-get", "update", "--quiet"]))?;
                let install = ["apt-get", "install", "--quiet", "--yes", "--no-install-recommends"];
                let mut install = as_root(&install);
                run::checked(install.arg(package).env("DEBIAN_FRONTEND", "noninteractive"))
            }
            Self::Pip(package) => {
                let mut pip = run::program("python3");
                pip.args(["-m", "pip", "install", "--quiet", "--root-user-action=ignore", "--upgrade"]);
                run::checked(pip.arg("--target").arg(python_packages()).arg(package))
            }
            Self::Npm(package) => setup::npm(package),
        }
    }
}

/// A command that sees the Python and npm packages of the build folder.
fn command(words: &[&str]) -> Command {
    let (name, arguments) = words.split_first().unwrap_or((&"true", &[]));
    let mut command = run::program(name);
    command.args(arguments).env("PYTHONPATH", python_path());
    command.env("NODE_PATH", npm::folder().join("node_modules"));
    command
}

fn python_packages() -> PathBuf {
    paths::target().join("tools/python")
}

fn python_path() -> OsString {
    let mut path = python_packages().into_os_string();
    if let Some(others) = std::env::var_os("PYTHONPATH") {
        path.push(":");
        path.push(others);
    }
    path
}

fn as_root(words: &[&str]) -> Command {
    let mut id = run::program("id");
    let is_root = run::output(id.arg("-u")).is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    let mut command = run::program(if is_root { "env" } else { "sudo" });
    command.args(words);
    command
}

fn files_in(folder: &str, ending: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![paths::repository().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

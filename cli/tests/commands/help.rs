//! What `--help` says is what the program takes, and a wrong configuration is an error that names its key.

use std::collections::BTreeSet;
use std::process::Command;

use crate::folder::{Folder, failure};

/// The commands that take no configuration of the directory, with their options.
const ALONE: [(&str, &[&str]); 2] = [
    ("check", &["--help", "--json", "--lines", "--plugin-config", "--source"]),
    ("inspect", &["--help", "--listen"]),
];

/// Every other command with its options, `--config` and `--help` aside.
const COMMANDS: [(&str, &[&str]); 10] = [
    ("serve", &[]),
    ("connect", &["--customer-key", "--providers", "--wait-for-device-creation"]),
    ("register", &["--anew", "--events", "--provider", "--token-env", "--url"]),
    ("registrations", &["--as-plugin-events", "--provider"]),
    ("import", &[]),
    ("export", &["--output"]),
    ("quarantine list", &["--cause", "--limit", "--source", "--state"]),
    ("quarantine show", &[]),
    ("quarantine replay", &["--all", "--cause", "--limit", "--source"]),
    ("quarantine drop", &[]),
];

fn help(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_bellhop")).args(arguments).arg("--help").output().unwrap();
    assert_eq!(failure(&output), (Some(0), String::new()));
    String::from_utf8(output.stdout).unwrap()
}

/// The first word of each line below this heading.
fn below<'h>(help: &'h str, heading: &str) -> BTreeSet<&'h str> {
    let lines = help.lines().skip_while(|line| *line != heading).skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    let words = lines.map(|line| line.trim_start().trim_start_matches("-h, ").trim_start_matches("-V, "));
    words.map(|line| line.split(' ').next().unwrap()).collect()
}

#[test]
fn every_command_and_every_option_has_its_line() {
    let all = help(&[]);
    let mut commands: BTreeSet<_> =
        COMMANDS.iter().map(|(name, _)| name.split(' ').next().unwrap()).collect();
    commands.insert("help");
    for (name, options) in ALONE {
        commands.insert(name);
        assert_eq!(below(&help(&[name]), "Options:"), options.iter().copied().collect(), "{name}");
    }
    assert_eq!(below(&all, "Commands:"), commands);
    assert!(all.contains("Exit codes: 0 done, 1 it failed, 2 the command line is wrong"), "{all}");
    for (name, options) in COMMANDS {
        let mut expected: BTreeSet<_> = options.iter().copied().collect();
        expected.extend(["--config", "--help"]);
        assert_eq!(below(&help(&name.split(' ').collect::<Vec<_>>()), "Options:"), expected, "{name}");
    }
}

#[test]
fn a_command_line_that_is_wrong_ends_with_2() {
    for wrong in [
        &[][..],
        &["improt"],
        &["serve"],
        &["serve", "--config"],
        &["export", "--config", "x", "y"],
        &["quarantine"],
        &["quarantine", "drop", "--config", "x"],
        &["quarantine", "replay", "--config", "x"],
        &["quarantine", "replay", "--config", "x", "--all", "1"],
        &["quarantine", "list", "--config", "x", "--state", "gone"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bellhop"));
        let output = command.args(wrong).env_remove("BELLHOP_CONFIG").output().unwrap();
        assert!(failure(&output).0 == Some(2) && output.stdout.is_empty(), "{wrong:?}");
    }
}

#[test]
fn every_command_refuses_a_configuration_that_is_not_in_order() {
    for (name, _) in COMMANDS {
        let folder = Folder::with("tokenz = []\n");
        let arguments: &[&str] = match name {
            "connect" => &["--customer-key", "k"],
            "register" => &["--provider", "https://p.example", "--url", "https://edge.example/"],
            "import" => &["-"],
            "quarantine show" | "quarantine replay" | "quarantine drop" => &["1"],
            _ => &[],
        };
        let run = |variable: Option<&str>| {
            let mut command = folder.command(name);
            if variable.is_none() {
                command.env_remove("DIRECTORY_TOKEN");
            }
            failure(&command.args(arguments).output().unwrap())
        };
        let (code, text) = run(Some("set"));
        assert!(
            code == Some(1) && text.contains("directory.toml: tokenz: is not known here"),
            "{name}: {text}"
        );
        folder.write("directory.toml", "database = 'sqlite:x'\ntokens = [{ env = 'DIRECTORY_TOKEN' }]\n");
        let (code, text) = run(None);
        assert!(
            code == Some(1) && text.contains("tokens[0]: the environment has no such variable"),
            "{name}: {text}"
        );
        std::fs::remove_file(folder.0.join("directory.toml")).unwrap();
        let (code, text) = run(Some("set"));
        assert!(
            code == Some(1) && text.contains("cannot read") && text.contains("directory.toml"),
            "{name}: {text}"
        );
    }
}

#[test]
fn the_configuration_can_be_named_by_a_variable() {
    let folder = Folder::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bellhop"));
    command.arg("registrations").env("BELLHOP_CONFIG", folder.0.join("directory.toml"));
    let output = command.env("DIRECTORY_TOKEN", "a-token-of-the-tests").output().unwrap();
    assert_eq!(failure(&output), (Some(0), String::new()));
}

//! The program from outside: exit codes, messages, files. What the directory answers is tested there.

mod check;
mod connect;
mod folder;
mod help;
mod quarantine;
mod register;

use std::process::Command;

use testbed::http1;
use testbed::service::Service;
use testbed::upstream::{Answer, Upstream};

use crate::folder::{Folder, failure};

#[test]
fn what_is_imported_is_exported() {
    let folder = Folder::new();
    let lines = "{\"connected_account_id\":\"a\",\"devices\":[\"d\"],\"bridges\":[],\"access_codes\":[]}\n";
    let file = folder.write("fleet.jsonl", lines);
    let imported = folder.command("import").arg(&file).output().unwrap();
    assert_eq!(failure(&imported), (Some(0), "imported 1 lines with 1 ids\n".to_owned()));
    let exported = folder.command("export").output().unwrap();
    assert_eq!(String::from_utf8(exported.stdout).unwrap(), lines);
    let output = folder.0.join("exported.jsonl");
    assert!(folder.command("export").arg("--output").arg(&output).status().unwrap().success());
    assert_eq!(std::fs::read_to_string(output).unwrap(), lines);
}

#[test]
fn a_failure_says_what_and_where_and_repeats_no_value() {
    let folder = Folder::new();
    let file = folder.write("fleet.jsonl", "{\"connected_account_id\":\"a\"}\n{\"secret\":1}\n");
    let (code, text) = failure(&folder.command("import").arg(&file).output().unwrap());
    assert!(code == Some(1) && text.contains("fleet.jsonl: line 2: not one JSON object"), "{text}");
    assert!(!text.contains("secret"), "{text}");
    let (code, text) = failure(&folder.command("import").arg("absent.jsonl").output().unwrap());
    assert!(code == Some(1) && text.contains("cannot read absent.jsonl"), "{text}");
    let (code, text) = failure(&folder.command("export").env_remove("DIRECTORY_TOKEN").output().unwrap());
    assert!(code == Some(1) && text.contains("tokens[0]: the environment has no such variable"), "{text}");
    folder.write("directory.toml", "database = 'sqlite:x'\ntokens = ['secret']");
    let (code, text) = failure(&folder.command("serve").output().unwrap());
    assert!(code == Some(1) && text.contains("directory.toml: tokens[0]: expected"), "{text}");
    assert!(!text.contains("secret"), "{text}");
    let (code, _) = failure(&folder.command("improt").output().unwrap());
    assert_eq!(code, Some(2));
}

#[test]
fn the_service_says_where_it_listens_and_ends_in_order() {
    let folder = Folder::new();
    let mut service = Service::start("cli-serve", folder.command("serve")).unwrap();
    let address = service.wait_for_value("listening on ").unwrap();
    let request = testbed::message::Request::new("GET", "/ready");
    let answer = http1::send(address, &request).unwrap();
    assert_eq!(answer.status, 200);
    assert!(service.stop().unwrap().success());
}

#[test]
fn a_service_that_is_told_to_end_gives_back_the_jobs_that_it_cannot_end() {
    let api = Upstream::start_with(0, |_| Answer::Hang).unwrap();
    let folder = Folder::with(&format!(
        "[seam]\nurl = 'http://{}'\napi_key = 'key'\nwebhook_secrets = ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw']\n",
        api.address()
    ));
    let mut service = Service::start("cli-serve", folder.command("serve")).unwrap();
    // It looks for accounts, and gets no answer.
    assert_eq!(api.wait_for(1).unwrap()[0].path, "/connected_accounts/list");
    let asked = Command::new("kill").arg(service.pid().to_string()).status().unwrap();
    assert!(asked.success());
    service.wait_for(|output| output.contains("sync jobs were given back n_jobs=1").then_some(())).unwrap();
    assert!(service.stop().unwrap().success());
}

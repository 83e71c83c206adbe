//! A page as one bash script, so that what a block sets is there in the next one. It starts nothing and reads no output.

use std::fmt::Write;
use std::path::Path;

use super::notation::{Commands, Step, Way, commands_of};
use super::places::Places;

/// The file that says at which line of the page the script is.
pub(super) const AT: &str = "at";

/// Nobody waits for ever for what runs in the background: so many tenths of a second.
const N_LOOKS: u32 = 6_000;

/// What every script begins with. Each function keeps its name out of the page's way.
const PRELUDE: &str = "set -eu
__pids=()
# What runs in the background is ended in order, however the page ends.
__stop() {
  for __pid in \"${__pids[@]}\"; do kill -TERM \"$__pid\" 2>/dev/null || true; wait \"$__pid\" || true; done
  __pids=()
}
trap __stop EXIT
# Until the file $1 has the text $2.
__wait() {
  local look
  for ((look = 0; look < LOOKS; look++)); do
    if grep --quiet --fixed-strings -- \"$2\" \"$1\"; then return; fi
    kill -0 \"${__pids[-1]}\" 2>/dev/null || { echo \"the command in the background has ended\"; return 1; }
    sleep 0.1
  done
  echo \"the command in the background never printed: $2\"
  return 1
}
";

/// The script of a page. Its scratch folder is this one; the output of a block goes there, to [`output_of`].
pub(super) fn script(steps: &[Step], places: &Places, scratch: &Path) -> String {
    let folder = quoted(&scratch.display().to_string());
    let mut text = PRELUDE.replace("LOOKS", &N_LOOKS.to_string());
    for step in steps {
        // Into a string: it cannot fail.
        let _ = match step {
            Step::Commands(commands) => write_commands(&mut text, commands, places, &folder),
            Step::File { path, text: content } => {
                let path = quoted(&places.in_run(path));
                let content = quoted(&places.in_run(content));
                writeln!(text, "mkdir -p \"$(dirname {path})\"\nprintf %s {content} >{path}")
            }
            Step::StopBackground => writeln!(text, "__stop"),
        };
    }
    text
}

/// The file for the output of the block at this line.
pub(super) fn output_of(line: usize) -> String {
    format!("{line}.output")
}

fn write_commands(text: &mut String, commands: &Commands, places: &Places, folder: &str) -> std::fmt::Result {
    let block = places.in_run(&commands.text);
    let output = format!("{folder}/{}", output_of(commands.line));
    writeln!(text, "echo {line} >{folder}/{AT}\nexec >{output} 2>&1 </dev/null", line = commands.line)?;
    match &commands.way {
        Way::Succeeds => writeln!(text, "{block}"),
        Way::FailsWith(status) => writeln!(
            text,
            "set +e\n(set -e\n{block}\n)\n__status=$?\nset -e\n\
             [ \"$__status\" = {status} ] || {{ echo \"ended with $__status, not with {status}\"; exit 1; }}"
        ),
        // The system kills it when this bash dies. A process of its own, not a shell that has one: it gets the signals.
        Way::BackgroundUntil(until) => writeln!(
            text,
            "(exec setpriv --pdeathsig KILL -- {block}\n) &\n__pids+=(\"$!\")\n\
             exec >{output}.wait 2>&1\n__wait {output} '{until}'"
        ),
        Way::CheckedElsewhere => {
            let lines: Vec<_> = block.lines().collect();
            commands_of(&lines).iter().try_for_each(|command| writeln!(text, "{command} --help"))
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::super::notation;
    use super::*;

    /// Runs a page. Whether it succeeded, the line that it came to, and the outputs of these lines.
    fn run(name: &str, page: &str, lines: &[usize]) -> (bool, String, Vec<String>) {
        let folder = testbed::paths::scratch().unwrap().join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let places = Places::new(&folder, Path::new("/build"), page).unwrap();
        let script = script(&notation::read(page).unwrap(), &places, &folder);
        let mut bash = Command::new("bash");
        bash.args(["--noprofile", "--norc", "-c", &script]).stderr(Stdio::null());
        let succeeded = bash.status().unwrap().success();
        let read = |name: String| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        let outputs = lines.iter().map(|line| read(output_of(*line))).collect();
        let at = read(AT.to_owned());
        std::fs::remove_dir_all(&folder).unwrap();
        (succeeded, at.trim().to_owned(), outputs)
    }

    #[test]
    fn variables_live_from_block_to_block_and_files_are_there() {
        let page = "```sh\nA=\"it's\"\n```\n<!-- file: target/try/x/f -->\n```text\n$A 'b'\n```\n```sh\necho $A; cat target/try/x/f\n```";
        let (succeeded, at, outputs) = run("script-state", page, &[9]);
        assert!(succeeded);
        assert_eq!((at.as_str(), outputs[0].as_str()), ("9", "it's\n$A 'b'\n"));
    }

    #[test]
    fn a_command_that_fails_ends_the_page() {
        let (succeeded, at, outputs) =
            run("script-fails", "```sh\ntrue\n```\n```sh\nfalse\necho on\n```", &[5]);
        assert!(!succeeded);
        assert_eq!((at.as_str(), outputs[0].as_str()), ("5", ""));
        let (succeeded, _, _) = run("script-unset", "```sh\necho $NOBODY_SETS_THIS\n```", &[]);
        assert!(!succeeded);
    }

    #[test]
    fn a_failure_that_is_foretold_is_none() {
        let page =
            "<!-- run: fails with 3 -->\n```sh\nsh -c 'exit 3'\necho not here\n```\n```sh\necho on\n```";
        let (succeeded, at, outputs) = run("script-foretold", page, &[3, 7]);
        assert!(succeeded);
        assert_eq!((at.as_str(), outputs[0].as_str(), outputs[1].as_str()), ("7", "", "on\n"));
        for other in ["true", "exit 4"] {
            let page = format!("<!-- run: fails with 3 -->\n```sh\n{other}\n```");
            assert!(!run("script-otherwise", &page, &[]).0, "{other}");
        }
    }

    #[test]
    fn the_background_is_waited_for_and_ended() {
        let page = "<!-- run: background until \"is up\" -->\n```sh\nsh -c 'trap \"echo ended; exit\" TERM; echo it is up; while :; do sleep 0.01; done'\n```\n\
                    ```sh\necho on\n```\n<!-- run: stop the background -->\n```sh\necho over\n```";
        let (succeeded, at, outputs) = run("script-background", page, &[3, 6]);
        assert!(succeeded);
        assert_eq!(
            (at.as_str(), outputs[0].as_str(), outputs[1].as_str()),
            ("10", "it is up\nended\n", "on\n")
        );
        let page = "<!-- run: background until \"is up\" -->\n```sh\necho not yet\n```";
        assert!(!run("script-background-ends", page, &[]).0);
    }

    #[test]
    fn what_is_checked_elsewhere_must_be_a_command_that_there_is() {
        let elsewhere =
            |command| format!("<!-- run: checked elsewhere: it takes an hour -->\n```sh\n{command}\n```");
        assert!(run("script-elsewhere", &elsewhere("cat --number # all"), &[]).0);
        assert!(!run("script-nowhere", &elsewhere("cat --no-such-option"), &[]).0);
    }
}

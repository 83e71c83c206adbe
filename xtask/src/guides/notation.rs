//! What a page of the documentation asks for: its command blocks, and the notes in HTML comments that say how each is run and
//! what it prints. It runs nothing.
//!
//! A block fenced as `sh` is run and must succeed. A note stands on a line of its own, in front of the block that it is about:
//!
//! | note | says |
//! |---|---|
//! | `<!-- run: fails with 3 -->` | the commands end with this status; what they set is forgotten |
//! | `<!-- run: background until "TEXT" -->` | the one command goes on running; the page goes on when it has printed the text |
//! | `<!-- run: stop the background -->` | ends what runs in the background; no block belongs to it |
//! | `<!-- run: checked elsewhere: REASON -->` | not run; each line is only asked for its `--help` |
//! | `<!-- prints: LINE -->` | the commands print this line |
//! | `<!-- output -->`, `<!-- output of the background -->` | the block, of any other language, is what was printed |
//! | `<!-- file: PATH -->` | the block is the content of this file, below `target/try/` |
//!
//! A block fenced as `text` or `json` right behind a command block is its output too. `…` stands for anything within a line, and
//! lines that are left out may stand between those that are shown.

use std::fmt;

/// Where pages may write.
pub(crate) const TRY_FOLDER: &str = "target/try/";

/// What can be fenced, besides `sh`.
const LANGUAGES: [&str; 11] =
    ["ini", "javascript", "json", "promql", "python", "rust", "sql", "text", "toml", "typescript", "yaml"];

/// What is done for a page, in its order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A command block.
    Commands(Commands),
    /// A file with this content.
    File { path: String, text: String },
    /// The end of what runs in the background.
    StopBackground,
}

/// A command block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Commands {
    /// The line of its first command, from 1.
    pub(crate) line: usize,
    pub(crate) text: String,
    pub(crate) way: Way,
    /// What it prints, besides other things.
    pub(crate) prints: Vec<Shown>,
}

/// How a command block is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    Succeeds,
    FailsWith(u8),
    BackgroundUntil(String),
    CheckedElsewhere,
}

/// Lines that stand in an output in this order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// The line of the page, from 1.
    pub(crate) line: usize,
    pub(crate) lines: Vec<String>,
}

/// Why a page cannot be run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The line of the page, from 1.
    pub(crate) line: usize,
    pub(crate) kind: FaultKind,
}

/// See [`Fault`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// A comment that is no note.
    UnknownNote(String),
    /// A note, and no block of its kind behind it.
    NoteWithoutBlock,
    /// Two notes that cannot both hold.
    TwoNotes,
    /// A fence without a language, or with one that nobody reads.
    UnknownLanguage(String),
    /// A fence that nothing closes.
    OpenFence,
    /// An output before anything is run, or of a background that is not there.
    OutputOfNothing,
    /// A background block with more than one command.
    SeveralInBackground,
    /// A file that is not below [`TRY_FOLDER`].
    FileElsewhere(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match &self.kind {
            FaultKind::UnknownNote(note) => write!(f, "`{note}` is no note that the runner knows"),
            FaultKind::NoteWithoutBlock => write!(f, "the note is about a block, and none follows it"),
            FaultKind::TwoNotes => write!(f, "the note contradicts the one in front of it"),
            FaultKind::UnknownLanguage(language) => write!(
                f,
                "a block is fenced as `{language}`: commands are `sh`, what is only shown is `text` or one of {}",
                LANGUAGES.join(", ")
            ),
            FaultKind::OpenFence => write!(f, "the block does not end"),
            FaultKind::OutputOfNothing => write!(f, "an output is shown of what is not run"),
            FaultKind::SeveralInBackground => write!(f, "one command can run in the background, not several"),
            FaultKind::FileElsewhere(path) => write!(f, "`{path}` is not below {TRY_FOLDER}"),
        }
    }
}

impl std::error::Error for Fault {}

/// What stands in front of a block.
#[derive(Default)]
struct Notes {
    /// The line of the last one.
    line: usize,
    way: Option<Way>,
    prints: Vec<Shown>,
    block: Option<BlockNote>,
}

/// What a block that is no command is for.
enum BlockNote {
    Output,
    OutputOfBackground,
    File(String),
}

/// Reads a page.
///
/// # Errors
/// At the first line that is not understood.
pub(crate) fn read(text: &str) -> Result<Vec<Step>, Fault> {
    let mut reader = Reader::default();
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    while let Some((number, line)) = lines.next() {
        let trimmed = line.trim();
        if let Some(language) = trimmed.strip_prefix("```") {
            let indent = line.len() - line.trim_start().len();
            let mut content = Vec::new();
            loop {
                match lines.next() {
                    Some((_, line)) if line.trim() == "```" => break,
                    Some((_, line)) => content.push(outdented(line, indent)),
                    None => return Err(Fault { line: number, kind: FaultKind::OpenFence }),
                }
            }
            reader.block(number + 1, language.trim(), &content)?;
        } else if trimmed.starts_with("<!--") {
            reader.note(number, trimmed)?;
        } else if line.split('`').step_by(2).any(|it| it.contains("<!--")) {
            // Nobody would see that it says nothing.
            return Err(Fault { line: number, kind: FaultKind::UnknownNote(trimmed.to_owned()) });
        } else if !trimmed.is_empty() {
            reader.prose()?;
        }
    }
    reader.prose()?;
    Ok(reader.steps)
}

/// The line without so much of the indent of its fence as it has.
fn outdented(line: &str, indent: usize) -> &str {
    let n_spaces = line.len() - line.trim_start_matches(' ').len();
    &line[indent.min(n_spaces)..]
}

#[derive(Default)]
struct Reader {
    steps: Vec<Step>,
    notes: Option<Notes>,
    /// Nothing has stood behind the last command block.
    follows_commands: bool,
}

impl Reader {
    fn prose(&mut self) -> Result<(), Fault> {
        self.follows_commands = false;
        match self.notes.take() {
            Some(notes) => Err(Fault { line: notes.line, kind: FaultKind::NoteWithoutBlock }),
            None => Ok(()),
        }
    }

    fn note(&mut self, line: usize, text: &str) -> Result<(), Fault> {
        let fault = |kind| Fault { line, kind };
        let unknown = || fault(FaultKind::UnknownNote(text.to_owned()));
        let note =
            text.strip_prefix("<!--").and_then(|it| it.strip_suffix("-->")).ok_or_else(unknown)?.trim();
        if note == "run: stop the background" {
            self.prose()?;
            self.steps.push(Step::StopBackground);
            return Ok(());
        }
        let notes = self.notes.get_or_insert_default();
        notes.line = line;
        let taken = if let Some(way) = note.strip_prefix("run: ") {
            notes.way.replace(way_of(way).ok_or_else(unknown)?).is_some()
        } else if let Some(printed) = note.strip_prefix("prints: ") {
            notes.prints.push(Shown { line, lines: vec![printed.to_owned()] });
            false
        } else {
            let block = match (note, note.strip_prefix("file: ")) {
                ("output", _) => BlockNote::Output,
                ("output of the background", _) => BlockNote::OutputOfBackground,
                (_, Some(path)) if path.starts_with(TRY_FOLDER) && !path.contains("..") => {
                    BlockNote::File(path.to_owned())
                }
                (_, Some(path)) => return Err(fault(FaultKind::FileElsewhere(path.to_owned()))),
                (_, None) => return Err(unknown()),
            };
            notes.block.replace(block).is_some()
        };
        let is_about_commands = notes.way.is_some() || !notes.prints.is_empty();
        if taken || (notes.block.is_some() && is_about_commands) {
            return Err(fault(FaultKind::TwoNotes));
        }
        Ok(())
    }

    fn block(&mut self, line: usize, language: &str, content: &[&str]) -> Result<(), Fault> {
        let fault = |kind| Fault { line, kind };
        let notes = self.notes.take().unwrap_or_default();
        let follows_commands = std::mem::replace(&mut self.follows_commands, language == "sh");
        if language == "sh" {
            if notes.block.is_some() {
                return Err(Fault { line: notes.line, kind: FaultKind::NoteWithoutBlock });
            }
            let way = notes.way.unwrap_or(Way::Succeeds);
            if matches!(way, Way::BackgroundUntil(_)) && commands_of(content).len() != 1 {
                return Err(fault(FaultKind::SeveralInBackground));
            }
            let text = content.join("\n");
            self.steps.push(Step::Commands(Commands { line, text, way, prints: notes.prints }));
            return Ok(());
        }
        if !LANGUAGES.contains(&language) {
            return Err(fault(FaultKind::UnknownLanguage(language.to_owned())));
        }
        if notes.way.is_some() || !notes.prints.is_empty() {
            return Err(Fault { line: notes.line, kind: FaultKind::NoteWithoutBlock });
        }
        let block = match notes.block {
            None if follows_commands && matches!(language, "json" | "text") => Some(BlockNote::Output),
            other => other,
        };
        match block {
            None => {}
            Some(BlockNote::File(path)) => {
                self.steps.push(Step::File { path, text: content.join("\n") + "\n" });
            }
            Some(of) => {
                let in_background = matches!(of, BlockNote::OutputOfBackground);
                let lines = content.iter().map(|line| (*line).to_owned()).collect();
                let commands = self.last_commands(in_background);
                let prints = &mut commands.ok_or(fault(FaultKind::OutputOfNothing))?.prints;
                prints.push(Shown { line, lines });
            }
        }
        Ok(())
    }

    /// The last commands that ran to their end, or those that run in the background.
    fn last_commands(&mut self, in_background: bool) -> Option<&mut Commands> {
        self.steps.iter_mut().rev().find_map(|step| match step {
            Step::Commands(commands) if commands.way == Way::CheckedElsewhere => None,
            Step::Commands(commands) => {
                (matches!(commands.way, Way::BackgroundUntil(_)) == in_background).then_some(commands)
            }
            Step::File { .. } | Step::StopBackground => None,
        })
    }
}

fn way_of(text: &str) -> Option<Way> {
    if let Some(status) = text.strip_prefix("fails with ") {
        return status.parse().ok().filter(|status| *status != 0).map(Way::FailsWith);
    }
    if let Some(until) = text.strip_prefix("background until ") {
        let until = until.strip_prefix('"')?.strip_suffix('"')?;
        let is_plain = !until.is_empty() && !until.contains(['\'', '"']);
        return is_plain.then(|| Way::BackgroundUntil(until.to_owned()));
    }
    let reason = text.strip_prefix("checked elsewhere: ")?;
    (reason.trim().len() > 10).then_some(Way::CheckedElsewhere)
}

/// The commands of a block, one a line, without comments; a line that ends in a backslash goes on.
pub(crate) fn commands_of(lines: &[&str]) -> Vec<String> {
    let mut commands = vec![String::new()];
    for line in lines {
        let line = line.split_once(" #").map_or(*line, |(command, _)| command).trim();
        let line = if line.starts_with('#') { "" } else { line };
        let open = line.strip_suffix('\\');
        if let Some(last) = commands.last_mut() {
            last.push_str(open.unwrap_or(line));
        }
        if open.is_none() {
            commands.push(String::new());
        }
    }
    commands.retain(|command| !command.is_empty());
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(line: usize, text: &str, way: Way, prints: Vec<Shown>) -> Step {
        Step::Commands(Commands { line, text: text.to_owned(), way, prints })
    }

    fn shown(line: usize, lines: &[&str]) -> Shown {
        Shown { line, lines: lines.iter().map(|it| (*it).to_owned()).collect() }
    }

    fn fault(text: &str) -> (usize, FaultKind) {
        let fault = read(text).unwrap_err();
        (fault.line, fault.kind)
    }

    #[test]
    fn a_plain_block_must_succeed_and_other_blocks_are_not_run() {
        let page = "# A\n\n```sh\nls\ncd x\n```\n\n```toml\na = 1\n```\n\nprose\n\n```text\nnot run\n```\n";
        assert_eq!(read(page), Ok(vec![commands(4, "ls\ncd x", Way::Succeeds, vec![])]));
    }

    #[test]
    fn notes_say_how_a_block_is_run() {
        let page = "<!-- run: fails with 3 -->\n```sh\na\n```\n<!-- run: background until \"is up\" -->\n\n```sh\nb \\\n  c\n```\n\
                    <!-- run: stop the background -->\n<!-- run: checked elsewhere: it is the gate itself -->\n```sh\nd\n```";
        let wanted = vec![
            commands(3, "a", Way::FailsWith(3), vec![]),
            commands(8, "b \\\n  c", Way::BackgroundUntil("is up".to_owned()), vec![]),
            Step::StopBackground,
            commands(14, "d", Way::CheckedElsewhere, vec![]),
        ];
        assert_eq!(read(page), Ok(wanted));
    }

    #[test]
    fn what_is_shown_belongs_to_the_commands_before_it() {
        let page = "<!-- run: background until \"up\" -->\n```sh\na\n```\n<!-- prints: one -->\n<!-- prints: two … -->\n```sh\nb\n```\n\n\
                    ```text\nthree\n```\nprose\n<!-- output of the background -->\n```text\nfour\n\nfive\n```\n<!-- output -->\n```json\n{}\n```";
        let wanted = vec![
            commands(3, "a", Way::BackgroundUntil("up".to_owned()), vec![shown(17, &["four", "", "five"])]),
            commands(
                8,
                "b",
                Way::Succeeds,
                vec![shown(5, &["one"]), shown(6, &["two …"]), shown(12, &["three"]), shown(23, &["{}"])],
            ),
        ];
        assert_eq!(read(page), Ok(wanted));
    }

    #[test]
    fn files_and_blocks_in_lists_lose_their_indent() {
        let page = "1. x\n   <!-- file: target/try/a.py -->\n   ```python\n   if a:\n       b\n   ```\n   ```sh\n   ls\n   ```";
        let file = Step::File { path: "target/try/a.py".to_owned(), text: "if a:\n    b\n".to_owned() };
        assert_eq!(read(page), Ok(vec![file, commands(8, "ls", Way::Succeeds, vec![])]));
    }

    #[test]
    fn what_is_not_known_is_a_fault() {
        for note in [
            "run: twice",
            "runs: fails with 3",
            "run: fails with 0",
            "run: fails with 256",
            "run: background until up",
            "run: background until \"it's up\"",
            "run: checked elsewhere",
            "run: checked elsewhere: slow",
            "outputs",
            "a comment",
        ] {
            let text = format!("<!-- {note} -->");
            assert_eq!(fault(&format!("{text}\n```sh\nls\n```")), (1, FaultKind::UnknownNote(text)));
        }
        assert_eq!(fault("<!-- run: fails\nwith 3 -->").0, 1);
        assert_eq!(fault("prose <!-- output -->").0, 1);
        assert_eq!(read("prose `<!-- output -->`"), Ok(vec![]));
        assert_eq!(fault("```\nls\n```"), (2, FaultKind::UnknownLanguage(String::new())));
        assert_eq!(fault("```bash\nls\n```"), (2, FaultKind::UnknownLanguage("bash".to_owned())));
        assert_eq!(fault("```sh\nls\n"), (1, FaultKind::OpenFence));
    }

    #[test]
    fn a_note_needs_a_block_of_its_kind() {
        let fails = "<!-- run: fails with 3 -->\n";
        for rest in ["prose\n```sh\nls\n```", "", "```text\nls\n```"] {
            assert_eq!(fault(&format!("{fails}{rest}")), (1, FaultKind::NoteWithoutBlock), "{rest}");
        }
        assert_eq!(fault("<!-- output -->\n```sh\nls\n```"), (1, FaultKind::NoteWithoutBlock));
        assert_eq!(fault(&format!("{fails}{fails}")), (2, FaultKind::TwoNotes));
        assert_eq!(fault(&format!("{fails}<!-- output -->")), (2, FaultKind::TwoNotes));
        assert_eq!(fault("<!-- output -->\n```text\na\n```"), (3, FaultKind::OutputOfNothing));
        let elsewhere =
            "<!-- run: checked elsewhere: in the gate itself -->\n```sh\nls\n```\n```text\na\n```";
        assert_eq!(fault(elsewhere), (6, FaultKind::OutputOfNothing));
        assert_eq!(
            fault("<!-- run: background until \"up\" -->\n```sh\na\nb\n```"),
            (3, FaultKind::SeveralInBackground)
        );
        assert_eq!(
            fault("<!-- file: /etc/x -->\n```text\na\n```"),
            (1, FaultKind::FileElsewhere("/etc/x".to_owned()))
        );
    }

    #[test]
    fn commands_are_told_from_comments() {
        let lines = ["# first", "a --b \\", "  c  # why", "", "d"];
        assert_eq!(commands_of(&lines), ["a --b c", "d"]);
    }
}

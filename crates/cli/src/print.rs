//! Results go to stdout, talk to stderr.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use brickwork::Percent;
pub(crate) use brickwork::show::{counted, held_out_words, thousands};
use brickwork::verbs::Memory;
use clap::builder::styling::AnsiColor;
use serde::Serialize;
use serde_json::Value;

use crate::args::Global;
use crate::hints;

/// Where words go.
pub(crate) struct Out {
    json: bool,
    quiet: bool,
    verbose: u8,
    /// Where results are collected instead of printed.
    collected: Option<Mutex<Vec<Value>>>,
}

impl Out {
    pub(crate) fn new(global: &Global) -> Self {
        Self { json: global.json, quiet: global.quiet, verbose: global.verbose, collected: None }
    }

    /// The same, but results as JSON are also kept; see [`taken`](Self::taken). They are still
    /// printed as text, unless JSON is wanted, which then is up to the caller.
    pub(crate) fn collecting(&self) -> Self {
        let collected = Some(Mutex::default());
        Self { json: self.json, quiet: true, verbose: 0, collected }
    }

    /// The results kept since the last call.
    pub(crate) fn taken(&self) -> Vec<Value> {
        let kept =
            self.collected.as_ref().map(|kept| kept.lock().unwrap_or_else(PoisonError::into_inner));
        kept.map(|mut kept| std::mem::take(&mut *kept)).unwrap_or_default()
    }

    /// Whether progress and notes are wanted.
    pub(crate) fn talks(&self) -> bool {
        !self.quiet
    }

    /// Prints a result: as JSON if asked for, else as text.
    pub(crate) fn result(
        &self,
        value: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        if let Some(collected) = &self.collected {
            collected
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(serde_json::to_value(value)?);
            if self.json {
                return Ok(());
            }
        }
        let mut words = if self.json { serde_json::to_string_pretty(value)? } else { text() };
        if !words.ends_with('\n') {
            words.push('\n');
        }
        self.result_text(&words)
    }

    /// Prints a result: if JSON is asked for, the items of `list` in it line by line, else as text.
    pub(crate) fn lines(
        &self,
        value: &impl Serialize,
        list: &str,
        text: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        if !self.json || self.collected.is_some() {
            return self.result(value, text);
        }
        let value = serde_json::to_value(value)?;
        let items = value[list].as_array().into_iter().flatten();
        let words: String = items.map(|item| format!("{item}\n")).collect();
        self.result_text(&words)
    }

    /// Prints to stdout.
    pub(crate) fn result_text(&self, words: &str) -> anyhow::Result<()> {
        match io::stdout().write_all(words.as_bytes()) {
            // Whoever reads may stop early, as head does.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => Ok(other?),
        }
    }

    /// Says something on stderr unless told to be quiet.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            talk(text);
        }
    }

    /// Whether details are wanted.
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose > 0
    }

    /// Says what went wrong; where results are wanted as JSON, as JSON in their place if it can be
    /// written there.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        if self.json {
            let told = serde_json::to_string_pretty(&hints::described(error));
            if told.is_ok_and(|told| self.result_text(&(told + "\n")).is_ok()) {
                return;
            }
        }
        let [bad, good] =
            [AnsiColor::Red, AnsiColor::Cyan].map(|colour| colour.on_default().bold());
        let mut words = format!("{bad}error:{bad:#} {}", hints::words(error));
        if let Some(hint) = hints::hint(error) {
            words.push_str(&format!("\n\n{good}hint:{good:#} {}", hints::with_flags(hint)));
        }
        // Colours are left out where nobody sees them, or NO_COLOR says so.
        let _ = writeln!(anstream::stderr(), "{words}");
    }
}

/// Says something on stderr.
pub(crate) fn talk(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Whether stderr is someone's screen.
pub(crate) fn on_screen() -> bool {
    io::stderr().is_terminal()
}

/// Columns that line up: the first to the left, the rest to the right.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let pad = " ".repeat(widths[column] - cell.chars().count());
            let gap = if column == 0 { "" } else { "  " };
            match column {
                0 => line.push_str(&format!("{cell}{pad}")),
                _ => line.push_str(&format!("{gap}{pad}{cell}")),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Columns of a whole bar.
const BAR: usize = 20;

/// A share as a bar, where someone looks at a terminal that has the signs for it; nothing elsewhere.
pub(crate) fn bar(share: f64) -> Option<String> {
    let unicode = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(std::env::var_os);
    let unicode = unicode.is_some_and(|name| {
        let name = name.to_string_lossy().to_lowercase();
        name.contains("utf-8") || name.contains("utf8")
    });
    (unicode && io::stdout().is_terminal()).then(|| drawn(share))
}

/// A bar of eighths of columns, with blanks to its full width.
fn drawn(share: f64) -> String {
    let eighths = (share.clamp(0.0, 1.0) * (8 * BAR) as f64).round() as usize;
    let whole = "\u{2588}".repeat(eighths / 8);
    let rest =
        ["", "\u{258f}", "\u{258e}", "\u{258d}", "\u{258c}", "\u{258b}", "\u{258a}", "\u{2589}"];
    format!("{:BAR$}", whole + rest[eighths % 8])
}

/// A row of cells.
pub(crate) fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// The file that a result was written to; none if it stays in memory.
pub(crate) fn file(output: Option<&PathBuf>) -> Option<&PathBuf> {
    output.filter(|path| !Memory::is_name(path))
}

/// The line that tells where a result was written, if it was.
pub(crate) fn written(output: Option<&PathBuf>) -> String {
    file(output).map(|path| format!("\nwritten {}", path.display())).unwrap_or_default()
}

/// How much smaller: "269,034 -> 161,540 (60.0 %)".
pub(crate) fn shrunk(before: u64, after: u64) -> String {
    let share = Percent::ratio(after, before);
    format!("{} -> {} ({share:.1})", thousands(before), thousands(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(shrunk(2000, 500), "2,000 -> 500 (25.0 %)");
    }

    #[test]
    fn bars_have_one_width() {
        assert_eq!(drawn(0.5), format!("{}{}", "\u{2588}".repeat(10), " ".repeat(10)));
        assert_eq!(drawn(1.7), "\u{2588}".repeat(20));
        assert_eq!(drawn(0.01).trim_end(), "\u{258e}");
    }

    #[test]
    fn columns_line_up() {
        let rows = [row(["layer", "in"]), row(["conv1", "3"]), row(["c", "128"])];
        assert_eq!(table(&rows), "layer   in\nconv1    3\nc      128\n");
    }
}

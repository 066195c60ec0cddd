//! What commands print: results on stdout, everything else on stderr.

use std::io::Write as _;

use quorate_domain::letters::steers;

use crate::{configuration::ConfigurationError, exit::Exit};

/// One line on stdout. A reader that has left (`| head`) is no failure.
pub fn say(line: impl AsRef<str>) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", line.as_ref()).and_then(|()| out.flush());
}

/// One line on stderr.
pub fn tell(line: impl AsRef<str>) {
    let _ = writeln!(std::io::stderr().lock(), "{}", line.as_ref());
}

/// What others wrote, as one line that a terminal shows and does not obey.
pub fn plain(text: &str) -> String {
    let spaced = text.chars().map(|letter| match letter {
        '\n' | '\t' => ' ',
        other => other,
    });
    spaced.filter(|letter| !steers(*letter)).collect()
}

/// A command that could not do its work: the whole chain of causes, once.
pub fn failed(error: &anyhow::Error) -> Exit {
    if let Some(error) = error.downcast_ref::<ConfigurationError>() {
        return misconfigured(error);
    }
    tell(format!("quorate: {error:#}"));
    Exit::Failed
}

/// A configuration that cannot be used, all that is wrong with it.
pub fn misconfigured(error: &ConfigurationError) -> Exit {
    for problem in &error.problems {
        tell(format!("quorate: {problem}"));
    }
    if !error.is_not_yet() {
        tell("quorate: `quorate serve --print-config` prints every key and what it is for");
    }
    Exit::Usage
}

/// Wrong usage that the arguments alone do not show.
pub fn misused(text: &str) -> Exit {
    tell(format!("quorate: {text}"));
    Exit::Usage
}

/// Rows in columns as wide as they need to be.
pub fn table(rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        say(cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

/// `value` as JSON on stdout.
pub fn json(value: &impl serde::Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => say(text),
        Err(error) => tell(format!("quorate: {error}")),
    }
}

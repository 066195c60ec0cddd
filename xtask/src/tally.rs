//! Counts what passed and what failed, and says so at the very end.

use std::{io::Write as _, process::ExitCode};

use crate::step;

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    passed: u64,
    failed: u64,
    /// What failed, in words, to be read above the last line.
    failures: Vec<String>,
    /// What failed beside the others and passed alone.
    unsteady: Vec<String>,
}

impl Tally {
    /// A check that either holds or does not counts as one.
    pub fn check(&mut self, name: &str, result: anyhow::Result<()>) {
        match result {
            Ok(()) => self.passed += 1,
            Err(error) => self.fail(format!("{name}: {error:#}")),
        }
    }

    /// Something that should have run and did not.
    pub fn fail(&mut self, what: String) {
        step::say(&format!("FAILED {what}"));
        self.failed += 1;
        self.failures.push(what);
    }

    /// Numbers from a test program.
    pub fn add(&mut self, name: &str, passed: u64, failed: u64) {
        self.passed += passed;
        self.failed += failed;
        if failed > 0 {
            self.failures.push(format!("{name}: {failed} failed"));
        }
    }

    /// Tests that were counted as failed under this name, and have all passed when they were tried
    /// once more, alone.
    pub fn steadied(&mut self, name: &str, tests: &[String]) {
        let count = u64::try_from(tests.len()).unwrap_or(u64::MAX);
        self.failed = self.failed.saturating_sub(count);
        self.passed += count;
        self.failures.retain(|failure| !failure.starts_with(name));
        self.unsteady(name, tests);
    }

    /// To be read at the end: these passed at their second try only.
    pub fn unsteady(&mut self, name: &str, tests: &[String]) {
        let tests = tests.iter().map(|test| format!("{name}: {test}"));
        self.unsteady.extend(tests);
    }

    /// Counts a line like `test result: ok. 3 passed; 0 failed; 0 ignored; …`; others are no news.
    pub fn read_cargo(&mut self, line: &str) -> bool {
        let Some(result) = line.trim().strip_prefix("test result: ") else {
            return false;
        };
        let count = |word: &str| {
            result
                .split(['.', ';'])
                .filter_map(|part| part.trim().strip_suffix(word))
                .find_map(|number| number.trim().parse::<u64>().ok())
                .unwrap_or(0)
        };
        self.add("cargo test", count("passed"), count("failed"));
        true
    }

    /// Whether anything was counted as failed.
    pub const fn has_failures(&self) -> bool {
        self.failed > 0
    }

    /// Prints `N passed, N failed`, alone on the last line.
    pub fn end(&self) -> ExitCode {
        for test in &self.unsteady {
            step::say(&format!("unsteady, passed at the second try only: {test}"));
        }
        for failure in &self.failures {
            step::say(&format!("failed: {failure}"));
        }
        let mut out = std::io::stdout().lock();
        let said = writeln!(out, "{} passed, {} failed", self.passed, self.failed);
        let _ = out.flush();
        if said.is_err() || self.has_failures() || self.passed == 0 {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn a_result_line_of_cargo_is_counted() {
        let mut tally = Tally::default();
        assert!(tally.read_cargo(
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s"
        ));
        assert_eq!((tally.passed, tally.failed), (12, 0));
        assert!(tally.read_cargo(
            "test result: FAILED. 2 passed; 5 failed; 0 ignored; 0 measured; 0 filtered out"
        ));
        assert_eq!((tally.passed, tally.failed), (14, 5));
    }

    #[test]
    fn other_lines_are_no_result() {
        let mut tally = Tally::default();
        assert!(!tally.read_cargo("running 3 tests"));
        assert!(!tally.read_cargo("test quorum::tests::majority ... ok"));
        assert_eq!(tally, Tally::default());
    }

    #[test]
    fn what_passes_alone_is_no_failure_and_others_stay_one() {
        let mut tally = Tally::default();
        tally.add("cargo test", 4, 1);
        tally.add("journeys", 3, 1);
        tally.steadied("cargo test", &["a::b".to_owned()]);
        assert_eq!((tally.passed, tally.failed), (8, 1));
        assert_eq!(tally.failures, ["journeys: 1 failed"]);
        assert_eq!(tally.unsteady, ["cargo test: a::b"]);
    }

    #[test]
    fn a_check_that_fails_is_counted_and_named() {
        let mut tally = Tally::default();
        tally.check("format", Err(anyhow::anyhow!("ended with 1")));
        assert_eq!(tally.failed, 1);
        assert_eq!(tally.failures, ["format: ended with 1"]);
    }
}

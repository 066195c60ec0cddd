//! A test that failed beside the others is tried once more, alone: two cores carry clusters, proxies
//! and a browser at once, and what only then fails is to be mended, but says nothing against the
//! tree. It is named at the end. What fails twice has failed, and so has everything when a program
//! died or more failed than noise explains.

use std::collections::BTreeSet;

use serde_json::Value;

/// More than this is no noise.
pub const AT_MOST: usize = 5;

/// Tests that find by many tries what happens rarely: what is in their names.
const NEVER: [&str; 4] = ["audit_killed", "killed_changes", "is_lost", "properties"];

/// What one run of cargo's tests said of its failures, line by line.
#[derive(Debug, Default)]
pub struct CargoRun {
    failed: Vec<String>,
    passed: BTreeSet<String>,
    /// `test result: FAILED` lines: test programs that ended by themselves.
    ended: usize,
    /// `-p quorate-control --test scenarios`, as cargo names what to run again.
    targets: Vec<Vec<String>>,
}

impl CargoRun {
    pub fn read_out(&mut self, line: &str) {
        if line.starts_with("test result: FAILED") {
            self.ended += 1;
        }
        let Some(test) = line.strip_prefix("test ") else {
            return;
        };
        if let Some(name) = test.strip_suffix(" ... FAILED") {
            self.failed.push(name.to_owned());
        } else if let Some(name) = test.strip_suffix(" ... ok") {
            self.passed.insert(name.to_owned());
        }
    }

    /// Cargo ends with the list of the targets that failed, each in back quotes.
    pub fn read_err(&mut self, line: &str) {
        let target = line
            .strip_prefix("    `-p ")
            .or_else(|| {
                let line = line.strip_prefix("error: test failed, to rerun pass ")?;
                line.strip_prefix("`-p ")
            })
            .and_then(|line| line.strip_suffix('`'));
        if let Some(target) = target {
            let mut arguments = vec!["-p".to_owned()];
            arguments.extend(target.split_whitespace().map(str::to_owned));
            if !self.targets.contains(&arguments) {
                self.targets.push(arguments);
            }
        }
    }

    /// What to run again, alone; `None` where a second run could prove nothing: none failed, too
    /// many did, or a program died and left tests unrun.
    pub fn again(&self) -> Option<(&[String], &[Vec<String>])> {
        let all_ended = self.ended == self.targets.len();
        let few = (1..=AT_MOST).contains(&self.failed.len());
        // A record lost once in many kills is lost, and so is what a property found.
        let never = |name: &String| NEVER.iter().any(|word| name.contains(word));
        let never = self.failed.iter().any(never);
        (all_ended && few && !never).then_some((&self.failed, &self.targets))
    }

    /// Whether a program has counted failures of its own; one that died has counted nothing.
    pub const fn has_failures(&self) -> bool {
        self.ended > 0
    }

    /// What a run of another target said, with this one's.
    pub fn join(&mut self, other: Self) {
        self.failed.extend(other.failed);
        self.passed.extend(other.passed);
    }

    /// Whether each of these was seen to pass.
    pub fn has_passed(&self, names: &[String]) -> bool {
        self.failed.is_empty() && names.iter().all(|name| self.passed.contains(name))
    }
}

/// What one run of a Go module's tests said.
#[derive(Debug, Default)]
pub struct GoRun {
    pub passed: Vec<String>,
    pub failed: Vec<String>,
    /// A program died, was not built or ran out of time: tests may not have run.
    died: bool,
    /// Tests that began and have not ended, and whether one of the package being read has failed.
    running: BTreeSet<String>,
    failed_here: bool,
}

impl GoRun {
    pub fn read(&mut self, line: &str) {
        let name = |rest: &str| rest.split_whitespace().next().map(str::to_owned);
        if let Some(rest) = line.strip_prefix("=== RUN") {
            self.running
                .extend(name(rest).filter(|test| !test.contains('/')));
        } else if let Some(rest) = line.strip_prefix("--- PASS:") {
            self.passed.extend(name(rest));
        } else if let Some(rest) = line.strip_prefix("--- FAIL:") {
            self.failed.extend(name(rest));
            self.failed_here = true;
        }
        if let Some(rest) = line.strip_prefix("--- ")
            && let Some(test) = rest.split_whitespace().nth(1)
        {
            self.running.remove(test);
        }
        if line.starts_with("FAIL\t") || line.starts_with("ok  \t") {
            self.died |= !self.running.is_empty();
            self.died |= line.starts_with("FAIL\t") && !self.failed_here;
            self.failed_here = false;
        }
        let died = ["panic:", "fatal error:", "WARNING: DATA RACE"];
        self.died |= died.iter().any(|word| line.starts_with(word))
            || (line.starts_with("FAIL\t") && line.ends_with(" failed]"));
    }

    /// A pattern for `-run` that names what failed and nothing else, where trying again can prove
    /// something.
    pub fn again(&self) -> Option<String> {
        let few = (1..=AT_MOST).contains(&self.failed.len());
        (few && !self.died).then(|| format!("^({})$", self.failed.join("|")))
    }

    pub fn has_passed(&self, names: &[String]) -> bool {
        let passed = |name| self.passed.contains(name);
        !self.died && self.failed.is_empty() && names.iter().all(passed)
    }
}

/// The journeys that Playwright itself tried once more, and that passed then.
pub fn journeys(report: &Value) -> Vec<String> {
    let list = |key: &str| report[key].as_array().into_iter().flatten();
    let here = list("specs")
        .filter(|spec| {
            let mut tests = spec["tests"].as_array().into_iter().flatten();
            tests.any(|test| test["status"] == "flaky")
        })
        .filter_map(|spec| spec["title"].as_str().map(str::to_owned));
    here.chain(list("suites").flat_map(journeys)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::{CargoRun, GoRun, journeys};

    fn cargo(out: &[&str], err: &[&str]) -> CargoRun {
        let mut run = CargoRun::default();
        out.iter().for_each(|line| run.read_out(line));
        err.iter().for_each(|line| run.read_err(line));
        run
    }

    const TWO: [&str; 4] = [
        "test audit::a ... FAILED",
        "test audit::b ... ok",
        "test result: FAILED. 1 passed; 1 failed; 0 ignored",
        "test result: ok. 3 passed; 0 failed; 0 ignored",
    ];

    #[test]
    fn what_failed_is_known_by_name_and_target() {
        let run = cargo(
            &TWO,
            &[
                "error: test failed, to rerun pass `-p quorate-control --test scenarios`",
                "error: 1 target failed:",
                "    `-p quorate-control --test scenarios`",
            ],
        );
        let (names, targets) = run.again().unwrap();
        assert_eq!(names, ["audit::a"]);
        assert_eq!(targets, [["-p", "quorate-control", "--test", "scenarios"]]);
    }

    #[test]
    fn a_program_that_died_is_not_forgiven() {
        let run = cargo(&TWO, &["    `-p a --lib`", "    `-p b --test died`"]);
        assert!(run.again().is_none());
    }

    #[test]
    fn a_program_that_dies_after_a_failure_has_counted_nothing() {
        let run = cargo(&["test audit::a ... FAILED"], &["    `-p a --lib`"]);
        assert!(run.again().is_none());
        assert!(!run.has_failures(), "so the run as a whole is the failure");
    }

    #[test]
    fn what_is_found_once_in_many_tries_is_not_tried_away() {
        let run = cargo(
            &[
                "test audit_killed::a ... FAILED",
                "test result: FAILED. 1 passed; 1 failed; 0 ignored",
            ],
            &["    `-p a --lib`"],
        );
        assert!(run.again().is_none());
    }

    #[test]
    fn a_go_program_that_ends_without_a_word_is_not_forgiven() {
        let mut silent = GoRun::default();
        for line in [
            "=== RUN   TestTwo",
            "--- FAIL: TestTwo (1.20s)",
            "FAIL\ta\t3.2s",
            "FAIL\tb\t0.1s",
        ] {
            silent.read(line);
        }
        assert!(silent.again().is_none());
        let mut halfway = GoRun::default();
        for line in [
            "=== RUN   TestOne",
            "--- FAIL: TestOne (1.20s)",
            "=== RUN   TestTwo",
            "FAIL\ta\t3.2s",
        ] {
            halfway.read(line);
        }
        assert!(halfway.again().is_none());
    }

    #[test]
    fn many_failures_are_not_noise() {
        let mut run = cargo(&TWO, &["    `-p a --lib`"]);
        for name in ["c", "d", "e", "f", "g"] {
            run.read_out(&format!("test {name} ... FAILED"));
        }
        assert!(run.again().is_none());
    }

    #[test]
    fn only_what_was_seen_to_pass_has_passed() {
        let first = cargo(&TWO, &["    `-p a --lib`"]);
        let (names, _) = first.again().unwrap();
        assert!(cargo(&["test audit::a ... ok"], &[]).has_passed(names));
        assert!(!cargo(&["test audit::b ... ok"], &[]).has_passed(names));
        assert!(!cargo(&TWO, &[]).has_passed(names));
    }

    #[test]
    fn go_names_what_failed_and_a_panic_is_not_forgiven() {
        let mut run = GoRun::default();
        run.read("=== RUN   TestTwo");
        run.read("=== RUN   TestTwo/part");
        run.read("--- PASS: TestOne (0.00s)");
        run.read("--- FAIL: TestTwo (1.20s)");
        run.read("    --- FAIL: TestTwo/part (1.20s)");
        run.read("FAIL\texample/startup\t3.2s");
        assert_eq!(run.again().as_deref(), Some("^(TestTwo)$"));
        run.read("panic: boom");
        assert!(run.again().is_none());
        let mut unbuilt = GoRun::default();
        unbuilt.read("--- FAIL: TestTwo (1.20s)");
        unbuilt.read("FAIL\texample/startup [build failed]");
        assert!(unbuilt.again().is_none());
    }

    #[test]
    fn a_journey_that_needed_a_second_try_is_named() {
        let spec =
            |title: &str, status: &str| json!({"title": title, "tests": [{"status": status}]});
        let report = json!({"suites": [{
            "specs": [spec("reads", "expected")],
            "suites": [{"specs": [spec("promotes", "flaky"), spec("removes", "unexpected")]}],
        }]});
        assert_eq!(journeys(&report), ["promotes"]);
    }
}

//! The build and test commands. `cargo xtask` lists them.
//!
//! Everything said goes to stderr; stdout belongs to what is run (`demo`) or to the one line of
//! numbers at the end (`test`).

// The lints of `test` see this program with its tests alone.
#![deny(unused)]

mod bench;
mod browsers;
mod bundle;
mod check;
mod compile;
mod crates;
mod demo;
mod dev;
mod etcd;
mod fuzz;
mod glue;
mod golang;
mod node;
mod openbao;
mod openziti;
mod packages;
mod proxies;
mod site;
mod step;
mod style;
mod tally;
mod test;
mod toolchain;
mod unsteady;
mod workspace;

use std::process::ExitCode;

use workspace::Workspace;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  build          the console with everything inside: target/release/quorate
                  (--dev: unoptimised, target/debug/quorate;
                  --site: only what a browser downloads, target/site)
  demo [ARGS]     build, then become `quorate demo ARGS`
  dev [ARGS]      the demo, rebuilt and started anew whenever a source changes
  check           format, lints for server and browser, size of what the browser downloads
  test [--all]    check, all tests, build, journeys in a browser; --all adds the slow rounds
  fuzz [TARGET]   what reads texts from outside, under coverage-guided fuzzing
                  (--seconds 60 of each target)
  proxies         fetch nginx, Apache, Caddy and Traefik, for the journeys behind them
  bench           build, then measure and print: bytes, change to pixel, memory, reads a second

Whatever is missing is fetched into target/tools, and said first.";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    match run(&command, &rest) {
        Ok(code) => code,
        Err(error) => {
            step::say(&format!("failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: &str, rest: &[String]) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::find()?;
    let words: Vec<&str> = rest.iter().map(String::as_str).collect();
    match (command, words.as_slice()) {
        ("build", []) => compile::release(&workspace).map(done),
        ("build", ["--dev"]) => compile::debug(&workspace).map(done),
        ("build", ["--site"]) => site::build(&workspace, bundle::Finish::Release).map(done),
        ("demo", _) => demo::run(&workspace, rest),
        ("dev", _) => dev::run(&workspace, rest).map(|()| ExitCode::SUCCESS),
        ("check", []) => check::run(&workspace),
        ("test", []) => test::run(&workspace, test::Extent::Usual),
        ("test", ["--all"]) => test::run(&workspace, test::Extent::All),
        ("proxies", []) => proxies::need(&workspace).map(done),
        ("bench", _) => bench::run(&workspace, rest),
        ("fuzz", words) => fuzz::run(&workspace, words),
        ("" | "help" | "--help" | "-h", []) => {
            eprintln!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            eprintln!("{USAGE}");
            Ok(ExitCode::from(2))
        }
    }
}

fn done(program: std::path::PathBuf) -> ExitCode {
    step::say(&format!("built {}", program.display()));
    ExitCode::SUCCESS
}

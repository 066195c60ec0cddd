//! The command line: what can be asked for, and which file answers it.

mod accounts;
mod audit;
mod check;
mod ctl;
mod demo;
mod emergency;
mod later;
mod output;
mod place;
mod serve;
mod signals;
mod snapshot;
mod tokens;

use clap::{Parser, Subcommand};

use crate::exit::Exit;

/// One console for every Raft cluster.
#[derive(Debug, Parser)]
#[command(name = "quorate", version, about, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the console
    Serve(serve::Serve),
    /// Run a small real cluster in separate processes, and a console for it
    Demo(demo::Demo),
    /// One node of the demo's cluster
    #[command(hide = true)]
    DemoNode(demo::DemoNode),
    /// Read the configuration and reach each cluster; change nothing
    Check(check::Check),
    /// Local accounts of a console
    User(accounts::User),
    /// API tokens of a console
    Token(tokens::Token),
    /// In an emergency: a one-time link for the console's local socket
    BreakGlass(emergency::BreakGlass),
    /// Snapshot files
    Snapshot(snapshot::Snapshot),
    /// Ask a running console, over its REST API
    Ctl(ctl::Ctl),
    /// The audit log of a console: export, verify, prove
    Audit(audit::Audit),
}

/// Reads the arguments and does what they say.
#[must_use]
pub fn run() -> Exit {
    // An error only says that a provider is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match Cli::parse().command {
        Command::Serve(serve) => serve.run(),
        Command::Demo(demo) => demo.run(),
        Command::DemoNode(node) => node.run(),
        Command::Check(check) => check.run(),
        Command::User(user) => user.run(),
        Command::Token(token) => token.run(),
        Command::BreakGlass(break_glass) => break_glass.run(),
        Command::Snapshot(snapshot) => snapshot.run(),
        Command::Ctl(ctl) => ctl.run(),
        Command::Audit(audit) => audit.run(),
    }
}

/// Runs a command that waits for things.
fn wait_for(work: impl Future<Output = anyhow::Result<Exit>>) -> Exit {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let done = runtime
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(work));
    done.unwrap_or_else(|error| output::failed(&error))
}

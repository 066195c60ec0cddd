//! A demo cluster without a console: prints its nodes, ends on Ctrl-C or SIGTERM.
//!
//! `cargo run -p quorate-demo --example cluster -- DIR [--voters 3] [--learners 1] [--spares 1]
//! [--restart-after 20]`

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use anyhow::{Context, bail};
use quorate_demo::{
    node::{self, NodeOptions},
    supervisor::{Demo, Options},
};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "demo-node") {
        arguments.remove(0);
        return Ok(node::run(node_options(&Flags::parse(arguments)?)?).await?);
    }
    cluster(options(&Flags::parse(arguments)?)?).await
}

#[expect(clippy::print_stdout, reason = "the lines are this program's output")]
async fn cluster(options: Options) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let demo = Demo::start(options).await?;
    let mut news = demo
        .announcements()
        .context("announcements are taken once")?;
    for line in demo.lines() {
        println!("{line}");
    }
    loop {
        tokio::select! {
            line = news.recv() => if let Some(line) = line { println!("{line}") },
            _ = tokio::signal::ctrl_c() => break,
            _ = terminate.recv() => break,
        }
    }
    demo.stop().await;
    Ok(())
}

/// `--name value` pairs, flags without a value, and at most one plain word.
struct Flags {
    values: BTreeMap<String, String>,
    word: Option<String>,
}

impl Flags {
    fn parse(arguments: Vec<String>) -> anyhow::Result<Self> {
        let mut flags = Self {
            values: BTreeMap::new(),
            word: None,
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.strip_prefix("--") {
                Some(name @ ("first-start" | "without-agent")) => {
                    flags.values.insert(name.to_owned(), String::new());
                }
                Some(name) => {
                    let value = arguments
                        .next()
                        .with_context(|| format!("{argument} what?"))?;
                    flags.values.insert(name.to_owned(), value);
                }
                None if flags.word.is_none() => flags.word = Some(argument),
                None => bail!("unexpected `{argument}`"),
            }
        }
        Ok(flags)
    }

    fn get(&self, name: &str) -> anyhow::Result<&str> {
        self.values
            .get(name)
            .map(String::as_str)
            .with_context(|| format!("--{name} is needed"))
    }

    fn number(&self, name: &str, default: u32) -> anyhow::Result<u32> {
        self.values
            .get(name)
            .map_or(Ok(default), |value| value.parse().map_err(Into::into))
    }
}

fn options(flags: &Flags) -> anyhow::Result<Options> {
    Ok(Options {
        data: PathBuf::from(flags.word.as_deref().context("which folder?")?),
        voters: flags.number("voters", 3)?,
        learners: flags.number("learners", 1)?,
        spares: flags.number("spares", 1)?,
        restart_after: Duration::from_secs(flags.number("restart-after", 20)?.into()),
        node_program: std::env::current_exe()?,
    })
}

fn node_options(flags: &Flags) -> anyhow::Result<NodeOptions> {
    Ok(NodeOptions {
        dir: PathBuf::from(flags.get("dir")?),
        listen: flags.get("listen")?.parse()?,
        id: flags.get("id")?.parse()?,
        cluster_id: flags.get("cluster-id")?.to_owned(),
        first_start: flags.values.contains_key("first-start"),
        token_file: PathBuf::from(flags.get("token-file")?),
        parent: flags
            .values
            .get("parent")
            .map(|parent| parent.parse())
            .transpose()?,
        agent: !flags.values.contains_key("without-agent"),
    })
}

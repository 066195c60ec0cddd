//! `quorate audit erase`, `hold` and `read`: who is named in the log, how long it is kept, and a
//! bundle with its names.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use quorate_audit::{
    personal::People,
    verify::{self, VerifyError},
};
use quorate_control::{Control, Hold as Held, audit_people};
use quorate_domain::moment::Timestamp;

use crate::{cli::output, exit::Exit};

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Whom {
    /// Their stable id, as entries have it
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    /// The name they go by; whatever goes by it
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

#[derive(Debug, Args)]
pub struct Erase {
    #[command(flatten)]
    whom: Whom,
    /// Who asked for it and on which ground, without the person's name
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Do it; without this, only what it means is said
    #[arg(long)]
    yes: bool,
}

impl Erase {
    pub async fn answer(self, control: &Control) -> anyhow::Result<Exit> {
        if !self.yes {
            output::tell(
                "this destroys the keys under which the log names this person, and CANNOT BE \
                 UNDONE.\nThe entries stay, and say (erased). Exports made before, copies of the \
                 data directory, and entries from before names were sealed (schema 1) still name them.\n\
                 Say --yes to do it.",
            );
            return Ok(Exit::Failed);
        }
        let who = control.command_line_operator();
        let whom = (self.whom.subject.as_deref(), self.whom.name.as_deref());
        let erased = control.audit_erase(&who, whom, &self.reason).await?;
        output::say(format!(
            "{} keys are destroyed; what they sealed is unreadable from now on",
            erased.keys
        ));
        if !erased.settled {
            output::tell(
                "somebody is reading the log: until they have read, the keys still stand in \
                 quorate-audit.db-wal. The console cuts them off when it writes next, or whoever \
                 closes the log last",
            );
        }
        Ok(Exit::Done)
    }
}

#[derive(Debug, Subcommand)]
pub enum Hold {
    /// Keep entries from being removed, whatever their age
    Add {
        /// Entries from this time on [default: the first]
        #[arg(long, value_name = "TIME", value_parser = super::time)]
        from: Option<Timestamp>,
        /// Entries before this time [default: all that come]
        #[arg(long, value_name = "TIME", value_parser = super::time)]
        to: Option<Timestamp>,
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Print what is held, and why
    List,
    /// End a hold
    Release {
        id: String,
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
}

impl Hold {
    pub async fn answer(self, control: &Control) -> anyhow::Result<()> {
        let who = control.command_line_operator();
        match self {
            Self::Add { from, to, reason } => {
                let held = control.audit_hold_add(&who, (from, to), &reason).await?;
                output::say(held.id);
            }
            Self::List => {
                for held in control.audit_holds(&who).await? {
                    output::say(line(&held));
                }
            }
            Self::Release { id, reason } => {
                control.audit_hold_release(&who, &id, &reason).await?;
                output::say(format!("{id} is released"));
            }
        }
        Ok(())
    }
}

fn line(held: &Held) -> String {
    let time = |time: Option<Timestamp>| time.map_or_else(|| "-".to_owned(), |it| it.to_string());
    format!(
        "{}  from {}  to {}  since {}  {}",
        held.id,
        time(held.from),
        time(held.to),
        held.since,
        held.reason
    )
}

#[derive(Debug, Args)]
pub struct Read {
    /// A bundle
    bundle: PathBuf,
    /// The data directory of its console, for names whose keys the bundle does not carry
    #[arg(long = "people", value_name = "DIR")]
    people: Option<PathBuf>,
}

impl Read {
    pub async fn answer(self) -> anyhow::Result<Exit> {
        let more = match &self.people {
            Some(directory) => audit_people(directory).await?,
            None => People::default(),
        };
        let file = std::fs::File::open(&self.bundle)
            .with_context(|| format!("cannot open {}", self.bundle.display()))?;
        match verify::read(file, &more, std::io::stdout().lock()) {
            Ok(()) => Ok(Exit::Done),
            // Whoever reads has seen enough.
            Err(VerifyError::Read(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                Ok(Exit::Done)
            }
            Err(error) => Err(error.into()),
        }
    }
}

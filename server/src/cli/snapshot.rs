//! `quorate snapshot`: files on this machine; needs no server.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::output;
use crate::exit::Exit;

#[derive(Debug, Args)]
pub struct Snapshot {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Check a snapshot file of any supported kind to its end
    Verify { file: PathBuf },
}

impl Snapshot {
    pub fn run(self) -> Exit {
        let What::Verify { file } = self.what;
        verify(&file)
    }
}

fn verify(file: &Path) -> Exit {
    match quorate_drivers::snapshot::verify(file) {
        Ok(whole) => {
            output::say(format!("ok: {}", file.display()));
            output::say(format!("  {} bytes, sha256 {}", whole.bytes, whole.sha256));
            let told =
                |number: Option<u64>| number.map_or("not told".to_owned(), |it| it.to_string());
            let (index, term) = (told(whole.index), told(whole.term));
            output::say(format!("  index {index}, term {term}"));
            for (member, votes) in &whole.members {
                let role = if *votes { "voter" } else { "learner" };
                output::say(format!("  {member}  {role}"));
            }
            Exit::Done
        }
        Err(error) => {
            let error = anyhow::Error::from(error).context(file.display().to_string());
            output::failed(&error)
        }
    }
}

//! `quorate break-glass`: a one-time link for the console's local socket, on the console's machine.

use clap::Args;
use quorate_app::base::BasePath;
use url::Url;

use super::{output, place::Place};
use crate::exit::Exit;

#[derive(Debug, Args)]
pub struct BreakGlass {
    /// Why; it is on record, and everybody is shown it
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    place: Place,
}

impl BreakGlass {
    pub fn run(self) -> Exit {
        if !self.place.is_named() {
            return output::misused("name the console: --config FILE or --data DIR");
        }
        super::wait_for(self.answer())
    }

    async fn answer(self) -> anyhow::Result<Exit> {
        let here = self.place.open().await?;
        let who = here.control.command_line_operator();
        let secret = here.control.break_glass_link(&who, &self.reason).await?;
        let base = here.address.as_deref().and_then(|at| Url::parse(at).ok());
        let base = base.map_or_else(String::new, |at| at.path().trim_end_matches('/').to_owned());
        let path = BasePath(base).path("/sign-in/break-glass/");
        output::say(format!("http://localhost{path}{}", secret.reveal()));
        Ok(Exit::Done)
    }
}

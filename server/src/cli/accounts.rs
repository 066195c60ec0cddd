//! `quorate user`: local accounts, on the console's own machine.

use clap::{Args, Subcommand};

use super::{
    output,
    place::{self, Place, Roles},
};
use crate::exit::Exit;

#[derive(Debug, Args)]
pub struct User {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make an account, and a one-time sign-in link for it
    Add {
        name: String,
        #[command(flatten)]
        roles: Roles,
    },
    /// List all accounts
    List {
        #[arg(long)]
        json: bool,
    },
    /// Shut an account out; all its sessions end
    Disable { name: String },
    /// Make a new one-time sign-in link
    Link { name: String },
}

impl User {
    pub fn run(self) -> Exit {
        if !self.place.is_named() {
            return output::misused("name the console: --config FILE or --data DIR");
        }
        super::wait_for(self.answer())
    }

    async fn answer(self) -> anyhow::Result<Exit> {
        let here = self.place.open().await?;
        let (control, who) = (&here.control, here.control.command_line_operator());
        match self.what {
            What::Add { name, roles } => {
                let (account, link) = control.account_create(&who, &name, roles.grants()).await?;
                output::say(format!(
                    "{}: {}",
                    account.name,
                    place::shown(&account.grants)
                ));
                output::say(here.link(link.reveal()));
            }
            What::Link { name } => {
                let link = control.account_link(&who, &name).await?;
                output::say(here.link(link.reveal()));
            }
            What::Disable { name } => {
                control.account_disable(&who, &name, true).await?;
                output::say(format!("{name} is disabled"));
            }
            What::List { json } => list(&control.accounts(&who).await?, json),
        }
        Ok(Exit::Done)
    }
}

fn list(accounts: &[quorate_control::Account], json: bool) {
    if json {
        return output::json(&accounts);
    }
    let row = |account: &quorate_control::Account| {
        let state = match (account.disabled, account.has_password) {
            (true, _) => "disabled",
            (false, true) => "",
            (false, false) => "no password yet",
        };
        vec![
            account.name.clone(),
            place::shown(&account.grants),
            state.to_owned(),
        ]
    };
    output::table(&accounts.iter().map(row).collect::<Vec<_>>());
}

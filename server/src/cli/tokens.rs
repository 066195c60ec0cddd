//! `quorate token`: API tokens, on the console's own machine.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::{
    output,
    place::{self, Place, Roles},
};
use crate::exit::Exit;

#[derive(Debug, Args)]
pub struct Token {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a token and print it once, on the last line
    Create {
        name: String,
        #[command(flatten)]
        roles: Roles,
        /// How long it lives: 90d, 12h, 30m
        #[arg(long, value_name = "TIME", default_value = "90d", value_parser = life)]
        expires: Duration,
    },
    /// List all tokens; never their secrets
    List {
        #[arg(long)]
        json: bool,
    },
    /// End a token at once, by name or id
    Revoke { name: String },
}

impl Token {
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
            What::Create {
                name,
                roles,
                expires,
            } => {
                let (token, secret) = control
                    .token_create(&who, &name, roles.grants(), expires)
                    .await?;
                let grants = place::shown(&token.grants);
                output::say(format!(
                    "{}: {grants}, until {}",
                    token.name, token.expires_at
                ));
                output::say(secret.reveal());
            }
            What::Revoke { name } => {
                control.token_revoke(&who, &name).await?;
                output::say(format!("{name} is revoked"));
            }
            What::List { json } => list(&control.tokens(&who).await?, json),
        }
        Ok(Exit::Done)
    }
}

fn list(tokens: &[quorate_control::Token], json: bool) {
    if json {
        return output::json(&tokens);
    }
    let row = |token: &quorate_control::Token| {
        let until = if token.revoked {
            "revoked".to_owned()
        } else if token.cut {
            format!("until {}, cut back with its maker", token.expires_at)
        } else {
            format!("until {}", token.expires_at)
        };
        vec![
            token.id.clone(),
            token.name.clone(),
            place::shown(&token.grants),
            until,
        ]
    };
    output::table(&tokens.iter().map(row).collect::<Vec<_>>());
}

fn life(text: &str) -> Result<Duration, String> {
    let expected = "expected a time like 90d, 12h or 30m";
    let at = text.find(|c: char| !c.is_ascii_digit()).ok_or(expected)?;
    let (number, unit) = text.split_at(at);
    let number: u64 = number.parse().map_err(|_| expected)?;
    let seconds = match unit {
        "d" => 24 * 60 * 60,
        "h" => 60 * 60,
        "m" => 60,
        "s" => 1,
        _ => return Err(expected.to_owned()),
    };
    match number.checked_mul(seconds) {
        Some(life) if life > 0 => Ok(Duration::from_secs(life)),
        _ => Err(expected.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_a_number_and_a_unit() {
        assert_eq!(life("90d"), Ok(Duration::from_secs(7_776_000)));
        assert_eq!(life("30m"), Ok(Duration::from_secs(1_800)));
        for wrong in ["", "d", "90", "0d", "-1d", "1w", "99999999999999999999d"] {
            assert!(life(wrong).is_err(), "{wrong}");
        }
    }
}

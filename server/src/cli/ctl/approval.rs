//! Approving, denying and taking back what others asked for, by command.

use clap::Args;
use serde_json::{Value, json};

use super::{
    change,
    client::{Client, Failure},
    show,
};
use crate::{cli::output, exit::Exit};

/// What every word on a change takes.
#[derive(Clone, Debug, Args)]
pub struct Word {
    /// The change's id, as `changes` lists it
    id: String,
    /// Why; it stands in the audit log, and nobody denies without one
    #[arg(long)]
    reason: Option<String>,
    /// The digest of what is approved, as the change shows it: refused if it is another one
    #[arg(long)]
    digest: Option<String>,
    /// Wait until the change has ended, or waits for more people
    #[arg(long)]
    wait: bool,
    /// Print what the console answered, as JSON
    #[arg(long)]
    json: bool,
}

/// `word` is `approve`, `deny` or `cancel`.
pub async fn say(client: &Client, word: &str, how: &Word) -> Result<Exit, Failure> {
    if word == "deny" && how.reason.is_none() {
        let text = "say why with --reason; it stands in the audit log".to_owned();
        return Err(Failure::Ended(Exit::Usage, text));
    }
    let body = json!({ "reason": how.reason, "digest": how.digest });
    let path = ["changes", &how.id, word];
    let change = client.post(&path, &body, None).await?;
    if how.wait {
        return change::followed(client, &how.id, how.json).await;
    }
    if how.json {
        output::json(&change);
    } else {
        output::say(line(&change));
    }
    Ok(Exit::Done)
}

fn line(change: &Value) -> String {
    let more = ["/outcome", "/waiting_for"]
        .into_iter()
        .map(|field| show::text(change, field))
        .find(|text| text != "-");
    let more = more.map(|more| format!(": {more}")).unwrap_or_default();
    let (id, state) = (show::text(change, "/id"), show::text(change, "/state"));
    format!("change {id} {state}{more}")
}

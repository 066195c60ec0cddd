//! Changes by command: preview, one question, one request, and if asked for the wait until the
//! end.

use std::{
    io::{BufRead as _, IsTerminal as _, Write as _},
    time::Duration,
};

use clap::Args;
use rand::RngCore as _;
use serde_json::{Value, json};

use super::{
    client::{Client, Failure},
    show,
};
use crate::{cli::output, exit::Exit};

/// The state of a change that other people have to approve.
const WAITING: &str = "waiting_approval";
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// What every change takes.
#[derive(Clone, Debug, Args)]
pub struct How {
    /// Why; it stands in the audit log
    #[arg(long, required_unless_present = "dry_run")]
    reason: Option<String>,
    /// The ticket it belongs to
    #[arg(long)]
    ticket: Option<String>,
    /// Only show what it would do
    #[arg(long)]
    dry_run: bool,
    /// Wait until it has ended
    #[arg(long)]
    wait: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Print what the console answered, as JSON
    #[arg(long)]
    json: bool,
    /// The group it is about, in a program that runs many
    #[arg(long)]
    group: Option<String>,
}

pub async fn ask(
    client: &Client,
    cluster: &str,
    action: &str,
    fields: Vec<(&str, String)>,
    how: &How,
) -> Result<Exit, Failure> {
    let mut body = json!({ "action": action });
    for (name, value) in fields {
        body[name] = Value::String(value);
    }
    if let Some(group) = &how.group {
        body["group"] = json!(group);
    }
    let preview = client
        .post(&["clusters", cluster, "preview"], &body, None)
        .await?;
    let refused = is_refused(&preview);
    let talks = !how.json || how.dry_run;
    match (how.json, talks) {
        (true, true) => output::json(&preview),
        (false, _) => show_preview(&preview),
        (true, false) => {}
    }
    if refused {
        output::tell("quorate: refused by a rule; nothing was done");
        return Ok(Exit::Refused);
    }
    if how.dry_run {
        return Ok(Exit::Done);
    }
    if !how.yes && !confirmed()? {
        output::tell("quorate: nothing was done");
        return Ok(Exit::Failed);
    }
    body["fingerprint"] = preview.pointer("/fingerprint").cloned().unwrap_or_default();
    body["reason"] = json!(how.reason);
    body["ticket"] = json!(how.ticket);
    submit(client, cluster, &body, how).await
}

async fn submit(client: &Client, cluster: &str, body: &Value, how: &How) -> Result<Exit, Failure> {
    let path = ["clusters", cluster, "changes"];
    let submitted = client.post(&path, body, Some(&new_key())).await;
    let accepted = submitted.map_err(|failure| match failure {
        Failure::NoAnswer(text) => Failure::Ended(
            Exit::OutcomeUnknown,
            format!("{text}; look at `quorate ctl changes` before trying again"),
        ),
        other => other,
    })?;
    let id = show::text(&accepted, "/id");
    if !how.wait {
        if how.json {
            output::json(&accepted);
        } else {
            output::say(format!("change {id}: {}", show::text(&accepted, "/state")));
        }
        return Ok(match show::text(&accepted, "/state").as_str() {
            WAITING => Exit::WaitsForApproval,
            _ => Exit::Done,
        });
    }
    followed(client, &id, how.json).await
}

/// Follows a change to where it stands still, and says how that is.
pub(super) async fn followed(client: &Client, id: &str, json: bool) -> Result<Exit, Failure> {
    let change = until_still(client, id, json).await?;
    if json {
        output::json(&change);
    }
    Ok(match show::text(&change, "/state").as_str() {
        "succeeded" => Exit::Done,
        "unknown" => Exit::OutcomeUnknown,
        WAITING => Exit::WaitsForApproval,
        _ => Exit::Failed,
    })
}

/// Follows a change to its end, or to where others have to approve it; one line whenever it moves.
async fn until_still(client: &Client, id: &str, quiet: bool) -> Result<Value, Failure> {
    let mut shown = String::new();
    loop {
        let change = client
            .get(&["changes", id], &[])
            .await
            .map_err(|failure| match failure {
                Failure::NobodyAnswered(text) | Failure::NoAnswer(text) => Failure::Ended(
                    Exit::OutcomeUnknown,
                    format!("change {id} was accepted; how it ended is not known: {text}"),
                ),
                other => other,
            })?;
        let state = show::text(&change, "/state");
        let more = ["/outcome", "/waiting_for"]
            .into_iter()
            .map(|field| show::text(&change, field))
            .find(|text| text != "-");
        let more = more.map(|more| format!(": {more}")).unwrap_or_default();
        let line = format!("change {id} {state}{more}");
        if line != shown && !quiet {
            output::say(&line);
            shown = line;
        }
        if matches!(
            state.as_str(),
            "succeeded" | "failed" | "unknown" | "cancelled" | "denied" | "expired" | WAITING
        ) {
            return Ok(change);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn show_preview(preview: &Value) {
    output::say(show::text(preview, "/title"));
    for side in ["before", "after"] {
        output::say(format!(
            "  {side:6}  {}",
            picture(preview.pointer(&format!("/{side}")))
        ));
    }
    for check in list(preview, "/checks") {
        output::say(format!(
            "  {}  {}",
            show::text(check, "/level"),
            show::text(check, "/text")
        ));
    }
    for (number, step) in list(preview, "/steps").iter().enumerate() {
        let step = ["/lead", "/rest"]
            .map(|part| show::text(step, part))
            .join(" ");
        output::say(format!("  {}. {step}", number + 1));
    }
    for note in list(preview, "/notes") {
        let note = output::plain(note.as_str().unwrap_or_default());
        output::say(format!("  note: {note}"));
    }
}

/// `voters n1 n2 n3, learners n4; majority 2, may lose 1`
fn picture(picture: Option<&Value>) -> String {
    let Some(picture) = picture else {
        return "-".to_owned();
    };
    let named = |role: &str| {
        let members = list(picture, "/members").iter();
        let names = members.filter(|member| show::text(member, "/role") == role);
        names
            .map(|member| show::text(member, "/id"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let learners = named("learner");
    let learners = if learners.is_empty() {
        String::new()
    } else {
        format!(", learners {learners}")
    };
    let tolerates = picture.pointer("/quorum/tolerates").and_then(Value::as_i64);
    let rest = match tolerates {
        Some(missing) if missing < 0 => format!("which is lost: {} missing", missing.abs()),
        Some(more) => format!("may lose {more}"),
        None => "may lose -".to_owned(),
    };
    format!(
        "voters {}{learners}; majority {}, {rest}",
        named("voter"),
        show::text(picture, "/quorum/majority"),
    )
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn is_refused(preview: &Value) -> bool {
    list(preview, "/checks")
        .iter()
        .any(|check| show::text(check, "/level") == "refuse")
}

/// Asks on the terminal; without one there is nobody to ask.
fn confirmed() -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        let text = "nobody is there to ask; add --yes".to_owned();
        return Err(Failure::Ended(Exit::Usage, text));
    }
    let mut err = std::io::stderr().lock();
    let _ = write!(err, "Do it? [y/N] ").and_then(|()| err.flush());
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    Ok(read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

fn new_key() -> String {
    let mut bytes = [0_u8; 16];
    rand::rng().fill_bytes(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! The checks; each says what it missed.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use reqwest::{Method, RequestBuilder, Response, header::CONTENT_TYPE};
use serde_json::{Value, json};

/// Ages in milliseconds stay far below this; moments counted since 1970 do not.
const OLDEST: u64 = 1_000_000_000_000;

const ACTIONS: [&str; 6] = [
    "add_learner",
    "promote",
    "demote",
    "remove",
    "transfer",
    "snapshot",
];

const VIEW: [&str; 19] = [
    "group",
    "member",
    "instance",
    "state",
    "term",
    "leader",
    "claims_leadership",
    "quorum_evidence_ms",
    "election_timeout_ms",
    "heartbeat_interval_ms",
    "last_index",
    "commit_index",
    "applied_index",
    "snapshot",
    "voter",
    "membership",
    "progress",
    "fault",
    "burned",
];

/// How long a check whose circumstances moved under it is made anew: an election in one of many
/// groups, a membership on its way to a follower, a machine so busy that a majority is not heard
/// in time. None of these is the agent's fault, and none of them lasts.
const PATIENCE: Duration = Duration::from_secs(30);

/// An agent under test.
pub struct Subject {
    base: String,
    token: String,
    http: reqwest::Client,
    patience: Duration,
}

type Check = Result<(), String>;

/// Why a group was not found to be right.
enum Miss {
    /// Wrong, whatever the circumstances.
    Wrong(String),
    /// Wrong unless the group moved meanwhile.
    UnlessMoved(String),
    /// The agent says itself that it cannot answer for the group now.
    Unwell(String),
}

impl From<String> for Miss {
    fn from(what: String) -> Self {
        Self::Wrong(what)
    }
}

impl From<&str> for Miss {
    fn from(what: &str) -> Self {
        Self::Wrong(what.to_owned())
    }
}

fn need(holds: bool, what: impl Into<String>) -> Check {
    if holds { Ok(()) } else { Err(what.into()) }
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str, String> {
    let found = value[key].as_str().filter(|text| !text.is_empty());
    found.ok_or_else(|| format!("`{key}` is no text: {value}"))
}

impl Subject {
    pub fn new(address: &str, token: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(30));
        Self {
            base: format!("{}/quorate/agent/v1", address.trim_end_matches('/')),
            token: token.to_owned(),
            http: http.build().unwrap(),
            patience: PATIENCE,
        }
    }

    /// For an agent that is known to be wrong: what it never does is not waited for long.
    #[allow(dead_code)]
    pub fn soon(mut self) -> Self {
        self.patience = Duration::from_secs(3);
        self
    }

    /// All checks.
    ///
    /// # Errors
    /// What the agent does that it must not, or does not do that it must.
    pub async fn conforms(&self) -> Check {
        self.lets_nobody_in_without_a_credential().await?;
        let identity = self.identity().await?;
        let groups = self.bulk_state().await?;
        let runs_some = !groups.is_empty();
        for group in groups {
            self.is_right(&group, &identity).await?;
        }
        self.knows_its_groups().await?;
        // A spare host of many groups runs none yet and has nothing to push.
        if runs_some {
            self.pushes_the_first_event_at_once().await?;
        }
        Ok(())
    }

    /// A group's view, and that what must be refused is, while the group stands still.
    async fn is_right(&self, group: &str, identity: &Value) -> Check {
        let began = Instant::now();
        loop {
            let before = self.look(group).await;
            let missed = match &before {
                Ok(view) => self.stands_still(group, view, identity).await,
                Err(why) => Err(Miss::Unwell(why.clone())),
            };
            let why = match missed {
                Ok(()) => return Ok(()),
                Err(Miss::Wrong(why)) => return Err(why),
                Err(Miss::UnlessMoved(why)) => {
                    let after = self.look(group).await;
                    if let (Ok(before), Ok(after)) = (&before, &after)
                        && standing(before) == standing(after)
                    {
                        return Err(why);
                    }
                    why
                }
                Err(Miss::Unwell(why)) => why,
            };
            need(began.elapsed() < self.patience, why)?;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn stands_still(&self, group: &str, view: &Value, identity: &Value) -> Result<(), Miss> {
        check_view(view, identity, group)?;
        self.refuses(group, view).await?;
        let after = self.look(group).await.map_err(Miss::Unwell)?;
        // Between the two looks a follower may have been told of an earlier change.
        if after["membership"]["revision"] != view["membership"]["revision"] {
            let why = "a refused change moved the membership's revision";
            return Err(Miss::Unwell(why.to_owned()));
        }
        Ok(())
    }

    fn call(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/{path}", self.base))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, String> {
        let sent = request.bearer_auth(&self.token).send().await;
        sent.map_err(|error| error.to_string())
    }

    async fn get(&self, path: &str) -> Result<Value, String> {
        let response = self.send(self.call(Method::GET, path)).await?;
        let status = response.status();
        need(status == 200, format!("GET {path} answers {status}"))?;
        response
            .json()
            .await
            .map_err(|error| format!("GET {path}: {error}"))
    }

    async fn lets_nobody_in_without_a_credential(&self) -> Check {
        let paths = ["identity", "groups", "groups/default", "events"];
        for path in paths {
            for request in [
                self.call(Method::GET, path),
                self.call(Method::GET, path).bearer_auth("not-the-token"),
                self.call(Method::GET, path).bearer_auth(""),
            ] {
                let response = request.send().await.map_err(|error| error.to_string())?;
                need(
                    response.status() == 401,
                    format!("{path} lets strangers in"),
                )?;
            }
        }
        let change = self
            .call(Method::POST, "groups/default/changes")
            .json(&json!({}));
        let response = change.send().await.map_err(|error| error.to_string())?;
        need(response.status() == 401, "strangers may change")?;
        problem(response, 401).await.map(|_| ())
    }

    async fn identity(&self) -> Result<Value, String> {
        let identity = self.get("identity").await?;
        need(identity["protocol"] == 1, "`protocol` is not 1")?;
        for key in [
            "implementation",
            "library_version",
            "agent_version",
            "program",
            "member",
            "instance",
        ] {
            text(&identity, key)?;
        }
        let rights = identity["rights"].as_array().ok_or("`rights` is no list")?;
        need(
            rights.contains(&json!("read")),
            "whoever reads has no right to read",
        )?;
        let told = identity["capabilities"]
            .as_array()
            .ok_or("`capabilities` is no list")?;
        for action in ACTIONS {
            let of: Vec<&Value> = told.iter().filter(|can| can["action"] == action).collect();
            let [can] = of.as_slice() else {
                return Err(format!("{action} is told {} times", of.len()));
            };
            need(
                can["supported"].is_boolean(),
                format!("{action}: supported?"),
            )?;
            need(
                can["supported"] == true || can["note"].is_string(),
                format!("{action} is not supported, and nobody says why"),
            )?;
        }
        Ok(identity)
    }

    async fn bulk_state(&self) -> Result<Vec<String>, String> {
        let began = Instant::now();
        // What moved between two calls is told, rightly. Groups do not move for ever.
        loop {
            let all = self.get("groups").await?;
            need(all["complete"] == true, "without `since` not all is told")?;
            let revision = text(&all, "revision")?;
            let groups = all["groups"].as_array().ok_or("`groups` is no list")?;
            let names: Result<Vec<String>, String> = groups
                .iter()
                .map(|group| text(group, "group").map(str::to_owned))
                .collect();
            let stranger = self.get("groups?since=never-was").await?;
            need(
                stranger["complete"] == true,
                "an unknown `since` is not answered in full",
            )?;
            let since = self.get(&format!("groups?since={revision}")).await?;
            if since["groups"].as_array().is_some_and(Vec::is_empty) && since["complete"] == false {
                return names;
            }
            need(
                began.elapsed() < self.patience,
                "nothing moved, and `since` tells of something",
            )?;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn look(&self, group: &str) -> Result<Value, String> {
        self.get(&format!("groups/{group}")).await
    }

    async fn change(&self, group: &str, body: Value) -> Result<Response, String> {
        let path = format!("groups/{group}/changes");
        self.send(self.call(Method::POST, &path).json(&body)).await
    }

    /// Whatever role the node has, none of these may happen.
    async fn refuses(&self, group: &str, view: &Value) -> Result<(), Miss> {
        let path = format!("groups/{group}/changes");
        let broken = self
            .call(Method::POST, &path)
            .header(CONTENT_TYPE, "application/json");
        problem(self.send(broken.body("{")).await?, 400).await?;
        problem(
            self.change(group, json!({ "action": "reboot" })).await?,
            400,
        )
        .await?;

        let revision = &view["membership"]["revision"];
        let leads = view["claims_leadership"] == true;
        let otherwise = |status| if leads { status } else { 421 };
        let promote = |member: &Value, revision: &Value| json!({ "action": "promote", "member": member, "expected_revision": revision });
        let nobody = json!("nobody-has-this-id");
        let asked = promote(&nobody, revision);
        self.refused(group, asked, otherwise(422)).await?;
        let asked = promote(&nobody, &json!("no-such-revision"));
        let moved = self.refused(group, asked, otherwise(409)).await?;
        if leads {
            if moved["code"] != "revision-moved" {
                return Err("a stale revision is not told as such".into());
            }
            if moved["revision"] != *revision {
                let why = "nor what the revision is now".to_owned();
                return Err(Miss::UnlessMoved(why));
            }
            let own = &view["member"];
            for action in ["promote", "transfer", "remove"] {
                let body = json!({
                    "action": action, "member": own, "expected_revision": revision,
                });
                self.refused(group, body, 422).await?;
            }
        }
        Ok(())
    }

    /// A change that must be refused with this status, if the group stands still.
    async fn refused(&self, group: &str, body: Value, status: u16) -> Result<Value, Miss> {
        let response = self.change(group, body).await?;
        let found = response.status().as_u16();
        match problem(response, status).await {
            Ok(problem) => Ok(problem),
            // It leads, and a majority was not heard in time; or it could not look in time.
            Err(why) if found >= 500 => Err(Miss::Unwell(why)),
            // Leadership or the membership may have moved since the view.
            Err(why) if [409, 421, 422].contains(&found) => Err(Miss::UnlessMoved(why)),
            Err(why) => Err(Miss::Wrong(why)),
        }
    }

    async fn knows_its_groups(&self) -> Check {
        let path = "groups/there-is-no-such-group";
        problem(self.send(self.call(Method::GET, path)).await?, 404)
            .await
            .map(|_| ())
    }

    async fn pushes_the_first_event_at_once(&self) -> Check {
        let mut response = self.send(self.call(Method::GET, "events")).await?;
        let kind = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok());
        let is_stream = kind.is_some_and(|kind| kind.starts_with("text/event-stream"));
        need(is_stream, format!("events are {kind:?}"))?;
        let mut told = String::new();
        let first = async {
            while !told.contains("\n\n") {
                let chunk = response.chunk().await.map_err(|error| error.to_string())?;
                let chunk = chunk.ok_or("the stream ended")?;
                told.push_str(&String::from_utf8_lossy(&chunk));
            }
            Ok::<_, String>(())
        };
        let came = tokio::time::timeout(self.patience, first).await;
        came.map_err(|_| "no event came".to_owned())??;
        let line = |name: &str| told.lines().find_map(|line| line.strip_prefix(name));
        need(
            line("event:").is_some_and(|event| event.trim() == "group"),
            "no event `group`",
        )?;
        need(line("id:").is_some(), "the event has no id")?;
        let data = line("data:").ok_or("the event has no data")?;
        let view: Value = serde_json::from_str(data).map_err(|error| error.to_string())?;
        has_all(&view)
    }
}

/// What a refusal of a change depends on.
fn standing(view: &Value) -> [&Value; 5] {
    let revision = &view["membership"]["revision"];
    let [state, term] = [&view["state"], &view["term"]];
    let [claims, leader] = [&view["claims_leadership"], &view["leader"]];
    [state, term, claims, leader, revision]
}

/// The answer must have this status and be a problem with a code.
async fn problem(response: Response, status: u16) -> Result<Value, String> {
    let (found, url) = (response.status().as_u16(), response.url().path().to_owned());
    let kind = response.headers().get(CONTENT_TYPE).cloned();
    let body = response.text().await.map_err(|error| error.to_string())?;
    need(
        found == status,
        format!("{url}: {found} instead of {status}: {body}"),
    )?;
    need(
        kind.is_some_and(|kind| kind == "application/problem+json"),
        format!("{url}: {status} is no problem document"),
    )?;
    let body: Value = serde_json::from_str(&body).map_err(|error| error.to_string())?;
    text(&body, "code")?;
    text(&body, "detail")?;
    Ok(body)
}

fn has_all(view: &Value) -> Check {
    for key in VIEW {
        need(
            view.get(key).is_some(),
            format!("`{key}` is missing; it may be null"),
        )?;
    }
    Ok(())
}

fn check_view(view: &Value, identity: &Value, group: &str) -> Check {
    has_all(view)?;
    need(view["group"] == group, "the view is of another group")?;
    need(
        view["member"] == identity["member"],
        "the view is another member's",
    )?;
    let claims = view["claims_leadership"] == true;
    need(
        !claims || view["leader"] == view["member"],
        "a leader that names another",
    )?;
    need(
        !claims || view["fault"].is_null(),
        "a leader that cannot go on",
    )?;
    need(
        claims
            || view["progress"]
                .as_object()
                .is_none_or(|p| p.is_empty() || view["state"] == "leader"),
        "progress told by one that does not lead",
    )?;
    check_ages(view)?;
    check_membership(view)
}

fn check_ages(view: &Value) -> Check {
    let young = |age: &Value| age.is_null() || age.as_u64().is_some_and(|age| age < OLDEST);
    need(
        young(&view["quorum_evidence_ms"]),
        "`quorum_evidence_ms` is no age",
    )?;
    for (member, progress) in view["progress"].as_object().into_iter().flatten() {
        need(
            young(&progress["last_contact_ms"]),
            format!("no age: contact of {member}"),
        )?;
        need(
            progress.get("matched_index").is_some(),
            format!("{member}: no `matched_index`"),
        )?;
    }
    Ok(())
}

fn check_membership(view: &Value) -> Check {
    let membership = &view["membership"];
    text(membership, "revision")?;
    let members = membership["members"]
        .as_array()
        .ok_or("`members` is no list")?;
    let of_role = |votes: bool| -> BTreeSet<&str> {
        let with = members
            .iter()
            .filter(|member| (member["role"] != "learner") == votes);
        with.filter_map(|member| member["id"].as_str()).collect()
    };
    let (voters, learners) = (of_role(true), of_role(false));
    need(
        voters.len() + learners.len() == members.len(),
        "an id is there twice, or none",
    )?;
    let configs = membership["configs"]
        .as_array()
        .ok_or("`configs` is no list")?;
    let named: BTreeSet<&str> = configs
        .iter()
        .flat_map(|set| set.as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    need(
        named == voters,
        "`configs` and `role` tell different voters",
    )?;
    let own = view["member"].as_str().unwrap_or_default();
    need(
        view["voter"] == voters.contains(own),
        "`voter` and `membership` differ",
    )?;
    let outside = view["state"] == "outside";
    need(
        outside == members.is_empty() || !outside,
        "outside, and a member",
    )
}

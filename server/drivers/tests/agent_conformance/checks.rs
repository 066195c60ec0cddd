//! The checks; each says what it missed.

use std::{collections::BTreeSet, time::Duration};

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

/// An agent under test.
pub struct Subject {
    base: String,
    token: String,
    http: reqwest::Client,
}

type Check = Result<(), String>;

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
            .timeout(Duration::from_secs(12));
        Self {
            base: format!("{}/quorate/agent/v1", address.trim_end_matches('/')),
            token: token.to_owned(),
            http: http.build().unwrap(),
        }
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
            let view = self.view(&group).await?;
            check_view(&view, &identity, &group)?;
            self.refuses(&group, &view).await?;
            let after = self.view(&group).await?;
            need(
                after["membership"]["revision"] == view["membership"]["revision"],
                "a refused change moved the membership's revision",
            )?;
        }
        self.knows_its_groups().await?;
        // A spare host of many groups runs none yet and has nothing to push.
        if runs_some {
            self.pushes_the_first_event_at_once().await?;
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
        // A follower may change its state between two calls; thrice in a row is no accident.
        for _ in 0..3 {
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
        }
        Err("nothing moved, and `since` tells of something".to_owned())
    }

    async fn view(&self, group: &str) -> Result<Value, String> {
        self.get(&format!("groups/{group}")).await
    }

    async fn change(&self, group: &str, body: Value) -> Result<Response, String> {
        let path = format!("groups/{group}/changes");
        self.send(self.call(Method::POST, &path).json(&body)).await
    }

    /// Whatever role the node has, none of these may happen.
    async fn refuses(&self, group: &str, view: &Value) -> Check {
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
        let refused = self.change(group, promote(&nobody, revision)).await?;
        problem(refused, otherwise(422)).await?;
        let stale = self
            .change(group, promote(&nobody, &json!("no-such-revision")))
            .await?;
        let moved = problem(stale, otherwise(409)).await?;
        if leads {
            need(
                moved["code"] == "revision-moved",
                "a stale revision is not told as such",
            )?;
            need(
                moved["revision"] == *revision,
                "nor what the revision is now",
            )?;
            let own = &view["member"];
            for (action, status) in [("promote", 422), ("transfer", 422), ("remove", 422)] {
                let body = json!({
                    "action": action, "member": own, "expected_revision": revision,
                });
                problem(self.change(group, body).await?, status).await?;
            }
        }
        Ok(())
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
        let came = tokio::time::timeout(Duration::from_secs(3), first).await;
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

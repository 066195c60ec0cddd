//! The supervisor's calls to the nodes: as an operator would make them.

use std::{collections::BTreeMap, time::Duration};

use futures::future::join_all;
use quorate_agent_openraft::wire::{ChangeRequest, GroupView, Verb};
use tokio::time::sleep;

use crate::types::member_of;

const LOOK: Duration = Duration::from_millis(100);
const STATUS_LIMIT: Duration = Duration::from_secs(1);

pub struct Agents {
    pub http: reqwest::Client,
    pub token: String,
}

impl Agents {
    /// Whether a node answers at all.
    pub async fn answers(&self, url: &str) -> bool {
        let asked = self
            .http
            .get(format!("{url}/demo/hello"))
            .timeout(STATUS_LIMIT)
            .send()
            .await;
        asked.is_ok_and(|response| response.status().is_success())
    }

    pub async fn view(&self, url: &str) -> Option<GroupView> {
        let request = self
            .http
            .get(format!("{url}/quorate/agent/v1/groups/default"));
        let response = request
            .bearer_auth(&self.token)
            .timeout(STATUS_LIMIT)
            .send()
            .await
            .ok()?;
        response.error_for_status().ok()?.json().await.ok()
    }

    /// The view of the node that leads: fresh evidence of a quorum, and the highest term of those.
    pub async fn leader(&self, urls: &[String]) -> Option<GroupView> {
        let views = join_all(urls.iter().map(|url| self.view(url))).await;
        let leading = views.into_iter().flatten().filter(|view| {
            let fresh = |age| age <= view.election_timeout_ms;
            view.claims_leadership && view.quorum_evidence_ms.is_some_and(fresh)
        });
        leading.max_by_key(|view| view.term)
    }

    pub async fn wait_for_leader(&self, urls: &[String]) -> GroupView {
        loop {
            if let Some(leader) = self.leader(urls).await {
                return leader;
            }
            sleep(LOOK).await;
        }
    }

    /// Makes a cluster of `voters`; that it is one already is no error.
    pub async fn initialize(&self, voters: &[(u64, String)]) -> Result<(), String> {
        let urls: Vec<String> = voters.iter().map(|(_, url)| url.clone()).collect();
        let Some(first) = urls.first() else {
            return Err("no voters".to_owned());
        };
        let members: BTreeMap<u64, String> = voters
            .iter()
            .map(|(id, url)| (*id, url.replacen("http://", "", 1)))
            .collect();
        let request = self
            .http
            .post(format!("{first}/demo/init"))
            .bearer_auth(&self.token);
        let response = request
            .json(&members)
            .send()
            .await
            .map_err(|error| error.to_string())?;
        if response.status().is_success() || self.view(first).await.is_some_and(|v| v.voter) {
            return Ok(());
        }
        Err(response.text().await.unwrap_or_default())
    }

    /// Adds a learner through the leader's agent; that it is one already is no error.
    pub async fn add_learner(&self, members: &[String], id: u64, url: &str) -> Result<(), String> {
        let mut refused = String::new();
        // A new leader may still be settling: its first membership is committed in a moment.
        for _ in 0..50 {
            let leader = self.wait_for_leader(members).await;
            if leader
                .membership
                .members
                .iter()
                .any(|member| member.id == member_of(id))
            {
                return Ok(());
            }
            match self.ask_to_add(&leader, id, url).await {
                Ok(()) => return Ok(()),
                Err(text) => refused = text,
            }
            sleep(LOOK).await;
        }
        Err(refused)
    }

    async fn ask_to_add(&self, leader: &GroupView, id: u64, url: &str) -> Result<(), String> {
        let own = leader
            .membership
            .members
            .iter()
            .find(|member| member.id == leader.member);
        let address = own
            .and_then(|member| member.agent_address.clone())
            .unwrap_or_default();
        let change = ChangeRequest {
            action: Verb::AddLearner,
            member: Some(member_of(id)),
            address: Some(url.to_owned()),
            expected_revision: Some(leader.membership.revision.clone()),
        };
        let request = self
            .http
            .post(format!("{address}/quorate/agent/v1/groups/default/changes"));
        let sent = request.bearer_auth(&self.token).json(&change).send().await;
        let response = sent.map_err(|error| error.to_string())?;
        if response.status().is_success() {
            return Ok(());
        }
        Err(response.text().await.unwrap_or_default())
    }
}

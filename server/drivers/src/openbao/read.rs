//! One look: all nodes at once, then the leader for what only it knows. Bounded as a whole;
//! a node that is late costs its own answer only.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream::FuturesUnordered};
use quorate_domain::{
    cluster::{Kind, MemberId},
    observation::{Answer, Observation},
};
use url::Url;

use super::{
    Memory, Openbao,
    answers::{Autopilot, HaNode, HaStatus, LeaderWords, raft_address},
    ask::{Asked, ask, at, logical, with_token},
    notes::differing_members,
    picture::{Gathered, cluster_id, counting_membership, leading, own, picture},
    rights,
};
use crate::{
    clock,
    http::{self, Wire},
};

/// The leader's index is read once the others have answered, but no later than this: a frozen
/// follower must not make the leader's figure newer than all others'.
const PROMPT: Duration = Duration::from_millis(250);
/// Autopilot calls followers unhealthy until their echoes have reached a new leader.
const SETTLING: Duration = Duration::from_secs(6);
/// How long what the token may do is believed.
const RIGHTS_LAST: Duration = Duration::from_secs(60);
/// A change of the membership is on all nodes within 20 ms; after this it is a difference.
const SPREADING: Duration = Duration::from_millis(40);

/// What only the leader can tell.
#[derive(Default)]
struct FromLeader {
    words: Option<LeaderWords>,
    autopilot: Option<Autopilot>,
    rows: Option<HaStatus>,
}

impl Openbao {
    pub(super) async fn look(&self, deadline: Duration) -> Observation {
        let until = Instant::now() + deadline;
        let (mut asked, from_leader) = self.gather(until).await;
        self.ask_again_where_views_differ(&mut asked, until).await;
        if let (Some(words), Some(id)) = (from_leader.words, leader_id(&self.ours(&asked))) {
            // The newest index the leader told, so that nobody seems ahead of it.
            let leader = asked.iter_mut().find(|node| node.id() == Some(&id));
            if let Some(node) = leader.filter(|_| words.is_self) {
                node.words = Some(words);
            }
        }
        let rows = from_leader.rows.unwrap_or_default().nodes;
        let mut memory = self.memory();
        memory.digest(&asked, &rows);
        picture(&Gathered {
            configured: self.kind,
            asked: &asked,
            autopilot: from_leader.autopilot.as_ref(),
            rows: &rows,
            directory: &memory.directory,
            rights: memory.rights.as_ref(),
            remembered: memory.membership.as_ref(),
            cluster_id: memory.cluster_id.as_deref(),
            leader_is_settled: memory.leader_since.elapsed() > SETTLING,
            now: clock::now(),
        })
    }

    async fn gather(&self, until: Instant) -> (Vec<Asked>, FromLeader) {
        let (targets, prompt) = {
            let memory = self.memory();
            let more = if memory.membership.is_some() {
                &[][..]
            } else {
                memory.remembered.as_slice()
            };
            let targets = memory.directory.targets(memory.membership.as_ref(), more);
            (targets, memory.answered.clone())
        };
        let first: BTreeSet<Url> = targets.iter().map(|(url, _)| url.clone()).collect();
        let mut pending: FuturesUnordered<_> = targets
            .into_iter()
            .map(|(url, expected)| self.ask(url, expected, until))
            .collect();
        let mut asked = Vec::new();
        let soon = tokio::time::sleep(PROMPT);
        tokio::pin!(soon);
        while !pending.is_empty() && !all_prompt(&asked, &prompt) {
            tokio::select! {
                Some(node) = pending.next() => asked.push(node),
                () = &mut soon => break,
            }
        }
        let early = self.leader_url(&asked);
        let second = self.second_round(&asked, &first, until);
        let (late, (newcomers, mut from_leader)) =
            tokio::join!(pending.collect::<Vec<_>>(), second);
        asked.extend(newcomers);
        asked.extend(late);
        if early.is_none()
            && let Some(url) = self.leader_url(&asked)
        {
            from_leader = self.words_of_leader(&url, until).await;
        }
        (asked, from_leader)
    }

    /// The leader's own knowledge, the token's rights, and nodes that were heard of only now.
    async fn second_round(
        &self,
        asked: &[Asked],
        first: &BTreeSet<Url>,
        until: Instant,
    ) -> (Vec<Asked>, FromLeader) {
        let ours = self.ours(asked);
        let leader = leading(&ours).map(|node| node.url.clone());
        let open = ours.iter().find(|node| node.answer == Answer::Answered);
        let somebody = leader.clone().or_else(|| open.map(|node| node.url.clone()));
        let from_leader = async {
            match &leader {
                Some(url) => self.words_of_leader(url, until).await,
                None => FromLeader::default(),
            }
        };
        let (from_leader, ()) = tokio::join!(from_leader, self.refresh_rights(somebody, until));
        let rows = from_leader
            .rows
            .as_ref()
            .map(|rows| rows.nodes.clone())
            .unwrap_or_default();
        let targets = {
            let mut memory = self.memory();
            memory.digest(asked, &rows);
            memory.directory.targets(memory.membership.as_ref(), &[])
        };
        let fresh = targets.into_iter().filter(|(url, _)| !first.contains(url));
        let newcomers: FuturesUnordered<_> = fresh
            .map(|(url, expected)| self.ask(url, expected, until))
            .collect();
        (newcomers.collect().await, from_leader)
    }

    async fn words_of_leader(&self, url: &Url, until: Instant) -> FromLeader {
        let wait = self.wait(until);
        let token = self.token.as_ref();
        let words = self.client.get(&at(url, "sys/leader")).within(wait);
        let autopilot = self
            .client
            .get(&at(url, "sys/storage/raft/autopilot/state"))
            .within(wait);
        let rows = self.client.get(&at(url, "sys/ha-status")).within(wait);
        let (words, autopilot, rows) = tokio::join!(
            words.json(),
            with_token(autopilot, token).send(),
            with_token(rows, token).send()
        );
        FromLeader {
            words: words.ok(),
            autopilot: autopilot.and_then(|reply| logical(&reply)).ok(),
            rows: rows.and_then(|reply| logical(&reply)).ok(),
        }
    }

    async fn refresh_rights(&self, url: Option<Url>, until: Instant) {
        let due = self
            .memory()
            .rights_at
            .is_none_or(|at| at.elapsed() > RIGHTS_LAST);
        let (Some(url), true) = (url, due) else {
            return;
        };
        let found = rights::find(&self.client, self.token.as_ref(), &url, self.wait(until)).await;
        match found {
            Ok(found) => {
                let mut memory = self.memory();
                memory.rights = Some(found);
                memory.rights_at = Some(Instant::now());
            }
            Err(why) => tracing::debug!(cluster = %self.name, %why, "rights not found out"),
        }
    }

    /// A membership that has just changed arrives everywhere within milliseconds; only what
    /// still differs after that is told.
    async fn ask_again_where_views_differ(&self, asked: &mut [Asked], until: Instant) {
        let ours = self.ours(asked);
        let Some(counting) = counting_membership(&ours) else {
            return;
        };
        let mut again = differing_members(&ours, &counting);
        if again.is_empty() {
            return;
        }
        again.extend(leader_id(&ours));
        tokio::time::sleep(SPREADING.min(until.saturating_duration_since(Instant::now()))).await;
        let mine = asked
            .iter_mut()
            .filter(|node| node.id().is_some_and(|id| again.contains(id)));
        let anew = mine.map(|node| async {
            *node = self
                .ask(node.url.clone(), node.expected.clone(), until)
                .await;
        });
        futures::future::join_all(anew).await;
    }

    async fn ask(&self, url: Url, expected: Option<MemberId>, until: Instant) -> Asked {
        let began = std::time::Instant::now();
        let wait = self.patience.with(&url, self.wait(until), began);
        let question = ask(
            &self.client,
            self.token.as_ref(),
            url.clone(),
            expected.clone(),
            wait,
            self.standbys_ask_the_leader(),
        );
        let asked = match tokio::time::timeout(wait, question).await {
            Ok(asked) => asked,
            Err(_) => Asked::silent(url, expected, &Wire::TimedOut(wait)),
        };
        let silent = matches!(asked.answer, Answer::Silent(_));
        self.patience
            .learn(&asked.url, silent && began.elapsed() >= wait, began);
        asked
    }

    /// A standby of Vault has the leader tell who the members are. Until they are known somebody
    /// has to tell, whoever it is; after that a leader that is silent silences itself alone.
    fn standbys_ask_the_leader(&self) -> bool {
        let memory = self.memory();
        let found = memory.rights.as_ref().and_then(|rights| rights.kind);
        found.unwrap_or(self.kind) == Kind::Vault && memory.membership.is_some()
    }

    /// Without the answers of other clusters.
    fn ours(&self, asked: &[Asked]) -> Vec<Asked> {
        let known = self.memory().cluster_id.clone();
        let id = cluster_id(asked, known.as_deref());
        own(asked, id.as_deref()).into_iter().cloned().collect()
    }

    fn leader_url(&self, asked: &[Asked]) -> Option<Url> {
        leading(&self.ours(asked)).map(|node| node.url.clone())
    }

    /// How long one call may wait now.
    fn wait(&self, until: Instant) -> Duration {
        let left = until.saturating_duration_since(Instant::now());
        self.status_timeout.min(left).max(Duration::from_millis(10))
    }
}

fn leader_id(asked: &[Asked]) -> Option<MemberId> {
    leading(asked).and_then(|node| node.id().cloned())
}

fn all_prompt(asked: &[Asked], prompt: &BTreeSet<Url>) -> bool {
    let answered: BTreeSet<&Url> = asked.iter().map(|node| &node.url).collect();
    !prompt.is_empty() && prompt.iter().all(|url| answered.contains(url))
}

impl Memory {
    /// Learns from the answers of one look.
    pub(super) fn digest(&mut self, asked: &[Asked], rows: &[HaNode]) {
        self.cluster_id = cluster_id(asked, self.cluster_id.as_deref());
        let own: Vec<Asked> = own(asked, self.cluster_id.as_deref())
            .into_iter()
            .cloned()
            .collect();
        if let Some(leader) = leading(&own) {
            self.directory.learn_rows(rows, &leader.url);
        }
        for node in &own {
            if let Some(id) = &node.proven {
                self.directory.learn_proof(id, &node.url);
            }
            if let Some(words) = &node.words {
                self.directory.learn_leader(words, &node.url);
            }
        }
        if let Some(membership) = counting_membership(&own) {
            self.directory.learn_members(&membership);
            if leading(&own).is_some() && !rows.is_empty() {
                self.directory.forget(|address| {
                    let member = membership
                        .members
                        .iter()
                        .any(|each| each.address == address);
                    let listed = |row: &HaNode| raft_address(&row.cluster_address) == address;
                    member || rows.iter().any(listed)
                });
            }
            self.membership = Some(membership);
        }
        if let Some(words) = leading(&own).and_then(|node| node.words.as_ref()) {
            self.leader_address = http::origin(&words.leader_address).ok();
        }
        let leader = leader_id(&own);
        if leader.is_some() && leader != self.leader {
            self.leader = leader;
            self.leader_since = Instant::now();
        }
        let answered = asked
            .iter()
            .filter(|node| !matches!(node.answer, Answer::Silent(_)));
        self.answered = answered.map(|node| node.url.clone()).collect();
    }
}

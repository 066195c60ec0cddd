//! One look: all members at once, then the leader for what only it knows. Bounded as a whole;
//! a member that is late costs its own answer only.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use futures::{StreamExt, stream::FuturesUnordered};
use quorate_domain::{
    cluster::{MemberId, Role},
    observation::{Answer, Observation},
};
use serde_json::json;
use url::Url;

use super::{
    Etcd, Memory,
    answers::{Status, Variables, member_id, membership},
    ask::{Asked, ask},
    contact::Heard,
    gateway::{at, page, read},
    notes::differing_members,
    picture::{Gathered, cluster_id, leading, level, own, picture, witness},
};
use crate::{clock, http::Wire};

/// The leader's index is read once the others have answered, but no later than this: a frozen
/// follower must not make the leader's figure newer than all others'.
const PROMPT: Duration = Duration::from_millis(250);
/// A change of the membership is on all members within this time; after it, it is a difference.
const SPREADING: Duration = Duration::from_millis(40);

/// What only the leader can tell.
#[derive(Default)]
struct FromLeader {
    status: Option<Status>,
    matched: BTreeMap<MemberId, u64>,
    heard: Option<Heard>,
}

impl Etcd {
    pub(super) async fn look(&self, deadline: Duration) -> Observation {
        let until = Instant::now() + deadline;
        let (mut asked, mut from_leader) = self.gather(until).await;
        let heard = from_leader.heard.take();
        self.ask_again_where_lists_differ(&mut asked, until).await;
        if let Some(status) = from_leader.status.filter(Status::leads) {
            // The newest index the leader told, so that nobody seems ahead of it.
            let id = member_id(status.header.member_id);
            let mut nodes = asked.iter_mut();
            if let Some(node) = nodes.find(|node| node.leads() && node.proven() == Some(id.clone()))
            {
                node.status = Some(status);
            }
        }
        let mut memory = self.memory();
        memory.digest(&asked);
        let contact = memory.contacts(&asked, heard);
        picture(&Gathered {
            asked: &asked,
            matched: &from_leader.matched,
            contact: &contact,
            directory: &memory.directory,
            remembered: memory.membership.as_ref(),
            cluster_id: memory.cluster_id,
            capabilities: self.session.capabilities(),
            access: self.session.notes(),
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
        let second = self.second_round(asked, &first, until);
        let (late, (mut asked, mut from_leader)) =
            tokio::join!(pending.collect::<Vec<_>>(), second);
        asked.extend(late);
        if from_leader.status.is_none()
            && let Some(url) = self.leader_url(&asked)
        {
            from_leader = self.words_of_leader(&url, until).await;
        }
        (asked, from_leader)
    }

    /// A token where one is wanted, members that were heard of only now, and the leader's own
    /// knowledge.
    async fn second_round(
        &self,
        mut asked: Vec<Asked>,
        first: &BTreeSet<Url>,
        until: Instant,
    ) -> (Vec<Asked>, FromLeader) {
        self.see_to_token(&mut asked, until).await;
        let leader = self.leader_url(&asked);
        let targets = {
            let mut memory = self.memory();
            memory.digest(&asked);
            memory.directory.targets(memory.membership.as_ref(), &[])
        };
        let fresh = targets.into_iter().filter(|(url, _)| !first.contains(url));
        let newcomers: FuturesUnordered<_> = fresh
            .map(|(url, expected)| self.ask(url, expected, until))
            .collect();
        let from_leader = async {
            match &leader {
                Some(url) => self.words_of_leader(url, until).await,
                None => FromLeader::default(),
            }
        };
        let (newcomers, from_leader) = tokio::join!(newcomers.collect::<Vec<_>>(), from_leader);
        asked.extend(newcomers);
        (asked, from_leader)
    }

    /// Signs in where that is due, and asks those once more that wanted a token.
    async fn see_to_token(&self, asked: &mut [Asked], until: Instant) {
        let wanted = asked.iter().any(|node| node.wants_token);
        if !self.session.is_due(wanted) {
            return;
        }
        // Learners sign nobody in.
        let signs_in = |node: &&Asked| {
            node.wants_token
                || (node.answer == Answer::Answered
                    && node
                        .status
                        .as_ref()
                        .is_some_and(|status| !status.is_learner))
        };
        let Some(url) = asked.iter().find(signs_in).map(|node| node.url.clone()) else {
            return;
        };
        let wait = self.wait(until);
        let renewed = self.session.renew(&self.client, &url, wait);
        if tokio::time::timeout(wait, renewed).await.is_err() {
            tracing::debug!(%url, "signing in took too long");
        }
        if self.session.token().is_some() {
            let again = asked.iter_mut().filter(|node| node.wants_token);
            futures::future::join_all(again.map(|node| self.ask_anew(node, until))).await;
        }
    }

    async fn words_of_leader(&self, url: &Url, until: Instant) -> FromLeader {
        let wait = self.wait(until);
        let token = self.session.token();
        let (status_url, body) = (at(url, "maintenance/status"), json!({}));
        let variables = self.client.get(&page(url, "debug/vars")).within(wait);
        let (status, variables, heard) = tokio::join!(
            read::<Status>(&self.client, token.as_ref(), &status_url, &body, wait),
            variables.json::<Variables>(),
            self.heard_if_due(url, wait)
        );
        let status = status.ok();
        FromLeader {
            heard,
            matched: variables
                .map_or_else(|_| BTreeMap::new(), |told| matched(&told, status.as_ref())),
            status,
        }
    }

    /// Voters are told apart by their own words; a learner that is cut off is not.
    async fn heard_if_due(&self, url: &Url, wait: Duration) -> Option<Heard> {
        let due = {
            let mut memory = self.memory();
            let mut members = memory.membership.iter().flat_map(|it| &it.members);
            let any = members.any(|member| member.role == Role::Learner);
            any && memory.contact.falls_due(Instant::now())
        };
        if due {
            self.heard_at(url, wait).await
        } else {
            None
        }
    }

    /// A membership that has just changed arrives everywhere within milliseconds; only what
    /// still differs after that is told.
    async fn ask_again_where_lists_differ(&self, asked: &mut [Asked], until: Instant) {
        let again = {
            let id = cluster_id(asked, self.memory().cluster_id);
            let ours = own(asked, id);
            let counting = witness(&ours).and_then(|node| Some(membership(node.list.as_deref()?)));
            let Some(counting) = counting else { return };
            let mut again = differing_members(&ours, &counting);
            if again.is_empty() {
                return;
            }
            again.extend(leading(&ours).and_then(Asked::proven));
            again
        };
        tokio::time::sleep(SPREADING.min(until.saturating_duration_since(Instant::now()))).await;
        let mine = asked
            .iter_mut()
            .filter(|node| node.id().is_some_and(|id| again.contains(&id)));
        futures::future::join_all(mine.map(|node| self.ask_anew(node, until))).await;
    }

    async fn ask_anew(&self, node: &mut Asked, until: Instant) {
        *node = self
            .ask(node.url.clone(), node.expected.clone(), until)
            .await;
    }

    async fn ask(&self, url: Url, expected: Option<MemberId>, until: Instant) -> Asked {
        let began = Instant::now();
        let wait = self.patience.with(&url, self.wait(until), began);
        let token = self.session.token();
        let question = ask(
            &self.client,
            token.as_ref(),
            url.clone(),
            expected.clone(),
            wait,
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

    fn leader_url(&self, asked: &[Asked]) -> Option<Url> {
        let id = cluster_id(asked, self.memory().cluster_id);
        leading(&own(asked, id)).map(|node| node.url.clone())
    }

    /// How long one call may wait now.
    pub(super) fn wait(&self, until: Instant) -> Duration {
        let left = until.saturating_duration_since(Instant::now());
        self.status_timeout.min(left).max(Duration::from_millis(10))
    }
}

/// How far each member has acknowledged, if it is the leader who says so.
fn matched(told: &Variables, status: Option<&Status>) -> BTreeMap<MemberId, u64> {
    let leader = status.map(|status| member_id(status.header.member_id));
    if told.raft.state != "StateLeader"
        || leader.as_ref().map(MemberId::as_str) != Some(&told.raft.id)
    {
        return BTreeMap::new();
    }
    let rows = told.raft.progress.iter();
    rows.map(|(id, followed)| (MemberId::from(id.as_str()), followed.matched))
        .collect()
}

fn all_prompt(asked: &[Asked], prompt: &BTreeSet<Url>) -> bool {
    let answered: BTreeSet<&Url> = asked.iter().map(|node| &node.url).collect();
    !prompt.is_empty() && prompt.iter().all(|url| answered.contains(url))
}

impl Memory {
    fn hears_all_voters(&self, own: &[&Asked]) -> bool {
        let answers = |id: &MemberId| {
            let mut nodes = own.iter();
            nodes.any(|node| node.answer == Answer::Answered && node.proven().as_ref() == Some(id))
        };
        let voters = self.membership.as_ref().map(|found| found.voters());
        voters.is_some_and(|mut voters| voters.all(|voter| answers(&voter.id)))
    }

    /// How long ago the leader heard each learner, in milliseconds.
    fn contacts(&mut self, asked: &[Asked], heard: Option<Heard>) -> BTreeMap<MemberId, u64> {
        let leader = leading(&own(asked, self.cluster_id)).and_then(Asked::proven);
        let members = self.membership.iter().flat_map(|it| &it.members);
        let learners: BTreeSet<&MemberId> = members
            .filter(|member| member.role == Role::Learner)
            .map(|member| &member.id)
            .collect();
        let now = Instant::now();
        if let (Some(mut heard), Some(leader)) = (heard, &leader) {
            heard.retain(|id, _| learners.contains(id));
            self.contact.learn(leader, heard, now);
        }
        let mut ages = self.contact.ages(leader.as_ref(), now);
        ages.retain(|id, _| learners.contains(id));
        ages
    }

    /// Learns from the answers of one look.
    fn digest(&mut self, asked: &[Asked]) {
        self.cluster_id = cluster_id(asked, self.cluster_id);
        let own = own(asked, self.cluster_id);
        if let Some(witness) = witness(&own)
            && let Some(list) = &witness.list
        {
            self.directory.learn_list(list, &witness.url);
            self.membership = Some(membership(list));
        }
        let proofs: Vec<(MemberId, Url)> = own
            .iter()
            .filter_map(|node| Some((node.proven()?, node.url.clone())))
            .collect();
        self.directory.learn_proofs(&proofs);
        if let Some(leader) = leading(&own).and_then(Asked::proven) {
            self.leader = Some(leader);
        }
        self.level = level(&own);
        self.all_voters_answer = self.hears_all_voters(&own);
        let answered = asked
            .iter()
            .filter(|node| !matches!(node.answer, Answer::Silent(_)));
        self.answered = answered.map(|node| node.url.clone()).collect();
    }
}

//! One look: all controllers at once, then those that were heard of only now, and those whose
//! words only another controller can pass on. Bounded as a whole.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream::FuturesUnordered};
use quorate_domain::{
    cluster::MemberId,
    observation::{Answer, Observation},
};
use url::Url;

use super::{
    Memory, Openziti,
    answers::{Announced, Wrapped},
    ask::{Asked, at, checked},
    notes::differing_members,
    picture::{Gathered, counting, domain, leading, own, picture},
};
use crate::{clock, http::Wire};

/// The second round begins once all have answered, but no later than this: somebody frozen must
/// not keep the others' addresses from being learnt.
const PROMPT: Duration = Duration::from_millis(250);
/// How long the announced addresses are believed.
const ADDRESSES_LAST: Duration = Duration::from_secs(10);
/// A change of the membership is everywhere within this; after it, it is a difference.
const SPREADING: Duration = Duration::from_millis(40);
/// The most controllers one answer may announce.
const ANNOUNCED: &str = "limit=500";

impl Openziti {
    pub(super) async fn look(&self, deadline: Duration) -> Observation {
        let until = Instant::now() + deadline;
        let mut asked = self.gather(until).await;
        self.ask_again_where_views_differ(&mut asked, until).await;
        let heard = self.followers.heard();
        let mut memory = self.memory();
        if let Some(members) = heard {
            memory.known.learn_all(members);
        }
        memory.digest(&asked);
        let observation = picture(&Gathered {
            asked: &asked,
            directory: &memory.directory,
            remembered: memory.membership.as_ref(),
            known: &memory.known,
            domain: memory.domain.as_deref(),
            outside: &memory.outside(),
            integrity: memory.integrity.as_deref(),
            now: clock::now(),
        });
        drop(memory);
        self.follow(&observation);
        observation
    }

    fn follow(&self, observation: &Observation) {
        let memory = self.memory();
        let members = memory.membership.iter().flat_map(|it| &it.members);
        let answering = |id: &MemberId| {
            observation
                .nodes
                .iter()
                .any(|node| node.id == *id && node.answered() && node.asked.is_some())
        };
        let urls: BTreeSet<Url> = members
            .filter(|member| answering(&member.id))
            .filter_map(|member| memory.directory.url_of(member))
            .collect();
        drop(memory);
        self.followers.follow(urls);
    }

    async fn gather(&self, until: Instant) -> Vec<Asked> {
        let targets = {
            let memory = self.memory();
            let more = if memory.membership.is_some() {
                &[][..]
            } else {
                memory.remembered.as_slice()
            };
            memory.directory.targets(memory.membership.as_ref(), more)
        };
        let first: BTreeSet<Url> = targets.iter().map(|(url, _)| url.clone()).collect();
        let mut pending: FuturesUnordered<_> = targets
            .into_iter()
            .map(|(url, expected)| self.ask(url, expected, until))
            .collect();
        let mut asked = Vec::new();
        let soon = tokio::time::sleep(PROMPT);
        tokio::pin!(soon);
        while !pending.is_empty() {
            tokio::select! {
                Some(node) = pending.next() => asked.push(node),
                () = &mut soon, if !asked.is_empty() => break,
            }
        }
        let second = self.second_round(&asked, &first, until);
        let (late, newcomers) = tokio::join!(pending.collect::<Vec<_>>(), second);
        asked.extend(late);
        asked.extend(newcomers);
        self.named(&asked)
    }

    /// With the ids of those who showed no certificate of a controller, and of whom it is
    /// announced by now who they are.
    fn named(&self, asked: &[Asked]) -> Vec<Asked> {
        let memory = self.memory();
        let mut named = asked.to_vec();
        for node in named.iter_mut().filter(|node| node.id().is_none()) {
            node.expected = memory.directory.known_at(&node.url);
        }
        named
    }

    /// Where members announce to be, and those that were heard of only now.
    async fn second_round(
        &self,
        asked: &[Asked],
        first: &BTreeSet<Url>,
        until: Instant,
    ) -> Vec<Asked> {
        let ours = self.ours(asked);
        let open = |node: &&Asked| node.answer == Answer::Answered;
        let Some(somebody) = leading(&ours).or_else(|| ours.iter().find(open)) else {
            return Vec::new();
        };
        let url = somebody.url.clone();
        self.memory().digest(asked);
        tokio::join!(
            self.refresh_addresses(&url, until),
            self.refresh_integrity(&url, until)
        );
        let named = self.named(asked);
        let ours = self.ours(&named);
        self.memory().digest(&named);
        let (targets, homeless) = {
            let memory = self.memory();
            let targets = memory.directory.targets(memory.membership.as_ref(), &[]);
            let members = memory.membership.iter().flat_map(|it| &it.members);
            let homeless: Vec<MemberId> = members
                .filter(|member| memory.directory.url_of(member).is_none())
                .filter(|member| !ours.iter().any(|node| node.id() == Some(&member.id)))
                .map(|member| member.id.clone())
                .collect();
            (targets, homeless)
        };
        let new = targets.into_iter().filter(|(url, _)| !first.contains(url));
        let asking = new.map(|(url, expected)| self.ask(url, expected, until));
        let passed_on = async {
            if homeless.is_empty() {
                return Vec::new();
            }
            let wait = self.wait(until);
            self.asker.ask_through(&url, &homeless, wait).await
        };
        let (mut newcomers, passed_on) = tokio::join!(futures::future::join_all(asking), passed_on);
        newcomers.extend(passed_on);
        newcomers
    }

    /// The leader makes these lines when a controller connects to it, member or not.
    async fn refresh_addresses(&self, url: &Url, until: Instant) {
        if !self.memory().needs_addresses(self.status_timeout) {
            return;
        }
        let mut place = at(url, "/edge/management/v1/controllers");
        place.set_query(Some(ANNOUNCED));
        let call = || self.asker.client.get(&place);
        let Ok(reply) = self.asker.read(url, self.wait(until), call).await else {
            return;
        };
        let lines: Result<Wrapped<Vec<Announced>>, _> = checked(&reply);
        if let Ok(lines) = lines {
            let mut memory = self.memory();
            memory.directory.learn(&lines.data, url);
            let revision = memory.membership.as_ref().map(|it| it.revision.clone());
            memory.addresses = Some((Instant::now(), revision));
        }
    }

    async fn ask_again_where_views_differ(&self, asked: &mut [Asked], until: Instant) {
        let ours = self.ours(asked);
        let Some(found) = counting(&ours, &self.memory().known) else {
            return;
        };
        let mut again = differing_members(&ours, &found.membership);
        again.extend(found.doubtful);
        if again.is_empty() {
            return;
        }
        again.extend(leading(&ours).and_then(|node| node.id().cloned()));
        tokio::time::sleep(SPREADING.min(until.saturating_duration_since(Instant::now()))).await;
        let mine = asked.iter_mut().filter(|node| {
            let named = node.id().is_some_and(|id| again.contains(id));
            named && !node.passed_on
        });
        let anew = mine.map(|node| async {
            *node = self
                .ask(node.url.clone(), node.expected.clone(), until)
                .await;
        });
        futures::future::join_all(anew).await;
    }

    async fn ask(&self, url: Url, expected: Option<MemberId>, until: Instant) -> Asked {
        let began = Instant::now();
        let wait = self.patience.with(&url, self.wait(until), began);
        let question = self.asker.ask(url.clone(), expected.clone(), wait);
        let asked = match tokio::time::timeout(wait, question).await {
            Ok(asked) => asked,
            Err(_) => Asked::silent(url, expected, &Wire::TimedOut(wait)),
        };
        let silent = matches!(asked.answer, Answer::Silent(_));
        self.patience
            .learn(&asked.url, silent && began.elapsed() >= wait, began);
        asked
    }

    /// Without the answers of other networks.
    fn ours(&self, asked: &[Asked]) -> Vec<Asked> {
        let known = self.memory().domain.clone();
        own(asked, domain(asked, known.as_deref()).as_deref())
    }

    /// How long one call may wait now.
    pub(super) fn wait(&self, until: Instant) -> Duration {
        let left = until.saturating_duration_since(Instant::now());
        self.status_timeout.min(left).max(Duration::from_millis(10))
    }
}

impl Memory {
    /// Addresses are asked for once the membership has changed, from time to time, and more
    /// often while one is missing.
    fn needs_addresses(&self, soon: Duration) -> bool {
        let Some((at, revision)) = &self.addresses else {
            return true;
        };
        let mut members = self.membership.iter().flat_map(|it| &it.members);
        let homeless = members.any(|member| self.directory.url_of(member).is_none());
        let lasts = if homeless { soon } else { ADDRESSES_LAST };
        let present = self.membership.as_ref().map(|it| &it.revision);
        at.elapsed() > lasts || revision.as_ref() != present
    }

    /// Learns from the answers of one look.
    pub(super) fn digest(&mut self, asked: &[Asked]) {
        self.domain = domain(asked, self.domain.as_deref());
        let own = own(asked, self.domain.as_deref());
        for node in &own {
            if let Some(proven) = &node.proven {
                self.directory.learn_proof(&proven.id, &node.url);
            }
        }
        let Some(found) = counting(&own, &self.known) else {
            return;
        };
        let membership = found.membership;
        let leader = leading(&own);
        if let Some(leader) = leader.and_then(Asked::id) {
            self.leader = Some(leader.clone());
            // Who was a member by the leader's word and is none now has gone.
            let before = self.membership.iter().flat_map(|it| &it.members);
            let gone: Vec<MemberId> = before
                .filter(|member| membership.member(&member.id).is_none())
                .map(|member| member.id.clone())
                .collect();
            for id in &gone {
                self.known.learn_removed(id.as_str());
            }
            let is_there = |id: &str| membership.member(&MemberId::from(id)).is_some();
            self.known.gone.retain(|id| !is_there(id));
            self.directory.keep(|id| membership.member(id).is_some());
            self.learn_roles(&membership);
        }
        self.membership = Some(membership);
    }
}

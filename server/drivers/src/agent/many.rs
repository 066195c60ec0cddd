//! Programs of many groups: every host is asked for what moved since it was asked last, so a look
//! costs what moved and not what there is. Once in a while everything is read: indexes move no
//! revision.
//!
//! Who the members of a group are is asked where a host is named that nobody has asked yet.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard},
    time::Duration,
};

use futures::future::join_all;
use quorate_domain::{
    cluster::Kind,
    groups::Fleet,
    moment::Timestamp,
    observation::{Note, Observation},
};
use tokio::time::Instant;
use url::Url;

use super::{
    Agent,
    answers::{Identity, View},
    ask::{self, GROUP, group_at, with_token},
    bulk::{Bulk, bulk},
};
use crate::{
    clock,
    http::{Wire, address_of, may_lead, origin, plain_http},
};

/// How often everything is read.
const IN_FULL: Duration = Duration::from_secs(30);
/// How often a program of one group is asked whether it has more by now.
const ASK_AGAIN: Duration = Duration::from_secs(60);
/// The most groups a look asks for their members, to find hosts.
const DETAILS: usize = 8;

/// What is remembered of a program of many groups.
pub(super) struct Many {
    fleet: Arc<RwLock<Fleet>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// It has many groups; once so, always so.
    found: bool,
    asked_at: Option<Instant>,
    full_at: Option<Instant>,
    /// Where hosts answer, as memberships tell.
    places: BTreeSet<Url>,
    hosts: BTreeMap<Url, Known>,
    cluster_id: Option<String>,
    strangers: BTreeSet<String>,
    about: Option<Identity>,
}

/// What is known of who answers at an address.
#[derive(Clone, Default)]
struct Known {
    member: Option<String>,
    /// Where the next reading goes on.
    revision: Option<String>,
    /// Another address leads to the same host.
    alias: bool,
    /// It did not answer when it was asked last.
    silent: bool,
}

/// What came from one address.
struct Came {
    url: Url,
    at: Timestamp,
    what: Result<(Option<Identity>, String, Bulk), Wire>,
}

impl Many {
    pub fn new(lag_warn: u64) -> Self {
        Self {
            fleet: Arc::new(RwLock::new(Fleet::new(lag_warn))),
            state: Mutex::default(),
        }
    }

    pub fn found(&self) -> bool {
        self.state().found
    }

    /// What is known of its groups; `None` for a program of one.
    pub fn fleet(&self) -> Option<Arc<RwLock<Fleet>>> {
        self.found().then(|| Arc::clone(&self.fleet))
    }

    /// Everywhere a host of it was found.
    pub fn places(&self) -> BTreeSet<Url> {
        self.state().places.clone()
    }

    /// The identity of the program, where it has told one.
    pub fn cluster_id(&self) -> Option<String> {
        self.state().cluster_id.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Fleet> {
        self.fleet.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the program has many groups. Asked seldom: most have one for ever.
    pub async fn probe(&self, agent: &Agent, wait: Duration) -> bool {
        let lately = self
            .state()
            .asked_at
            .is_some_and(|at| at.elapsed() < ASK_AGAIN);
        if self.found() || lately {
            return self.found();
        }
        let urls = agent.book().addresses();
        let token = agent.connection.token.as_ref();
        let asking = urls.iter().map(|url| {
            let wait = agent.patience.beside(url, wait);
            bulk(&agent.client, token, url, None, wait)
        });
        let told: Vec<Bulk> = join_all(asking).await.into_iter().flatten().collect();
        let mut state = self.state();
        if !told.is_empty() {
            state.asked_at = Some(Instant::now());
            state.found = told.iter().any(|bulk| bulk.has_many(GROUP));
        }
        state.found
    }

    /// One look at all hosts.
    pub async fn observe(&self, agent: &Agent, deadline: Duration) -> Observation {
        let end = Instant::now() + deadline;
        let full = self.begin();
        let mut asked = BTreeSet::new();
        for _ in 0..2 {
            let new: Vec<Url> = self.addresses(agent).difference(&asked).cloned().collect();
            if new.is_empty() {
                break;
            }
            let left = end.saturating_duration_since(Instant::now());
            let wait = agent.connection.status_timeout.min(left);
            let came = join_all(new.iter().map(|url| self.read(agent, url, wait, full))).await;
            asked.extend(new);
            self.take_in(agent, came);
            let left = end.saturating_duration_since(Instant::now());
            self.discover(agent, wait.min(left), full).await;
        }
        let now = clock::now();
        self.write().settle(full, now);
        agent.followers.follow(self.answering());
        self.observation(&asked, now)
    }

    /// Whether this look reads everything.
    fn begin(&self) -> bool {
        let mut state = self.state();
        let full = state.full_at.is_none_or(|at| at.elapsed() >= IN_FULL);
        if full {
            state.full_at = Some(Instant::now());
            for known in state.hosts.values_mut() {
                known.alias = false;
            }
        }
        full
    }

    fn addresses(&self, agent: &Agent) -> BTreeSet<Url> {
        let seeds = agent.book().addresses();
        let state = self.state();
        let all = seeds.into_iter().chain(state.places.iter().cloned());
        all.filter(|url| state.hosts.get(url).is_none_or(|known| !known.alias))
            .collect()
    }

    fn answering(&self) -> BTreeSet<Url> {
        let state = self.state();
        let known = state
            .hosts
            .iter()
            .filter(|(_, it)| it.member.is_some() && !it.alias);
        known.map(|(url, _)| url.clone()).collect()
    }

    async fn read(&self, agent: &Agent, url: &Url, most: Duration, full: bool) -> Came {
        let known = self.state().hosts.get(url).cloned().unwrap_or_default();
        let began = std::time::Instant::now();
        let wait = agent.patience.with(url, most, began);
        let token = agent.connection.token.as_ref();
        let since = known.revision.as_deref().filter(|_| !full);
        let identity = async {
            match &known.member {
                Some(member) if !full => Ok((None, member.clone())),
                _ => ask::identity(&agent.client, token, url, wait)
                    .await
                    .map(|identity| (Some(identity.clone()), identity.member)),
            }
        };
        let (identity, bulk) = tokio::join!(identity, bulk(&agent.client, token, url, since, wait));
        let what = match (identity, bulk) {
            (Ok((_, member)), Ok(bulk)) if member.is_empty() || !bulk.is_of(&member) => {
                Err(Wire::Shape("it gives itself no name, or two".to_owned()))
            }
            (Ok((identity, member)), Ok(bulk)) => Ok((identity, member, bulk)),
            (Err(why), _) | (_, Err(why)) => Err(why),
        };
        agent
            .patience
            .learn(url, what.is_err() && began.elapsed() >= wait, began);
        Came {
            url: url.clone(),
            at: clock::now(),
            what,
        }
    }

    fn take_in(&self, agent: &Agent, came: Vec<Came>) {
        for came in came {
            match came.what {
                Ok((identity, member, bulk)) => {
                    if self.is_ours(&came.url, identity) {
                        self.heard(&came.url, came.at, &member, bulk);
                    } else if self.known(&came.url).member.is_some() {
                        let why = Wire::Shape("a node of another cluster answers there".to_owned());
                        self.missed(&came.url, came.at, &why);
                    }
                }
                Err(_) if self.may_be_gone(agent, &came.url) => {}
                Err(why) => self.missed(&came.url, came.at, &why),
            }
        }
    }

    /// A place from an earlier life of the console at which nobody has answered in this one is no
    /// host that is missed: it may have left long ago.
    fn may_be_gone(&self, agent: &Agent, url: &Url) -> bool {
        let told = {
            let state = self.state();
            state.places.contains(url) || state.hosts.contains_key(url)
        };
        !told && agent.book().merely_remembers(url)
    }

    /// The first that answers decides which program this is.
    fn is_ours(&self, url: &Url, identity: Option<Identity>) -> bool {
        let Some(identity) = identity else {
            return true;
        };
        let mut state = self.state();
        if let (Some(ours), Some(theirs)) = (&state.cluster_id, &identity.cluster_id)
            && ours != theirs
        {
            state.strangers.insert(address_of(url));
            return false;
        }
        state.strangers.remove(&address_of(url));
        if state.cluster_id.is_none() {
            state.cluster_id.clone_from(&identity.cluster_id);
        }
        state.about = Some(identity);
        true
    }

    fn heard(&self, url: &Url, at: Timestamp, member: &str, bulk: Bulk) {
        let address = address_of(url);
        let before = self.known(url).member.filter(|before| before != member);
        if let Some(before) = before.filter(|before| !self.answers_elsewhere(url, before)) {
            let why = Wire::Shape("another host answers there by now".to_owned());
            self.write().miss(&before, &address, at, why.answer());
        }
        let alias = self.answers_elsewhere(url, member);
        let revision = Some(bulk.revision.clone()).filter(|_| !alias);
        let known = Known {
            member: Some(member.to_owned()),
            revision,
            alias,
            silent: false,
        };
        self.state().hosts.insert(url.clone(), known);
        let mut fleet = self.write();
        fleet.rename(&address, member);
        if !alias {
            fleet.hear(member, &address, at, bulk.news());
        }
    }

    /// What it told before is kept, and the next answer goes on from there.
    fn missed(&self, url: &Url, at: Timestamp, why: &Wire) {
        let (address, mut known) = (address_of(url), self.known(url));
        let name = known.member.clone().unwrap_or_else(|| address.clone());
        known.silent = true;
        if matches!(why, Wire::Shape(_)) {
            // Somebody else may answer there by now.
            known.member = None;
            known.revision = None;
        }
        self.state().hosts.insert(url.clone(), known);
        if !self.answers_elsewhere(url, &name) {
            // At the next look it is asked wherever else it has answered.
            for other in self.state().hosts.values_mut() {
                other.alias &= other.member.as_deref() != Some(name.as_str());
            }
            self.write().miss(&name, &address, at, why.answer());
        }
    }

    fn known(&self, url: &Url) -> Known {
        self.state().hosts.get(url).cloned().unwrap_or_default()
    }

    fn answers_elsewhere(&self, url: &Url, member: &str) -> bool {
        let state = self.state();
        let mut others = state.hosts.iter().filter(|(other, _)| *other != url);
        others.any(|(_, it)| it.member.as_deref() == Some(member) && !it.alias && !it.silent)
    }

    /// Asks some groups for their members, to learn where other hosts answer.
    async fn discover(&self, agent: &Agent, wait: Duration, full: bool) {
        let mut wanted: Vec<(Arc<str>, Arc<str>)> = Vec::new();
        {
            let mut fleet = self.write();
            // Judges what came, so that strangers are seen.
            fleet.settle(false, clock::now());
            wanted.extend(fleet.strangers(DETAILS / 2));
            if full {
                let hosts: Vec<Arc<str>> = fleet.hosts().map(|host| Arc::clone(&host.id)).collect();
                for host in hosts {
                    let some = fleet.sample(&host, 2).into_iter();
                    wanted.extend(some.map(|group| (Arc::clone(&host), group)));
                }
            }
        }
        wanted.truncate(DETAILS);
        let asking = wanted.iter().filter_map(|(host, group)| {
            let state = self.state();
            let mut of = state.hosts.iter();
            let (url, _) = of.find(|(_, it)| it.member.as_deref() == Some(host))?;
            Some((url.clone(), group_at(url, group, None)))
        });
        let asking: Vec<(Url, Url)> = asking.collect();
        let answers = asking.iter().map(|(teller, url)| async {
            let call = agent.client.get(url).within(wait);
            let view: Result<View, Wire> = with_token(call, agent.connection.token.as_ref())
                .json()
                .await;
            (teller.clone(), view)
        });
        for (teller, view) in join_all(answers).await {
            let Some(membership) = view.ok().and_then(|view| view.membership()) else {
                continue;
            };
            let told = membership.members.iter().filter_map(|member| {
                let url = origin(member.api_address.as_deref()?).ok()?;
                may_lead(&teller, &url).then_some(url)
            });
            self.state().places.extend(told);
        }
    }

    fn observation(&self, asked: &BTreeSet<Url>, now: Timestamp) -> Observation {
        let state = self.state();
        let mut notes: Vec<Note> = asked.iter().filter_map(plain_http).collect();
        if !state.strangers.is_empty() {
            let addresses = state.strangers.iter().cloned().collect();
            notes.push(Note::TwoClusters { addresses });
        }
        let about = state.about.as_ref();
        Observation {
            kind: Kind::Agent,
            program: about.map(|identity| identity.implementation.clone()),
            version: about.and_then(|identity| identity.library_version.clone()),
            taken_at: now,
            membership: None,
            membership_remembered: false,
            nodes: Vec::new(),
            progress: BTreeMap::new(),
            notes,
            capabilities: about.map(Identity::capabilities).unwrap_or_default(),
        }
    }
}

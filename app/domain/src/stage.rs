//! A cluster built in a few words, for tests.
#![allow(clippy::expect_used)]

use std::collections::BTreeMap;

use crate::{
    action::Verb,
    capability::Capability,
    cluster::{Kind, Member, MemberId, Membership, Role, Term, Thresholds},
    health::{ClusterState, Memory, Override, Registration, remember},
    job::ChangeId,
    moment::Timestamp,
    observation::{Answer, NodeReport, Note, Observation, Progress, SelfReport},
    view::{ClusterView, render},
};

/// When a staged look is taken.
pub const LOOK: Timestamp = Timestamp::from_unix_ms(1_795_270_972_000);

/// A staged cluster: `n1` leads in term 4, everybody answers, is level and names it.
#[derive(Clone)]
pub struct Stage {
    pub members: Vec<Member>,
    pub nodes: BTreeMap<MemberId, NodeReport>,
    pub configs: Option<Vec<Vec<MemberId>>>,
    pub progress: BTreeMap<MemberId, Progress>,
    pub notes: Vec<Note>,
    pub kind: Kind,
    pub program: Option<String>,
    pub choosable: bool,
    pub running: Option<ChangeId>,
    pub read_only: bool,
    pub memory: Memory,
    pub overrides: Vec<Override>,
    pub zones: BTreeMap<String, String>,
    pub at: Timestamp,
}

impl Stage {
    pub fn voters(count: u32) -> Self {
        let mut stage = Self {
            members: Vec::new(),
            nodes: BTreeMap::new(),
            configs: None,
            progress: BTreeMap::new(),
            notes: Vec::new(),
            kind: Kind::Agent,
            program: Some("openraft".to_owned()),
            choosable: true,
            running: None,
            read_only: false,
            memory: Memory::default(),
            overrides: Vec::new(),
            zones: BTreeMap::new(),
            at: LOOK,
        };
        for number in 1..=count {
            stage = stage.with(&format!("n{number}"), Role::Voter);
        }
        stage.says("n1", |says| says.claims_leadership = true)
    }

    pub fn learner(self, id: &str) -> Self {
        self.with(id, Role::Learner)
    }

    pub fn with(mut self, id: &str, role: Role) -> Self {
        self.members.push(Member {
            id: id.into(),
            name: id.to_owned(),
            address: format!("10.0.0.1:{id}"),
            api_address: Some(format!("https://{id}.example:8200")),
            zone: None,
            role,
            wanted_role: None,
        });
        let says = SelfReport {
            names_leader: Some("n1".into()),
            term: Some(Term(4)),
            last_index: Some(100),
            commit_index: Some(100),
            applied_index: Some(100),
            ..SelfReport::default()
        };
        let report = NodeReport {
            id: id.into(),
            asked: None,
            answer: Answer::Answered,
            at: self.at,
            says: Some(says),
        };
        self.nodes.insert(id.into(), report);
        self
    }

    pub fn openbao(mut self) -> Self {
        self.kind = Kind::Openbao;
        self.program = None;
        self.choosable = false;
        self
    }

    pub fn says(mut self, id: &str, change: impl FnOnce(&mut SelfReport)) -> Self {
        let node = self.nodes.get_mut(&MemberId::from(id)).expect("staged");
        change(node.says.as_mut().expect("answers"));
        self
    }

    pub fn names(self, id: &str, leader: Option<&str>) -> Self {
        self.says(id, |says| says.names_leader = leader.map(MemberId::from))
    }

    pub fn claims(self, id: &str, term: u64) -> Self {
        self.says(id, |says| {
            says.claims_leadership = true;
            says.names_leader = Some(id.into());
            says.term = Some(Term(term));
        })
    }

    pub fn indexes(self, id: &str, last: u64, applied: u64) -> Self {
        self.says(id, |says| {
            says.last_index = Some(last);
            says.commit_index = Some(last);
            says.applied_index = Some(applied);
        })
    }

    pub fn applied_only(self, id: &str, applied: u64) -> Self {
        self.says(id, |says| {
            says.last_index = None;
            says.commit_index = None;
            says.applied_index = Some(applied);
        })
    }

    pub fn answer(mut self, id: &str, answer: Answer) -> Self {
        let node = self.nodes.get_mut(&MemberId::from(id)).expect("staged");
        if answer != Answer::Answered {
            node.says = None;
        }
        node.answer = answer;
        self
    }

    pub fn silent(self, id: &str) -> Self {
        self.answer(id, Answer::Silent("refused".to_owned()))
    }

    pub fn progress(mut self, id: &str, last: u64) -> Self {
        self.progress.entry(id.into()).or_default().last_index = Some(last);
        self
    }

    pub fn contact(mut self, id: &str, milliseconds: u64) -> Self {
        self.progress.entry(id.into()).or_default().last_contact_ms = Some(milliseconds);
        self
    }

    pub fn member(mut self, id: &str, change: impl FnOnce(&mut Member)) -> Self {
        change(
            self.members
                .iter_mut()
                .find(|m| m.id.as_str() == id)
                .expect("staged"),
        );
        self
    }

    pub fn wants(self, id: &str, role: Role) -> Self {
        self.member(id, |member| member.wanted_role = Some(role))
    }

    pub fn zone(self, id: &str, zone: &str) -> Self {
        self.member(id, |member| member.zone = Some(zone.to_owned()))
    }

    pub fn note(mut self, note: Note) -> Self {
        self.notes.push(note);
        self
    }

    pub fn joint(mut self, configs: &[&str]) -> Self {
        let ids = |text: &&str| text.split_whitespace().map(MemberId::from).collect();
        self.configs = Some(configs.iter().map(ids).collect());
        self
    }

    /// The next look is taken this much later; all that answered answer again.
    pub fn later(mut self, milliseconds: u64) -> Self {
        self.at = self.at.plus_ms(milliseconds);
        for node in self.nodes.values_mut() {
            node.at = self.at;
        }
        self
    }

    pub fn observation(&self) -> Observation {
        let mut membership = Membership::simple(self.members.clone());
        if let Some(configs) = &self.configs {
            membership.configs.clone_from(configs);
        }
        let capabilities = Verb::USUAL
            .into_iter()
            .map(|action| Capability {
                action,
                supported: true,
                note: None,
                target: action != Verb::Transfer || self.choosable,
            })
            .collect();
        Observation {
            kind: self.kind,
            program: self.program.clone(),
            version: Some("2.7.2".to_owned()),
            taken_at: self.at,
            membership: Some(membership),
            membership_remembered: false,
            nodes: self.nodes.values().cloned().collect(),
            progress: self.progress.clone(),
            notes: self.notes.clone(),
            capabilities,
        }
    }

    pub fn registration(&self) -> Registration {
        Registration {
            name: "vault-eu".into(),
            kind: self.kind,
            tags: vec!["prod".to_owned()],
            zones: self.zones.clone(),
            thresholds: Thresholds::default(),
            read_only: self.read_only,
        }
    }

    pub fn running(mut self) -> Self {
        self.running = Some(ChangeId("019a".to_owned()));
        self
    }

    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    pub fn without_membership(&self) -> ClusterState {
        let mut state = self.state();
        if let Some(observation) = &mut state.observation {
            observation.membership = None;
        }
        state
    }

    /// Looks, and remembers.
    pub fn look(mut self) -> Self {
        let memory = std::mem::take(&mut self.memory);
        self.memory = remember(
            memory,
            &self.registration(),
            &self.observation(),
            &self.overrides,
            self.at,
        );
        self
    }

    pub fn state(&self) -> ClusterState {
        ClusterState {
            registration: self.registration(),
            observation: Some(self.observation()),
            memory: self.memory.clone(),
            overrides: self.overrides.clone(),
            running_change: self.running.clone(),
        }
    }

    /// The view right after a look.
    pub fn view(self) -> ClusterView {
        self.seen_after(0)
    }

    /// The view this long after the look.
    pub fn seen_after(self, milliseconds: u64) -> ClusterView {
        let stage = self.look();
        render(&stage.state(), stage.at.plus_ms(milliseconds))
    }
}

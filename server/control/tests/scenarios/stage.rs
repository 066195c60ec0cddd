//! A console with one simulated cluster named `blue`, and people around it.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use quorate_control::{
    ClusterSetup, Control, ControlError, Operator, Request, SessionRecord, Settings,
};
use quorate_domain::{
    action::Action,
    audit::{Actor, Entry, EntryKind, Filter, Means, Source},
    cluster::{ClusterName, Kind, Thresholds},
    health::Registration,
    job::{Change, ChangeState},
    permission::{Duty, Grant},
    view::{ClusterView, LeaderStatus},
};
use quorate_drivers::{Driver, simulated::Cluster};

pub const CLUSTER: &str = "blue";
/// Generous: a machine may be slow, and busy with other things.
const PATIENCE: Duration = Duration::from_secs(90);

pub struct Stage {
    pub control: Control,
    pub cluster: Cluster,
    pub directory: tempfile::TempDir,
    pub ada: Operator,
}

impl Stage {
    /// Three voters and a learner, seen and in step.
    pub async fn small() -> Self {
        Self::of(Cluster::healthy(3, 1)).await
    }

    pub async fn of(cluster: Cluster) -> Self {
        cluster.status_timeout(Duration::from_millis(300));
        let directory = tempfile::tempdir().unwrap();
        let control = Control::start(settings(directory.path(), &cluster))
            .await
            .unwrap();
        let stage = Self {
            control,
            cluster,
            directory,
            ada: person("ada", Duty::Admin),
        };
        stage.settled().await;
        stage
    }

    /// Another console on what a stopped one has left, once that let go of its files.
    pub async fn again(directory: tempfile::TempDir, cluster: Cluster) -> Self {
        let control = until("the former console let go of its files", || async {
            match Control::start(settings(directory.path(), &cluster)).await {
                Ok(control) => Some(control),
                Err(ControlError::AlreadyRunning { .. }) => None,
                Err(other) => panic!("{other}"),
            }
        })
        .await;
        Self {
            control,
            cluster,
            directory,
            ada: person("ada", Duty::Admin),
        }
    }

    pub async fn settled(&self) -> ClusterView {
        self.sees(|view| view.leader.status == LeaderStatus::Agreed)
            .await
    }

    /// Waits until the console shows what is wanted.
    pub async fn sees(&self, wanted: impl Fn(&ClusterView) -> bool) -> ClusterView {
        until("the view shows it", || async {
            let view = self.control.view(&self.ada, CLUSTER).await.unwrap();
            wanted(&view).then_some(view)
        })
        .await
    }

    /// As the dialog does it: preview, then submit what was seen.
    pub async fn ask(&self, who: &Operator, action: &Action) -> Result<Change, ControlError> {
        let request = self.decided(who, action).await;
        self.control.submit(who, CLUSTER, action, &request).await
    }

    /// What a request carries when somebody decided on what they see now.
    pub async fn decided(&self, who: &Operator, action: &Action) -> Request {
        let preview = self.control.preview(who, CLUSTER, action).await.unwrap();
        Request {
            revision: None,
            fingerprint: Some(preview.fingerprint),
            reason: "capacity for the new region".to_owned(),
            ticket: Some("OPS-7".to_owned()),
            idempotency_key: None,
            group: None,
        }
    }

    pub async fn ended(&self, change: &Change) -> Change {
        until("the change ends", || async {
            let now = self.control.change(&self.ada, &change.id.0).await.unwrap();
            now.state.is_final().then_some(now)
        })
        .await
    }

    /// Submitted and ended.
    pub async fn done(&self, action: &Action) -> Change {
        let change = self.ask(&self.ada, action).await.unwrap();
        self.ended(&change).await
    }

    /// All entries of the audit log.
    pub async fn entries(&self) -> Vec<Entry> {
        let everything = Filter::default();
        // Reading by people is on record; by the machine it is not.
        self.control
            .audit(&self.control.command_line_operator(), &everything, 0, 1_000)
            .await
            .unwrap()
            .items
    }

    /// The entries about changes: no starts, no sign-ins.
    pub async fn story(&self) -> Vec<Entry> {
        let told = [EntryKind::Intent, EntryKind::Outcome, EntryKind::Refusal];
        self.entries()
            .await
            .into_iter()
            .filter(|entry| told.contains(&entry.kind))
            .collect()
    }
}

pub fn settings(directory: &std::path::Path, cluster: &Cluster) -> Settings {
    settings_with(directory, cluster.driver())
}

pub fn settings_with(directory: &std::path::Path, driver: Arc<dyn Driver>) -> Settings {
    Settings {
        data_dir: directory.to_owned(),
        read_only: false,
        clusters: vec![ClusterSetup {
            registration: Registration {
                name: ClusterName::from(CLUSTER),
                kind: Kind::Simulated,
                tags: vec!["test".to_owned()],
                zones: std::collections::BTreeMap::new(),
                thresholds: Thresholds::default(),
                read_only: false,
            },
            driver,
            join_allowed: vec!["10.0.0.0/16:7000".to_owned()],
        }],
        version: "0.0.0-test".to_owned(),
        session_idle: Duration::from_secs(30 * 60),
        session_absolute: Duration::from_secs(8 * 60 * 60),
        approvals: quorate_control::ApprovalPolicy::default(),
        configuration: None,
    }
}

/// Somebody signed in, with a role on every cluster.
pub fn person(name: &str, role: Duty) -> Operator {
    granted(name, vec![Grant::everywhere(role)])
}

pub fn granted(name: &str, grants: Vec<Grant>) -> Operator {
    Operator {
        actor: Actor {
            issuer: "local".to_owned(),
            subject: format!("account-{name}"),
            name: name.to_owned(),
            means: Means::Password,
        },
        grants,
        source: source("10.0.9.9"),
        session: None,
    }
}

pub fn source(peer: &str) -> Source {
    Source {
        peer: Some(peer.to_owned()),
        user_agent: Some("stories".to_owned()),
        ..Source::default()
    }
}

/// A session of this account, for an hour.
pub fn session_of(control: &Control, account: &str) -> SessionRecord {
    SessionRecord {
        account: Some(account.to_owned()),
        data: BTreeMap::new(),
        expires_at: control.now().plus_ms(3_600_000),
        peer: None,
        user_agent: None,
    }
}

pub fn promote(member: &str) -> Action {
    Action::Promote {
        member: member.into(),
    }
}

pub fn demote(member: &str) -> Action {
    Action::Demote {
        member: member.into(),
    }
}

pub fn remove(member: &str) -> Action {
    Action::Remove {
        member: member.into(),
    }
}

pub fn transfer(member: &str) -> Action {
    Action::Transfer {
        member: Some(member.into()),
    }
}

/// The change ended as `state`, and its outcome says `words`.
#[track_caller]
pub fn assert_ended(change: &Change, state: ChangeState, words: &[&str]) {
    let outcome = change.outcome.clone().unwrap_or_default();
    assert_eq!(change.state, state, "{outcome}");
    for word in words {
        assert!(outcome.contains(word), "`{word}` is missing in: {outcome}");
    }
}

/// Asks again until there is an answer.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, ask: impl Fn() -> F) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(answer) => answer,
        Err(_late) => panic!("waited too long until {what}"),
    }
}

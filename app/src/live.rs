//! What a page shows, as one document: rendered by the server first, then patched over one event
//! stream. The server sends a `snapshot` and then RFC 7396 merge patches as `delta`s.

use leptos::prelude::*;
use quorate_domain::{
    event::Event,
    health::Finding,
    job::Change,
    moment::Timestamp,
    problem::Problem,
    view::{ClusterSummary, ClusterView},
};
use serde::{Deserialize, Serialize};

use crate::{base::segment, title};

/// Everything live on a page. Lists a page does not show are empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PageState {
    /// Always there: the rail counts clusters and problems, the fleet page lists them.
    pub fleet: Vec<ClusterSummary>,
    /// The cluster page's cluster.
    pub cluster: Option<ClusterView>,
    /// "What happened", newest first.
    pub events: Vec<Event>,
    /// The running and newest changes of the cluster or of all clusters; one for a change's page.
    pub changes: Vec<Change>,
    pub running_changes: u32,
    /// What is wrong with the console itself: the rail counts it among the problems.
    #[serde(default)]
    pub console: Vec<Finding>,
    /// Somebody came in by the console's own socket: shown on every page while they are in.
    #[serde(default)]
    pub emergency: Option<Emergency>,
    /// The build that sent this: a page of another one should be loaded anew.
    #[serde(default)]
    pub build: String,
}

/// Somebody came in by the socket that is for emergencies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emergency {
    pub open: bool,
    pub text: String,
}

/// Which page the stream is for: `/events?page=cluster&name=vault-eu`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "page", rename_all = "snake_case")]
pub enum Topic {
    Fleet,
    Cluster {
        name: String,
    },
    Changes,
    Change {
        id: String,
    },
    /// Pages with nothing live of their own: only the rail's counts.
    Rail,
}

impl Topic {
    /// The topic of a page, by its path without the base.
    #[must_use]
    pub fn of_path(path: &str) -> Self {
        let mut parts = path.trim_matches('/').splitn(2, '/');
        match (parts.next().unwrap_or_default(), parts.next()) {
            ("" | "problems", None) => Self::Fleet,
            ("clusters", Some(rest)) => Self::Cluster {
                name: title::place(rest),
            },
            ("changes", None) => Self::Changes,
            ("changes", Some(id)) => Self::Change {
                id: title::decode(id),
            },
            _ => Self::Rail,
        }
    }

    /// The query of the event stream's address.
    #[must_use]
    pub fn query(&self) -> String {
        match self {
            Self::Fleet => "page=fleet".to_owned(),
            Self::Cluster { name } => format!("page=cluster&name={}", segment(name)),
            Self::Changes => "page=changes".to_owned(),
            Self::Change { id } => format!("page=change&id={}", segment(id)),
            Self::Rail => "page=rail".to_owned(),
        }
    }
}

/// How the page stands with the console.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Connection {
    /// Scripts have not taken over (or never will): the page is as old as its rendering.
    #[default]
    Still,
    /// The first message of the stream has not come yet.
    Opening,
    Live,
    /// The stream broke; the browser is trying again.
    Reconnecting,
    /// The session ended. Nothing on the page is live any more.
    SignedOut,
    /// The console itself does not answer.
    Unreachable,
}

/// The live document in context: one for the whole page, from [`use_live`].
#[derive(Clone, Copy)]
pub struct Live {
    pub state: RwSignal<PageState>,
    /// Why the page's own part of `state` is missing.
    pub problem: RwSignal<Option<Problem>>,
    pub connection: RwSignal<Connection>,
    /// Milliseconds since `state` was received; 0 until scripts run. Add it to every age in
    /// `state` to get the age as it stands now.
    pub elapsed_ms: RwSignal<u64>,
    /// The console's clock: at rendering, then counted on once a second by the browser.
    pub now: RwSignal<Timestamp>,
}

impl Live {
    #[must_use]
    pub fn new(state: PageState, problem: Option<Problem>, now: Timestamp) -> Self {
        Self {
            state: RwSignal::new(state),
            problem: RwSignal::new(problem),
            connection: RwSignal::new(Connection::Still),
            elapsed_ms: RwSignal::new(0),
            now: RwSignal::new(now),
        }
    }
}

/// The page's live document.
#[must_use]
pub fn use_live() -> Live {
    use_context::<Live>()
        .unwrap_or_else(|| Live::new(PageState::default(), None, Timestamp::default()))
}

/// What is to be told of an emergency that goes on, or of one that is over.
pub fn told_of_emergency(open: bool) -> Memo<Option<String>> {
    let state = use_live().state;
    memo(move || {
        state.with(|state| {
            let emergency = state.emergency.as_ref().filter(|it| it.open == open);
            emergency.map(|it| it.text.clone())
        })
    })
}

/// The document for a page that is opened now: what it shows is looked at anew first, so that it
/// is true also where nobody has watched and no stream follows.
///
/// # Errors
/// As [`page_state`].
#[cfg(feature = "ssr")]
pub async fn opening_state(
    control: &quorate_control::Control,
    who: &quorate_control::Operator,
    topic: &Topic,
) -> Result<PageState, quorate_control::ControlError> {
    match topic {
        Topic::Cluster { name } => control.refresh(who, Some(place(name).0)).await,
        Topic::Fleet | Topic::Change { .. } => control.refresh(who, None).await,
        Topic::Changes | Topic::Rail => {}
    }
    page_state(control, who, topic).await
}

/// Builds the document as it stands now.
///
/// # Errors
/// If the cluster or change is not there or not for `who` to see.
#[cfg(feature = "ssr")]
pub async fn page_state(
    control: &quorate_control::Control,
    who: &quorate_control::Operator,
    topic: &Topic,
) -> Result<PageState, quorate_control::ControlError> {
    let mut state = PageState {
        fleet: control.fleet(who),
        running_changes: control.running_changes(who),
        console: control.console_findings(who),
        emergency: emergency(control).await,
        ..PageState::default()
    };
    match topic {
        Topic::Fleet | Topic::Rail => {}
        Topic::Cluster { name } => {
            let (cluster, group) = place(name);
            state.cluster = Some(view_of(control, who, cluster, group).await?);
            // Among those of all groups, more are read to find this one's.
            let most = if group.is_none() { 5 } else { 100 };
            let all = control.changes(who, Some(cluster), None, most).await?.items;
            state.changes = match group {
                None => all,
                Some(_) => of_group(all, group),
            };
            state.changes.truncate(5);
            state.events = control.events(who, Some(name), 30).await?;
        }
        Topic::Changes => state.changes = control.changes(who, None, None, 100).await?.items,
        Topic::Change { id } => {
            let change = control.change(who, id).await?;
            let (cluster, group) = (change.cluster.as_str(), change.group.as_deref());
            // A change is told of even when its group is gone.
            let view = view_of(control, who, cluster, group).await;
            state.cluster = match group {
                Some(_) => view.ok(),
                None => Some(view?),
            };
            state.changes = vec![change];
        }
    }
    Ok(state)
}

#[cfg(feature = "ssr")]
async fn emergency(control: &quorate_control::Control) -> Option<Emergency> {
    let told = control.emergency().await?;
    Some(Emergency {
        open: told.open,
        text: crate::words::emergency(told.open, &told.by, told.at, &told.reason),
    })
}

/// A cluster's name, and a group's after a slash: a cluster's name holds none.
#[cfg(feature = "ssr")]
#[must_use]
pub fn place(name: &str) -> (&str, Option<&str>) {
    match name.split_once('/') {
        Some((cluster, group)) => (cluster, Some(group)),
        None => (name, None),
    }
}

#[cfg(feature = "ssr")]
async fn view_of(
    control: &quorate_control::Control,
    who: &quorate_control::Operator,
    cluster: &str,
    group: Option<&str>,
) -> Result<ClusterView, quorate_control::ControlError> {
    match group {
        Some(group) => control.group_view(who, cluster, group).await,
        None => control.view_now(who, cluster),
    }
}

#[cfg(feature = "ssr")]
fn of_group(changes: Vec<Change>, group: Option<&str>) -> Vec<Change> {
    let of = changes.into_iter();
    of.filter(|change| change.group.as_deref() == group)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_its_topic_and_the_topic_its_stream() {
        let topic = Topic::of_path("/clusters/a%20%26b");
        assert_eq!(
            topic,
            Topic::Cluster {
                name: "a &b".to_owned()
            }
        );
        assert_eq!(topic.query(), "page=cluster&name=a%20%26b");
        let group = Topic::of_path("/clusters/a/groups/g%207");
        assert_eq!(group.query(), "page=cluster&name=a%2Fg%207");
        let list = Topic::of_path("/clusters/a/groups");
        assert_eq!(list.query(), "page=cluster&name=a");
        assert_eq!(Topic::of_path("/"), Topic::Fleet);
        assert_eq!(Topic::of_path("/audit/3"), Topic::Rail);
    }
}

//! What a page shows, as one document: rendered by the server first, then patched over one event
//! stream. The server sends a `snapshot` and then RFC 7396 merge patches as `delta`s.

use quorate_domain::{
    event::Event,
    job::Change,
    view::{ClusterSummary, ClusterView},
};
use serde::{Deserialize, Serialize};

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
}

/// Which page the stream is for: `/events?page=cluster&name=vault-eu`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "page", rename_all = "snake_case")]
pub enum Topic {
    Fleet,
    Cluster { name: String },
    Changes,
    Change { id: String },
    /// Pages with nothing live of their own: only the rail's counts.
    Rail,
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
        ..PageState::default()
    };
    match topic {
        Topic::Fleet | Topic::Rail => {}
        Topic::Cluster { name } => {
            state.cluster = Some(control.view_now(who, name)?);
            state.events = control.events(who, Some(name), 30).await?;
            state.changes = control.changes(who, Some(name), None, 5).await?.items;
        }
        Topic::Changes => state.changes = control.changes(who, None, None, 100).await?.items,
        Topic::Change { id } => {
            let change = control.change(who, id).await?;
            state.cluster = Some(control.view_now(who, change.cluster.as_str())?);
            state.changes = vec![change];
        }
    }
    Ok(state)
}

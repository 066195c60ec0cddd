//! The cluster as the page sees it now: a reading of the live document that costs no copy.

use leptos::prelude::*;
use quorate_domain::{
    cluster::MemberId,
    view::{ClusterView, LeaderStatus, MemberView},
};

use crate::live::{PageState, use_live};

/// The page's cluster, if the document holds it already.
#[derive(Clone, Copy)]
pub struct Seen {
    state: RwSignal<PageState>,
    name: Memo<String>,
}

impl Seen {
    #[must_use]
    pub fn of(name: Memo<String>) -> Self {
        Self {
            state: use_live().state,
            name,
        }
    }

    #[must_use]
    pub fn is_there(self) -> bool {
        self.look(|_| ()).is_some()
    }

    /// `None` until the document is there, and after the page has moved on.
    pub fn look<T>(self, of: impl FnOnce(&ClusterView) -> T) -> Option<T> {
        let name = self.name.read();
        self.state.with(|state| {
            state
                .cluster
                .as_ref()
                .filter(|view| view.is_of(&name))
                .map(of)
        })
    }

    pub fn read<T: Default>(self, of: impl FnOnce(&ClusterView) -> T) -> T {
        self.look(of).unwrap_or_default()
    }

    pub fn member<T>(
        self,
        id: &MemberId,
        of: impl FnOnce(&ClusterView, &MemberView) -> T,
    ) -> Option<T> {
        self.look(|view| {
            view.members
                .iter()
                .find(|member| member.id == *id)
                .map(|m| of(view, m))
        })
        .flatten()
    }

    #[must_use]
    pub fn has_member(self, id: &str) -> bool {
        self.read(|view| view.members.iter().any(|member| member.id.as_str() == id))
    }

    /// The whole view as it stands, for the dialog to freeze; outside any tracking.
    #[must_use]
    pub fn frozen(self) -> Option<ClusterView> {
        untrack(|| self.look(Clone::clone))
    }
}

/// Whether `member` is the agreed leader.
#[must_use]
pub fn leads(view: &ClusterView, member: &MemberId) -> bool {
    view.leader.status == LeaderStatus::Agreed && view.leader.member.as_ref() == Some(member)
}

/// What people call the member with this id.
#[must_use]
pub fn name_of(view: &ClusterView, id: &MemberId) -> String {
    let member = view.members.iter().find(|member| member.id == *id);
    member.map_or_else(|| id.to_string(), |member| member.name.clone())
}

//! Changes at hand: all open ones and the newest that ended, so that pages need not ask the
//! store.

use std::{
    collections::BTreeMap,
    sync::{PoisonError, RwLock},
};

use quorate_domain::{
    cluster::ClusterName,
    job::{Change, ChangeId},
};

/// Ended changes kept at hand.
const AT_HAND: usize = 300;

#[derive(Default)]
pub(crate) struct Book {
    pages: RwLock<Pages>,
}

#[derive(Default)]
struct Pages {
    open: BTreeMap<ChangeId, Change>,
    ended: BTreeMap<ChangeId, Change>,
    /// Whether there may be ended ones that are not at hand.
    more: bool,
}

impl Book {
    pub(crate) fn load(newest: Vec<Change>) -> Self {
        let more = newest.len() >= AT_HAND;
        let ended = newest
            .into_iter()
            .map(|change| (change.id.clone(), change))
            .collect();
        Self {
            pages: RwLock::new(Pages {
                open: BTreeMap::new(),
                ended,
                more,
            }),
        }
    }

    /// How many ended changes [`Book::load`] wants.
    pub(crate) fn wants() -> u32 {
        u32::try_from(AT_HAND).unwrap_or(u32::MAX)
    }

    pub(crate) fn put(&self, change: &Change) {
        let mut pages = self.pages.write().unwrap_or_else(PoisonError::into_inner);
        if !change.state.is_final() {
            pages.open.insert(change.id.clone(), change.clone());
            return;
        }
        pages.open.remove(&change.id);
        pages.ended.insert(change.id.clone(), change.clone());
        if pages.ended.len() > AT_HAND {
            pages.ended.pop_first();
            pages.more = true;
        }
    }

    pub(crate) fn get(&self, id: &ChangeId) -> Option<Change> {
        let pages = self.pages.read().unwrap_or_else(PoisonError::into_inner);
        pages.open.get(id).or_else(|| pages.ended.get(id)).cloned()
    }

    /// Open ones of these clusters, newest first.
    pub(crate) fn open(&self, seen: impl Fn(&ClusterName) -> bool) -> Vec<Change> {
        let pages = self.pages.read().unwrap_or_else(PoisonError::into_inner);
        pages
            .open
            .values()
            .rev()
            .filter(|change| seen(&change.cluster))
            .cloned()
            .collect()
    }

    /// The newest `most` ended ones of these clusters; `None` if the store may know more.
    pub(crate) fn ended(
        &self,
        seen: impl Fn(&ClusterName) -> bool,
        most: usize,
    ) -> Option<Vec<Change>> {
        let pages = self.pages.read().unwrap_or_else(PoisonError::into_inner);
        let found = pages
            .ended
            .values()
            .rev()
            .filter(|change| seen(&change.cluster));
        let found: Vec<Change> = found.take(most).cloned().collect();
        (found.len() == most || !pages.more).then_some(found)
    }
}

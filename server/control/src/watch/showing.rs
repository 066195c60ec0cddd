//! What people are shown of the clusters they may see.

use std::sync::Arc;

use quorate_domain::{
    cluster::ClusterName,
    event::Event,
    health::Verdict,
    moment::Timestamp,
    permission::{Permission, allows},
    view::{ClusterSummary, ClusterView, is_leaderless, summary},
};
use tokio::sync::watch;

use super::{FRESH_MS, LOOK_DEADLINE};
use crate::{Control, ControlError, Operator, Page, groups::place};

impl Control {
    /// The clusters `who` may see, least tolerance first.
    #[must_use]
    pub fn fleet(&self, who: &Operator) -> Vec<ClusterSummary> {
        let now = self.now();
        let mut views: Vec<ClusterView> = self
            .inner
            .clusters
            .values()
            .filter(|watched| allows(&who.grants, Permission::View, Some(watched.place())))
            .map(|watched| {
                watched.interest();
                watched.view(now)
            })
            .collect();
        views.sort_by(|a, b| {
            urgency(a)
                .cmp(&urgency(b))
                .then_with(|| a.name.cmp(&b.name))
        });
        views.iter().map(summary).collect()
    }

    /// The view as it stands now; looks anew first if the last look is older than a second
    /// (bounded by one status call).
    ///
    /// # Errors
    /// `NotFound` also for clusters `who` may not see.
    pub async fn view(&self, who: &Operator, name: &str) -> Result<ClusterView, ControlError> {
        let watched = Arc::clone(self.visible(who, name)?);
        watched.interest();
        let view = watched.view(self.now());
        if view.age_ms.is_some_and(|age| age <= FRESH_MS) {
            return Ok(view);
        }
        watched.look(LOOK_DEADLINE).await;
        Ok(watched.view(self.now()))
    }

    /// Looks anew where the last look is older than a second, at one cluster or at all that
    /// `who` may see, and waits for it (bounded by one look): for readers who get one answer and
    /// no stream.
    pub async fn refresh(&self, who: &Operator, name: Option<&str>) {
        let now = self.now();
        let old = self.inner.clusters.values().filter(|watched| {
            name.is_none_or(|name| watched.name().as_str() == name)
                && allows(&who.grants, Permission::View, Some(watched.place()))
                && watched.age(now).is_none_or(|age| age > FRESH_MS)
        });
        futures::future::join_all(old.map(|watched| async {
            watched.interest();
            watched.look(LOOK_DEADLINE).await
        }))
        .await;
    }

    /// The view as it stands now, without looking anew; marks the cluster as looked at.
    ///
    /// # Errors
    /// `NotFound` also for clusters `who` may not see.
    pub fn view_now(&self, who: &Operator, name: &str) -> Result<ClusterView, ControlError> {
        let watched = self.visible(who, name)?;
        watched.interest();
        Ok(watched.view(self.now()))
    }

    /// Ticks whenever anything about the cluster (or, without a name, any cluster or change)
    /// may have changed; `cluster/group` is one group of a program of many. The receiver should still re-render about every 500 ms for ages.
    ///
    /// # Errors
    /// `NotFound` also for clusters `who` may not see.
    pub fn ticks(
        &self,
        who: &Operator,
        name: Option<&str>,
    ) -> Result<watch::Receiver<u64>, ControlError> {
        let Some(name) = name else {
            for watched in self.inner.clusters.values() {
                watched.interest();
            }
            return Ok(self.inner.tick.subscribe());
        };
        let (cluster, group) = place(name);
        let program = self.visible(who, cluster)?;
        let watched = match group {
            None => Arc::clone(program),
            Some(group) => self.followed(program, group)?,
        };
        watched.interest();
        Ok(watched.tick.subscribe())
    }

    /// "What happened", newest first; of one group of a program of many by `cluster/group`.
    ///
    /// # Errors
    /// `NotFound` also for clusters `who` may not see; `Store`.
    pub async fn events(
        &self,
        who: &Operator,
        cluster: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Event>, ControlError> {
        let names: Vec<ClusterName> = match cluster {
            Some(name) => {
                self.visible(who, place(name).0)?;
                vec![ClusterName::from(name)]
            }
            None => self
                .inner
                .clusters
                .values()
                .filter(|watched| allows(&who.grants, Permission::View, Some(watched.place())))
                .map(|watched| watched.name().clone())
                .collect(),
        };
        self.inner
            .events
            .newest(&self.inner.store, &names, limit)
            .await
    }

    /// What happened to a cluster, or to one group of a program of many, after the event `after`
    /// and between two moments (both included), oldest first. Of a
    /// group that nobody looks at, that is what its hosts tell in bulk: elections, losses of the
    /// leader that last, how many members there are.
    ///
    /// # Errors
    /// `NotFound` also for clusters `who` may not see, for groups of a cluster that has none, and
    /// for groups that no host has told of and nothing is kept of; `Store`.
    pub async fn history(
        &self,
        who: &Operator,
        (cluster, group): (&str, Option<&str>),
        between: (Option<Timestamp>, Option<Timestamp>),
        after: u64,
        limit: u32,
    ) -> Result<Page<Event>, ControlError> {
        let program = Arc::clone(self.visible(who, cluster)?);
        let key = match group {
            None => program.key(),
            Some(group) => ClusterName::from(format!("{cluster}/{group}").as_str()),
        };
        if group.is_some() && program.age(self.now()).is_none() {
            program.interest();
            program.look(LOOK_DEADLINE).await;
        }
        let (log, store) = (&self.inner.events, &self.inner.store);
        if let Some(group) = group
            && !self.knows_group(&program, group)?
            && log
                .newest(store, std::slice::from_ref(&key), 1)
                .await?
                .is_empty()
        {
            return Err(ControlError::not_found("group", group));
        }
        log.page(store, &key, between, after, limit).await
    }
}

/// What nobody can judge, then what has no quorum, then what has no leader, then least tolerance
/// first.
fn urgency(view: &ClusterView) -> (std::cmp::Reverse<Verdict>, bool, i64) {
    let unjudged = i64::MIN;
    let lost = matches!(view.verdict, Verdict::Unknown | Verdict::NoQuorum);
    let verdict = if lost { view.verdict } else { Verdict::Ok };
    (
        std::cmp::Reverse(verdict),
        !is_leaderless(view.leader.status),
        view.quorum.tolerates.unwrap_or(unjudged),
    )
}

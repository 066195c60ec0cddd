//! Programs of many groups: the list of them, and one group as a cluster of its own. A group is
//! looked at only while somebody looks.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use quorate_domain::{
    cluster::ClusterName,
    groups::{Class, Fleet, GroupRow},
    moment::Timestamp,
    view::ClusterView,
};

use crate::{
    Control, ControlError, Inner, Operator, Page,
    audit::PAGE_MOST,
    watch::{self, FRESH_MS, LOOK_DEADLINE, Watched},
    wire::Wire,
};

/// How often a group that is watched is asked whether anybody still looks.
const STILL_WANTED: Duration = Duration::from_secs(5);
/// The most groups of one program that are watched at once.
const MOST_WATCHED: usize = 64;

/// The groups of one program that somebody looks at.
#[derive(Default)]
pub(crate) struct Groups {
    watched: Mutex<BTreeMap<String, Arc<Watched>>>,
}

impl Groups {
    /// The group's own watch; begun by `begin` if nobody looks at it yet.
    fn watched(
        &self,
        group: &str,
        begin: impl FnOnce() -> Option<Arc<Watched>>,
    ) -> Result<Arc<Watched>, ControlError> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = watched.get(group) {
            // Under the lock, so that its watch does not end just now.
            known.interest();
            return Ok(Arc::clone(known));
        }
        if watched.len() >= MOST_WATCHED {
            return Err(ControlError::invalid(
                format!("{MOST_WATCHED} groups of this program are looked at already"),
                "Look at this one a little later.",
            ));
        }
        let new = begin().ok_or_else(|| ControlError::not_found("group", group))?;
        new.interest();
        watched.insert(group.to_owned(), Arc::clone(&new));
        Ok(new)
    }

    /// Takes a group out that nobody looks at; whether it did.
    fn part(&self, group: &str) -> bool {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let unwanted = watched.get(group).is_none_or(|it| !it.is_wanted());
        if unwanted {
            watched.remove(group);
        }
        unwanted
    }
}

impl Control {
    /// One page of a program's groups, by name: those of `class` whose name or leader has `q` in
    /// it, after the group `after`.
    ///
    /// # Errors
    /// `NotFound` for what `who` may not see, and for a cluster that is one group.
    pub async fn groups(
        &self,
        who: &Operator,
        cluster: &str,
        class: Option<Class>,
        q: Option<&str>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<GroupRow>, ControlError> {
        let watched = Arc::clone(self.visible(who, cluster)?);
        watched.interest();
        if watched.age(self.now()).is_none_or(|age| age > FRESH_MS) {
            watched.look(LOOK_DEADLINE).await;
        }
        let fleet = fleet(&watched)?;
        let fleet = fleet.read().unwrap_or_else(PoisonError::into_inner);
        let most = usize::try_from(limit.clamp(1, PAGE_MOST)).unwrap_or(usize::MAX);
        let (items, next) = fleet.page(class, q, after, most);
        Ok(Page { items, next })
    }

    /// One group as it stands now, as a cluster of its own; looks anew first if the last look is
    /// older than a second.
    ///
    /// # Errors
    /// `NotFound` for what `who` may not see, for a cluster that is one group, and for a group no
    /// host has told of.
    pub async fn group_view(
        &self,
        who: &Operator,
        cluster: &str,
        group: &str,
    ) -> Result<ClusterView, ControlError> {
        let watched = self.group(who, cluster, group).await?;
        Ok(self.fresh(&watched).await)
    }

    async fn group(
        &self,
        who: &Operator,
        cluster: &str,
        group: &str,
    ) -> Result<Arc<Watched>, ControlError> {
        let program = Arc::clone(self.visible(who, cluster)?);
        program.interest();
        if program.age(self.now()).is_none() {
            program.look(LOOK_DEADLINE).await;
        }
        let known = fleet(&program)?
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .row(group)
            .is_some();
        if !known {
            return Err(ControlError::not_found("group", group));
        }
        self.watch_group(&program, group)
    }

    /// What a change is about: the cluster, or one group of a program of many.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` if the program runs many groups and none is named.
    pub(crate) async fn changeable(
        &self,
        who: &Operator,
        cluster: &str,
        group: Option<&str>,
    ) -> Result<Arc<Watched>, ControlError> {
        if let Some(group) = group {
            return self.group(who, cluster, group).await;
        }
        let watched = self.visible(who, cluster)?;
        if watched.wire.groups().is_some() {
            return Err(ControlError::invalid(
                "this program runs many groups, and none is named",
                "Name the group that is to be changed, as `group`.",
            ));
        }
        Ok(Arc::clone(watched))
    }

    /// As it stands, looked at anew if the last look is older than a second.
    pub(crate) async fn fresh(&self, watched: &Watched) -> ClusterView {
        watched.interest();
        let view = watched.view(self.now());
        if view.age_ms.is_some_and(|age| age <= FRESH_MS) {
            return view;
        }
        watched.look(LOOK_DEADLINE).await;
        watched.view(self.now())
    }

    /// For the console's own doing, whoever looks: a cluster, or a group whether or not a host has
    /// told of it yet.
    pub(crate) fn watch_of(
        &self,
        cluster: &ClusterName,
        group: Option<&str>,
    ) -> Option<Arc<Watched>> {
        let program = self.inner.clusters.get(cluster)?;
        match group {
            None => Some(Arc::clone(program)),
            Some(group) => self.watch_group(program, group).ok(),
        }
    }

    pub(crate) fn watch_group(
        &self,
        program: &Arc<Watched>,
        group: &str,
    ) -> Result<Arc<Watched>, ControlError> {
        program.groups.watched(group, || {
            let driver = program.wire.group(group)?;
            let watched = Arc::new(Watched::of_group(program, group, Wire::new(driver)));
            let run = run(
                Arc::clone(&self.inner),
                Arc::clone(program),
                Arc::clone(&watched),
            );
            self.inner.loops.spawn(run);
            Some(watched)
        })
    }
}

/// Watches one group until nobody looks at it any more.
async fn run(inner: Arc<Inner>, program: Arc<Watched>, watched: Arc<Watched>) {
    let unwanted = async {
        loop {
            tokio::time::sleep(STILL_WANTED).await;
            tell_places(&program, &watched);
            let group = watched.group.as_deref().unwrap_or_default();
            if program.groups.part(group) {
                return;
            }
        }
    };
    tokio::select! {
        () = watch::look_on(&inner, &watched) => {}
        () = unwanted => {}
    }
}

/// A group that is watched before the program's hosts are found learns of them later.
fn tell_places(program: &Watched, watched: &Watched) {
    let Some(fleet) = program.wire.groups() else {
        return;
    };
    let fleet = fleet.read().unwrap_or_else(PoisonError::into_inner);
    let hosts = fleet.hosts().filter(|host| host.answers());
    let places: Vec<url::Url> = hosts.filter_map(|host| host.address.parse().ok()).collect();
    watched.wire.recall(&places);
}

fn fleet(watched: &Watched) -> Result<Arc<RwLock<Fleet>>, ControlError> {
    watched
        .wire
        .groups()
        .ok_or_else(|| ControlError::not_found("group", "of this cluster"))
}

impl Watched {
    /// What the groups make of a program's view.
    pub(crate) fn dress(&self, mut view: ClusterView, now: Timestamp) -> ClusterView {
        view.group.clone_from(&self.group);
        if let Some(fleet) = self.wire.groups() {
            let fleet = fleet.read().unwrap_or_else(PoisonError::into_inner);
            quorate_domain::groups::dress(&mut view, &fleet, now);
        }
        view
    }
}

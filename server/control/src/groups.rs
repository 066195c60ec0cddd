//! Programs of many groups: the list of them, and one group as a cluster of its own. A group is
//! looked at by itself only while somebody looks; at other times its hosts' lines tell of it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
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

mod telling;

pub(crate) use telling::tell;

/// How often a group that is watched is asked whether anybody still looks.
const STILL_WANTED: Duration = Duration::from_secs(5);
/// The most groups of one program that are watched at once. One more takes the place of the one
/// that nobody has looked at for longest.
const MOST_WATCHED: usize = 64;

/// The groups of one program that somebody looks at.
#[derive(Default)]
pub(crate) struct Groups {
    watched: Mutex<BTreeMap<String, Arc<Watched>>>,
}

/// Who wants a group watched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    /// People, who can be told to come back.
    People,
    /// The console itself, which must see what became of a change.
    Console,
}

impl Groups {
    /// The group's own watch; begun by `begin` if nobody looks at it yet. `part` is told of the
    /// one that has to make room.
    fn watched(
        &self,
        group: &str,
        whom: For,
        part: impl FnOnce(&str, &Watched),
        begin: impl FnOnce() -> Option<Arc<Watched>>,
    ) -> Result<Arc<Watched>, ControlError> {
        let mut watched = self.all();
        if let Some(known) = watched.get(group) {
            // Under the lock, so that its watch does not end just now.
            known.interest();
            return Ok(Arc::clone(known));
        }
        let room = watched.len() < MOST_WATCHED || make_room(&mut watched, part);
        if !room && whom == For::People {
            return Err(ControlError::TooManyWatched { most: MOST_WATCHED });
        }
        let new = begin().ok_or_else(|| ControlError::not_found("group", group))?;
        new.interest();
        watched.insert(group.to_owned(), Arc::clone(&new));
        Ok(new)
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Watched>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a group's watch out if nobody looks at it, and tells `part`. Whether it is out; another
    /// watch of the same group may be in its place.
    fn part(&self, group: &str, watch: &Arc<Watched>, part: impl FnOnce(&str, &Watched)) -> bool {
        let mut watched = self.all();
        let stands = watched.get(group).is_some_and(|it| Arc::ptr_eq(it, watch));
        if stands && watch.is_wanted() {
            return false;
        }
        if stands {
            watched.remove(group);
            part(group, watch);
        }
        true
    }

    fn has(&self, group: &str) -> bool {
        self.all().contains_key(group)
    }
}

/// Takes out the group that nobody has asked for longest, if there is one that no stream follows
/// and nobody has in hand. Whether there was.
fn make_room(
    watched: &mut BTreeMap<String, Arc<Watched>>,
    part: impl FnOnce(&str, &Watched),
) -> bool {
    // The list and the loop have it; anybody else is about to look or to change something.
    const HELD: usize = 2;
    let idle = watched.iter().filter_map(|(group, it)| {
        let since = it.idle_since().filter(|_| Arc::strong_count(it) <= HELD)?;
        Some((since, group.clone()))
    });
    let Some((_, group)) = idle.min() else {
        return false;
    };
    if let Some(out) = watched.remove(&group) {
        part(&group, &out);
        out.parted.cancel();
    }
    true
}

/// A cluster's name, and a group's after a slash: a cluster's name holds none.
pub(crate) fn place(name: &str) -> (&str, Option<&str>) {
    match name.split_once('/') {
        Some((cluster, group)) => (cluster, Some(group)),
        None => (name, None),
    }
}

impl Control {
    /// Whether a cluster is a program of many groups, as far as is known.
    #[must_use]
    pub fn runs_many(&self, cluster: &ClusterName) -> bool {
        let watched = self.inner.clusters.get(cluster);
        watched.is_some_and(|watched| watched.wire.groups().is_some())
    }

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
        let (items, next) = fleet.page(class, q, after, most, self.now());
        Ok(Page { items, next })
    }

    /// One group as it stands now, as a cluster of its own; looks anew first if the last look is
    /// older than a second.
    ///
    /// # Errors
    /// `NotFound` for what `who` may not see, for a cluster that is one group, and for a group no
    /// host has told of; `TooManyWatched`.
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
        if !self.knows_group(&program, group)? {
            return Err(ControlError::not_found("group", group));
        }
        self.watch_group(&program, group, For::People)
    }

    /// Whether a host has told of this group.
    ///
    /// # Errors
    /// `NotFound` for a cluster that is one group.
    pub(crate) fn knows_group(&self, program: &Watched, group: &str) -> Result<bool, ControlError> {
        let fleet = fleet(program)?;
        let fleet = fleet.read().unwrap_or_else(PoisonError::into_inner);
        Ok(fleet.row(group).is_some())
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
            Some(group) => self.watch_group(program, group, For::Console).ok(),
        }
    }

    /// The watch of `cluster/group` for somebody who follows it.
    ///
    /// # Errors
    /// `NotFound`, `TooManyWatched`.
    pub(crate) fn followed(
        &self,
        program: &Arc<Watched>,
        group: &str,
    ) -> Result<Arc<Watched>, ControlError> {
        self.watch_group(program, group, For::People)
    }

    fn watch_group(
        &self,
        program: &Arc<Watched>,
        group: &str,
        whom: For,
    ) -> Result<Arc<Watched>, ControlError> {
        let now = self.now();
        let part = |group: &str, watch: &Watched| Groups::hand_back(program, group, watch, now);
        program.groups.watched(group, whom, part, || {
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

/// Watches one group until nobody looks at it any more. What was known of it when somebody looked
/// last is where its line of time goes on.
async fn run(inner: Arc<Inner>, program: Arc<Watched>, watched: Arc<Watched>) {
    let (key, group) = (watched.key(), watched.group.as_deref().unwrap_or_default());
    let opened = async {
        watched.recollect(&inner.store).await?;
        inner.events.open(&inner.store, &key).await
    };
    if let Err(error) = opened.await {
        tracing::warn!(group = %key, %error, "what was known of a group could not be read");
    }
    if let Some(led) = inner.events.led(&key) {
        watched.goes_on_from(led);
    }
    let unwanted = async {
        loop {
            tokio::select! {
                () = watched.parted.cancelled() => return,
                () = tokio::time::sleep(STILL_WANTED) => {}
            }
            tell_places(&program, &watched);
            let part = |group: &str, watch: &Watched| {
                Groups::hand_back(&program, group, watch, inner.clock.now());
            };
            if program.groups.part(group, &watched, part) {
                return;
            }
        }
    };
    watch::run_until(&inner, &watched, unwanted).await;
    if !program.groups.has(group) {
        inner.events.close(&key);
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

#[cfg(test)]
mod tests;

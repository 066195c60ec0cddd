//! The state of one opened dialog, and what it asks of the console.

use leptos::{
    leptos_dom::helpers::{IntervalHandle, set_interval_with_handle},
    prelude::*,
    task::spawn_local,
};
use quorate_domain::{
    action::{Action, Verb},
    job::Change,
    moment::Timestamp,
    plan::{Basis, Preview},
    preflight::{self, Level},
    problem::Problem,
    view::ClusterView,
};

use super::draft::{Aim, Draft, Footing, given};
use crate::{
    api::{self, Failure},
    live::{Live, use_live},
};

/// How often a running change is asked about when the event stream says nothing of it.
const ASK_AGAIN: std::time::Duration = std::time::Duration::from_millis(1_000);

/// Where the preview stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// The address is still missing.
    Asking,
    Looking,
    Missing(Failure),
    /// What the operator decides on; it stays as it is until they review again.
    There(Box<Preview>),
}

/// All signals of one opened dialog. A new one is made each time it opens.
#[derive(Clone, Copy)]
pub struct Sheet {
    /// The cluster as it was when the button was pressed.
    pub view: StoredValue<ClusterView>,
    pub verb: Verb,
    pub aim: RwSignal<Aim>,
    /// For a removal: the member's name as people read it, which must be typed.
    pub name: StoredValue<Option<String>>,
    pub stage: RwSignal<Stage>,
    /// The console's clock when the preview came.
    pub came_at: RwSignal<Timestamp>,
    pub reason: RwSignal<String>,
    pub ticket: RwSignal<String>,
    pub typed: RwSignal<String>,
    pub sending: RwSignal<bool>,
    /// Why the console did not take the change.
    pub turned_down: RwSignal<Option<Failure>>,
    pub change: RwSignal<Option<Change>>,
    /// The change runs, but cannot be read at the moment.
    pub unseen: RwSignal<bool>,
    live: Live,
    /// Counts previews asked for, so that a late answer to an earlier one is dropped.
    asked: StoredValue<u32>,
    key: StoredValue<String>,
}

impl Sheet {
    #[must_use]
    pub fn new(view: ClusterView, action: &Action) -> Self {
        Self {
            verb: action.verb(),
            name: StoredValue::new(name_to_type(&view, action)),
            aim: RwSignal::new(Aim::of(action)),
            view: StoredValue::new(view),
            stage: RwSignal::new(Stage::Asking),
            came_at: RwSignal::new(Timestamp::default()),
            reason: RwSignal::new(String::new()),
            ticket: RwSignal::new(String::new()),
            typed: RwSignal::new(String::new()),
            sending: RwSignal::new(false),
            turned_down: RwSignal::new(None),
            change: RwSignal::new(None),
            unseen: RwSignal::new(false),
            live: use_live(),
            asked: StoredValue::new(0),
            key: StoredValue::new(String::new()),
        }
    }

    fn cluster(self) -> String {
        self.view.with_value(ClusterView::place)
    }

    /// Looks at the cluster and works out what the action would do.
    pub fn look(self) {
        let Some(action) = self.aim.with_untracked(Aim::action) else {
            self.stage.set(Stage::Asking);
            return;
        };
        self.asked
            .update_value(|asked| *asked = asked.wrapping_add(1));
        let asked = self.asked.get_value();
        self.stage.set(Stage::Looking);
        self.turned_down.set(None);
        spawn_local(async move {
            let answer = api::preview::preview(self.cluster(), action).await;
            if self.asked.try_get_value() != Some(asked) {
                return;
            }
            self.key.set_value(new_key());
            self.came_at.set(self.live.now.get_untracked());
            self.stage.set(match answer {
                Ok(preview) => Stage::There(Box::new(preview)),
                Err(failure) => Stage::Missing(failure),
            });
        });
    }

    /// What was previewed no longer fits the fields.
    pub fn forget(self) {
        self.asked
            .update_value(|asked| *asked = asked.wrapping_add(1));
        self.stage.set(Stage::Asking);
        self.turned_down.set(None);
    }

    /// Sends the change, if nothing stands in the way.
    pub fn confirm(self) {
        let Stage::There(preview) = self.stage.get_untracked() else {
            return;
        };
        if untrack(move || self.why_not()).is_some() {
            return;
        }
        self.sending.set(true);
        self.turned_down.set(None);
        let wish = api::submit::Wish {
            cluster: self.cluster(),
            action: preview.action,
            fingerprint: preview.fingerprint,
            reason: self.reason.get_untracked().trim().to_owned(),
            ticket: given(&self.ticket.get_untracked()),
            key: self.key.get_value(),
        };
        spawn_local(async move {
            let answer = api::submit::submit(wish).await;
            // `None`: the dialog was closed meanwhile; the change is listed under Changes.
            if self.sending.try_set(false).is_some() {
                return;
            }
            match answer {
                Ok(change) => self.change.set(Some(change)),
                // On that page it is proved, and from there the change goes on.
                Err(Failure(Problem {
                    step_up: Some(place),
                    ..
                })) => {
                    let _elsewhere = window().location().set_href(&place);
                }
                Err(failure) => self.turned_down.set(Some(failure)),
            }
        });
    }

    /// Keeps `change` as new as the event stream or, failing that, a question a second makes it.
    pub fn follow(self) {
        Effect::new(move |_| {
            let Some(id) = self
                .change
                .with(|change| change.as_ref().map(|it| it.id.clone()))
            else {
                return;
            };
            let newer = self
                .live
                .state
                .with(|state| state.changes.iter().find(|change| change.id == id).cloned());
            if let Some(newer) = newer {
                self.take(newer);
            }
        });
        let asking: StoredValue<Option<IntervalHandle>> = StoredValue::new(None);
        Effect::new(move |_| {
            let running = self.change.with(|change| {
                change
                    .as_ref()
                    .is_some_and(|change| !change.state.is_final())
            });
            if let Some(Some(handle)) = asking.try_update_value(Option::take) {
                handle.clear();
            }
            if running {
                asking.set_value(set_interval_with_handle(move || self.ask(), ASK_AGAIN).ok());
            }
        });
        on_cleanup(move || {
            if let Some(Some(handle)) = asking.try_update_value(Option::take) {
                handle.clear();
            }
        });
    }

    fn ask(self) {
        let id = self
            .change
            .try_with_untracked(|it| it.as_ref().map(|it| it.id.0.clone()));
        let Some(Some(id)) = id else { return };
        spawn_local(async move {
            let answer = api::change::change(id).await;
            if self.unseen.try_set(answer.is_err()).is_none()
                && let Ok(newer) = answer
            {
                self.take(newer);
            }
        });
    }

    /// A final state is never replaced by an earlier one that arrives late.
    fn take(self, newer: Change) {
        let now = self.change.get_untracked();
        let stale = now
            .as_ref()
            .is_some_and(|now| now.state.is_final() && !newer.state.is_final());
        if !stale && now.as_ref() != Some(&newer) {
            self.change.set(Some(newer));
        }
    }

    /// What the live view shows differently from what the preview was made on.
    #[must_use]
    pub fn moved(self) -> Vec<String> {
        if self.sending.get() || self.change.with(Option::is_some) {
            return Vec::new();
        }
        let told = self.turned_down.with(|failure| {
            failure
                .as_ref()
                .map(|failure| failure.0.moved.clone())
                .unwrap_or_default()
        });
        if !told.is_empty() {
            return told;
        }
        self.stage.with(|stage| match stage {
            Stage::There(preview) => self
                .live
                .state
                .with(|state| {
                    state
                        .cluster
                        .as_ref()
                        .map(|view| self.moved_from(preview, view))
                })
                .unwrap_or_default(),
            Stage::Asking | Stage::Looking | Stage::Missing(_) => Vec::new(),
        })
    }

    fn moved_from(self, preview: &Preview, view: &ClusterView) -> Vec<String> {
        let same = self.view.with_value(|seen| view.is_of(&seen.place()));
        match Basis::parse(&preview.fingerprint) {
            Some(decided_on) if same => moved(&decided_on, view, &preview.action),
            _ => Vec::new(),
        }
    }

    /// What stands in the way of confirming, in words.
    #[must_use]
    pub fn why_not(self) -> Option<&'static str> {
        let footing = self.stage.with(|stage| match stage {
            Stage::Asking if self.aim.with(|aim| aim.action().is_some()) => Footing::Unseen,
            Stage::Asking => Footing::Asking,
            Stage::Looking => Footing::Looking,
            Stage::Missing(_) => Footing::Missing,
            Stage::There(preview) => Footing::There(worst(preview)),
        });
        let (reason, ticket, typed) = (self.reason.get(), self.ticket.get(), self.typed.get());
        let name = self.name.get_value();
        let draft = Draft {
            footing,
            moved: !self.moved().is_empty(),
            sending: self.sending.get(),
            reason: &reason,
            ticket: &ticket,
            name: name.as_deref().map(|name| (name, typed.as_str())),
        };
        draft.why_not()
    }
}

fn name_to_type(view: &ClusterView, action: &Action) -> Option<String> {
    let id = action.member().filter(|_| action.asks_for_name())?;
    let member = view.members.iter().find(|member| member.id == *id);
    Some(member.map_or_else(|| id.0.clone(), |member| member.name.clone()))
}

fn worst(preview: &Preview) -> Level {
    preflight::worst(&preview.checks)
}

/// The same rules as the server's, on the view the browser has.
fn moved(decided_on: &Basis, view: &ClusterView, action: &Action) -> Vec<String> {
    decided_on.moved(&Basis::of(view, &preflight::check(view, action)))
}

/// A name for one wish, so that sending it twice makes one change. Not a secret.
fn new_key() -> String {
    #[cfg(feature = "hydrate")]
    {
        let part = || {
            web_sys::js_sys::Math::random()
                .to_string()
                .replace("0.", "")
        };
        format!("page-{}-{}", part(), part())
    }
    #[cfg(not(feature = "hydrate"))]
    String::new()
}

//! What the access page's buttons do: one call, then the lists anew, and what became of it said
//! where the focus goes. Secrets pass through here and are kept nowhere else.

use std::future::Future;

use leptos::{html, prelude::*, task::spawn_local};

use crate::{
    api::{Failure, access::ShownOnce},
    components::change_dialog::{command::Command, notice::notice},
    words::access as words,
};

/// What became of the last button pressed.
#[derive(Clone, PartialEq)]
enum Outcome {
    Done(String),
    /// A secret with its title and what to do with it. Shown until hidden or the page is left.
    Once {
        title: &'static str,
        hint: &'static str,
        secret: ShownOnce,
    },
    Failed(Failure),
}

#[derive(Clone, Copy)]
pub struct Desk {
    /// Loads the lists anew.
    refresh: Callback<()>,
    outcome: RwSignal<Option<Outcome>>,
    /// Something is being asked; a second press does nothing.
    busy: RwSignal<bool>,
    place: NodeRef<html::Div>,
}

impl Desk {
    #[must_use]
    pub fn new(refresh: Callback<()>) -> Self {
        Self {
            refresh,
            outcome: RwSignal::new(None),
            busy: RwSignal::new(false),
            place: NodeRef::new(),
        }
    }

    /// Asks for something that brings nothing back.
    pub fn ask(self, done: String, call: impl Future<Output = Result<(), Failure>> + 'static) {
        self.run(async move { call.await.map(|()| Outcome::Done(done)) });
    }

    /// Asks for something that brings a secret back, to be shown once.
    pub fn ask_for_secret(
        self,
        title: &'static str,
        hint: &'static str,
        call: impl Future<Output = Result<ShownOnce, Failure>> + 'static,
    ) {
        self.run(async move {
            call.await.map(|secret| Outcome::Once {
                title,
                hint,
                secret,
            })
        });
    }

    fn run(self, call: impl Future<Output = Result<Outcome, Failure>> + 'static) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        spawn_local(async move {
            let answer = call.await;
            // The page was left meanwhile.
            if self.busy.try_set(false).is_some() {
                return;
            }
            if answer.is_ok() {
                self.refresh.run(());
            }
            self.outcome
                .set(Some(answer.unwrap_or_else(Outcome::Failed)));
        });
    }
}

/// Where outcomes are said; takes the focus, because the button pressed may be gone.
#[component]
pub fn Said(desk: Desk) -> impl IntoView {
    Effect::new(move |_| {
        if desk.outcome.with(Option::is_some) {
            // What is empty is not laid out and cannot be focused: the next frame has the outcome.
            request_animation_frame(move || {
                if let Some(place) = desk.place.try_get_untracked().flatten() {
                    let _unfocusable = place.focus();
                    place.scroll_into_view();
                }
            });
        }
    });
    view! {
        <div class="said" tabindex="-1" role="status" node_ref=desk.place>
            {move || desk.outcome.get().map(|outcome| said(outcome, desk))}
        </div>
    }
}

fn said(outcome: Outcome, desk: Desk) -> AnyView {
    match outcome {
        Outcome::Done(text) => view! {
            <div class="notice tone-ok"><p class="notice-title">{text}</p></div>
        }
        .into_any(),
        Outcome::Failed(failure) => notice(&failure.0, None),
        Outcome::Once {
            title,
            hint,
            secret,
        } => view! {
            <div class="notice tone-ok">
                <p class="notice-title"><strong>{title}</strong></p>
                <p>{hint}</p>
                <Command command=secret.0 label=title/>
                <p>
                    <button type="button" class="button" on:click=move |_| desk.outcome.set(None)>
                        {words::HIDE}
                    </button>
                </p>
            </div>
        }
        .into_any(),
    }
}

/// `path` below this console's own address, as the browser knows it.
#[must_use]
pub fn address(path: &ShownOnce) -> ShownOnce {
    let origin = window().location().origin().unwrap_or_default();
    ShownOnce(format!("{origin}{}", path.0))
}

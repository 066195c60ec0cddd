//! The one dialog that asks for a change: on what it is decided, before → after, checks, what
//! will be done, reason and ticket, then the progress. It decides nothing: the rules are the
//! domain's, and the console looks again before anything is sent.

use leptos::{html, prelude::*};
use leptos_router::hooks::use_location;
use quorate_domain::{
    action::{Action, Verb},
    plan,
    view::ClusterView,
};

use crate::{
    components::{Asked, DialogTarget, states::OutOfDate},
    part::{Missing, part},
    words::{self as all, actions as words},
};

pub mod before_after;
pub mod checks;
pub mod command;
pub mod draft;
mod fields;
pub mod notice;
mod opener;
pub mod progress;
mod sheet;
#[cfg(all(test, feature = "ssr"))]
mod tests;
mod upper;

use fields::{AimFields, Fields};
use opener::Opener;
use sheet::{Sheet, Stage};

/// Stands once in the layout; opens whenever the target is set, and gives the focus back to the
/// button that set it.
#[component]
pub fn ChangeDialog() -> impl IntoView {
    let target = expect_context::<DialogTarget>();
    let dialog = NodeRef::<html::Dialog>::new();
    let close = move || {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    // The dialog stands outside the pages: a link in it, or the way back, leads to another page.
    let path = use_location().pathname;
    Effect::new(move |shown: Option<()>| {
        path.track();
        if shown.is_some() {
            close();
        }
    });
    let opener = Opener::new();
    let closed = move |_| {
        target.set(None);
        opener.focus();
    };
    view! {
        <dialog
            node_ref=dialog
            class="dialog"
            aria-labelledby="dialog-title"
            on:close=closed
        >
            {anew(move || {
                let close = Callback::new(move |()| close());
                target.get().map(|asked| {
                    opener.remember();
                    Suspend::new(async move {
                        match opened(asked, dialog, close).await {
                            Ok(sheet) => sheet,
                            Err(Missing) => view! { <OutOfDateSheet dialog close/> }.into_any(),
                        }
                    })
                })
            })}
        </dialog>
    }
}

part! {
    opened: fn opened / preload_opened (asked: Asked, dialog: NodeRef<html::Dialog>, close: Callback<()>) {
        view! { <Opened asked dialog close/> }.into_any()
    }
}

/// In place of the sheet when its part of the program cannot be had.
#[component]
fn OutOfDateSheet(dialog: NodeRef<html::Dialog>, close: Callback<()>) -> impl IntoView {
    Effect::new(move |_| {
        if let Some(dialog) = dialog.get().filter(|dialog| !dialog.open()) {
            // A browser that cannot show dialogs could not have opened this one.
            let _ = dialog.show_modal();
        }
    });
    view! {
        <OutOfDate heading="dialog-title"/>
        <footer class="dialog-foot">
            <div class="dialog-buttons">
                <button type="button" class="button" on:click=move |_| close.run(())>
                    {words::CLOSE}
                </button>
            </div>
        </footer>
    }
}

/// One opening of the dialog, from the first look to the outcome.
#[component]
fn Opened(asked: Asked, dialog: NodeRef<html::Dialog>, close: Callback<()>) -> impl IntoView {
    let (view, action) = asked;
    let action = fields::opening(&view, action);
    let title = words::title(
        action.verb(),
        member_name(&view, &action),
        view.name.as_str(),
    );
    let sheet = Sheet::new(view, &action);
    let leave = NodeRef::<html::Button>::new();
    let heading = NodeRef::<html::H2>::new();
    sheet.follow();
    Effect::new(move |_| {
        let Some(dialog) = dialog.get() else { return };
        if dialog.open() {
            return;
        }
        if dialog.show_modal().is_ok() {
            focus(leave);
            sheet.look();
        }
    });
    // The button that was pressed is gone once the change is on record.
    Effect::new(move |_| {
        if sheet.change.with(Option::is_some) {
            focus(leave);
        }
    });
    let to_heading = Callback::new(move |()| {
        if let Some(heading) = heading.get_untracked() {
            let _unfocusable = heading.focus();
        }
    });
    view! {
        <header class="dialog-head">
            <h2 id="dialog-title" tabindex="-1" node_ref=heading>
                {move || exact_title(sheet).unwrap_or_else(|| title.clone())}
            </h2>
            <p class="dialog-basis"><upper::Basis sheet/></p>
        </header>
        <Body sheet to_heading/>
        <Foot sheet leave close/>
    }
}

fn member_name<'a>(view: &'a ClusterView, action: &Action) -> Option<&'a str> {
    let member = view
        .members
        .iter()
        .find(|member| Some(&member.id) == action.member())?;
    Some(&member.name)
}

fn focus(button: NodeRef<html::Button>) {
    if let Some(button) = button.get() {
        let _unfocusable = button.focus();
    }
}

/// The preview's or the change's own title.
fn exact_title(sheet: Sheet) -> Option<String> {
    sheet.stage.with(|stage| match stage {
        Stage::There(preview) => Some(preview.title.clone()),
        Stage::Asking | Stage::Looking | Stage::Missing(_) => None,
    })
}

#[component]
fn Body(sheet: Sheet, to_heading: Callback<()>) -> impl IntoView {
    let moved = memo(move || sheet.moved());
    let upper = move || {
        let shown = sheet.change.with(Option::is_none);
        shown.then(|| sheet.stage.with(|stage| upper::upper(sheet, stage)))
    };
    let turned_down = move || {
        sheet
            .turned_down
            .with(|it| it.as_ref().map(upper::turned_down))
    };
    let recorded = memo(move || sheet.change.with(Option::is_some));
    let progress = move || {
        recorded.get().then(|| {
            let change = Signal::derive(move || sheet.change.get());
            view! { <progress::Progress change unseen=sheet.unseen/> }
        })
    };
    view! {
        <div class="dialog-body">
            <AimFields sheet/>
            <div aria-live="polite">{move || upper::moved(sheet, moved.get(), to_heading)}</div>
            {turned_down}
            <div class="dialog-upper" aria-busy=move || busy(sheet)>{upper}</div>
            <Fields sheet/>
            {progress}
        </div>
    }
}

fn busy(sheet: Sheet) -> Option<&'static str> {
    sheet
        .stage
        .with(|stage| *stage == Stage::Looking)
        .then_some("true")
}

#[component]
fn Foot(sheet: Sheet, leave: NodeRef<html::Button>, close: Callback<()>) -> impl IntoView {
    let line = memo(move || {
        sheet.stage.with(|stage| match stage {
            Stage::There(preview) => {
                let (reason, ticket) = (sheet.reason.get(), sheet.ticket.get());
                Some(plan::with_reason(&preview.command, &reason, &ticket))
            }
            Stage::Asking | Stage::Looking | Stage::Missing(_) => None,
        })
    });
    let command = move || {
        line.get()
            .map(|command| view! { <command::Command command/> })
    };
    let recorded = memo(move || sheet.change.with(Option::is_some));
    let why = memo(move || {
        if recorded.get() {
            None
        } else {
            sheet.why_not()
        }
    });
    let danger = matches!(sheet.verb, Verb::Remove | Verb::Demote);
    view! {
        <footer class="dialog-foot">
            {command}
            <p class="dialog-why" id="dialog-why">{move || why.get()}</p>
            <div class="dialog-buttons">
                <button type="button" class="button" node_ref=leave autofocus=true on:click=move |_| close.run(())>
                    {move || if recorded.get() { words::CLOSE } else { words::CANCEL }}
                </button>
                <button
                    type="submit"
                    form="dialog-form"
                    class="button button-primary"
                    data-danger=danger.then_some("true")
                    hidden=move || recorded.get()
                    aria-disabled=move || why.get().map(|_| "true")
                    aria-describedby=move || why.get().map(|_| "dialog-why")
                >
                    {all::verb(sheet.verb)}
                </button>
            </div>
        </footer>
    }
}

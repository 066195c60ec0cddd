//! The audit log: who did what, why, and what became of it. Newest first, one row an intent with
//! its latest outcome, narrowed by conditions that stand in the URL.

pub mod filters;
pub mod query;
pub mod rows;
pub mod standing;
#[cfg(all(test, feature = "ssr"))]
mod tests;

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use self::{filters::filters, query::Query, rows::rows, standing::standing};
use crate::{
    api::{self, audit_rows::AuditRows},
    base::BasePath,
    components::{
        page_head::PageHead,
        states::{EmptyState, ErrorState, LoadingState},
    },
    words::{self as all, audit as words},
};

#[component]
pub fn AuditPage() -> impl IntoView {
    let parameters = use_query_map();
    let query = memo(move || parameters.with(|map| Query::read(|name| map.get(name))));
    let log = Resource::new(move || query.get(), api::audit_rows::rows);
    let size = move || match log.get() {
        Some(Ok(log)) => words::sentence(log.size - log.standing.removed.min(log.size)),
        _ => String::new(),
    };
    view! {
        <div class="page-wide">
            <Transition fallback=|| view! { <LoadingState/> }>
                <PageHead title=all::AUDIT sentence=Signal::derive(size) rest=words::SENTENCE_REST/>
                {move || log.get().map(|answer| match answer {
                    Ok(log) => page(&query.get(), &log),
                    Err(failure) => view! { <ErrorState problem=failure.0/> }.into_any(),
                })}
            </Transition>
        </div>
    }
}

/// Conditions, rows and the way to older ones.
#[must_use]
pub fn page(query: &Query, log: &AuditRows) -> AnyView {
    let BasePath(base) = use_context::<BasePath>().unwrap_or_default();
    let list = if log.rows.is_empty() {
        view! { <EmptyState title=words::EMPTY hint=words::EMPTY_HINT/> }.into_any()
    } else {
        rows(&log.rows)
    };
    let older = log.next.as_deref().map(|next| {
        view! { <a class="button" rel="next" href=query.link_before(&base, next)>{words::OLDER}</a> }
    });
    let newest = query.before.map(|_| {
        view! { <a class="button" href=query.link(&base)>{words::NEWEST}</a> }
    });
    view! {
        {standing(&base, query, &log.standing)}
        {filters(&base, query, log)}
        {list}
        <nav class="audit-pages" aria-label=words::PAGES>{newest} {older}</nav>
    }
    .into_any()
}

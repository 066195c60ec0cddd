//! The fleet: is anything lost, what may still fail, where to look first.

use leptos::{ev, html, prelude::*};
use leptos_router::hooks::{use_navigate, use_query_map};
use quorate_domain::view::needs_a_look;

use crate::{
    base::path,
    components::{chip::Chip, page_head::PageHead, states::EmptyState},
    live::{PageState, use_live},
    pages::problems::tone,
    words::{self, fleet as say},
};

mod keys;
pub mod order;
pub mod query;
mod row;

use order::Order;
use query::Query;
use row::Row;

/// Tags and kinds beyond this many are found by typing.
const CHIPS: usize = 8;

#[component]
pub fn FleetPage() -> impl IntoView {
    let state = use_live().state;
    let sentence = memo(move || state.with(|state| say::sentence(&state.fleet)));
    let empty = memo(move || state.with(|state| state.fleet.is_empty()));
    view! {
        <PageHead
            title=words::FLEET
            sentence=Signal::derive(move || sentence.get().0)
            rest=Signal::derive(move || sentence.get().1)
        />
        {anew(move || console_problem(state))}
        {move || if empty.get() { view! { <NoClusters/> }.into_any() } else { view! { <Clusters/> }.into_any() }}
    }
    .into_any()
}

/// The worst that is wrong with the console itself, which no row would show.
fn console_problem(state: RwSignal<PageState>) -> Option<AnyView> {
    let worst = state.with(|state| {
        let worst = state.console.iter().max_by_key(|it| it.severity)?;
        Some((worst.text.clone(), tone(worst.severity)))
    });
    let (text, tone) = worst?;
    let class = format!("notice {}", tone.class());
    let problems = path("/problems");
    Some(view! { <p class=class>{text} " " <a href=problems>{words::PROBLEMS}</a></p> }.into_any())
}

#[component]
fn NoClusters() -> impl IntoView {
    view! {
        <EmptyState title=say::EMPTY hint=say::EMPTY_HINT>
            <pre tabindex="0">{say::EXAMPLE}</pre>
        </EmptyState>
    }
}

#[component]
fn Clusters() -> impl IntoView {
    let state = use_live().state;
    let params = use_query_map();
    let query = memo(move || params.with(Query::of));
    let order = Order::of_live();
    let shown = memo(move || {
        let query = query.get();
        state.with(|state| order.shown(&query, &state.fleet))
    });
    let none = memo(move || shown.with(Vec::is_empty));
    keys::listen();
    view! {
        <div class="page-wide fleet-bar">
            <Filter query/>
            <Chips query/>
            <NewOrder order/>
        </div>
        <div class="panel fleet-panel">
            <table class="fleet">
                <caption class="unseen">{say::CAPTION}</caption>
                <thead>
                    <tr>
                        <th scope="col">{say::CLUSTER}</th>
                        <th scope="col">{say::KIND}</th>
                        <th scope="col">{say::LEADER}</th>
                        <th scope="col">{say::TOLERANCE}</th>
                        <th scope="col">{say::PROBLEM}</th>
                        <th scope="col" class="num">{say::WORST_LAG}</th>
                        <th scope="col" class="num">{say::LAG_15_MIN}</th>
                    </tr>
                </thead>
                <tbody>
                    {listed(move || shown.get(), |name| view! { <Row name/> }.into_any())}
                </tbody>
            </table>
            {move || none.get().then(|| view! {
                <p class="fleet-none">{say::NONE_MATCH} " " <a href=path("/")>{say::SHOW_ALL}</a></p>
            })}
        </div>
    }
}

/// A plain GET form; with scripts on, the URL follows every letter.
#[component]
fn Filter(query: Memo<Query>) -> impl IntoView {
    let input = NodeRef::<html::Input>::new();
    let navigate = use_navigate();
    let home = path("/");
    let follow = move |event: ev::Event| {
        let text = event_target_value(&event);
        let to = query.get_untracked().with_text(&text).address(&home);
        let options = leptos_router::NavigateOptions {
            replace: true,
            scroll: false,
            ..Default::default()
        };
        navigate(&to, options);
    };
    let hidden = move || {
        query
            .get()
            .without_text()
            .pairs()
            .into_iter()
            .map(|(name, value)| {
                view! { <input type="hidden" name=name value=value/> }
            })
            .collect_view()
    };
    view! {
        <form class="fleet-filter" method="get" action=path("/") role="search" on:submit=move |event| event.prevent_default()>
            <input
                node_ref=input
                id="fleet-filter"
                class="input"
                type="search"
                name="q"
                autocomplete="off"
                placeholder=say::FILTER
                aria-label=say::FILTER_LABEL
                value=query.get_untracked().text
                on:input=follow
            />
            {hidden}
            <button class="button needs-no-script" type="submit">{say::FILTER_SUBMIT}</button>
        </form>
    }
}

#[component]
fn Chips(query: Memo<Query>) -> impl IntoView {
    let state = use_live().state;
    let home = path("/");
    let problems = memo(move || {
        let count = state.with(|state| state.fleet.iter().filter(|c| needs_a_look(c)).count());
        u64::try_from(count).unwrap_or_default()
    });
    let facets = memo(move || state.with(|state| query::facets(&state.fleet, CHIPS)));
    let to = move |change: fn(Query) -> Query| {
        let home = home.clone();
        Signal::derive(move || change(query.get()).address(&home))
    };
    let home = path("/");
    let facet_chips =
        move || {
            let home = home.clone();
            facets.get().into_iter().map(|(facet, count)| {
            let (home, toggled, held) = (home.clone(), facet.clone(), facet.clone());
            view! {
                <Chip
                    href=Signal::derive(move || query.get().toggled(&toggled).address(&home))
                    label=facet.label().to_owned()
                    count=count
                    chosen=Signal::derive(move || query.with(|query| query.holds(&held)))
                />
            }
        }).collect_view()
        };
    view! {
        <nav class="chips" aria-label=say::FILTERS>
            <Chip
                href=to(Query::by_tolerance)
                label=say::BY_TOLERANCE.to_owned()
                chosen=Signal::derive(move || !query.get().by_name)
            />
            <Chip
                href=to(Query::by_name)
                label=say::BY_NAME.to_owned()
                chosen=Signal::derive(move || query.get().by_name)
            />
            <Chip
                href=to(Query::problems_toggled)
                label=words::PROBLEMS.to_owned()
                count=problems
                chosen=Signal::derive(move || query.get().problems)
            />
            {facet_chips}
        </nav>
    }
}

/// Rows keep their places under the pointer; this puts them where they belong.
#[component]
fn NewOrder(order: Order) -> impl IntoView {
    let state = use_live().state;
    let moved = memo(move || state.with(|state| order.has_moved(&state.fleet)));
    view! {
        <div class="fleet-order" aria-live="polite">
            {move || moved.get().then(|| view! {
                <button type="button" class="chip chip-news" on:click=move |_| order.renew(&state.get_untracked().fleet)>
                    {say::NEW_ORDER}
                </button>
            })}
        </div>
    }
}

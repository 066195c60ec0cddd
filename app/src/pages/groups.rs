//! A program of many groups: its hosts, how many groups are of which state, and the list of them,
//! narrowed by conditions that stand in the URL. Everything on it is a link or a form, so it works
//! with scripts off; hosts and counts are live, and the rows are read again every few seconds.

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use quorate_domain::{
    groups::{Class, GroupRow, GroupsView, HostState, HostView},
    moment::Timestamp,
};

use crate::{
    api::{self, groups::GroupRows},
    base::{BasePath, cluster_path},
    components::{
        chip::Chip,
        page_head::PageHead,
        panel::Panel,
        states::{EmptyState, ErrorState, LoadingState},
        tags::{Tag, Tone},
    },
    live::{Connection, use_live},
    words::{figures::number, groups as words},
};

pub mod query;

use query::Query;

/// How often the rows are read again.
const READ_EVERY_MS: i64 = 4_000;

#[component]
pub fn GroupsPage() -> impl IntoView {
    let (params, asked) = (use_params_map(), use_query_map());
    let name = memo(move || params.with(|params| params.get("name").unwrap_or_default()));
    let query = memo(move || {
        let text = |of: &str| {
            asked
                .with(|map| map.get(of))
                .filter(|it| !it.trim().is_empty())
        };
        Query {
            cluster: name.get(),
            class: text("class"),
            q: text("q"),
            after: text("after"),
        }
    });
    let live = use_live();
    let state = live.state;
    let of = move || {
        state.with(|state| {
            let cluster = state.cluster.as_ref();
            let here = cluster.filter(|view| view.name.as_str() == name.get());
            here.map(|view| (view.sentence.clone(), still(view.groups.clone())))
                .unwrap_or_default()
        })
    };
    let seen = memo(of);
    let sentence = memo(move || seen.with(|(sentence, _)| sentence.clone()));
    // Only while the page is live: it stands as it was rendered else.
    let turn = memo(move || match live.connection.get() {
        Connection::Live => live.now.get().unix_ms() / READ_EVERY_MS,
        _ => 0,
    });
    let rows = Resource::new(
        move || (query.get(), turn.get()),
        |(query, _)| api::groups::rows(query),
    );
    view! {
        <div class="page-wide">
            <PageHead title=name sentence=sentence/>
            {move || seen.with(|(_, groups)| groups.as_ref().map(|groups| glance(&query.get(), groups)))}
            {move || find(&query.get())}
            <Transition fallback=|| view! { <LoadingState/> }>
                {move || rows.get().map(|answer| match answer {
                    Ok(page) => list(&query.get(), &page),
                    Err(failure) => view! { <ErrorState problem=failure.0/> }.into_any(),
                })}
            </Transition>
        </div>
    }
}

/// Ages change with every message and none is shown: the tables stand still for the hand.
pub fn still(mut groups: Option<GroupsView>) -> Option<GroupsView> {
    if let Some(groups) = &mut groups {
        for host in &mut groups.hosts {
            host.age_ms = None;
        }
    }
    groups
}

fn base() -> String {
    use_context::<BasePath>().unwrap_or_default().path("")
}

/// Hosts, and a chip for each class that there is.
#[must_use]
pub fn glance(query: &Query, groups: &GroupsView) -> AnyView {
    let hosts: Vec<_> = groups.hosts.iter().map(host).collect();
    let present = groups.classes.iter().filter(|(_, count)| **count > 0);
    let chips: Vec<_> = present
        .map(|(class, count)| chip(query, Some(*class), *count))
        .collect();
    view! {
        <Panel id="hosts" title=words::HOSTS>
            <table class="ledger">
                <caption class="unseen">{words::HOSTS}</caption>
                <thead>
                    <tr>
                        <th scope="col">{words::HOST}</th>
                        <th scope="col">{words::STATE}</th>
                        <th scope="col" class="num">{words::LEADS}</th>
                        <th scope="col" class="num">{words::VOTES}</th>
                        <th scope="col" class="num">{words::LEARNS}</th>
                        <th scope="col" class="num">{words::TOLD}</th>
                        <th scope="col">{words::ADDRESS}</th>
                    </tr>
                </thead>
                <tbody>{hosts}</tbody>
            </table>
        </Panel>
        <nav class="chips" aria-label=words::BY_CLASS>
            {chip(query, None, groups.total)}
            {chips}
        </nav>
    }
    .into_any()
}

fn host(host: &HostView) -> AnyView {
    let tone = if host.state == HostState::Answering {
        Tone::Ok
    } else {
        Tone::Bad
    };
    view! {
        <tr>
            <th scope="row">{host.id.to_string()}</th>
            <td data-label=words::STATE>
                <Tag tone=tone text=words::host(host.state)/>
                {host.text.clone().map(|text| view! { <p class="under">{text}</p> })}
            </td>
            <td data-label=words::LEADS class="num mono">{figure(host.leads.map(u64::from))}</td>
            <td data-label=words::VOTES class="num mono">{figure(host.votes.map(u64::from))}</td>
            <td data-label=words::LEARNS class="num mono">{figure(host.learns.map(u64::from))}</td>
            <td data-label=words::TOLD class="num mono">{figure(host.leads.map(|_| u64::from(host.groups)))}</td>
            <td data-label=words::ADDRESS class="mono">{host.address.clone()}</td>
        </tr>
    }
    .into_any()
}

fn figure(known: Option<u64>) -> String {
    known.map_or_else(|| words::UNKNOWN.to_owned(), number)
}

fn chip(query: &Query, class: Option<Class>, count: u32) -> AnyView {
    let wanted = class.map(|class| class.as_str().to_owned());
    let chosen = query.class == wanted;
    let href = Query {
        class: wanted,
        after: None,
        ..query.clone()
    };
    let label = class.map_or(words::ALL, words::class);
    view! { <Chip href=href.link(&base()) label=label.to_owned() count=u64::from(count) chosen=Signal::stored(chosen)/> }
        .into_any()
}

fn find(query: &Query) -> AnyView {
    let action = Query {
        cluster: query.cluster.clone(),
        ..Query::default()
    };
    view! {
        <form class="audit-form" method="get" action=action.link(&base())>
            {query.class.clone().map(|class| view! { <input type="hidden" name="class" value=class/> })}
            <div class="field">
                <label class="field-label" for="groups-q">{words::FIND}</label>
                <input class="input" id="groups-q" name="q" type="search" value=query.q.clone() autocomplete="off"/>
            </div>
            <button class="button" type="submit">{words::SHOW}</button>
        </form>
    }
    .into_any()
}

/// The rows, and the way to more.
#[must_use]
pub fn list(query: &Query, page: &GroupRows) -> AnyView {
    if page.rows.is_empty() {
        return view! { <EmptyState title=words::NONE hint=words::NONE_HINT/> }.into_any();
    }
    let of = page.rows.iter();
    let rows: Vec<_> = of.map(|it| row(&query.cluster, it, page.at)).collect();
    let to = |after: Option<String>| {
        let next = Query {
            after,
            ..query.clone()
        };
        next.link(&base())
    };
    let more = page.next.clone().map(|next| {
        view! { <a class="button" rel="next" href=to(Some(next))>{words::MORE}</a> }
    });
    let first = query.after.is_some().then(|| {
        view! { <a class="button" href=to(None)>{words::FIRST}</a> }
    });
    view! {
        <div class="panel">
            <table class="ledger">
                <caption class="unseen">{words::GROUPS}</caption>
                <thead>
                    <tr>
                        <th scope="col">{words::GROUP}</th>
                        <th scope="col">{words::CLASS}</th>
                        <th scope="col">{words::LEADER}</th>
                        <th scope="col" class="num">{words::TERM}</th>
                        <th scope="col" class="num">{words::VOTERS}</th>
                        <th scope="col" class="num">{words::BEHIND}</th>
                        <th scope="col" class="num">{words::HEARD}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
        <nav class="audit-pages" aria-label=words::PAGES>{first} {more}</nav>
    }
    .into_any()
}

/// A moment stays true where an age would have to be counted on.
fn row(cluster: &str, row: &GroupRow, at: Timestamp) -> AnyView {
    let tone = match row.class {
        Class::NoQuorum | Class::LeaderDisputed | Class::NoLeader => Tone::Bad,
        Class::ReducedTolerance | Class::Fault | Class::Lagging => Tone::Warn,
        Class::Unknown => Tone::Plain,
        Class::Ok => Tone::Ok,
    };
    let leader = row.leader.as_ref().map(ToString::to_string);
    let heard = row.age_ms.map(|age| at.minus_ms(age).clock());
    let voters = row.voters.map_or_else(
        || words::UNKNOWN.to_owned(),
        |voters| format!("{} / {voters}", row.answering),
    );
    view! {
        <tr>
            <th scope="row"><a href=cluster_path(&format!("{cluster}/{}", row.group))>{row.group.clone()}</a></th>
            <td data-label=words::CLASS><Tag tone=tone text=words::class(row.class)/></td>
            <td data-label=words::LEADER>{leader.unwrap_or_else(|| words::UNKNOWN.to_owned())}</td>
            <td data-label=words::TERM class="num mono">{figure(row.term)}</td>
            <td data-label=words::VOTERS class="num mono">{voters}</td>
            <td data-label=words::BEHIND class="num mono">{figure(row.lag)}</td>
            <td data-label=words::HEARD class="num mono">{heard.unwrap_or_else(|| words::UNKNOWN.to_owned())}</td>
        </tr>
    }
    .into_any()
}

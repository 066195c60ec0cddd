//! Open sessions, each to be ended.

use leptos::prelude::*;
use quorate_domain::moment::Timestamp;

use super::desk::Desk;
use crate::{
    api::access::{SessionRow, session_end::session_end},
    components::{
        moment::moment,
        panel::Panel,
        tags::{Tag, Tone},
    },
    words::{access as words, audit::NOTHING},
};

pub fn sessions(sessions: &[SessionRow], now: Timestamp, desk: Desk) -> AnyView {
    let open: Vec<_> = sessions
        .iter()
        .filter(|session| session.expires_at > now)
        .map(|it| row(it, desk))
        .collect();
    let body = if open.is_empty() {
        view! { <p class="panel-body field-hint">{words::NO_SESSIONS}</p> }.into_any()
    } else {
        view! {
            <table class="ledger">
                <caption class="unseen">{words::SESSIONS_TABLE}</caption>
                <thead>
                    <tr>
                        <th scope="col">{words::ACCOUNT}</th>
                        <th scope="col">{words::FROM}</th>
                        <th scope="col">{words::BEGAN}</th>
                        <th scope="col">{words::LAST_SEEN}</th>
                        <th scope="col">{words::ENDS}</th>
                        <th scope="col"><span class="unseen">{words::ACTIONS}</span></th>
                    </tr>
                </thead>
                <tbody>{open}</tbody>
            </table>
        }
        .into_any()
    };
    view! { <Panel id="sessions" title=words::SESSIONS>{body}</Panel> }.into_any()
}

fn row(session: &SessionRow, desk: Desk) -> AnyView {
    let (hash, account) = (session.hash.clone(), session.account.clone());
    let end = move |_| {
        let (hash, account) = (hash.clone(), account.clone());
        desk.ask(words::session_ended(&account), async move {
            session_end(hash).await
        });
    };
    let end = if session.current {
        ().into_any()
    } else {
        view! {
            <button
                type="button"
                class="button button-small needs-script"
                aria-label=words::end_session_of(&session.account)
                on:click=end
            >
                {words::END}
            </button>
        }
        .into_any()
    };
    view! {
        <tr>
            <th scope="row">
                {session.account.clone()}
                " "
                {session.current.then(|| view! { <Tag tone=Tone::Ok text=words::THIS_SESSION/> })}
            </th>
            <td data-label=words::FROM>
                <code>{session.peer.clone().unwrap_or_else(|| NOTHING.to_owned())}</code>
                <p class="under">{session.user_agent.clone()}</p>
            </td>
            <td data-label=words::BEGAN>{moment(session.created_at)}</td>
            <td data-label=words::LAST_SEEN>{moment(session.last_seen)}</td>
            <td data-label=words::ENDS>{moment(session.expires_at)}</td>
            <td class="ledger-actions">{end}</td>
        </tr>
    }
    .into_any()
}

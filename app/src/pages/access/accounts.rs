//! Accounts: what each may do, new ones, links to sign in by.

use leptos::{ev, prelude::*};

use super::{
    desk::{Desk, address},
    grants::{Choice, fields},
};
use crate::{
    api::access::{
        AccountRow, Administration, account_create::account_create,
        account_disable::account_disable, account_grants::account_grants,
        account_link::account_link,
    },
    components::{
        change_dialog::draft::given,
        moment::moment,
        panel::Panel,
        tags::{Tag, Tone},
    },
    words::access as words,
};

/// `me` is the caller's own name: nobody disables themselves.
pub fn accounts(administration: &Administration, me: &str, desk: Desk) -> AnyView {
    let rows: Vec<_> = administration
        .accounts
        .iter()
        .enumerate()
        .map(|(at, it)| row(at, it, me, desk))
        .collect();
    let body = view! {
        <table class="ledger">
            <caption class="unseen">{words::ACCOUNTS_TABLE}</caption>
            <thead>
                <tr>
                    <th scope="col">{words::ACCOUNT}</th>
                    <th scope="col">{words::ROLES}</th>
                    <th scope="col">{words::STATE}</th>
                    <th scope="col">{words::CREATED}</th>
                    <th scope="col">{words::LAST_SIGN_IN}</th>
                    <th scope="col"><span class="unseen">{words::ACTIONS}</span></th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
        {new_account(desk)}
    };
    view! { <Panel id="accounts" title=words::ACCOUNTS>{body}</Panel> }.into_any()
}

fn row(at: usize, account: &AccountRow, me: &str, desk: Desk) -> AnyView {
    let state = match (account.disabled, account.has_password) {
        (true, _) => view! { <Tag tone=Tone::Bad text=words::DISABLED/> },
        (false, true) => view! { <Tag tone=Tone::Ok text=words::ACTIVE/> },
        (false, false) => view! { <Tag tone=Tone::Warn text=words::NO_PASSWORD/> },
    };
    let last = account
        .last_sign_in
        .map_or_else(|| words::NEVER.into_any(), moment);
    view! {
        <tr>
            <th scope="row">{account.name.clone()}</th>
            <td data-label=words::ROLES>{words::grants(&account.grants)}</td>
            <td data-label=words::STATE>{state}</td>
            <td data-label=words::CREATED>{moment(account.created_at)}</td>
            <td data-label=words::LAST_SIGN_IN>{last}</td>
            <td class="ledger-actions needs-script">{actions(at, account, me, desk)}</td>
        </tr>
    }
    .into_any()
}

fn actions(at: usize, account: &AccountRow, me: &str, desk: Desk) -> AnyView {
    let name = account.name.clone();
    let link = move |_| {
        let name = name.clone();
        let call = async move { account_link(name).await.map(|path| address(&path)) };
        desk.ask_for_secret(words::LINK_ONCE, words::LINK_ONCE_HINT, call);
    };
    view! {
        <div class="row-actions">
            <button
                type="button"
                class="button button-small"
                aria-label=words::new_link_for(&account.name)
                on:click=link
            >
                {words::NEW_LINK}
            </button>
            {(account.name != me).then(|| disable(account, desk))}
        </div>
        {set_roles(at, account, desk)}
    }
    .into_any()
}

fn disable(account: &AccountRow, desk: Desk) -> AnyView {
    let (name, disabled) = (account.name.clone(), account.disabled);
    let (label, text) = if disabled {
        (words::enable_account(&name), words::ENABLE)
    } else {
        (words::disable_account(&name), words::DISABLE)
    };
    let toggle = move |_| {
        let name = name.clone();
        let done = words::account_set(&name, !disabled);
        desk.ask(done, async move { account_disable(name, !disabled).await });
    };
    view! {
        <button type="button" class="button button-small" aria-label=label on:click=toggle>
            {text}
        </button>
    }
    .into_any()
}

fn set_roles(at: usize, account: &AccountRow, desk: Desk) -> AnyView {
    let choice = Choice::of(&account.grants);
    let missing = RwSignal::new(None);
    let name = account.name.clone();
    let save = move |event: ev::SubmitEvent| {
        event.prevent_default();
        let name = name.clone();
        match choice.grants() {
            Ok(grants) => {
                missing.set(None);
                let done = words::roles_set(&name);
                desk.ask(done, async move { account_grants(name, grants).await });
            }
            Err(why) => missing.set(Some(why)),
        }
    };
    view! {
        <details class="row-more">
            <summary aria-label=words::set_roles_of(&account.name)>{words::SET_ROLES}</summary>
            <form class="stacked-form" on:submit=save>
                {fields(&format!("account-{at}"), choice)}
                <p class="field-problem" role="alert">{move || missing.get()}</p>
                <button type="submit" class="button">{words::SAVE_ROLES}</button>
            </form>
        </details>
    }
    .into_any()
}

fn new_account(desk: Desk) -> AnyView {
    let name = RwSignal::new(String::new());
    let choice = Choice::empty();
    let missing = RwSignal::new(None);
    let create = move |event: ev::SubmitEvent| {
        event.prevent_default();
        let wanted = given(&name.get_untracked()).ok_or(words::NAME_FIRST);
        match wanted.and_then(|name| Ok((name, choice.grants()?))) {
            Ok((name, grants)) => {
                missing.set(None);
                let call = async move {
                    account_create(name, grants)
                        .await
                        .map(|path| address(&path))
                };
                desk.ask_for_secret(words::LINK_ONCE, words::LINK_ONCE_HINT, call);
            }
            Err(why) => missing.set(Some(why)),
        }
    };
    view! {
        <details class="ledger-more needs-script">
            <summary>{words::NEW_ACCOUNT}</summary>
            <form class="stacked-form" on:submit=create>
                <div class="field">
                    <label class="field-label" for="new-account-name">{words::NAME}</label>
                    <input
                        class="input"
                        id="new-account-name"
                        type="text"
                        autocomplete="off"
                        spellcheck="false"
                        prop:value=name
                        aria-describedby="new-account-name-rule"
                        on:input=move |event| name.set(event_target_value(&event))
                    />
                    <p class="field-hint" id="new-account-name-rule">{words::NAME_RULE}</p>
                </div>
                {fields("new-account", choice)}
                <p class="field-problem" role="alert">{move || missing.get()}</p>
                <button type="submit" class="button">{words::CREATE_ACCOUNT}</button>
            </form>
        </details>
    }
    .into_any()
}

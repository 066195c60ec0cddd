//! API tokens: what each may do, until when, new ones, revoking.

use leptos::{ev, prelude::*};
use quorate_domain::{moment::Timestamp, permission::Grant};

use super::{
    desk::Desk,
    grants::{Choice, fields},
};
use crate::{
    api::access::{
        Administration, TokenRow, token_create::token_create, token_revoke::token_revoke,
    },
    components::{
        change_dialog::draft::given,
        moment::moment,
        panel::Panel,
        tags::{Tag, Tone},
    },
    words::access as words,
};

pub fn tokens(administration: &Administration, now: Timestamp, desk: Desk) -> AnyView {
    let rows: Vec<_> = administration
        .tokens
        .iter()
        .map(|token| row(token, now, desk))
        .collect();
    let list = if rows.is_empty() {
        view! { <p class="panel-body field-hint">{words::NO_TOKENS}</p> }.into_any()
    } else {
        view! {
            <table class="ledger">
                <caption class="unseen">{words::TOKENS_TABLE}</caption>
                <thead>
                    <tr>
                        <th scope="col">{words::NAME}</th>
                        <th scope="col">{words::ROLES}</th>
                        <th scope="col">{words::STATE}</th>
                        <th scope="col">{words::EXPIRES}</th>
                        <th scope="col">{words::LAST_USED}</th>
                        <th scope="col"><span class="unseen">{words::ACTIONS}</span></th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        }
        .into_any()
    };
    let form = new_token(desk);
    view! { <Panel id="tokens" title=words::TOKENS>{list} {form}</Panel> }.into_any()
}

fn row(token: &TokenRow, now: Timestamp, desk: Desk) -> AnyView {
    let expired = token.expires_at <= now;
    let (tone, text) = match (token.revoked, expired, token.cut) {
        (true, _, _) => (Tone::Bad, words::REVOKED),
        (false, true, _) => (Tone::Plain, words::EXPIRED),
        (false, false, true) => (Tone::Warn, words::CUT),
        (false, false, false) => (Tone::Ok, words::ACTIVE),
    };
    let state = view! { <Tag tone=tone text=text/> };
    let last = token
        .last_used
        .map_or_else(|| words::NEVER.into_any(), moment);
    view! {
        <tr>
            <th scope="row">{token.name.clone()} <p class="under"><code>{token.id.clone()}</code></p></th>
            <td data-label=words::ROLES>{words::grants(&token.grants)}</td>
            <td data-label=words::STATE>{state}</td>
            <td data-label=words::EXPIRES>{moment(token.expires_at)}</td>
            <td data-label=words::LAST_USED>{last}</td>
            <td class="ledger-actions needs-script">
                {(!token.revoked && !expired).then(|| revoke(token, desk))}
            </td>
        </tr>
    }
    .into_any()
}

fn revoke(token: &TokenRow, desk: Desk) -> AnyView {
    let (id, name) = (token.id.clone(), token.name.clone());
    let revoke = move |_| {
        let id = id.clone();
        desk.ask(words::token_revoked(&name), async move {
            token_revoke(id).await
        });
    };
    view! {
        <button
            type="button"
            class="button button-small"
            aria-label=words::revoke_token(&token.name)
            on:click=revoke
        >
            {words::REVOKE}
        </button>
    }
    .into_any()
}

/// Days a new token may be valid for.
fn days(text: &str) -> Result<u32, &'static str> {
    text.trim()
        .parse()
        .ok()
        .filter(|days| (1..=3650).contains(days))
        .ok_or(words::DAYS_WRONG)
}

fn new_token(desk: Desk) -> AnyView {
    let name = RwSignal::new(String::new());
    let life = RwSignal::new(words::DAYS_DEFAULT.to_owned());
    let choice = Choice::empty();
    let missing = RwSignal::new(None);
    let wanted = move || -> Result<(String, Vec<Grant>, u32), &'static str> {
        let name = given(&name.get_untracked()).ok_or(words::NAME_FIRST)?;
        Ok((name, choice.grants()?, days(&life.get_untracked())?))
    };
    let create = move |event: ev::SubmitEvent| {
        event.prevent_default();
        match wanted() {
            Ok((name, grants, days)) => {
                missing.set(None);
                let call = async move { token_create(name, grants, days).await };
                desk.ask_for_secret(words::TOKEN_ONCE, words::TOKEN_ONCE_HINT, call);
            }
            Err(why) => missing.set(Some(why)),
        }
    };
    view! {
        <details class="ledger-more needs-script">
            <summary>{words::NEW_TOKEN}</summary>
            <form class="stacked-form" on:submit=create>
                <div class="field">
                    <label class="field-label" for="new-token-name">{words::NAME}</label>
                    <input
                        class="input"
                        id="new-token-name"
                        type="text"
                        autocomplete="off"
                        spellcheck="false"
                        prop:value=name
                        aria-describedby="new-token-name-rule"
                        on:input=move |event| name.set(event_target_value(&event))
                    />
                    <p class="field-hint" id="new-token-name-rule">{words::NAME_RULE}</p>
                </div>
                {fields("new-token", choice)}
                <div class="field">
                    <label class="field-label" for="new-token-days">{words::DAYS}</label>
                    <input
                        class="input"
                        id="new-token-days"
                        type="number"
                        min="1"
                        max="3650"
                        value=words::DAYS_DEFAULT
                        on:input=move |event| life.set(event_target_value(&event))
                    />
                </div>
                <p class="field-problem" role="alert">{move || missing.get()}</p>
                <button type="submit" class="button">{words::CREATE_TOKEN}</button>
            </form>
        </details>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_lives_from_a_day_to_ten_years() {
        assert_eq!(days(" 90 "), Ok(90));
        for wrong in ["0", "3651", "-1", "a month", ""] {
            assert_eq!(days(wrong), Err(words::DAYS_WRONG));
        }
    }
}

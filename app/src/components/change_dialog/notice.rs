//! A problem in words: what happened, more of it, what to do, and the request's id to ask about.

use leptos::prelude::*;
use quorate_domain::problem::Problem;

use super::checks::checks;
use crate::words::{REQUEST, actions as words, sentence};

/// `after` is said behind the title: what it means for the cluster.
#[must_use]
pub fn notice(problem: &Problem, after: Option<&'static str>) -> AnyView {
    let moved: Vec<_> = problem
        .moved
        .iter()
        .map(|moved| view! { <li>{moved.clone()}</li> })
        .collect();
    let request = (!problem.request_id.is_empty()).then(
        || view! { <p class="hint">{REQUEST} " " <code>{problem.request_id.clone()}</code></p> },
    );
    view! {
        <div class="notice tone-bad" role="alert">
            <p class="notice-title">
                <strong>{sentence(&problem.title)}</strong>
                {after.map(|after| format!(" {after}"))}
            </p>
            {problem.detail.clone().map(|detail| view! { <p>{detail}</p> })}
            {(!moved.is_empty()).then(|| view! { <ul aria-label=words::WHAT_MOVED>{moved}</ul> })}
            {(!problem.checks.is_empty()).then(|| checks(&problem.checks))}
            <p>{problem.hint.clone()}</p>
            {request}
        </div>
    }
    .into_any()
}

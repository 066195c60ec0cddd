//! How far the log is signed and copied outside, what is wrong with it, and the list as a file.
//! The form is plain HTML: the file comes from the server, and the page stays.

use leptos::prelude::*;
use quorate_domain::audit::{CopyStanding, Standing};

use super::query::Query;
use crate::words::audit as words;

#[must_use]
pub fn standing(base: &str, query: &Query, now: &Standing) -> AnyView {
    let trouble = now.trouble.clone().map(|why| {
        view! { <p class="audit-trouble" role="alert">{words::trouble(&why)}</p> }.into_any()
    });
    let copies: Vec<AnyView> = now.copies.iter().map(copy).collect();
    let copies = match now.copies.is_empty() {
        true => view! { <p class="audit-copy">{words::NO_COPIES}</p> }.into_any(),
        false => view! { <ul class="audit-copies">{copies}</ul> }.into_any(),
    };
    view! {
        {trouble}
        <div class="audit-standing">
            <div>
                <p class="audit-signed">{words::signed(now)}</p>
                {copies}
                {reports(now)}
            </div>
            {files(base, query)}
        </div>
    }
    .into_any()
}

fn copy(copy: &CopyStanding) -> AnyView {
    let class = if copy.alarm || copy.error.is_some() {
        "audit-copy audit-alarm"
    } else {
        "audit-copy"
    };
    view! { <li class=class>{words::copy(copy)}</li> }.into_any()
}

/// Reports that are made by a schedule; nothing where there are none.
fn reports(now: &Standing) -> Option<AnyView> {
    if now.reports.is_empty() && now.deliveries.is_empty() {
        return None;
    }
    let made = now.reports.iter();
    let made = made.map(|report| (report.error.is_some(), words::report(report)));
    let delivered = now.deliveries.iter();
    let delivered = delivered.map(|it| {
        let fails = it.error.is_some() || it.set_aside > 0;
        (fails, words::delivery(it))
    });
    let all: Vec<AnyView> = made
        .chain(delivered)
        .map(|(fails, words)| {
            let class = match fails {
                true => "audit-copy audit-alarm",
                false => "audit-copy",
            };
            view! { <li class=class>{words}</li> }.into_any()
        })
        .collect();
    Some(view! { <ul class="audit-copies" aria-label=words::REPORTS>{all}</ul> }.into_any())
}

/// The conditions of the list travel as hidden fields.
fn files(base: &str, query: &Query) -> AnyView {
    let hidden: Vec<AnyView> = query
        .pairs()
        .into_iter()
        .map(|(name, value)| view! { <input type="hidden" name=name value=value/> }.into_any())
        .collect();
    let buttons: Vec<AnyView> = words::FILES
        .into_iter()
        .map(|(format, label)| {
            view! { <button class="button" type="submit" name="format" value=format>{label}</button> }
                .into_any()
        })
        .collect();
    let languages: Vec<AnyView> = words::LANGUAGES
        .into_iter()
        .map(|(value, name)| view! { <option value=value>{name}</option> }.into_any())
        .collect();
    view! {
        <form class="audit-files" method="post" action=format!("{base}/audit/exports")>
            {hidden}
            {buttons}
            <details class="audit-more">
                <summary>{words::FILE_OPTIONS}</summary>
                <div class="audit-form">
                    <div class="field">
                        <label class="field-label" for="export-language">
                            {words::REPORT_LANGUAGE}
                        </label>
                        <select class="input" id="export-language" name="language">
                            {languages}
                        </select>
                    </div>
                    <div class="field">
                        <label class="field-label" for="export-size">{words::UP_TO}</label>
                        <input class="input" id="export-size" name="size" inputmode="numeric"/>
                    </div>
                </div>
                <p class="field-hint">{words::UP_TO_HINT}</p>
            </details>
        </form>
    }
    .into_any()
}

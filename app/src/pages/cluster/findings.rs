//! What was found beside the one the banner shows, the most urgent first.

use leptos::prelude::*;
use quorate_domain::health::{Finding, Severity};

use super::seen::Seen;
use crate::{
    components::{panel::Panel, tags::Tone},
    words::cluster as say,
};

#[component]
pub fn Findings(seen: Seen) -> impl IntoView {
    let findings = memo(move || {
        seen.read(|view| {
            let in_banner = view
                .findings
                .first()
                .is_some_and(|f| f.severity > Severity::Info);
            view.findings
                .iter()
                .skip(usize::from(in_banner))
                .cloned()
                .collect::<Vec<_>>()
        })
    });
    let some = memo(move || findings.with(|findings| !findings.is_empty()));
    anew(move || {
        some.get().then(|| {
            let lines = move || findings.get().into_iter().map(line).collect_view();
            view! {
                <Panel id="findings" title=say::FINDINGS>
                    <ul class="findings">{anew(lines)}</ul>
                </Panel>
            }
        })
    })
}

fn line(finding: Finding) -> AnyView {
    let tone = match finding.severity {
        Severity::Info => Tone::Plain,
        Severity::Warn => Tone::Warn,
        Severity::Bad => Tone::Bad,
    };
    view! {
        <li class=format!("finding {}", tone.class())>
            <p class="finding-text">{finding.text}</p>
            {finding.hint.map(|hint| view! { <p class="finding-hint">{hint}</p> })}
        </li>
    }
    .into_any()
}

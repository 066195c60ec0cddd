//! All findings of all clusters and of the console itself, worst first: what is wrong, since when,
//! what to do.

use leptos::prelude::*;
use quorate_domain::{
    cluster::ClusterName,
    health::{Finding, Severity},
    permission::Permission,
    view::worst_first,
};

use crate::{
    base::{cluster_path, path},
    components::{
        page_head::PageHead,
        states::{EmptyState, ErrorState},
        tags::{Tag, Tone},
    },
    live::{told_of_emergency, use_live},
    session::use_session,
    words::{self as all, actions as words},
};

#[component]
pub fn ProblemsPage() -> impl IntoView {
    let live = use_live();
    let over = told_of_emergency(false);
    let fleet = memo(move || {
        live.state
            .with(|state| worst_first(&state.fleet, &state.console))
    });
    let watched = memo(move || live.state.with(|state| state.fleet.len()));
    let sentence = move || fleet.with(|list| sentence(list, watched.get()));
    let rest = move || match (fleet.with(Vec::is_empty), watched.get()) {
        (true, 1..) => words::all_watched(watched.get()),
        _ => String::new(),
    };
    view! {
        <PageHead
            title=all::PROBLEMS
            sentence=Signal::derive(sentence)
            rest=Signal::derive(rest)
        />
        {anew(move || over.get().map(|text| view! { <p class="notice tone-warn">{text}</p> }))}
        {move || match live.problem.get() {
            Some(problem) => view! { <ErrorState problem/> }.into_any(),
            None => list(&fleet.get(), watched.get()),
        }}
    }
}

/// A finding with the cluster it is about; without one it is about the console itself.
type Problem = (Option<ClusterName>, Finding);

fn sentence(problems: &[Problem], watched: usize) -> String {
    if problems.is_empty() {
        return match watched {
            0 => words::NO_CLUSTERS.to_owned(),
            _ => words::NOTHING_WRONG.to_owned(),
        };
    }
    let mut clusters: Vec<&ClusterName> = problems
        .iter()
        .filter_map(|(cluster, _)| cluster.as_ref())
        .collect();
    clusters.sort();
    clusters.dedup();
    let console = problems.iter().any(|(cluster, _)| cluster.is_none());
    words::problems_sentence(problems.len(), clusters.len(), console)
}

fn list(problems: &[Problem], watched: usize) -> AnyView {
    if problems.is_empty() {
        let title = if watched == 0 {
            words::NO_CLUSTERS
        } else {
            words::NOTHING_WRONG
        };
        return view! {
            <EmptyState title=title hint=words::PROBLEMS_EMPTY>
                <a class="button" href=path("/")>{all::TO_FLEET}</a>
            </EmptyState>
        }
        .into_any();
    }
    let items: Vec<_> = problems.iter().map(item).collect();
    view! { <ul class="problems" aria-label=all::PROBLEMS>{items}</ul> }.into_any()
}

fn item((cluster, finding): &Problem) -> AnyView {
    let (tone, word) = (tone(finding.severity), severity(finding.severity));
    let (place, open) = match cluster {
        Some(cluster) => {
            let name = cluster.0.clone();
            let label = words::open_cluster(&name);
            let place = view! { <a href=cluster_path(&name)>{name.clone()}</a> }.into_any();
            (place, Some((cluster_path(&name), label)))
        }
        None => {
            let reads = use_session().is_some_and(|it| it.allows(Permission::ReadAudit));
            let open = reads.then(|| (path("/audit"), words::OPEN_AUDIT.to_owned()));
            (words::CONSOLE_ITSELF.into_any(), open)
        }
    };
    let open = open.map(|(to, label)| {
        view! { <a class="button" href=to aria-label=label>{words::OPEN_CLUSTER}</a> }
    });
    view! {
        <li class=format!("problem {}", tone.class())>
            <div class="problem-what">
                <p class="problem-text">
                    <Tag tone=tone text=word/>
                    " "
                    <strong>{finding.text.clone()}</strong>
                </p>
                {finding.hint.clone().map(|hint| view! { <p>{hint}</p> })}
                <p class="problem-facts">
                    {place}
                    {finding.member.as_ref().map(|member| format!(" · {member}"))}
                    " · "
                    {words::since(finding.since)}
                </p>
            </div>
            {open}
        </li>
    }
    .into_any()
}

/// How urgent a finding is, as the page colours it.
pub const fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Bad => Tone::Bad,
        Severity::Warn => Tone::Warn,
        Severity::Info => Tone::Plain,
    }
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Bad => words::SEVERITY_BAD,
        Severity::Warn => words::SEVERITY_WARN,
        Severity::Info => words::SEVERITY_INFO,
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use quorate_domain::{health::FindingCode, permission::Duty};

    use super::*;
    use crate::{
        rendered::{at, html},
        sample,
    };

    fn own() -> Finding {
        Finding {
            code: FindingCode::AuditCopyBehind,
            member: None,
            since: at(0),
            severity: Severity::Bad,
            text: "The copy to <siem> is behind.".to_owned(),
            hint: Some("It answers 503.".to_owned()),
        }
    }

    fn page(duty: Duty, problems: Vec<Problem>) -> String {
        let session = sample::session(duty);
        html(move || {
            provide_context(Some(session));
            list(&problems, 0)
        })
    }

    #[test]
    fn what_is_wrong_with_the_console_itself_leads_to_the_audit_log_whoever_may_read_it() {
        let problems = vec![(None, own())];
        let auditor = page(Duty::Auditor, problems.clone());
        for said in [
            "The copy to &lt;siem&gt; is behind.",
            "It answers 503.",
            words::CONSOLE_ITSELF,
            "href=\"/q/audit\"",
        ] {
            assert!(auditor.contains(said), "{said}: {auditor}");
        }
        let viewer = page(Duty::Viewer, problems);
        assert!(viewer.contains("is behind.") && !viewer.contains("/q/audit"));
    }

    #[test]
    fn it_stands_among_the_clusters_findings_and_counts() {
        let mut fleet = vec![sample::sound("one"), sample::sound("two")];
        let mut first = own();
        first.severity = Severity::Warn;
        first.since = at(60);
        for cluster in &mut fleet {
            cluster.findings = Vec::new();
        }
        fleet[0].findings = vec![first];
        let all = worst_first(&fleet, &[own()]);
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].0, None, "the more urgent one first");
        let told = sentence(&all, fleet.len());
        assert_eq!(told, "2 findings in 1 cluster and in the console itself.");
        let alone = sentence(&all[..1], 0);
        assert_eq!(alone, "1 finding in the console itself.");
    }
}

//! Where checkpoints of the audit log are copied to, and which reports are made of it when.

use std::path::PathBuf;

use quorate_control::{Every, Format, Keeping, Language, ReportPlan};
use quorate_domain::audit::{EntryKind, Filter};
use toml::{Table, Value};
use url::{Host, Url};

use super::{Listen, Section};

mod own;
mod places;
pub mod retention;

pub use places::{Certificates, Place, To, Wanted};

/// The places outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    pub files: Vec<PathBuf>,
    pub webhooks: Vec<Url>,
    /// File with the bearer token that every one of these webhooks is sent.
    pub token_file: Option<PathBuf>,
    /// Each with all that it needs.
    pub places: Vec<Place>,
}

pub fn read(table: &Table, problems: &mut Vec<String>) -> Copies {
    let audit = Section::of(table, "audit");
    let texts = |key: &str| {
        let list = audit
            .0
            .and_then(|table| table.get(key))
            .and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
    };
    let webhooks: Vec<String> = texts("copy_webhooks").collect();
    Copies {
        files: texts("copy_files").map(PathBuf::from).collect(),
        webhooks: webhooks
            .iter()
            .filter_map(|text| webhook(text, problems))
            .collect(),
        token_file: audit.text("copy_token_file").map(PathBuf::from),
        places: places::read(audit, problems),
    }
}

/// A copy sent to the console itself would be kept nowhere.
pub fn check_targets(
    copies: &Copies,
    external: Option<&Url>,
    listen: Option<&Listen>,
    problems: &mut Vec<String>,
) {
    let own = |url: &Url| {
        let listened = match listen {
            Some(Listen::Tcp(address)) => own::leads_back(url, *address),
            _ => false,
        };
        listened || external.is_some_and(|external| external.origin() == url.origin())
    };
    let legacy = copies.webhooks.iter().map(|url| ("copy_webhooks", url));
    let places = copies.places.iter();
    let places = places.filter_map(|place| Some((place.name.as_str(), place.to.url()?)));
    for (name, _) in legacy.chain(places).filter(|(_, url)| own(url)) {
        problems.push(format!(
            "audit.copies: {name}: this is the console's own address; name another place"
        ));
    }
}

/// Reports by schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reports {
    pub plans: Vec<ReportPlan>,
    pub keeping: Keeping,
}

pub fn reports(table: &Table, copies: &Copies, problems: &mut Vec<String>) -> Reports {
    let audit = Section::of(table, "audit");
    let number = |key: &str| {
        let value = audit.0.and_then(|table| table.get(key)?.as_integer());
        value.and_then(|value| u64::try_from(value).ok())
    };
    let list = audit.0.and_then(|table| table.get("reports")?.as_array());
    let tables = list.into_iter().flatten().filter_map(Value::as_table);
    let mut plans: Vec<ReportPlan> = Vec::new();
    for report in tables {
        match plan(Section(Some(report)), copies) {
            Ok(plan) if plans.iter().any(|it| it.name == plan.name) => {
                problems.push(format!("audit.reports: \"{}\" is there twice", plan.name));
            }
            Ok(plan) => plans.push(plan),
            Err(problem) => problems.push(format!("audit.reports: {problem}")),
        }
    }
    let usual = Keeping::default();
    Reports {
        plans,
        keeping: Keeping {
            days: number("reports_keep_days").unwrap_or(usual.days),
            bytes: number("reports_keep_mb").map_or(usual.bytes, |megabytes| {
                megabytes.saturating_mul(1024 * 1024)
            }),
        },
    }
}

/// One block; what is wrong with it in words.
fn plan(report: Section<'_>, copies: &Copies) -> Result<ReportPlan, String> {
    let name = report.text("name").unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if name.is_empty() || name.len() > 60 || !name.chars().all(is_plain) {
        return Err("name: expected letters, digits, - and _, like \"monthly\"".to_owned());
    }
    let wrong = |key: &str, expected: &str| format!("{name}: {key}: expected {expected}");
    let every = report.text("every").and_then(Every::parse);
    let folder = report.text("folder").filter(|folder| !folder.is_empty());
    let deliver_to = report.texts("deliver_to");
    let takes = |name: &&String| {
        let place = copies.places.iter().find(|place| place.name == **name);
        !place.is_some_and(|place| place.what == Wanted::Reports)
    };
    if let Some(other) = deliver_to.iter().find(takes) {
        return Err(format!(
            "{name}: deliver_to: \"{other}\" names no [[audit.copies]] with what = \"reports\""
        ));
    }
    if folder.is_none() && deliver_to.is_empty() {
        return Err(wrong(
            "folder",
            "a folder like \"/mnt/reports\", or names in deliver_to",
        ));
    }
    let kind = |text: &String| EntryKind::parse(text);
    let kinds: Option<Vec<EntryKind>> = report.texts("kinds").iter().map(kind).collect();
    Ok(ReportPlan {
        name: name.to_owned(),
        every: every.ok_or_else(|| wrong("every", "\"day\", \"week\" or \"month\""))?,
        minute: minute(report.text("at").unwrap_or("00:00"))
            .ok_or_else(|| wrong("at", "a time like \"06:00\""))?,
        format: Format::parse(report.text("format").unwrap_or("pdf"))
            .ok_or_else(|| wrong("format", "pdf, bundle, csv, jsonl or ocsf"))?,
        language: Language::parse(report.text("language").unwrap_or("en"))
            .ok_or_else(|| wrong("language", "\"en\" or \"zh\""))?,
        filter: Filter {
            cluster: report.text("cluster").map(str::to_owned),
            actor: report.text("actor").map(str::to_owned),
            kinds: kinds
                .ok_or_else(|| wrong("kinds", "intent, outcome, refusal, access or console"))?,
            ..Filter::default()
        },
        folder: folder.map(PathBuf::from),
        deliver_to,
    })
}

/// Minutes after midnight, of `06:00`.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':').filter(|_| text.len() == 5)?;
    let hour: u16 = hour.parse().ok().filter(|hour| *hour < 24)?;
    let minute: u16 = minute.parse().ok().filter(|minute| *minute < 60)?;
    Some(hour * 60 + minute)
}

/// Only over TLS, or on this machine: who can change a copy on its way makes it worthless.
fn address(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| {
        (url.scheme() == "https" || (url.scheme() == "http" && is_here(url)))
            && url.username().is_empty()
            && url.password().is_none()
    })
}

/// On this machine by its name or number, whatever else the machine is called.
fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn webhook(text: &str, problems: &mut Vec<String>) -> Option<Url> {
    let url = address(text);
    if url.is_none() {
        problems.push(
            "audit.copy_webhooks: expected addresses like \"https://keeper.example/quorate\", \
             without a password"
                .to_owned(),
        );
    }
    url
}

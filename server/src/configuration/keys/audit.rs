//! The keys of `[audit]` and of its reports.

use super::{Holds, Key, key, later};

pub const AUDIT: &[Key] = &[
    key(
        "copy_files",
        Holds::Texts,
        Some("[]"),
        "",
        "Files to which checkpoints are appended: on another disk, or a share of another machine.",
    ),
    key(
        "copy_webhooks",
        Holds::Texts,
        Some("[]"),
        "",
        "Addresses to which each checkpoint is sent by POST: https, or this machine.",
    ),
    key(
        "copy_token_file",
        Holds::Text,
        None,
        "\"/run/secrets/quorate-copies\"",
        "File with the bearer token that the webhooks are sent.",
    ),
    key(
        "reports_keep_days",
        Holds::Number,
        Some("400"),
        "",
        "How long reports by schedule are kept in their folders; the newest always is.",
    ),
    key(
        "reports_keep_mb",
        Holds::Number,
        Some("2048"),
        "",
        "How much all files of one report may take, in megabytes; the oldest go first.",
    ),
    key(
        "reports",
        Holds::Tables(REPORT),
        None,
        "",
        "A report of the audit log that the console makes by itself; one block each.",
    ),
    later("copy_syslog"),
    later("copy_objects"),
    later("retention"),
];

const REPORT: &[Key] = &[
    key(
        "name",
        Holds::Text,
        None,
        "\"monthly\"",
        "Begins the names of its files: letters, digits, - and _.",
    ),
    key(
        "every",
        Holds::Text,
        None,
        "\"month\"",
        "day, week (on Mondays) or month (on the first); it covers the time since the one before.",
    ),
    key(
        "at",
        Holds::Text,
        None,
        "\"06:00\"",
        "The time of the day, UTC. Default: midnight.",
    ),
    key(
        "folder",
        Holds::Text,
        None,
        "\"/mnt/reports\"",
        "The folder it is delivered to, with its signed digests; a pdf with its bundle.",
    ),
    key(
        "format",
        Holds::Text,
        None,
        "\"pdf\"",
        "pdf, bundle, csv, jsonl or ocsf. Default: pdf.",
    ),
    key(
        "language",
        Holds::Text,
        None,
        "\"en\"",
        "Of a pdf: en or zh. Default: en.",
    ),
    key(
        "cluster",
        Holds::Text,
        None,
        "\"vault-eu\"",
        "Only entries about this cluster.",
    ),
    key(
        "actor",
        Holds::Text,
        None,
        "\"anna\"",
        "Only entries of this person or token.",
    ),
    key(
        "kinds",
        Holds::Texts,
        Some("[]"),
        "",
        "Only these: intent, outcome, refusal, access, console; empty: all.",
    ),
];

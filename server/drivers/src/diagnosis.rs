//! Lines of `quorate check` that are the same whatever the backend. What a line means for one of
//! them stands with that backend.

use quorate_domain::observation::{Note, Observation};

use crate::Diagnosis;

pub(crate) fn fine(code: &str, text: impl Into<String>) -> Diagnosis {
    Diagnosis {
        ok: true,
        code: code.to_owned(),
        text: text.into(),
        hint: None,
    }
}

pub(crate) fn problem(code: &str, text: String, hint: &str) -> Diagnosis {
    Diagnosis {
        ok: false,
        code: code.to_owned(),
        text,
        hint: Some(hint.to_owned()),
    }
}

/// Lines for what a look found out beside the members: what any backend may tell, and what
/// `particular` makes of the rest.
pub(crate) fn notes(
    seen: &Observation,
    particular: impl Fn(&Note) -> Option<Diagnosis>,
) -> Vec<Diagnosis> {
    let line = |note: &Note| match note {
        Note::TwoClusters { addresses } => Some(problem(
            "two-clusters",
            format!(
                "The addresses lead to different clusters: {}.",
                addresses.join(", ")
            ),
            "Name only members of one cluster as seeds.",
        )),
        Note::RemovedStillRunning { member, address } => Some(problem(
            "removed-still-running",
            format!("{member} at {address} is no member any more and still runs."),
            "Stop it and delete its data.",
        )),
        other => particular(other),
    };
    seen.notes.iter().filter_map(line).collect()
}

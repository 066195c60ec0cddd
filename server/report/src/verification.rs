//! The last page: what was signed, the bundle that is the record, and the commands that check it.

use quorate_audit::manifest::hex;
use quorate_domain::audit::Filter;

use crate::{
    About, Gathering,
    flow::{Flow, Piece},
    words::number,
};

pub fn write(flow: &mut Flow, gathering: &Gathering, about: &About<'_>) {
    let words = flow.words;
    let checkpoint = about.checkpoint();
    flow.turn();
    flow.heading(words.verification(), 100.0);
    flow.paragraph(&Piece::new(words.the_record_here()).sized(9.0).muted());
    flow.space(8.0);
    let value = |text: String| Piece::new(text).sized(8.5);
    let code = |text: String| Piece::new(text).sized(8.5).mono();
    let signers = about.signed.note.named();
    flow.facts(&[
        (words.log(), vec![value(checkpoint.origin.clone())]),
        (words.tree_size(), vec![value(number(checkpoint.size))]),
        (words.root(), vec![code(checkpoint.root.to_string())]),
        (
            words.signed_by(),
            signers.map(|it| code(it.to_string())).collect(),
        ),
        (
            words.public_keys(),
            about.keys.iter().map(|key| code(key.to_string())).collect(),
        ),
    ]);
    flow.subheading(words.checkpoint());
    flow.verbatim(about.note.trim_end());
    bundle(flow, about);
    commands(flow, about);
    flow.subheading(words.proves());
    let proved = match gathering.left_out {
        0 => words.proves_whole(),
        _ => words.proves_part(),
    };
    for text in [proved, words.proves_not()] {
        flow.paragraph(&Piece::new(text).sized(8.8));
        flow.space(3.0);
    }
}

fn bundle(flow: &mut Flow, about: &About<'_>) {
    let words = flow.words;
    flow.subheading(words.bundle());
    let bundle = about.bundle;
    let row = |name: &str, bytes: u64, digest: &[u8; 32], whole: bool| {
        let mut name = Piece::new(name);
        if whole {
            name = name.bold();
        }
        vec![
            vec![name],
            vec![Piece::new(number(bytes))],
            vec![Piece::new(hex(digest)).sized(7.6).mono()],
        ]
    };
    let mut rows = vec![row(&bundle.name, bundle.bytes, &bundle.sha256, true)];
    for file in &bundle.files {
        rows.push(row(&file.name, file.bytes, &file.sha256, false));
    }
    let columns = [
        (words.file(), 0.31),
        (words.bytes(), 0.12),
        (words.digest(), 0.57),
    ];
    flow.table(&columns, rows.into_iter());
}

fn commands(flow: &mut Flow, about: &About<'_>) {
    let words = flow.words;
    let size = about.checkpoint().size;
    let name = &about.bundle.name;
    flow.subheading(words.commands());
    flow.paragraph(&Piece::new(words.commands_about()).sized(8.8));
    flow.space(4.0);
    flow.verbatim(&format!(
        "sha256sum {name}\nquorate audit verify {name} --key keys.txt"
    ));
    flow.paragraph(&Piece::new(words.digest_equals()).sized(8.8));
    flow.space(6.0);
    flow.paragraph(&Piece::new(words.again()).sized(8.8));
    flow.space(4.0);
    let options = options(about.filter);
    flow.verbatim(&format!(
        "quorate audit export --data DIR --size {size}{options} --out {name}"
    ));
    // REST takes one kind at a time.
    if about.filter.kinds.len() < 2 {
        let mut fields = vec![
            "\"format\":\"bundle\"".to_owned(),
            format!("\"size\":{size}"),
        ];
        fields.extend(conditions(about.filter));
        flow.paragraph(&Piece::new(words.again_by_rest()).sized(8.8));
        flow.space(4.0);
        flow.verbatim(&format!("{{{}}}", fields.join(",")));
    }
}

/// The conditions as options of the command line.
fn options(filter: &Filter) -> String {
    let mut options = String::new();
    let mut add = |name: &str, value: &str| {
        let quoted = value.replace('\'', "'\\''");
        options.push_str(&format!(" --{name} '{quoted}'"));
    };
    for (name, time) in [("from", filter.from), ("to", filter.to)] {
        if let Some(time) = time {
            add(name, &time.to_string());
        }
    }
    for (name, value) in [
        ("cluster", &filter.cluster),
        ("actor", &filter.actor),
        ("change", &filter.change),
    ] {
        if let Some(value) = value {
            add(name, value);
        }
    }
    for kind in &filter.kinds {
        add("kind", kind.as_str());
    }
    if let Some(outcome) = filter.outcome {
        add("outcome", crate::ocsf::word(&outcome).as_str());
    }
    options
}

/// The conditions as REST takes them.
fn conditions(filter: &Filter) -> Vec<String> {
    let mut fields = Vec::new();
    let mut add = |name: &str, value: serde_json::Value| fields.push(format!("\"{name}\":{value}"));
    for (name, time) in [("from", filter.from), ("to", filter.to)] {
        if let Some(time) = time {
            add(name, time.to_string().into());
        }
    }
    for (name, value) in [
        ("cluster", &filter.cluster),
        ("actor", &filter.actor),
        ("change", &filter.change),
    ] {
        if let Some(value) = value {
            add(name, value.as_str().into());
        }
    }
    if let [kind] = filter.kinds.as_slice() {
        add("kind", kind.as_str().into());
    }
    if let Some(outcome) = filter.outcome {
        add("outcome", crate::ocsf::word(&outcome).into());
    }
    fields
}

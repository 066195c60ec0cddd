//! What README.md and docs/ tell people to type, to write and to follow is there.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use clap::{Parser as _, error::ErrorKind};
use quorate::{cli::Cli, configuration::Configuration};

/// Where the examples stand in a configuration that has what they speak of.
const CLUSTER: &str =
    "[[clusters]]\nname = \"vault-eu\"\nkind = \"simulated\"\ntags = [\"prod\"]\n";

struct Document {
    name: String,
    dir: PathBuf,
    text: String,
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All files below `dir` of which the name ends so; what is built or fetched is left out. Other
/// tests may make and remove files meanwhile: what is gone again is no file.
fn files(dir: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" && name != "node_modules" {
                files(&path, endings, found);
            }
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
}

fn documents() -> Vec<Document> {
    let mut found = Vec::new();
    for dir in ["docs", "agents"] {
        files(&repository().join(dir), &[".md"], &mut found);
    }
    for name in ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        found.push(repository().join(name));
    }
    let document = |path: &PathBuf| Document {
        name: path
            .strip_prefix(repository())
            .unwrap()
            .display()
            .to_string(),
        dir: path.parent().unwrap().to_owned(),
        text: fs::read_to_string(path).unwrap(),
    };
    found.iter().map(document).collect()
}

impl Document {
    /// The fenced blocks: their language, and what is in them.
    fn blocks(&self) -> Vec<(&str, String)> {
        let mut blocks = Vec::new();
        let mut open: Option<(&str, String)> = None;
        for line in self.text.lines() {
            match (&mut open, line.strip_prefix("```")) {
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (Some((_, text)), None) => {
                    text.push_str(line);
                    text.push('\n');
                }
                (None, Some(language)) => open = Some((language, String::new())),
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a block is not closed", self.name);
        blocks
    }

    /// What stands between single backticks, outside of blocks.
    fn words(&self) -> Vec<String> {
        let mut prose = String::new();
        let mut inside = false;
        for line in self.text.lines() {
            if line.starts_with("```") {
                inside = !inside;
            } else if !inside {
                prose.push_str(line.trim());
                prose.push(' ');
            }
        }
        let words = prose.split('`').skip(1).step_by(2);
        words.map(str::to_owned).collect()
    }
}

/// As a shell takes a line apart, as far as the documents need it.
fn arguments(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for letter in line.chars() {
        match letter {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '#' if !quoted && word.is_none() => break,
            letter if letter.is_whitespace() && !quoted => found.extend(word.take()),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    found.extend(word);
    found
}

#[test]
fn every_configuration_that_is_shown_is_one() {
    let mut shown: Vec<(String, String)> = Vec::new();
    for document in documents() {
        let blocks = document.blocks().into_iter();
        // Programs that embed an agent have TOML of their own.
        let here = !document.name.starts_with("agents");
        let blocks = blocks.filter(|(language, text)| {
            *language == "toml" && (here || text.contains("[[clusters]]"))
        });
        shown.extend(blocks.map(|(_, text)| (document.name.clone(), text)));
    }
    let mut recipes = Vec::new();
    files(&repository().join("docs"), &[".toml"], &mut recipes);
    for path in recipes {
        shown.push((
            path.display().to_string(),
            fs::read_to_string(path).unwrap(),
        ));
    }
    assert!(shown.len() > 15, "{} configurations", shown.len());
    for (name, text) in shown {
        let whole = if text.contains("[[clusters]]") {
            text.clone()
        } else {
            format!("{text}\n{CLUSTER}")
        };
        if let Err(error) = Configuration::parse(&whole, []) {
            panic!("{name}: {error}\n{text}");
        }
    }
}

#[test]
fn every_command_that_is_shown_can_be_given() {
    let mut lines = 0;
    for document in documents() {
        for (_, block) in document.blocks() {
            for line in block.lines().filter(|line| line.starts_with("quorate ")) {
                lines += 1;
                if let Err(error) = Cli::try_parse_from(arguments(line)) {
                    panic!("{}: {line}\n{error}", document.name);
                }
            }
        }
        for word in document.words() {
            // What a passkey signs begins with these words.
            if !word.starts_with("quorate ") || word.starts_with("quorate passkey challenge") {
                continue;
            }
            lines += 1;
            // In a sentence a command may be named without all that it takes.
            match Cli::try_parse_from(arguments(&word)).map_err(|error| error.kind()) {
                Ok(_)
                | Err(
                    ErrorKind::MissingRequiredArgument
                    | ErrorKind::MissingSubcommand
                    | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
                ) => {}
                Err(kind) => panic!("{}: {word}: {kind}", document.name),
            }
        }
    }
    assert!(lines > 40, "{lines} commands");
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let mut links = 0;
    for document in documents() {
        for rest in document.text.split("](").skip(1) {
            let target = rest.split(')').next().unwrap();
            if target.starts_with("http") {
                continue;
            }
            links += 1;
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let place = if path.is_empty() {
                repository().join(&document.name)
            } else {
                document.dir.join(path)
            };
            assert!(place.exists(), "{}: {target}", document.name);
            if !anchor.is_empty() {
                let text = fs::read_to_string(&place).unwrap();
                let found = text
                    .lines()
                    .filter(|line| line.starts_with('#'))
                    .any(|line| heading(line) == anchor);
                assert!(found, "{}: no heading for {target}", document.name);
            }
        }
    }
    assert!(links > 20, "{links} links");
}

/// The name by which a heading is linked to.
fn heading(line: &str) -> String {
    let text = line.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

#[test]
fn every_call_of_rest_that_is_named_is_routed() {
    let routes = quorate::rest::listed();
    let mut calls = 0;
    for document in documents() {
        for word in document.words() {
            let mut parts = word.split_whitespace();
            let (method, path) = match (parts.next(), parts.next()) {
                (Some(method @ ("GET" | "POST")), Some(path)) => (Some(method), path),
                (Some(path), None) if path.starts_with("/api/v1/") => (None, path),
                _ => continue,
            };
            let of_rest = path.strip_prefix("/api/v1").or_else(|| {
                let here = path.starts_with("/changes") || path.starts_with("/clusters");
                here.then_some(path)
            });
            // `/api/v1/` alone is where all of it is; agents have calls of their own.
            let Some(path) = of_rest.filter(|path| path.len() > 1) else {
                continue;
            };
            if document.name.starts_with("agents") {
                continue;
            }
            calls += 1;
            let routed = routes.iter().any(|(verb, route)| {
                method.is_none_or(|method| method == *verb) && is_of(path, route)
            });
            assert!(routed, "{}: {word}", document.name);
        }
    }
    assert!(calls > 4, "{calls} calls");
}

/// Whether `path` is one of `route`, with whatever stands for its parameters.
fn is_of(path: &str, route: &str) -> bool {
    let (path, route): (Vec<_>, Vec<_>) = (path.split('/').collect(), route.split('/').collect());
    path.len() == route.len()
        && path
            .iter()
            .zip(route)
            .all(|(piece, named)| *piece == named || named.starts_with('{'))
}

#[test]
fn every_file_and_every_test_that_is_named_is_there() {
    let mut sources = Vec::new();
    for dir in ["app", "server", "agents", "end2end", "xtask", "fuzz"] {
        files(
            &repository().join(dir),
            &[".rs", ".go", ".ts"],
            &mut sources,
        );
    }
    let mut functions = BTreeSet::new();
    let mut all = String::new();
    for path in sources {
        let text = fs::read_to_string(path).unwrap_or_default();
        for line in text.lines().map(str::trim_start) {
            for begins in ["fn ", "async fn ", "pub fn ", "pub async fn ", "func "] {
                if let Some(rest) = line.strip_prefix(begins) {
                    let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
                    functions.insert(rest[..end.unwrap_or(rest.len())].to_owned());
                }
            }
        }
        all.push_str(&text);
    }
    let mut tests = 0;
    let mut missing = Vec::new();
    for document in documents() {
        for word in document.words() {
            if is_path(&word) && !repository().join(&word).exists() {
                missing.push(format!("{}: {word}", document.name));
            }
            if is_name_of_a_test(&word) {
                tests += 1;
                // Else a test that a macro makes, a kind of entry or a figure's name.
                if !is_there(&word, &functions) && !all.contains(word.trim_matches('…')) {
                    missing.push(format!("{}: {word}", document.name));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(tests > 100, "{tests} names of tests");
}

/// A file of the repository's own; what is fetched need not be there yet.
fn is_path(word: &str) -> bool {
    let first = word.split('/').next().unwrap_or_default();
    word.contains('/')
        && !word.contains("node_modules")
        && ["app", "server", "agents", "end2end", "xtask", "docs"].contains(&first)
        && word
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "/._-".contains(letter))
}

/// A sentence in one word; `…` stands for the rest of one.
fn is_name_of_a_test(word: &str) -> bool {
    let letters = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '…';
    word.chars().all(letters)
        && (word.matches('_').count() > 2 || word.starts_with("TestA") || word.contains("_…"))
        && word.chars().any(|letter| letter.is_ascii_lowercase())
}

/// Whether one of `functions` begins as `word` does before its first `…`, and ends as after its last.
fn is_there(word: &str, functions: &BTreeSet<String>) -> bool {
    let begins = word.split('…').next().unwrap_or_default();
    let ends = word.rsplit('…').next().unwrap_or_default();
    let whole = begins == word;
    functions
        .iter()
        .any(|name| (!whole && name.starts_with(begins) && name.ends_with(ends)) || name == word)
}

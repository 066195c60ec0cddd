//! `--print-config`: every key with its default and what it is for, as a file that can be used.

use super::keys::{Holds, Key, ROOT};

/// The whole annotated configuration.
#[must_use]
pub fn printed() -> String {
    let mut out = String::from(
        "# The configuration of `quorate serve`. Every key can be given as an environment\n\
         # variable instead: QUORATE_SERVER__LISTEN, QUORATE_CLUSTERS__0__NAME.\n\
         # A key behind `#` has no default; its value is an example.\n\n",
    );
    let (tables, plain): (Vec<_>, Vec<_>) = ROOT
        .iter()
        .filter(|key| key.holds != Holds::Later)
        .partition(|key| is_table(key));
    for key in plain {
        line(&mut out, key, "");
    }
    for key in tables {
        match key.holds {
            Holds::Table(keys) => table(&mut out, key, keys),
            Holds::Tables(keys) => clusters(&mut out, key, keys),
            _ => {}
        }
    }
    out
}

fn is_table(key: &Key) -> bool {
    matches!(key.holds, Holds::Table(_) | Holds::Tables(_))
}

fn table(out: &mut String, key: &Key, keys: &[Key]) {
    let name = key.name;
    out.push_str(&format!("\n# {}\n[{name}]\n", key.about));
    let (tables, plain): (Vec<_>, Vec<_>) = keys
        .iter()
        .filter(|key| key.holds != Holds::Later)
        .partition(|key| is_table(key));
    // A table's own keys end where the first table inside it begins.
    for key in plain {
        line(out, key, "");
    }
    for key in tables {
        match key.holds {
            Holds::Table(keys) => inner(out, name, key, keys),
            Holds::Tables(keys) => blocks(out, name, key, keys),
            _ => {}
        }
    }
}

/// A table inside a table, behind `#`: it is not there by default.
fn inner(out: &mut String, table: &str, key: &Key, keys: &[Key]) {
    out.push_str(&format!("\n# {}\n#[{table}.{}]\n", key.about, key.name));
    for key in keys {
        line(out, key, "#");
    }
}

/// Blocks inside a table, all behind `#`.
fn blocks(out: &mut String, table: &str, key: &Key, keys: &[Key]) {
    out.push_str(&format!("\n# {}\n#[[{table}.{}]]\n", key.about, key.name));
    for key in keys {
        line(out, key, "#");
    }
}

/// No cluster is watched and nothing has to be approved by default, so the whole block stands
/// behind `#`.
fn clusters(out: &mut String, key: &Key, keys: &[Key]) {
    out.push_str(&format!("\n# {}\n#[[{}]]\n", key.about, key.name));
    let (tables, plain): (Vec<_>, Vec<_>) = keys
        .iter()
        .filter(|key| key.holds != Holds::Later)
        .partition(|key| is_table(key));
    for key in plain {
        line(out, key, "#");
    }
    for key in tables {
        if let Holds::Table(keys) = key.holds {
            out.push_str(&format!("\n# {}\n#[clusters.{}]\n", key.about, key.name));
            for key in keys {
                line(out, key, "#");
            }
        }
    }
}

fn line(out: &mut String, key: &Key, before: &str) {
    let entry = match key.default {
        Some(default) => format!("{before}{} = {default}", key.name),
        None => format!("#{} = {}", key.name, key.example),
    };
    out.push_str(&format!("# {}\n{entry}\n", key.about));
}

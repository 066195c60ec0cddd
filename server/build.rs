//! Writes the table of the site's files that are put into the program. Without a site (`cargo
//! check` on a fresh checkout) the table is empty.

use std::{
    env,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed=QUORATE_SITE");
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let site =
        env::var_os("QUORATE_SITE").map_or_else(|| manifest.join("../target/site"), PathBuf::from);
    // Without `site.json` the site is missing or half built; its folder is watched only where it
    // is whole, because cargo takes a missing path for a changed one.
    let named = site.join("site.json");
    if named.is_file() {
        println!("cargo::rerun-if-changed={}", named.display());
    } else {
        println!("cargo::rerun-if-changed=build.rs");
    }
    let out = PathBuf::from(variable("OUT_DIR")?).join("site.rs");
    let table = if named.is_file() {
        table(&site)?
    } else {
        empty()
    };
    if fs::read_to_string(&out).ok().as_deref() == Some(&table) {
        return Ok(());
    }
    fs::write(out, table)
}

fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(|error| io::Error::other(format!("{name}: {error}")))
}

fn empty() -> String {
    "pub const MANIFEST: &str = \"{}\";\npub const FILES: &[File] = &[];\n".to_owned()
}

fn table(site: &Path) -> io::Result<String> {
    let mut names: Vec<String> = fs::read_dir(site)?
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    let site = site.canonicalize()?;
    let include = |name: &str| {
        format!(
            "include_bytes!({:?})",
            site.join(name).display().to_string()
        )
    };
    let mut out = format!(
        "pub const MANIFEST: &str = include_str!({:?});\npub const FILES: &[File] = &[\n",
        site.join("site.json").display().to_string()
    );
    for name in &names {
        if name == "site.json" || name.ends_with(".br") || name.ends_with(".gz") {
            continue;
        }
        let twin = |extension: &str| {
            let twin = format!("{name}.{extension}");
            let there = names.contains(&twin);
            if there {
                format!("Some({})", include(&twin))
            } else {
                "None".to_owned()
            }
        };
        let _ = writeln!(
            out,
            "    File {{ name: {name:?}, plain: {}, brotli: {}, gzip: {} }},",
            include(name),
            twin("br"),
            twin("gz"),
        );
    }
    out.push_str("];\n");
    Ok(out)
}

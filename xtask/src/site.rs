//! The folder of all that a browser downloads: hashed names, compressed twins, a manifest.
//!
//! `site.json` names the files a page starts with: `{"js":…,"parts":…,"wasm":…,"css":…}`. Names with
//! a hash never change their content, so they may be cached for ever.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest as _, Sha256};

use crate::{
    bundle::{self, Finish},
    node, step, style,
    workspace::Workspace,
};

/// What makes a site out of its inputs: changing any of it rebuilds every site.
const MAKERS: [&str; 6] = [
    include_str!("site.rs"),
    include_str!("bundle.rs"),
    include_str!("glue.rs"),
    include_str!("style.rs"),
    include_str!("node.rs"),
    include_str!("../Cargo.toml"),
];

/// Builds `target/site` unless it already holds exactly this.
///
/// # Errors
/// If the browser's program does not build or the folder cannot be written.
pub fn build(workspace: &Workspace, finish: Finish) -> anyhow::Result<PathBuf> {
    let compiled = bundle::compile(workspace, finish)?;
    let wasm_opt = match finish {
        Finish::Release => node::wasm_opt(workspace),
        Finish::Development => None,
    };
    let sheet = style::join(&workspace.path("style"))?;
    let icons = icons(&workspace.path("public"))?;
    let site = workspace.site();
    let mark = workspace.target().join("site.built-from");
    let inputs = fingerprint(
        &fs::read(&compiled)?,
        &sheet,
        &icons,
        finish,
        wasm_opt.is_some(),
    );
    if site.join("site.json").is_file()
        && fs::read_to_string(&mark).is_ok_and(|built| built == inputs)
    {
        step::say("the site is up to date");
        return Ok(site);
    }
    // Written last: a build cut short is seen as stale.
    remove_file_if_there(&mark)?;
    if site.exists() {
        fs::remove_dir_all(&site)?;
    }
    fs::create_dir_all(&site)?;
    let bundle = bundle::bind(workspace, &compiled, finish, wasm_opt.as_deref())?;
    step::say("writing and compressing the site");
    let writer = Writer {
        folder: &site,
        finish,
    };
    let named = hashed_together(bundle.files);
    for (name, content) in named.values() {
        writer.write(name, content)?;
    }
    let name_of = |plain: &str| named.get(plain).map(|(name, _)| name.as_str());
    let css = writer.hashed("style", "css", sheet.as_bytes())?;
    for (name, content) in &icons {
        writer.write(name, content)?;
    }
    let manifest = serde_json::json!({
        "js": name_of(bundle::SCRIPT),
        "wasm": name_of(bundle::WASM),
        "parts": name_of(bundle::PARTS),
        "css": css,
    });
    fs::write(site.join("site.json"), format!("{manifest:#}\n"))?;
    fs::write(mark, inputs)?;
    Ok(site)
}

/// Gives files that name each other new names, and puts those into the scripts. One hash over all
/// of them: each is loaded beside the others of its own build or not at all.
fn hashed_together(files: Vec<(String, Vec<u8>)>) -> BTreeMap<String, (String, Vec<u8>)> {
    let mut hash = Sha256::new();
    for (name, content) in &files {
        hash.update(name);
        hash.update(Sha256::digest(content));
    }
    let hash = hex(&hash.finalize());
    let hashed = |name: &str| match name.rsplit_once('.') {
        Some((stem, extension)) => format!(
            "{}-{}.{extension}",
            stem.trim_end_matches("_bg"),
            &hash[..8]
        ),
        None => name.to_owned(),
    };
    let names: Vec<String> = files.iter().map(|(name, _)| name.clone()).collect();
    files
        .into_iter()
        .map(|(name, content)| {
            let content = if name.ends_with(".js") {
                let mut script = String::from_utf8_lossy(&content).into_owned();
                // Only where a file is loaded: the program itself goes on using the old names.
                for other in &names {
                    for loads in ["from ", "new URL("] {
                        for (quote, before) in [('"', "./"), ('\'', "")] {
                            let old = format!("{loads}{quote}{before}{other}{quote}");
                            let new = format!("{loads}{quote}./{}{quote}", hashed(other));
                            script = script.replace(&old, &new);
                        }
                    }
                }
                script.into_bytes()
            } else {
                content
            };
            let new = hashed(&name);
            (name, (new, content))
        })
        .collect()
}

/// Bytes as a browser that takes brotli downloads them for a cluster's page: scripts, program and
/// style. Parts of the program that come later are not counted.
///
/// # Errors
/// If there is no site.
pub fn compressed_size(site: &Path) -> anyhow::Result<Vec<(String, u64)>> {
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(site.join("site.json"))?)?;
    ["js", "parts", "wasm", "css"]
        .into_iter()
        .map(|key| {
            let name = manifest[key]
                .as_str()
                .context("site.json names no such file")?;
            let compressed = site.join(format!("{name}.br"));
            let path = if compressed.is_file() {
                compressed
            } else {
                site.join(name)
            };
            Ok((name.to_owned(), fs::metadata(path)?.len()))
        })
        .collect()
}

struct Writer<'a> {
    folder: &'a Path,
    finish: Finish,
}

impl Writer<'_> {
    /// Writes under a name with the content's hash in it, and returns that name.
    fn hashed(&self, stem: &str, extension: &str, content: &[u8]) -> anyhow::Result<String> {
        let hash = hex(&Sha256::digest(content));
        let name = format!("{stem}-{}.{extension}", &hash[..8]);
        self.write(&name, content)?;
        Ok(name)
    }

    /// Writes the file and, where that makes it smaller, its compressed twins.
    fn write(&self, name: &str, content: &[u8]) -> anyhow::Result<()> {
        fs::write(self.folder.join(name), content)?;
        if self.finish == Finish::Development {
            return Ok(());
        }
        for (extension, compressed) in [("br", brotli(content)?), ("gz", gzip(content)?)] {
            if compressed.len() < content.len() {
                fs::write(self.folder.join(format!("{name}.{extension}")), compressed)?;
            }
        }
        Ok(())
    }
}

fn brotli(mut content: &[u8]) -> anyhow::Result<Vec<u8>> {
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: 11,
        lgwin: 22,
        ..Default::default()
    };
    let mut out = Vec::new();
    brotli::BrotliCompress(&mut content, &mut out, &parameters)?;
    Ok(out)
}

fn gzip(content: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    Ok(encoder.finish()?)
}

/// Files of `public/`, by name; folders in it are not looked into.
fn icons(folder: &Path) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut icons = Vec::new();
    if folder.is_dir() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                icons.push((
                    entry.file_name().to_string_lossy().into_owned(),
                    fs::read(entry.path())?,
                ));
            }
        }
    }
    icons.sort();
    Ok(icons)
}

fn fingerprint(
    wasm: &[u8],
    sheet: &str,
    icons: &[(String, Vec<u8>)],
    finish: Finish,
    shrunk: bool,
) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{finish:?} {shrunk}\n"));
    for maker in MAKERS {
        hash.update(Sha256::digest(maker));
    }
    hash.update(Sha256::digest(wasm));
    hash.update(Sha256::digest(sheet));
    for (name, content) in icons {
        hash.update(name);
        hash.update(Sha256::digest(content));
    }
    hex(&hash.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn remove_file_if_there(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

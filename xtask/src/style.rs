//! One style sheet out of the small files in `style/`.

use std::{fs, path::Path};

use anyhow::Context as _;

/// Joins the files named in `style/index.txt`, in that order, without comments and indentation.
/// No folder or no index: an empty sheet.
///
/// # Errors
/// If a named file is missing, or a sheet is not named: forgotten files help nobody.
pub fn join(folder: &Path) -> anyhow::Result<String> {
    let index = folder.join("index.txt");
    if !index.is_file() {
        return Ok(String::new());
    }
    let index = fs::read_to_string(index)?;
    let names: Vec<&str> = index
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(".css") && !names.contains(&name.as_ref()) {
            anyhow::bail!("style/{name} is not named in style/index.txt");
        }
    }
    let mut sheet = String::new();
    for name in names {
        let path = folder.join(name);
        let text = fs::read_to_string(&path)
            .with_context(|| format!("style/index.txt names {}", path.display()))?;
        sheet.push_str(&squeeze(&text));
    }
    Ok(sheet)
}

/// Takes away comments, indentation and empty lines; leaves strings alone. More would save less
/// than a kilobyte once compressed.
fn squeeze(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut rest = text;
    let mut quote: Option<char> = None;
    while let Some(first) = rest.chars().next() {
        if quote.is_none() && rest.starts_with("/*") {
            rest = rest.split_once("*/").map_or("", |(_, after)| after);
            continue;
        }
        let mut taken = first.len_utf8();
        match quote {
            Some(_) if first == '\\' => {
                taken += rest.chars().nth(1).map_or(0, char::len_utf8);
            }
            Some(open) if first == open => quote = None,
            None if first == '"' || first == '\'' => quote = Some(first),
            _ => {}
        }
        bare.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    let mut lines = String::with_capacity(bare.len());
    for line in bare.lines().map(str::trim).filter(|line| !line.is_empty()) {
        lines.push_str(line);
        lines.push('\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::squeeze;

    #[test]
    fn comments_and_indentation_go() {
        assert_eq!(
            squeeze("/* a */\n.x {\n  /* b\n c */ color: red;\n}\n"),
            ".x {\ncolor: red;\n}\n"
        );
    }

    #[test]
    fn what_stands_in_quotes_stays() {
        let text = ".x::before { content: \"/* no \\\" comment */\"; }\n";
        assert_eq!(squeeze(text), text);
    }

    #[test]
    fn an_open_comment_ends_with_the_file() {
        assert_eq!(squeeze(".x {}\n/* open"), ".x {}\n");
    }
}

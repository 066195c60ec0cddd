//! What wasm-bindgen writes, made shorter: the names by which script and program find each other,
//! and the script's layout. Changes nothing that runs.

use std::collections::HashMap;

/// wasm-bindgen ends each name with an underscore and this many hexadecimal digits of a hash.
const HASH: usize = 16;

/// Numbers in place of hashes, in all files alike: a hash is noise to a compressor, and each stands
/// in the script and in the program. Lengths stay, so a binary file stays what it is.
///
/// The hashes are those of `script`; two of them never get the same number.
pub fn number_names(script: &str, files: &mut [(String, Vec<u8>)]) {
    let mut numbers: HashMap<[u8; HASH], [u8; HASH]> = HashMap::new();
    for (_, hash) in hashes(script.as_bytes()) {
        let number = format!("{:0HASH$x}", numbers.len());
        if let Ok(number) = number.into_bytes().try_into() {
            numbers.entry(hash).or_insert(number);
        }
    }
    for (_, content) in files {
        for (place, hash) in hashes(content) {
            if let (Some(number), Some(old)) =
                (numbers.get(&hash), content.get_mut(place..place + HASH))
            {
                old.copy_from_slice(number);
            }
        }
    }
}

/// Where an underscore is followed by what may be a hash, and that. In a binary file the length of
/// the next name may follow at once, so what follows is not looked at.
fn hashes(content: &[u8]) -> Vec<(usize, [u8; HASH])> {
    let digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let mut found = Vec::new();
    for (place, window) in content.windows(HASH + 1).enumerate() {
        if let [b'_', hash @ ..] = window
            && hash.iter().all(digit)
            && let Ok(hash) = hash.try_into()
        {
            found.push((place + 1, hash));
        }
    }
    found
}

/// The script without indentation, comments on lines of their own and empty lines. Left as it is if
/// it holds a text of several lines, in which these would mean something.
#[must_use]
pub fn squeeze(script: &str) -> String {
    if script.contains('`')
        && script
            .lines()
            .any(|line| line.matches('`').count() % 2 == 1)
    {
        return script.to_owned();
    }
    let mut out = String::with_capacity(script.len());
    let mut comment = false;
    for line in script.lines().map(str::trim) {
        comment |= line.starts_with("/*");
        if !(comment || line.is_empty() || line.starts_with("//")) {
            out.push_str(line);
            out.push('\n');
        }
        // What stands behind a comment's end on its line would be lost; nothing ever does.
        comment &= !line.ends_with("*/");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_numbered_in_script_and_program_alike() {
        let script = "wasm.__wbg_open_00c5f6e7d8a9b0c1(); wasm.__wbg_shut_1111111111111111();";
        let program =
            b"\x1d__wbg_shut_1111111111111111\x1d__wbg_open_00c5f6e7d8a9b0c1\x0a_ffffffffffffffff"
                .to_vec();
        let mut files = vec![
            ("a.js".to_owned(), script.as_bytes().to_vec()),
            ("a.wasm".to_owned(), program),
        ];
        number_names(script, &mut files);
        assert_eq!(
            files[0].1,
            b"wasm.__wbg_open_0000000000000000(); wasm.__wbg_shut_0000000000000001();"
        );
        assert_eq!(
            files[1].1,
            b"\x1d__wbg_shut_0000000000000001\x1d__wbg_open_0000000000000000\x0a_ffffffffffffffff"
        );
    }

    #[test]
    fn only_layout_goes() {
        let script = "/**\n * Says.\n */\nfunction a() {\n    // one\n    return `b ${c}`;\n}\n\n";
        assert_eq!(squeeze(script), "function a() {\nreturn `b ${c}`;\n}\n");
        let text = "const a = `one\n    two`;\n";
        assert_eq!(squeeze(text), text);
    }
}

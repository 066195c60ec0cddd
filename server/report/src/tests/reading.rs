//! The text of a PDF, read from its bytes by somebody who knows nothing of how it was written:
//! objects, pages in their order, and each font's own map from glyphs to characters.

use std::{collections::HashMap, io::Read as _};

/// Numbers and dictionaries of all objects, with the content of their streams.
pub struct File {
    objects: HashMap<u32, (String, Vec<u8>)>,
}

impl File {
    pub fn read(bytes: &[u8]) -> Self {
        assert!(bytes.starts_with(b"%PDF-1.7"));
        assert!(bytes.ends_with(b"%%EOF") || bytes.ends_with(b"%%EOF\n"));
        let mut objects = HashMap::new();
        for (number, at) in offsets(bytes) {
            let object = &bytes[at..];
            let named = format!("{number} 0 obj");
            assert!(object.starts_with(named.as_bytes()), "object {number}");
            let end = find(object, b"endobj").unwrap();
            let begins = find(&object[..end], b"stream\n");
            let dictionary = &object[..begins.unwrap_or(end)];
            let dictionary = String::from_utf8_lossy(dictionary).into_owned();
            let content = begins.map_or(Vec::new(), |begins| {
                let length = number_after(&dictionary, "/Length ").unwrap();
                let from = begins + b"stream\n".len();
                let packed = &object[from..from + usize::try_from(length).unwrap()];
                if !dictionary.contains("/FlateDecode") {
                    return packed.to_vec();
                }
                let mut content = Vec::new();
                let mut reader = flate2::read::ZlibDecoder::new(packed);
                reader.read_to_end(&mut content).unwrap();
                content
            });
            objects.insert(number, (dictionary, content));
        }
        Self { objects }
    }

    /// The text of each page; what is drawn in one go is one line.
    pub fn pages(&self) -> Vec<String> {
        let all = self
            .objects
            .values()
            .find(|(it, _)| it.contains("/Type /Pages"));
        let kids = all.unwrap().0.split("/Kids [").nth(1).unwrap();
        let kids = kids.split(']').next().unwrap();
        let pages = kids.split(" 0 R").filter_map(|it| it.trim().parse().ok());
        pages.map(|page: u32| self.page(page)).collect()
    }

    pub fn text(&self) -> String {
        self.pages().join("\n")
    }

    /// What the file says of itself in XMP, and the profile of its colours.
    pub fn for_archives(&self) -> (String, Vec<u8>) {
        let catalog = self
            .objects
            .values()
            .find(|(it, _)| it.contains("/Type /Catalog"));
        let catalog = &catalog.unwrap().0;
        assert!(catalog.contains("/GTS_PDFA1"), "{catalog}");
        let content = |name: &str| {
            let number = number_after(catalog, name).unwrap();
            let (_, content) = &self.objects[&u32::try_from(number).unwrap()];
            content.clone()
        };
        let said = String::from_utf8(content("/Metadata ")).unwrap();
        (said, content("/DestOutputProfile "))
    }

    /// Whether every font that pages name is in the file, with a map to characters.
    pub fn has_all_fonts(&self) -> bool {
        let all = || self.objects.values().map(|(it, _)| it);
        let fonts = all().filter(|it| it.contains("/Subtype /Type0")).count();
        let files = all().filter(|it| it.contains("/FontFile2 ") || it.contains("/FontFile3 "));
        let maps = all().filter(|it| it.contains("/ToUnicode "));
        fonts > 0 && files.count() == fonts && maps.count() == fonts
    }

    fn page(&self, number: u32) -> String {
        let (page, _) = &self.objects[&number];
        let mut fonts = HashMap::new();
        for name in ["F0", "F1", "F2", "F3"] {
            let font = number_after(page, &format!("/{name} ")).unwrap();
            fonts.insert(name, self.characters(u32::try_from(font).unwrap()));
        }
        let content = number_after(page, "/Contents ").unwrap();
        let (_, content) = &self.objects[&u32::try_from(content).unwrap()];
        drawn(content, &fonts)
    }

    fn characters(&self, font: u32) -> HashMap<u16, String> {
        let map = number_after(&self.objects[&font].0, "/ToUnicode ").unwrap();
        let (_, map) = &self.objects[&u32::try_from(map).unwrap()];
        let map = String::from_utf8(map.clone()).unwrap();
        let pair = |line: &str| {
            let (glyph, text) = line.strip_prefix('<')?.split_once("> <")?;
            let units: Vec<u16> = hex(text.strip_suffix('>')?)
                .chunks(2)
                .map(|two| u16::from_be_bytes([two[0], two[1]]))
                .collect();
            let glyph = u16::from_str_radix(glyph, 16).ok()?;
            Some((glyph, String::from_utf16(&units).unwrap()))
        };
        let body = map.split("endcodespacerange").nth(1).unwrap();
        body.lines().filter_map(pair).collect()
    }
}

/// Where the file's own table says that each object begins.
fn offsets(bytes: &[u8]) -> Vec<(u32, usize)> {
    let tail = String::from_utf8_lossy(&bytes[bytes.len() - 64..]).into_owned();
    let at = number_after(&tail, "startxref\n").unwrap();
    let table = String::from_utf8_lossy(&bytes[usize::try_from(at).unwrap()..]).into_owned();
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("xref"));
    let count: usize = lines
        .next()
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let used = (0..)
        .zip(lines.take(count))
        .filter(|(_, line)| line.contains(" n"));
    used.map(|(number, line)| (number, line[..10].parse().unwrap()))
        .collect()
}

fn drawn(content: &[u8], fonts: &HashMap<&str, HashMap<u16, String>>) -> String {
    let mut text = String::new();
    let (mut at, mut font, mut glyphs) = (0, String::new(), Vec::new());
    while at < content.len() {
        match content[at] {
            b'(' => (glyphs, at) = literal(content, at + 1),
            b'<' => {
                let end = at + find(&content[at..], b">").unwrap();
                glyphs = hex(std::str::from_utf8(&content[at + 1..end]).unwrap());
                at = end + 1;
            }
            byte if byte.is_ascii_whitespace() => at += 1,
            _ => {
                let token: Vec<u8> = content[at..]
                    .iter()
                    .take_while(|it| !it.is_ascii_whitespace() && !b"(<".contains(it))
                    .copied()
                    .collect();
                at += token.len();
                match token.as_slice() {
                    b"Tj" => {
                        for two in glyphs.chunks(2) {
                            let glyph = u16::from_be_bytes([two[0], two[1]]);
                            text.push_str(&fonts[font.as_str()][&glyph]);
                        }
                    }
                    b"ET" => text.push('\n'),
                    [b'/', name @ ..] => font = String::from_utf8(name.to_vec()).unwrap(),
                    _ => {}
                }
            }
        }
    }
    text
}

/// A string in brackets, and where it ends.
fn literal(content: &[u8], mut at: usize) -> (Vec<u8>, usize) {
    let (mut bytes, mut depth) = (Vec::new(), 1);
    loop {
        let byte = content[at];
        at += 1;
        match byte {
            b'\\' => {
                let escaped = content[at];
                at += 1;
                bytes.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'f' => 12,
                    b'0'..=b'7' => {
                        let digits = std::str::from_utf8(&content[at - 1..at + 2]).unwrap();
                        at += 2;
                        u8::from_str_radix(digits, 8).unwrap()
                    }
                    other => other,
                });
            }
            b')' if depth == 1 => return (bytes, at),
            b')' => {
                depth -= 1;
                bytes.push(byte);
            }
            b'(' => {
                depth += 1;
                bytes.push(byte);
            }
            other => bytes.push(other),
        }
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap())
        .collect()
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn number_after(text: &str, name: &str) -> Option<u64> {
    let rest = text.split(name).nth(1)?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

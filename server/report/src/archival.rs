//! What makes the file one for archives (PDF/A-2u, ISO 19005-2): what it says of itself in XMP,
//! and which colours its numbers mean. The rest that this asks for is so anyway: every font is
//! in the file, every glyph has its character, nothing is encrypted and nothing moves.

use pdf_writer::{Pdf, Ref, TextStr, types::OutputIntentSubtype, writers::Catalog};

use crate::{ReportError, document::packed};

const METADATA: Ref = Ref::new(5);
const PROFILE: Ref = Ref::new(6);
/// The red, green and blue of screens, IEC 61966-2-1.
const COLOURS: &str = "sRGB IEC61966-2.1";

/// What the catalog has to name.
pub fn announce(catalog: &mut Catalog<'_>) {
    catalog.metadata(METADATA);
    let mut intents = catalog.output_intents();
    let mut intent = intents.push();
    intent.subtype(OutputIntentSubtype::PDFA);
    intent.output_condition_identifier(TextStr(COLOURS));
    intent.info(TextStr(COLOURS));
    intent.dest_output_profile(PROFILE);
}

/// # Errors
/// As [`crate::pdf`].
pub fn write(pdf: &mut Pdf, title: &str, language: &str) -> Result<(), ReportError> {
    // Not packed: archives find it without reading the file.
    pdf.metadata(METADATA, metadata(title, language).as_bytes());
    let profile = packed(&profile())?;
    pdf.icc_profile(PROFILE, &profile)
        .n(3)
        .filter(pdf_writer::Filter::FlateDecode);
    Ok(())
}

fn metadata(title: &str, language: &str) -> String {
    let title = title
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n\
         <x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\n\
         <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n\
         <rdf:Description rdf:about=\"\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" \
         xmlns:pdf=\"http://ns.adobe.com/pdf/1.3/\" xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\" \
         xmlns:pdfaid=\"http://www.aiim.org/pdfa/ns/id/\">\n\
         <dc:format>application/pdf</dc:format>\n\
         <dc:title><rdf:Alt><rdf:li xml:lang=\"x-default\">{title}</rdf:li></rdf:Alt></dc:title>\n\
         <dc:language><rdf:Bag><rdf:li>{language}</rdf:li></rdf:Bag></dc:language>\n\
         <xmp:CreatorTool>Quorate</xmp:CreatorTool>\n\
         <pdf:Producer>Quorate</pdf:Producer>\n\
         <pdfaid:part>2</pdfaid:part>\n\
         <pdfaid:conformance>U</pdfaid:conformance>\n\
         </rdf:Description>\n\
         </rdf:RDF>\n\
         </x:xmpmeta>\n\
         <?xpacket end=\"r\"?>"
    )
}

/// The colour space as a profile of the International Color Consortium, version 4.2: three
/// primaries seen under D50, and the curve.
fn profile() -> Vec<u8> {
    let tags = [
        (*b"desc", text(COLOURS)),
        (*b"cprt", text("No copyright, use freely")),
        (*b"wtpt", values(b"XYZ ", &D50)),
        (*b"chad", values(b"sf32", &FROM_D65)),
        (*b"rXYZ", values(b"XYZ ", &RED)),
        (*b"gXYZ", values(b"XYZ ", &GREEN)),
        (*b"bXYZ", values(b"XYZ ", &BLUE)),
        (*b"rTRC", curve()),
        (*b"gTRC", curve()),
        (*b"bTRC", curve()),
    ];
    let mut table = Vec::new();
    let mut data = Vec::new();
    put(&mut table, tags.len());
    let begins = HEADER + 4 + 12 * tags.len();
    for (name, tag) in &tags {
        table.extend_from_slice(name);
        put(&mut table, begins + data.len());
        put(&mut table, tag.len());
        data.extend_from_slice(tag);
        data.resize(data.len().next_multiple_of(4), 0);
    }
    let mut profile = header(begins + data.len());
    profile.extend(table);
    profile.extend(data);
    profile
}

const HEADER: usize = 128;
/// Numbers of 16 bits before and 16 behind the point.
const D50: [u32; 3] = [0xf6d6, 0x1_0000, 0xd32d];
const RED: [u32; 3] = [0x6fa2, 0x38f5, 0x0390];
const GREEN: [u32; 3] = [0x6299, 0xb785, 0x18da];
const BLUE: [u32; 3] = [0x24a0, 0x0f84, 0xb6cf];
/// From the white of screens to that of paper, after Bradford.
const FROM_D65: [u32; 9] = [
    0x0001_0c42,
    0x0000_05de,
    0xffff_f325,
    0x0000_0793,
    0x0000_fd90,
    0xffff_fba1,
    0xffff_fda2,
    0x0000_03dc,
    0x0000_c06e,
];
/// `((x + 0.055) / 1.055) ^ 2.4`, and `x / 12.92` below 0.04045.
const CURVE: [u32; 5] = [0x2_6666, 0xf2a7, 0x0d59, 0x13d0, 0x0a5b];

fn header(size: usize) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER);
    put(&mut header, size);
    header.extend_from_slice(&[0; 4]);
    header.extend_from_slice(&[4, 0x20, 0, 0]);
    header.extend_from_slice(b"mntrRGB XYZ ");
    // Made on 2026-01-01, 00:00:00: the same bytes wherever it is made.
    for part in [2026_u16, 1, 1, 0, 0, 0] {
        header.extend_from_slice(&part.to_be_bytes());
    }
    header.extend_from_slice(b"acsp");
    header.resize(68, 0);
    for part in D50 {
        header.extend_from_slice(&part.to_be_bytes());
    }
    header.resize(HEADER, 0);
    header
}

fn put(out: &mut Vec<u8>, number: usize) {
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    out.extend_from_slice(&number.to_be_bytes());
}

fn values(kind: &[u8; 4], numbers: &[u32]) -> Vec<u8> {
    let mut tag = kind.to_vec();
    tag.extend_from_slice(&[0; 4]);
    for number in numbers {
        tag.extend_from_slice(&number.to_be_bytes());
    }
    tag
}

/// One text, in English.
fn text(words: &str) -> Vec<u8> {
    let words: Vec<u8> = words.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let mut tag = b"mluc\0\0\0\0".to_vec();
    put(&mut tag, 1);
    put(&mut tag, 12);
    tag.extend_from_slice(b"enUS");
    put(&mut tag, words.len());
    put(&mut tag, 28);
    tag.extend(words);
    tag
}

fn curve() -> Vec<u8> {
    let mut tag = b"para\0\0\0\0\0\x03\0\0".to_vec();
    for number in CURVE {
        tag.extend_from_slice(&number.to_be_bytes());
    }
    tag
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn number(bytes: &[u8]) -> usize {
        bytes
            .iter()
            .fold(0, |all, byte| all * 256 + usize::from(*byte))
    }

    #[test]
    fn the_profile_is_as_long_as_it_says_and_every_tag_lies_in_it() {
        let profile = profile();
        assert_eq!(number(&profile[..4]), profile.len());
        assert_eq!(&profile[36..40], b"acsp");
        let count = number(&profile[128..132]);
        assert_eq!(count, 10);
        for tag in profile[132..].chunks(12).take(count) {
            let (at, length) = (number(&tag[4..8]), number(&tag[8..12]));
            assert!(at.is_multiple_of(4) && at + length <= profile.len());
            let kind = &profile[at..at + 4];
            assert!([b"mluc", b"XYZ ", b"sf32", b"para"].contains(&kind.try_into().unwrap()));
        }
    }

    #[test]
    fn the_primaries_together_are_white() {
        for at in 0..3 {
            let sum = RED[at] + GREEN[at] + BLUE[at];
            assert!(sum.abs_diff(D50[at]) <= 16, "{sum:x}");
        }
    }

    #[test]
    fn a_title_cannot_end_what_it_stands_in() {
        let said = metadata("a <b> & </rdf:li>", "en");
        assert!(said.contains("a &lt;b&gt; &amp; &lt;/rdf:li&gt;</rdf:li>"));
    }
}

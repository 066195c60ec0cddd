//! The file: pages, fonts, contents and title, numbered in a fixed order and without a time of
//! making, so that the same report always has the same bytes.

use std::io::Write as _;

use flate2::{Compression, write::ZlibEncoder};
use pdf_writer::{
    Finish as _, Name, Pdf, Rect, Ref, Str, TextStr,
    types::{CidFontType, FontFlags, OutlineItemFlags, PageMode, SystemInfo, UnicodeCmap},
};
use sha2::{Digest as _, Sha256};

use crate::{
    About, ReportError, archival,
    flow::{Flow, Piece},
    sheet::{FONT_NAMES, HEIGHT, LINE, MARGIN, MEASURE, WIDTH},
    typeface::{Font, Outlines},
};

const CATALOG: Ref = Ref::new(1);
const PAGES: Ref = Ref::new(2);
const INFO: Ref = Ref::new(3);
const OUTLINE: Ref = Ref::new(4);
/// Objects of one font: itself, its descendant, descriptor, file and map to text.
const FONTS: i32 = 10;
const EACH_FONT: i32 = 5;
/// Entries of the table of contents, then two objects a page.
const MARKS: i32 = 40;
const SHEETS: i32 = 60;
const MARKS_MOST: usize = 20;

const SYSTEM: SystemInfo<'static> = SystemInfo {
    registry: Str(b"Adobe"),
    ordering: Str(b"Identity"),
    supplement: 0,
};

/// # Errors
/// As [`crate::pdf`].
pub fn write(mut flow: Flow, about: &About<'_>) -> Result<Vec<u8>, ReportError> {
    footers(&mut flow, about);
    let title = flow.words.title_of(&about.checkpoint().origin);
    let language = about.language.tag();
    let (sheets, marks, faces) = flow.finish();
    let mut pdf = Pdf::new();
    pdf.set_version(1, 7);
    let mut catalog = pdf.catalog(CATALOG);
    catalog.pages(PAGES).lang(TextStr(language));
    catalog.outlines(OUTLINE).page_mode(PageMode::UseOutlines);
    catalog.viewer_preferences().display_doc_title(true);
    archival::announce(&mut catalog);
    catalog.finish();
    archival::write(&mut pdf, &title, language)?;
    pdf.document_info(INFO)
        .title(TextStr(&title))
        .creator(TextStr("Quorate"))
        .producer(TextStr("Quorate"));
    let ids: Vec<(Ref, Ref)> = (0..)
        .map(|at| (Ref::new(SHEETS + 2 * at), Ref::new(SHEETS + 2 * at + 1)))
        .take(sheets.len())
        .collect();
    pdf.pages(PAGES)
        .kids(ids.iter().map(|(page, _)| *page))
        .count(i32::try_from(ids.len()).unwrap_or(i32::MAX));
    contents(&mut pdf, &marks, &ids);
    for (sheet, (page, content)) in sheets.into_iter().zip(&ids) {
        let mut one = pdf.page(*page);
        one.parent(PAGES).contents(*content);
        one.media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT));
        let mut resources = one.resources();
        let mut fonts = resources.fonts();
        for (name, number) in FONT_NAMES.into_iter().zip(0..) {
            fonts.pair(Name(name), font_ref(number, 0));
        }
        fonts.finish();
        resources.finish();
        one.finish();
        stream(&mut pdf, *content, &sheet.finish())?;
    }
    for (font, number) in faces.fonts.iter().zip(0..) {
        embed(&mut pdf, font, number)?;
    }
    let id = identity(pdf.as_bytes());
    pdf.set_file_id((id.clone(), id));
    Ok(pdf.finish())
}

/// Of all that the file holds: the same for the same file, and another for any other. The checkpoint
/// alone would not do: who was erased since is told otherwise under the same one.
fn identity(objects: &[u8]) -> Vec<u8> {
    Sha256::digest(objects).iter().take(16).copied().collect()
}

/// Below each page: which log, up to where, and the page's number.
fn footers(flow: &mut Flow, about: &About<'_>) {
    let checkpoint = about.checkpoint();
    let what = flow.words.footer(&checkpoint.origin, checkpoint.size);
    let pages = flow.pages();
    let baseline = HEIGHT - 36.0;
    for at in 0..pages {
        if let Some(sheet) = flow.page(at) {
            sheet.rule(MARGIN, baseline - 13.0, MEASURE, LINE);
        }
        let left = Piece::new(what.clone()).sized(7.0).muted();
        flow.place(at, MARGIN, baseline, &left, false);
        let number = flow.words.page_of(at + 1, pages);
        let right = Piece::new(number).sized(7.0).muted();
        flow.place(at, MARGIN + MEASURE, baseline, &right, true);
    }
}

fn contents(pdf: &mut Pdf, marks: &[(String, usize)], ids: &[(Ref, Ref)]) {
    let marks: Vec<(&str, Ref)> = marks
        .iter()
        .filter_map(|(title, page)| Some((title.as_str(), ids.get(*page)?.0)))
        .take(MARKS_MOST)
        .collect();
    let count = i32::try_from(marks.len()).unwrap_or(0);
    let mut outline = pdf.outline(OUTLINE);
    if count > 0 {
        outline.first(Ref::new(MARKS));
        outline.last(Ref::new(MARKS + count - 1));
        outline.count(count);
    }
    outline.finish();
    for ((title, page), at) in marks.iter().zip(0..) {
        let mut item = pdf.outline_item(Ref::new(MARKS + at));
        item.title(TextStr(title)).parent(OUTLINE);
        item.flags(OutlineItemFlags::empty());
        if at > 0 {
            item.prev(Ref::new(MARKS + at - 1));
        }
        if at + 1 < count {
            item.next(Ref::new(MARKS + at + 1));
        }
        item.dest().page(*page).fit();
    }
}

const fn font_ref(font: i32, part: i32) -> Ref {
    Ref::new(FONTS + EACH_FONT * font + part)
}

fn embed(pdf: &mut Pdf, font: &Font, number: i32) -> Result<(), ReportError> {
    let [itself, descendant, descriptor, file, to_text] =
        [0, 1, 2, 3, 4].map(|part| font_ref(number, part));
    // Six letters and a plus say that it is a part of a font.
    let name = format!("QUORAT+{}", font.name);
    pdf.type0_font(itself)
        .base_font(Name(name.as_bytes()))
        .encoding_predefined(Name(b"Identity-H"))
        .descendant_font(descendant)
        .to_unicode(to_text);
    let mut cid = pdf.cid_font(descendant);
    cid.base_font(Name(name.as_bytes())).system_info(SYSTEM);
    cid.font_descriptor(descriptor).default_width(0.0);
    match font.outlines {
        Outlines::TrueType => {
            cid.subtype(CidFontType::Type2);
            cid.cid_to_gid_map_predefined(Name(b"Identity"));
        }
        Outlines::Cff => {
            cid.subtype(CidFontType::Type0);
        }
    }
    let mut widths = cid.widths();
    for (id, (_, width)) in &font.shown {
        widths.consecutive(*id, [*width]);
    }
    widths.finish();
    cid.finish();
    let (ascent, descent, [left, bottom, right, top]) = font.measures();
    let mut described = pdf.font_descriptor(descriptor);
    described
        .name(Name(name.as_bytes()))
        .flags(FontFlags::NON_SYMBOLIC)
        .bbox(Rect::new(left, bottom, right, top))
        .italic_angle(0.0)
        .ascent(ascent)
        .descent(descent)
        .cap_height(714.0)
        .stem_v(80.0);
    match font.outlines {
        Outlines::TrueType => described.font_file2(file),
        Outlines::Cff => described.font_file3(file),
    };
    described.finish();
    let subset = packed(&font.subset()?)?;
    let mut written = pdf.stream(file, &subset);
    written.filter(pdf_writer::Filter::FlateDecode);
    if font.outlines == Outlines::Cff {
        written.pair(Name(b"Subtype"), Name(b"CIDFontType0C"));
    }
    written.finish();
    let mut map = UnicodeCmap::new(Name(b"Custom"), SYSTEM);
    for (id, (character, _)) in &font.shown {
        map.pair(*id, *character);
    }
    stream(pdf, to_text, &map.finish())
}

fn stream(pdf: &mut Pdf, id: Ref, content: &[u8]) -> Result<(), ReportError> {
    let packed = packed(content)?;
    pdf.stream(id, &packed)
        .filter(pdf_writer::Filter::FlateDecode);
    Ok(())
}

pub fn packed(content: &[u8]) -> Result<Vec<u8>, ReportError> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(content)?;
    Ok(encoder.finish()?)
}

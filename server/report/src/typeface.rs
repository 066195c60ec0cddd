//! The fonts: which glyph a character has, how wide it is, and which glyphs a report uses.
//!
//! Whatever people write is shown: what steers terminals or the direction of writing, and what no
//! font here holds, by its code point.

use std::{collections::BTreeMap, io::Read as _, sync::LazyLock};

use quorate_domain::letters::steers;
use subsetter::GlyphRemapper;
use ttf_parser::Face;

use crate::ReportError;

/// How a text is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Regular,
    Bold,
    Mono,
}

/// The outlines a font file holds, and so how a PDF embeds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlines {
    TrueType,
    Cff,
}

pub struct Font {
    /// The name in the file.
    pub name: &'static str,
    pub outlines: Outlines,
    data: &'static [u8],
    face: Face<'static>,
    used: GlyphRemapper,
    /// By the glyph's number in the subset: its character and its width in thousandths.
    pub shown: BTreeMap<u16, (char, f32)>,
}

/// One character as it is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Glyph {
    pub font: usize,
    /// Its number in the font's subset.
    pub id: u16,
    /// In thousandths of the size.
    pub width: f32,
    pub character: char,
}

const REGULAR: usize = 0;
const BOLD: usize = 1;
const MONO: usize = 2;
/// Chinese; there is one weight, and bold is drawn with a stroke.
pub const CHINESE: usize = 3;

const FILES: [(&str, Outlines, &[u8]); 3] = [
    (
        "NotoSans-Regular",
        Outlines::TrueType,
        include_bytes!("../fonts/NotoSans-Regular.ttf"),
    ),
    (
        "NotoSans-Bold",
        Outlines::TrueType,
        include_bytes!("../fonts/NotoSans-Bold.ttf"),
    ),
    (
        "NotoSansMono-Regular",
        Outlines::TrueType,
        include_bytes!("../fonts/NotoSansMono-Regular.ttf"),
    ),
];

/// The large one, packed: unpacked once, when the first report is made.
static CHINESE_FILE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    const PACKED: &[u8] = include_bytes!("../fonts/NotoSansSC-Regular.otf.zlib");
    let mut file = Vec::new();
    let mut reader = flate2::read::ZlibDecoder::new(PACKED);
    // What is cut short is no font, and is refused where it is parsed.
    let _ = reader.read_to_end(&mut file);
    file
});

pub struct Typefaces {
    pub fonts: Vec<Font>,
    /// Characters that no font here holds.
    pub uncovered: u64,
}

impl Typefaces {
    pub fn new() -> Result<Self, ReportError> {
        let font = |(name, outlines, data): (&'static str, Outlines, &'static [u8])| {
            Some(Font {
                name,
                outlines,
                data,
                face: Face::parse(data, 0).ok()?,
                used: GlyphRemapper::new(),
                shown: BTreeMap::new(),
            })
        };
        let chinese = ("NotoSansSC-Regular", Outlines::Cff, CHINESE_FILE.as_slice());
        let all = FILES.into_iter().chain([chinese]);
        let fonts: Option<Vec<Font>> = all.map(font).collect();
        Ok(Self {
            fonts: fonts.ok_or(ReportError::Font)?,
            uncovered: 0,
        })
    }

    /// The glyphs of a text, one after the other.
    pub fn glyphs(&mut self, text: &str, style: Style) -> Vec<Glyph> {
        let mut glyphs = Vec::with_capacity(text.len());
        for character in text.chars() {
            if let Some(glyph) = self.glyph(character, style) {
                glyphs.push(glyph);
                continue;
            }
            if !steers(character) {
                self.uncovered += 1;
            }
            for shown in character.escape_unicode() {
                glyphs.extend(self.glyph(shown, style));
            }
        }
        glyphs
    }

    fn glyph(&mut self, character: char, style: Style) -> Option<Glyph> {
        if steers(character) {
            return None;
        }
        let order = match style {
            Style::Regular => [REGULAR, CHINESE, MONO, BOLD],
            Style::Bold => [BOLD, REGULAR, CHINESE, MONO],
            Style::Mono => [MONO, REGULAR, CHINESE, BOLD],
        };
        order.into_iter().find_map(|at| {
            let font = self.fonts.get_mut(at)?;
            let old = font.face.glyph_index(character)?;
            let width = f32::from(font.face.glyph_hor_advance(old)?);
            let width = width * 1000.0 / f32::from(font.face.units_per_em());
            let id = font.used.remap(old.0);
            font.shown.entry(id).or_insert((character, width));
            Some(Glyph {
                font: at,
                id,
                width,
                character,
            })
        })
    }
}

impl Font {
    /// The glyphs that were used, as the file to embed.
    pub fn subset(&self) -> Result<Vec<u8>, ReportError> {
        let whole = subsetter::subset(self.data, 0, &self.used).map_err(|_| ReportError::Font)?;
        if self.outlines == Outlines::TrueType {
            return Ok(whole);
        }
        let face = ttf_parser::RawFace::parse(&whole, 0).map_err(|_| ReportError::Font)?;
        let table = face.table(ttf_parser::Tag::from_bytes(b"CFF "));
        Ok(table.ok_or(ReportError::Font)?.to_vec())
    }

    /// Ascender, descender, and the box around all glyphs, in thousandths.
    pub fn measures(&self) -> (f32, f32, [f32; 4]) {
        let unit = 1000.0 / f32::from(self.face.units_per_em());
        let measure = |value: i16| f32::from(value) * unit;
        let all = self.face.global_bounding_box();
        (
            measure(self.face.ascender()),
            measure(self.face.descender()),
            [all.x_min, all.y_min, all.x_max, all.y_max].map(measure),
        )
    }
}

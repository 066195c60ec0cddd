//! One page: texts, rules and grounds at places counted from the upper left corner, in points.

use pdf_writer::{Content, Name, Str, types::TextRenderingMode};

use crate::typeface::{CHINESE, Glyph, Style};

/// A4.
pub const WIDTH: f32 = 595.276;
pub const HEIGHT: f32 = 841.89;
pub const MARGIN: f32 = 52.0;
/// The width that texts have.
pub const MEASURE: f32 = WIDTH - 2.0 * MARGIN;

/// Red, green, blue.
pub type Colour = [u8; 3];

pub const INK: Colour = [0x15, 0x17, 0x1c];
pub const MUTED: Colour = [0x5a, 0x60, 0x6c];
pub const LINE: Colour = [0xe2, 0xe3, 0xde];
pub const PAPER: Colour = [0xf6, 0xf6, 0xf3];
pub const ACCENT: Colour = [0x38, 0x46, 0xc4];
pub const ACCENT_SOFT: Colour = [0xd5, 0xd9, 0xf6];
pub const OK: Colour = [0x17, 0x78, 0x4a];
pub const WARN: Colour = [0x94, 0x57, 0x0a];
pub const BAD: Colour = [0xb5, 0x2f, 0x26];

fn parts(colour: Colour) -> [f32; 3] {
    colour.map(|part| f32::from(part) / 255.0)
}

/// Names of the fonts in a page's resources, in the order of the typefaces.
pub const FONT_NAMES: [&[u8]; 4] = [b"F0", b"F1", b"F2", b"F3"];

/// Glyphs that stand in one line.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub glyphs: Vec<Glyph>,
    pub style: Style,
}

impl Line {
    /// In points, at this size.
    pub fn width(&self, size: f32) -> f32 {
        self.glyphs.iter().map(|it| it.width).sum::<f32>() * size / 1000.0
    }
}

pub struct Sheet {
    content: Content,
}

impl Sheet {
    pub fn new() -> Self {
        Self {
            content: Content::new(),
        }
    }

    /// `baseline` is counted from the top.
    pub fn text(&mut self, x: f32, baseline: f32, line: &Line, size: f32, colour: Colour) {
        let [red, green, blue] = parts(colour);
        self.content.begin_text();
        self.content.set_fill_rgb(red, green, blue);
        self.content
            .set_text_matrix([1.0, 0.0, 0.0, 1.0, x, HEIGHT - baseline]);
        let mut rest = line.glyphs.as_slice();
        while let Some(first) = rest.first() {
            let count = rest.iter().take_while(|it| it.font == first.font).count();
            let (run, after) = rest.split_at(count);
            let bytes: Vec<u8> = run.iter().flat_map(|it| it.id.to_be_bytes()).collect();
            let name = FONT_NAMES.get(first.font).copied().unwrap_or(b"F0");
            self.content.set_font(Name(name), size);
            let drawn_bold = line.style == Style::Bold && first.font == CHINESE;
            if drawn_bold {
                self.content.set_stroke_rgb(red, green, blue);
                self.content.set_line_width(size / 42.0);
                self.content
                    .set_text_rendering_mode(TextRenderingMode::FillStroke);
            }
            self.content.show(Str(&bytes));
            if drawn_bold {
                self.content
                    .set_text_rendering_mode(TextRenderingMode::Fill);
            }
            rest = after;
        }
        self.content.end_text();
    }

    pub fn ground(&mut self, x: f32, top: f32, width: f32, height: f32, colour: Colour) {
        let [red, green, blue] = parts(colour);
        self.content.set_fill_rgb(red, green, blue);
        self.content
            .rect(x, HEIGHT - top - height, width, height)
            .fill_nonzero();
    }

    pub fn rule(&mut self, x: f32, top: f32, width: f32, colour: Colour) {
        self.ground(x, top, width, 0.6, colour);
    }

    /// The mark: five voters that answer, and the tick at the majority.
    pub fn ring(&mut self, x: f32, y: f32, radius: f32, colour: Colour) {
        let [red, green, blue] = parts(colour);
        let y = HEIGHT - y;
        self.content.set_stroke_rgb(red, green, blue);
        self.content.set_line_width(radius / 3.6);
        for [x0, y0, x1, y1, x2, y2, x3, y3] in ARCS {
            self.content.move_to(x + radius * x0, y + radius * y0);
            self.content.cubic_to(
                x + radius * x1,
                y + radius * y1,
                x + radius * x2,
                y + radius * y2,
                x + radius * x3,
                y + radius * y3,
            );
            self.content.stroke();
        }
        // Behind the third arc of five.
        let (dx, dy) = (-0.5878, -0.809);
        self.content.set_line_width(radius / 9.0);
        self.content
            .move_to(x + radius * 0.62 * dx, y + radius * 0.62 * dy);
        self.content
            .line_to(x + radius * 1.38 * dx, y + radius * 1.38 * dy);
        self.content.stroke();
    }

    /// The page's drawing operators.
    pub fn finish(self) -> Vec<u8> {
        self.content.finish().to_vec()
    }
}

/// Five arcs of a circle of radius 1, clockwise from the top. Constants, so that every machine
/// writes the same digits.
const ARCS: [[f32; 8]; 5] = [
    [
        0.1045, 0.9945, 0.4598, 0.9572, 0.7682, 0.7331, 0.9135, 0.4067,
    ],
    [
        0.9781, 0.2079, 1.0524, -0.1415, 0.9346, -0.5041, 0.6691, -0.7431,
    ],
    [0.5, -0.866, 0.1906, -1.0447, -0.1906, -1.0447, -0.5, -0.866],
    [
        -0.6691, -0.7431, -0.9346, -0.5041, -1.0524, -0.1415, -0.9781, 0.2079,
    ],
    [
        -0.9135, 0.4067, -0.7682, 0.7331, -0.4598, 0.9572, -0.1045, 0.9945,
    ],
];

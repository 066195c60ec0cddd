//! Text that runs over pages: headings, paragraphs, pairs of name and value, tables, and lines to
//! be typed. It breaks lines and pages and knows nothing of what is written.

use crate::{
    ReportError,
    sheet::{self, Colour, INK, LINE, Line, MARGIN, MEASURE, MUTED, PAPER, Sheet},
    typeface::{Glyph, Style, Typefaces},
    words::Words,
};

const TOP: f32 = 68.0;
const BOTTOM: f32 = sheet::HEIGHT - 66.0;
/// The lines one cell of a table shows at most; what is longer ends in an ellipsis.
const CELL_LINES: usize = 22;
const CELL_SPACE: f32 = 8.0;

/// A piece of text in one style.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    pub text: String,
    pub style: Style,
    pub size: f32,
    pub colour: Colour,
}

impl Piece {
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            style: Style::Regular,
            size: 8.0,
            colour: INK,
        }
    }

    pub const fn bold(mut self) -> Self {
        self.style = Style::Bold;
        self
    }

    pub const fn mono(mut self) -> Self {
        self.style = Style::Mono;
        self.size *= 0.93;
        self
    }

    pub const fn sized(mut self, size: f32) -> Self {
        self.size = size;
        self
    }

    pub const fn coloured(mut self, colour: Colour) -> Self {
        self.colour = colour;
        self
    }

    pub const fn muted(self) -> Self {
        self.coloured(MUTED)
    }

    const fn leading(&self) -> f32 {
        self.size * 1.38
    }
}

/// A cell: pieces under each other.
pub type Cell = Vec<Piece>;

/// A column's title and the part of the measure it takes.
pub type Column<'a> = (&'a str, f32);

pub struct Flow {
    pub words: Words,
    pub faces: Typefaces,
    sheets: Vec<Sheet>,
    /// Where the next thing begins, from the top of the newest page.
    pub y: f32,
    /// Titles and the page (from 0) each begins on.
    marks: Vec<(String, usize)>,
}

/// Pages that were laid out before those that come first.
pub struct Body {
    sheets: Vec<Sheet>,
    marks: Vec<(String, usize)>,
}

impl Flow {
    pub fn new(words: Words) -> Result<Self, ReportError> {
        Ok(Self {
            words,
            faces: Typefaces::new()?,
            sheets: Vec::new(),
            y: BOTTOM,
            marks: Vec::new(),
        })
    }

    pub fn take(&mut self) -> Body {
        self.y = BOTTOM;
        Body {
            sheets: std::mem::take(&mut self.sheets),
            marks: std::mem::take(&mut self.marks),
        }
    }

    pub fn append(&mut self, body: Body) {
        let first = self.sheets.len();
        self.sheets.extend(body.sheets);
        self.marks
            .extend(body.marks.into_iter().map(|(it, page)| (it, page + first)));
    }

    /// Pages, their marks, and the fonts they use.
    pub fn finish(self) -> (Vec<Sheet>, Vec<(String, usize)>, Typefaces) {
        (self.sheets, self.marks, self.faces)
    }

    pub fn pages(&self) -> usize {
        self.sheets.len()
    }

    pub fn page(&mut self, at: usize) -> Option<&mut Sheet> {
        self.sheets.get_mut(at)
    }

    /// Begins a page.
    pub fn turn(&mut self) {
        self.sheets.push(Sheet::new());
        self.y = TOP;
    }

    /// Begins a page if less than `height` is left.
    pub fn need(&mut self, height: f32) {
        if self.y + height > BOTTOM || self.sheets.is_empty() {
            self.turn();
        }
    }

    pub fn space(&mut self, height: f32) {
        self.y += height;
    }

    /// The newest page, to draw on.
    pub fn sheet(&mut self) -> Option<&mut Sheet> {
        self.sheets.last_mut()
    }

    /// A title in the list of contents.
    pub fn mark(&mut self, title: &str) {
        self.marks
            .push((title.to_owned(), self.sheets.len().saturating_sub(1)));
    }

    /// A chapter's title; at least `after` of it stands on the same page.
    pub fn heading(&mut self, title: &str, after: f32) {
        self.need(34.0 + after);
        self.mark(title);
        self.space(6.0);
        self.paragraph(&Piece::new(title).bold().sized(14.5));
        self.space(4.0);
    }

    pub fn subheading(&mut self, title: &str) {
        self.need(60.0);
        self.space(8.0);
        self.paragraph(&Piece::new(title).bold().sized(9.5));
        self.space(2.0);
    }

    pub fn paragraph(&mut self, piece: &Piece) {
        self.paragraph_in(MARGIN, MEASURE, piece);
    }

    pub fn paragraph_in(&mut self, x: f32, width: f32, piece: &Piece) {
        for line in self.lines(piece, width, usize::MAX) {
            self.need(piece.leading());
            self.line(x, &line, piece);
        }
    }

    fn line(&mut self, x: f32, line: &Line, piece: &Piece) {
        let baseline = self.y + piece.size * 1.04;
        if let Some(sheet) = self.sheets.last_mut() {
            sheet.text(x, baseline, line, piece.size, piece.colour);
        }
        self.y += piece.leading();
    }

    /// One line at a place of its own; `from_right` sets its end instead of its beginning.
    pub fn place(&mut self, page: usize, x: f32, baseline: f32, piece: &Piece, from_right: bool) {
        let line = Line {
            glyphs: self.faces.glyphs(&piece.text, piece.style),
            style: piece.style,
        };
        let x = if from_right {
            x - line.width(piece.size)
        } else {
            x
        };
        if let Some(sheet) = self.sheets.get_mut(page) {
            sheet.text(x, baseline, &line, piece.size, piece.colour);
        }
    }

    /// Names and values under each other.
    pub fn facts(&mut self, facts: &[(&str, Vec<Piece>)]) {
        const NAMES: f32 = 128.0;
        for (name, values) in facts {
            let name = Piece::new(*name).muted().sized(8.5);
            self.need(name.leading() + 6.0);
            let y = self.y;
            let page = self.sheets.len();
            self.paragraph_in(MARGIN, NAMES - 10.0, &name);
            let below = self.y;
            if self.sheets.len() == page {
                self.y = y;
            }
            for value in values {
                self.paragraph_in(MARGIN + NAMES, MEASURE - NAMES, value);
            }
            if self.sheets.len() == page {
                self.y = self.y.max(below);
            }
            self.y += 3.5;
        }
    }

    /// Lines to be typed or compared, on a ground of their own, as they are.
    pub fn verbatim(&mut self, text: &str) {
        let longest = text.lines().map(|line| line.chars().count()).max();
        let longest = f32::from(u16::try_from(longest.unwrap_or(1).max(1)).unwrap_or(u16::MAX));
        self.need(30.0);
        // Every glyph is 0.6 wide: as large as the longest line allows, within reason.
        let size = ((MEASURE - 20.0) / (longest * 0.6)).clamp(5.6, 7.6);
        self.padding();
        for text in text.lines() {
            let piece = Piece::new(text).sized(size);
            let piece = Piece {
                style: Style::Mono,
                ..piece
            };
            let lines = match text.is_empty() {
                true => vec![Line {
                    glyphs: Vec::new(),
                    style: Style::Mono,
                }],
                false => self.lines(&piece, MEASURE - 20.0, usize::MAX),
            };
            for line in lines {
                let height = piece.leading() + 1.5;
                self.need(height);
                let y = self.y;
                if let Some(sheet) = self.sheets.last_mut() {
                    sheet.ground(MARGIN, y, MEASURE, height, PAPER);
                }
                self.line(MARGIN + 10.0, &line, &piece);
                self.y = y + height;
            }
        }
        self.padding();
        self.space(6.0);
    }

    fn padding(&mut self) {
        const HEIGHT: f32 = 4.5;
        let y = self.y;
        if let Some(sheet) = self.sheets.last_mut() {
            sheet.ground(MARGIN, y, MEASURE, HEIGHT, PAPER);
        }
        self.y += HEIGHT;
    }

    /// A table; its titles stand again on every page, and no row is torn.
    pub fn table(&mut self, columns: &[Column<'_>], rows: impl Iterator<Item = Vec<Cell>>) {
        self.titles(columns);
        for row in rows {
            let cells: Vec<Vec<(Line, Piece)>> = row
                .iter()
                .zip(columns)
                .map(|(cell, (_, part))| self.cell(cell, MEASURE * part - CELL_SPACE))
                .collect();
            let height = |cell: &Vec<(Line, Piece)>| -> f32 {
                cell.iter().map(|(_, piece)| piece.leading()).sum()
            };
            let tallest = cells.iter().map(height).fold(0.0, f32::max) + 9.0;
            if self.y + tallest > BOTTOM {
                self.turn();
                self.titles(columns);
            }
            let (top, mut x) = (self.y + 4.0, MARGIN);
            for (cell, (_, part)) in cells.iter().zip(columns) {
                self.y = top;
                for (line, piece) in cell {
                    self.line(x, line, piece);
                }
                x += MEASURE * part;
            }
            self.y = top - 4.0 + tallest;
            let y = self.y;
            if let Some(sheet) = self.sheets.last_mut() {
                sheet.rule(MARGIN, y, MEASURE, LINE);
            }
        }
        self.space(10.0);
    }

    fn titles(&mut self, columns: &[Column<'_>]) {
        self.need(40.0);
        let (top, mut x) = (self.y, MARGIN);
        for (title, part) in columns {
            self.y = top;
            let title = Piece::new(*title).bold().sized(7.2).muted();
            for line in self.lines(&title, MEASURE * part - CELL_SPACE, 1) {
                self.line(x, &line, &title);
            }
            x += MEASURE * part;
        }
        self.y = top + 13.0;
        let y = self.y;
        if let Some(sheet) = self.sheets.last_mut() {
            sheet.rule(MARGIN, y, MEASURE, MUTED);
        }
        self.y += 0.6;
    }

    fn cell(&mut self, cell: &Cell, width: f32) -> Vec<(Line, Piece)> {
        let mut lines = Vec::new();
        for piece in cell {
            let most = CELL_LINES.saturating_sub(lines.len());
            let some = self.lines(piece, width, most);
            lines.extend(some.into_iter().map(|line| (line, piece.clone())));
        }
        lines
    }

    /// A text broken into lines: at spaces, beside Chinese characters, and anywhere in words that
    /// are longer than a line. At most `most` of them; the last then ends in an ellipsis.
    pub fn lines(&mut self, piece: &Piece, width: f32, most: usize) -> Vec<Line> {
        let glyphs = self.faces.glyphs(&piece.text, piece.style);
        let room = width * 1000.0 / piece.size;
        let mut lines = Vec::new();
        let mut rest = glyphs.as_slice();
        while !rest.is_empty() && lines.len() < most {
            let (line, after) = rest.split_at(fitting(rest, room));
            lines.push(Line {
                glyphs: without_end_spaces(line),
                style: piece.style,
            });
            rest = after;
            let spaces = rest.iter().take_while(|it| it.character == ' ').count();
            rest = rest.get(spaces..).unwrap_or_default();
        }
        if !rest.is_empty()
            && let Some(last) = lines.last_mut()
        {
            let ellipsis = self.faces.glyphs("…", piece.style);
            let needed: f32 = ellipsis.iter().map(|it| it.width).sum();
            while last.width(1000.0) + needed > room && last.glyphs.pop().is_some() {}
            last.glyphs.extend(ellipsis);
        }
        lines
    }
}

/// How many glyphs the next line takes: at least one.
fn fitting(glyphs: &[Glyph], room: f32) -> usize {
    let (mut width, mut last_break) = (0.0, 0);
    for (at, glyph) in glyphs.iter().enumerate() {
        width += glyph.width;
        if at > 0 && glyph.character == ' ' {
            last_break = at;
        }
        if width > room && glyph.character != ' ' {
            return if last_break > 0 {
                last_break
            } else {
                at.max(1)
            };
        }
        if breaks_after(glyph, glyphs.get(at + 1)) {
            last_break = at + 1;
        }
    }
    glyphs.len()
}

fn breaks_after(glyph: &Glyph, next: Option<&Glyph>) -> bool {
    let never_first = |it: &Glyph| "，。；：、！？）」』》”’,.;:!?)]".contains(it.character);
    let is_chinese =
        |it: &Glyph| matches!(it.character, '\u{3000}'..='\u{9fff}' | '\u{ff00}'..='\u{ffef}');
    let opens = "（「『《“‘([".contains(glyph.character);
    next.is_some_and(|next| {
        (is_chinese(glyph) || is_chinese(next) || "-/".contains(glyph.character))
            && !never_first(next)
            && !opens
    })
}

fn without_end_spaces(line: &[Glyph]) -> Vec<Glyph> {
    let end = line.iter().rposition(|it| it.character != ' ');
    line.get(..end.map_or(0, |at| at + 1))
        .unwrap_or_default()
        .to_vec()
}

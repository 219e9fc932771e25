//! Pictures of every view and wizard for the documentation: `make pictures`.

use std::fmt::Write as _;
use std::path::PathBuf;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

use super::stage::{Stage, at, fixture, large};
use crate::app::{Look, Palette};
use crate::demo::World;
use crate::i18n::{self, Lang};

/// Size of a cell, in pixels.
const WIDTH: f64 = 8.4;
const HEIGHT: f64 = 18.0;
const MARGIN: f64 = 12.0;

/// Sizes of terminals.
const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

/// Name, seconds into the story, keys.
const SCENES: &[(&str, i64, &str)] = &[
    ("overview", 28, ""),
    ("mesh", 28, "2j"),
    ("matrix", 22, "2x"),
    ("resources", 23, "3jj"),
    ("nodes", 28, "4"),
    ("fencing", 22, "5"),
    ("events", 28, "6kkk"),
    ("event-chain", 28, "6kkk<enter>"),
    ("details", 28, "jjj<enter>"),
    ("alerts", 22, "a"),
    ("logs", 28, "7"),
    ("help", 28, "?"),
    ("menu", 5, "w"),
    ("wizard-token", 2, "2n<enter><enter><enter><4s>"),
    ("wizard-joined", 2, "2n<enter><enter><enter><15s>"),
    ("wizard-vip-add", 5, "3nblog<enter>192.0.2.90/24<enter><enter>"),
    ("wizard-vip-remove", 5, "3jjdwe"),
    ("wizard-service-add", 2, "wjjj<enter>cron<enter>cron.service<enter><enter>"),
    ("wizard-service-remove", 2, "wjjjj<enter><enter>ng"),
    ("wizard-remove", 5, "4jd"),
    ("wizard-rotate", 2, "wjjjjjjjj<enter><enter><enter><4s>"),
    ("wizard-failover", 2, "f<right><enter>"),
    ("wizard-failover-done", 2, "f<right><enter>o<2s>"),
    ("wizard-standby", 2, "js"),
    ("wizard-unstandby", 2, "jso<2s>S"),
    ("wizard-maintenance", 2, "m"),
    ("wizard-peer-add", 2, "wjjjjjjjjj<enter>laptop<enter>10.100.0.50<enter>clef"),
    ("wizard-fence", 2, "5jF"),
    ("wizard-unfence", 24, "5ju"),
    ("wizard-confirm", 24, "5jc"),
];

#[test]
fn pictures() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/pictures");
    std::fs::create_dir_all(&folder).unwrap();
    for (language, lang) in [("fr", Lang::French), ("en", Lang::English)] {
        i18n::set(lang);
        let write = |name: &str, stage: &Stage, width: u16, height: u16| {
            let file = folder.join(format!("{name}.{language}.svg"));
            std::fs::write(file, svg(&stage.buffer(width, height), stage.app.look.palette)).unwrap();
        };
        for (name, seconds, keys) in SCENES {
            for (palette, tone) in [(Palette::Dark, "dark"), (Palette::Light, "light")] {
                // Logs are kept by the library for the whole program: only these seconds are wanted.
                let mut stage = Stage::demo(World::new(at(0)), Look { palette, utf8: true }, *seconds);
                stage.press(keys);
                for (width, height) in SIZES {
                    write(&format!("{name}-{tone}-{width}x{height}"), &stage, width, height);
                }
            }
        }
        for (palette, tone) in
            [(Palette::Contrast, "contrast"), (Palette::Sixteen, "16"), (Palette::Mono, "mono")]
        {
            let stage = Stage::demo(World::new(at(0)), Look { palette, utf8: palette != Palette::Mono }, 28);
            write(&format!("overview-{tone}-80x24"), &stage, 80, 24);
        }
        let dark = Look { palette: Palette::Dark, utf8: true };
        let mut stage = Stage::demo(large(), dark, 15);
        write("large-overview-dark-120x40", &stage, 120, 40);
        stage.press("2");
        write("large-mesh-dark-120x40", &stage, 120, 40);
        stage.press("x");
        write("large-matrix-dark-80x24", &stage, 80, 24);
        stage.press("3jjjj");
        write("large-resources-dark-120x40", &stage, 120, 40);
        stage.press("1f<right><enter>");
        write("large-failover-dark-80x24", &stage, 80, 24);
        let mut stage = Stage::of(&fixture("unconfigured"), dark);
        let sizes = |name: &str, stage: &Stage| {
            for (width, height) in SIZES {
                write(&format!("{name}-dark-{width}x{height}"), stage, width, height);
            }
        };
        sizes("unconfigured", &stage);
        stage.press("w<enter>prod<enter>");
        sizes("wizard-init", &stage);
        stage.press("<esc><esc>wj<enter>sfha-join://abc");
        sizes("wizard-join", &stage);
    }
}

/// Foreground, background and the sixteen colours of the terminal that is drawn.
fn terminal(palette: Palette) -> (&'static str, &'static str) {
    match palette {
        Palette::Light => ("#24292f", "#fbfbf8"),
        Palette::Contrast => ("#ffffff", "#000000"),
        _ => ("#d3d7de", "#11151c"),
    }
}

fn hex(colour: Color, default: &str) -> String {
    let named = match colour {
        Color::Rgb(r, g, b) => return format!("#{r:02x}{g:02x}{b:02x}"),
        Color::Red => "#e5626a",
        Color::Green => "#7bc275",
        Color::Yellow => "#e0b25b",
        Color::Cyan => "#56bfc4",
        _ => default,
    };
    named.to_owned()
}

/// A run of cells that look the same.
#[derive(PartialEq)]
struct Style {
    fore: String,
    back: String,
    bold: bool,
    dim: bool,
    underlined: bool,
}

fn style(cell: &Cell, (fore, back): (&str, &str)) -> Style {
    let (mut front, mut ground) = (hex(cell.fg, fore), hex(cell.bg, back));
    if cell.modifier.contains(Modifier::REVERSED) {
        std::mem::swap(&mut front, &mut ground);
    }
    Style {
        fore: front,
        back: ground,
        bold: cell.modifier.contains(Modifier::BOLD),
        dim: cell.modifier.contains(Modifier::DIM),
        underlined: cell.modifier.contains(Modifier::UNDERLINED),
    }
}

fn svg(buffer: &Buffer, palette: Palette) -> String {
    let colours = terminal(palette);
    let (mut backs, mut texts) = (String::new(), String::new());
    for y in 0..buffer.area.height {
        let mut x = 0;
        while x < buffer.area.width {
            let style = self::style(&buffer[(x, y)], colours);
            let mut text = String::new();
            let begin = x;
            while x < buffer.area.width && self::style(&buffer[(x, y)], colours) == style {
                text.push_str(buffer[(x, y)].symbol());
                x += 1;
            }
            run(&mut backs, &mut texts, (begin, y), &text, &style, colours.1);
        }
    }
    let width = 2.0 * MARGIN + f64::from(buffer.area.width) * WIDTH;
    let height = 2.0 * MARGIN + f64::from(buffer.area.height) * HEIGHT;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"14\" shape-rendering=\"crispEdges\" xml:space=\"preserve\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{}\"/>\n{backs}{texts}</svg>\n",
        colours.1
    )
}

fn run(backs: &mut String, texts: &mut String, (x, y): (u16, u16), text: &str, style: &Style, ground: &str) {
    let left = MARGIN + f64::from(x) * WIDTH;
    let top = MARGIN + f64::from(y) * HEIGHT;
    let width = text.width() as f64 * WIDTH;
    if style.back != ground {
        let fill = &style.back;
        let _ = writeln!(
            backs,
            "<rect x=\"{left:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{HEIGHT}\" fill=\"{fill}\"/>"
        );
    }
    if style.underlined {
        let (fill, under) = (&style.fore, top + 16.0);
        let _ = writeln!(
            backs,
            "<rect x=\"{left:.1}\" y=\"{under}\" width=\"{width:.1}\" height=\"1\" fill=\"{fill}\"/>"
        );
    }
    // Bars are drawn as such: those of a font leave gaps between lines.
    let eighths = |c: char| ('▁'..='█').contains(&c).then(|| f64::from(u32::from(c) - 0x2580));
    let chars: Vec<char> = text.chars().collect();
    let mut number = 0;
    for bar in chars.chunk_by(|a, b| a == b) {
        if let Some(eighths) = eighths(bar[0]) {
            let (x, high) = (left + number as f64 * WIDTH, HEIGHT * eighths / 8.0);
            let (y, fill, wide) = (top + HEIGHT - high, &style.fore, bar.len() as f64 * WIDTH);
            let _ = writeln!(
                backs,
                "<rect x=\"{x:.1}\" y=\"{y:.2}\" width=\"{wide:.1}\" height=\"{high:.2}\" fill=\"{fill}\"/>"
            );
        }
        number += bar.len();
    }
    let rest: String = chars.iter().map(|c| if eighths(*c).is_some() { ' ' } else { *c }).collect();
    let text = rest.as_str();
    if text.trim().is_empty() {
        return;
    }
    // Spaces at both ends are not worth their bytes.
    let kept = text.trim_start_matches(' ');
    let left = left + (text.width() - kept.width()) as f64 * WIDTH;
    let kept = kept.trim_end_matches(' ');
    let width = kept.width() as f64 * WIDTH;
    let bold = if style.bold { " font-weight=\"bold\"" } else { "" };
    let dim = if style.dim { " opacity=\"0.65\"" } else { "" };
    let kept = kept.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let (fill, base) = (&style.fore, top + 13.5);
    let _ = writeln!(
        texts,
        "<text x=\"{left:.1}\" y=\"{base}\" textLength=\"{width:.1}\" fill=\"{fill}\"{bold}{dim}>{kept}</text>"
    );
}

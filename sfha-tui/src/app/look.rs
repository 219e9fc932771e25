//! What the terminal can show, and how the operator wants it.

/// The colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Palette {
    /// Light on dark, both painted.
    Dark,
    /// Dark on light, both painted.
    Light,
    /// White, black and few pure colours.
    Contrast,
    /// The sixteen colours of the terminal, on its own background.
    Sixteen,
    /// None: bold, dim and reverse only.
    Mono,
}

/// Colours and signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The colours.
    pub palette: Palette,
    /// Signs outside ASCII.
    pub utf8: bool,
}

impl Look {
    /// Values of `--theme`.
    pub const NAMES: [&str; 6] = ["dark", "light", "contrast", "16", "mono", "ascii"];

    /// The look of that name, on a terminal that knows these signs.
    pub fn named(name: &str, utf8: bool) -> Option<Self> {
        let palette = match name {
            "dark" => Palette::Dark,
            "light" => Palette::Light,
            "contrast" => Palette::Contrast,
            "16" => Palette::Sixteen,
            "mono" => Palette::Mono,
            "ascii" => return Some(Self { palette: Palette::Sixteen, utf8: false }),
            _ => return None,
        };
        Some(Self { palette, utf8 })
    }

    /// What suits a terminal with these properties: its colours, and `COLORTERM` and `COLORFGBG`.
    pub fn fitting(colour: bool, utf8: bool, env: impl Fn(&str) -> Option<String>) -> Self {
        let depth = env("COLORTERM").unwrap_or_default();
        // Terminals that set it say `foreground;background`; 7 and 15 are the two whites.
        let light =
            env("COLORFGBG").is_some_and(|value| matches!(value.rsplit(';').next(), Some("7" | "15")));
        let palette = match (colour, depth.as_str(), light) {
            (false, ..) => Palette::Mono,
            (true, "truecolor" | "24bit", true) => Palette::Light,
            (true, "truecolor" | "24bit", false) => Palette::Dark,
            (true, ..) => Palette::Sixteen,
        };
        Self { palette, utf8 }
    }

    /// The next one, in turn.
    pub fn next(self) -> Self {
        let palette = match self.palette {
            Palette::Dark => Palette::Light,
            Palette::Light => Palette::Contrast,
            Palette::Contrast => Palette::Sixteen,
            Palette::Sixteen => Palette::Mono,
            Palette::Mono => Palette::Dark,
        };
        Self { palette, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_look_and_ascii_has_no_other_signs() {
        for name in Look::NAMES {
            assert!(Look::named(name, true).is_some(), "{name}");
        }
        assert_eq!(Look::named("ascii", true).map(|look| look.utf8), Some(false));
        assert_eq!(Look::named("neon", true), None);
    }

    #[test]
    fn the_terminal_decides_where_nobody_else_does() {
        let of = |colour, pairs: &[(&str, &str)]| {
            let env = |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
            Look::fitting(colour, true, env).palette
        };
        assert_eq!(of(false, &[("COLORTERM", "truecolor")]), Palette::Mono);
        assert_eq!(of(true, &[]), Palette::Sixteen);
        assert_eq!(of(true, &[("COLORTERM", "truecolor")]), Palette::Dark);
        assert_eq!(of(true, &[("COLORTERM", "24bit"), ("COLORFGBG", "0;15")]), Palette::Light);
        assert_eq!(of(true, &[("COLORFGBG", "0;15")]), Palette::Sixteen);
    }
}

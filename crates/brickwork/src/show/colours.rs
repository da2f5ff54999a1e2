//! All colours of pages and drawings, in their light and their dark form.
//!
//! Pages and drawings name them, as `var(--accent)`; a drawing in a file of its own has them [written
//! out](written_out). Eight hues tell things apart: for whoever has normal sight, protanopia, deuteranopia or
//! tritanopia (Machado et al. 2009), any two are at least 0.06 apart in Oklab, and a name always stands beside
//! them. Text on paper, on a hue and on heat has a contrast of 4.5 or more (WCAG 2.2, 1.4.3).

use std::fmt::Write;

/// How many hues there are.
pub const HUES: usize = 8;

/// How many steps heat has.
const HEATS: usize = 11;

/// The first step of heat on which text is as light as paper.
const TURN: usize = 6;

/// A colour by its name, light and dark.
struct Colour {
    name: &'static str,
    light: &'static str,
    dark: &'static str,
}

const fn colour(name: &'static str, light: &'static str, dark: &'static str) -> Colour {
    Colour { name, light, dark }
}

const ALL: &[Colour] = &[
    // What is written on, and what lies on it.
    colour("paper", "#fbfaf7", "#15181c"),
    colour("ink", "#1d2126", "#e8e6e1"),
    colour("muted", "#5b626b", "#a2a8b0"),
    colour("faint", "#868d96", "#767d87"),
    colour("line", "#dedbd3", "#31373e"),
    colour("soft", "#f0eee8", "#22272d"),
    colour("plate", "#cfcbc0", "#3d444d"),
    // What words mean.
    colour("accent", "#1763cf", "#62b8fb"),
    colour("good", "#1a7145", "#63c78f"),
    colour("bad", "#b3321f", "#f28b7a"),
    colour("warn", "#8a5a00", "#e2b355"),
    // What tells things apart, and text on it.
    colour("on-hue", "#ffffff", "#101317"),
    colour("hue-0", "#1763cf", "#62b8fb"),
    colour("hue-1", "#d13413", "#ff7a4d"),
    colour("hue-2", "#3f7b3b", "#93d089"),
    colour("hue-3", "#994fa5", "#ec8fc5"),
    colour("hue-4", "#7a3f11", "#f0d04a"),
    colour("hue-5", "#2b3a94", "#9088f2"),
    colour("hue-6", "#07666e", "#6fe6ee"),
    colour("hue-7", "#5f1030", "#b3888b"),
    // How much there is of something.
    colour("heat-0", "#f1f0ec", "#1f242a"),
    colour("heat-1", "#d7dce0", "#293038"),
    colour("heat-2", "#bdc8d5", "#343d47"),
    colour("heat-3", "#a3b4c9", "#3f4a56"),
    colour("heat-4", "#8aa0bd", "#4a5866"),
    colour("heat-5", "#728db0", "#566676"),
    colour("heat-6", "#50729f", "#70869b"),
    colour("heat-7", "#406597", "#819ab2"),
    colour("heat-8", "#31598e", "#92afca"),
    colour("heat-9", "#204c86", "#a4c4e2"),
    colour("heat-10", "#0c3f7d", "#b5d9fb"),
];

/// The custom properties of all colours, for whichever look the reader has asked for.
pub(super) fn properties() -> String {
    let mut text = ":root {\n  color-scheme: light dark;\n".to_owned();
    for Colour { name, light, dark } in ALL {
        // Writing to a string never fails.
        let _ = writeln!(text, "  --{name}: light-dark({light}, {dark});");
    }
    text.push_str("}\n");
    for step in 0..HEATS {
        let ink = on_heat(step);
        let _ = writeln!(text, ".heat-{step} {{ background: var(--heat-{step}); color: {ink}; }}");
    }
    text
}

/// A drawing as it stands in a file of its own: in light colours, each written out.
pub fn written_out(drawing: &str) -> String {
    ALL.iter().fold(drawing.to_owned(), |drawing, colour| {
        drawing.replace(&format!("var(--{})", colour.name), colour.light)
    })
}

/// The step of heat that stands for a share, from 0 to 10: none for nothing.
pub fn heat(share: f64) -> usize {
    let last = HEATS - 1;
    ((share.clamp(0.0, 1.0) * last as f64).ceil() as usize).min(last)
}

/// A step of heat and what is written on it, light and written out.
pub(super) fn heat_colours(step: usize) -> [String; 2] {
    [&format!("var(--heat-{step})"), on_heat(step)].map(written_out)
}

/// The colour of text on a step of heat.
pub(super) fn on_heat(step: usize) -> &'static str {
    if step < TURN { "var(--ink)" } else { "var(--paper)" }
}

/// The hue of the thing at this place: they come round again.
pub fn hue(place: usize) -> String {
    format!("var(--hue-{})", place % HUES)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance (WCAG 2.2).
    fn luminance(colour: &str) -> f64 {
        let part = |at: usize| {
            let byte = u8::from_str_radix(&colour[at..at + 2], 16).expect("two digits");
            let x = f64::from(byte) / 255.0;
            if x <= 0.04045 { x / 12.92 } else { ((x + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    }

    fn contrast([a, b]: [&str; 2]) -> f64 {
        let [a, b] = [luminance(a), luminance(b)];
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    fn named(name: &str) -> &'static Colour {
        ALL.iter().find(|colour| colour.name == name).expect("it is there")
    }

    fn readable(text: &str, ground: &str, least: f64) {
        let (text, ground) = (named(text), named(ground));
        for pair in [[text.light, ground.light], [text.dark, ground.dark]] {
            let found = contrast(pair);
            assert!(found >= least, "{} on {}: {found:.2}", text.name, ground.name);
        }
    }

    #[test]
    fn text_is_readable_in_either_look() {
        for name in ["ink", "muted", "accent", "good", "bad", "warn"] {
            readable(name, "paper", 4.5);
            readable(name, "soft", 4.5);
        }
        readable("faint", "paper", 3.0);
        for place in 0..HUES {
            readable(&format!("hue-{place}"), "paper", 4.5);
            readable("on-hue", &format!("hue-{place}"), 4.5);
        }
        for step in 0..HEATS {
            let ink = on_heat(step).trim_start_matches("var(--").trim_end_matches(')');
            readable(ink, &format!("heat-{step}"), 4.5);
        }
    }

    #[test]
    fn a_file_of_its_own_names_no_colour() {
        let drawing = format!("<path stroke=\"{}\" fill=\"var(--heat-10)\"/>", hue(9));
        let written = written_out(&drawing);
        assert_eq!(written, "<path stroke=\"#d13413\" fill=\"#0c3f7d\"/>");
    }

    #[test]
    fn heat_is_none_for_nothing_alone() {
        assert_eq!([0.0, 0.001, 0.5, 1.0, 7.0].map(heat), [0, 1, 5, 10, 10]);
    }
}

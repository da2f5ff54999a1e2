//! Pictures, with what a model says of them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use brickwork_data::{Image, Pixels};
use image::{ExtendedColorType, ImageEncoder};
use maud::{Markup, html};

/// One picture with what the model says about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// A PNG file.
    pub png: Vec<u8>,
    /// What stands below it.
    pub caption: String,
    /// What else is to be said, such as a score.
    pub note: String,
    /// Whether the model is right, if that is known.
    pub right: Option<bool>,
}

/// Pictures side by side.
pub fn pictures(all: &[Picture]) -> Markup {
    html! { ul.pictures { @for one in all { li.wrong[one.right == Some(false)] { (picture(one)) } } } }
}

fn picture(one: &Picture) -> Markup {
    let mark = one.right.map(|right| if right { ["✓", "right: "] } else { ["✗", "wrong: "] });
    html! {
        figure {
            img alt="" src={ "data:image/png;base64," (STANDARD.encode(&one.png)) };
            figcaption {
                @if let Some([sign, words]) = mark {
                    span.mark aria-hidden="true" { (sign) } span.hidden { (words) } " "
                }
                (one.caption)
                @if !one.note.is_empty() { span.note { (one.note) } }
            }
        }
    }
}

/// An image as a PNG file; floats are taken as 0 to 1.
pub fn png(image: &Image) -> Vec<u8> {
    let bytes: Vec<u8> = match image.pixels() {
        Pixels::U8(bytes) => bytes.clone(),
        Pixels::F32(values) => values.iter().map(|x| (x.clamp(0.0, 1.0) * 255.0) as u8).collect(),
    };
    let color = match image.channels() {
        1 => ExtendedColorType::L8,
        4 => ExtendedColorType::Rgba8,
        _ => ExtendedColorType::Rgb8,
    };
    let mut file = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut file);
    // Writing to memory fails only for sizes that an `Image` cannot have.
    let done = encoder.write_image(&bytes, image.width() as u32, image.height() as u32, color);
    debug_assert!(done.is_ok());
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_png_files() {
        let image = Image::new(2, 2, 1, Pixels::U8(vec![0, 255, 128, 7])).unwrap();
        assert_eq!(png(&image)[1..4], *b"PNG");
    }

    #[test]
    fn right_and_wrong_are_told_by_more_than_colour() {
        let one = |right| Picture { caption: "a <b>".to_owned(), right, ..Picture::default() };
        let text = pictures(&[one(Some(true)), one(Some(false)), one(None)]).into_string();
        assert_eq!(["✓", "✗", "a &lt;b&gt;"].map(|part| text.matches(part).count()), [1, 1, 3]);
    }
}

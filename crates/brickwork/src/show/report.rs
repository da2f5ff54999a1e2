//! A page to look at: results in, HTML out. The page is one file and loads nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use brickwork_data::{Image, Pixels};
use image::{ExtendedColorType, ImageEncoder};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::cut::kept_channels::KeptMap;

/// A page, built from top to bottom.
pub struct Page {
    title: String,
    body: Vec<Markup>,
}

/// One picture with what the model says about it.
pub struct Picture {
    /// A PNG file.
    pub png: Vec<u8>,
    /// What stands below it.
    pub caption: String,
    /// Whether the model is right.
    pub right: bool,
}

const STYLE: &str = "
:root { color-scheme: light dark; --line: #8885; --soft: #8883; --good: #2a8f5b; --bad: #c8442f; --bar: #3b74c4; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .8rem; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; }
.scroll { overflow-x: auto; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(6.2rem, 1fr)); gap: .8rem; }
figure { margin: 0; text-align: center; font-size: .8rem; line-height: 1.25; }
figure img { width: 5rem; height: 5rem; image-rendering: pixelated; border-radius: .3rem; border: 2px solid var(--good); }
figure.wrong img { border-color: var(--bad); } figure.wrong figcaption { color: var(--bad); }
.bars { display: grid; grid-template-columns: max-content 1fr max-content; gap: .2rem .8rem; align-items: center; font-size: .85rem; }
.bars div { background: var(--soft); height: .8rem; border-radius: .2rem; overflow: hidden; }
.drawing { width: max-content; max-width: 96vw; position: relative; left: 50%; transform: translateX(-50%); overflow-x: auto; border-radius: .5rem; }
.drawing svg { display: block; }
.overlap { margin: 1rem 0; text-align: left; } .overlap[hidden] { display: none; }
.heat td { padding: .25rem .4rem; text-align: center; min-width: 1.6rem; } .heat th { font-weight: normal; border: 0; }
.heat tr:first-child th { writing-mode: vertical-rl; transform: rotate(180deg); padding: .4rem .25rem; text-align: left; }
.bars div span { display: block; height: 100%; background: var(--bar); }
";

impl Page {
    /// An empty page.
    pub fn new(title: &str) -> Self {
        Self { title: title.to_owned(), body: Vec::new() }
    }

    /// A heading.
    pub fn heading(&mut self, text: &str) {
        self.body.push(html! { h2 { (text) } });
    }

    /// A paragraph.
    pub fn text(&mut self, text: &str) {
        self.body.push(html! { p { (text) } });
    }

    /// An SVG drawing, which must be trusted.
    pub fn drawing(&mut self, svg: &str) {
        self.body.push(html! { div.drawing { (PreEscaped(svg)) } });
    }

    /// Anything.
    pub(crate) fn add(&mut self, part: Markup) {
        self.body.push(part);
    }

    /// A table; the first row is its head.
    pub fn table(&mut self, rows: &[Vec<String>]) {
        let Some((head, rows)) = rows.split_first() else { return };
        self.body.push(html! {
            div.scroll { table {
                thead { tr { @for cell in head { th { (cell) } } } }
                tbody { @for row in rows { tr { @for cell in row { td { (cell) } } } } }
            } }
        });
    }

    /// Pictures side by side.
    pub fn pictures(&mut self, pictures: &[Picture]) {
        self.body.push(html! {
            div.pictures { @for picture in pictures {
                figure.wrong[!picture.right] {
                    img alt=(picture.caption) src={ "data:image/png;base64," (STANDARD.encode(&picture.png)) };
                    figcaption { (picture.caption) }
                }
            } }
        });
    }

    /// For every layer, the share of its output channels that is kept.
    pub fn kept(&mut self, kept: &KeptMap, widths: &[(String, usize)]) {
        self.body.push(html! {
            div.bars { @for (name, width) in widths {
                @if let Some(layer) = kept.get(name) {
                    span { (name) }
                    div { span style={ "width:" (100 * layer.output.len() / (*width).max(1)) "%" } {} }
                    span { (layer.output.len()) " of " (width) }
                }
            } }
        });
    }

    /// The file.
    pub fn to_html(&self) -> String {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (self.title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    h1 { (self.title) }
                    @for part in &self.body { (part) }
                }
            }
        }
        .into_string()
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
    fn what_is_shown_is_escaped() {
        let mut page = Page::new("a <b>");
        page.table(&[vec!["<script>".to_owned()], vec!["1 & 2".to_owned()]]);
        let text = page.to_html();
        assert!(
            text.contains("a &lt;b&gt;")
                && text.contains("&lt;script&gt;")
                && text.contains("1 &amp; 2")
        );
    }

    #[test]
    fn pictures_are_png_files() {
        let image = Image::new(2, 2, 1, Pixels::U8(vec![0, 255, 128, 7])).unwrap();
        assert_eq!(png(&image)[1..4], *b"PNG");
    }
}

//! A page to look at: parts in, HTML out. A page is one file, loads nothing and runs nothing.

use std::sync::LazyLock;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::colours::properties;

static STYLE: LazyLock<String> = LazyLock::new(|| properties() + include_str!("style.css"));

/// The same within an element of the class `brickwork`, and nowhere else: stronger than what the page around it says
/// of all elements of a kind.
static SCOPED: LazyLock<String> = LazyLock::new(|| {
    let sheet = style().replace(":root", "&");
    format!(".brickwork.brickwork {{\n{sheet}{}}}\n", include_str!("within.css"))
});

/// What every page looks like, as CSS: colours as custom properties, light and dark, and all parts.
pub fn style() -> &'static str {
    &STYLE
}

/// A page, built from top to bottom.
pub struct Page {
    title: String,
    kicker: Option<String>,
    lead: Option<String>,
    parts: Vec<Markup>,
    foot: Option<Markup>,
}

impl Page {
    /// An empty page.
    pub fn new(title: &str) -> Self {
        Self { title: title.to_owned(), kicker: None, lead: None, parts: Vec::new(), foot: None }
    }

    /// What kind of page it is, in a word or two above its title.
    pub fn kicker(&mut self, words: &str) {
        self.kicker = Some(words.to_owned());
    }

    /// What it says, in a sentence below its title.
    pub fn lead(&mut self, words: &str) {
        self.lead = Some(words.to_owned());
    }

    /// A heading.
    pub fn heading(&mut self, text: &str) {
        self.parts.push(html! { h2 { (text) } });
    }

    /// A paragraph.
    pub fn text(&mut self, text: &str) {
        self.parts.push(html! { p { (text) } });
    }

    /// A part.
    pub fn add(&mut self, part: Markup) {
        self.parts.push(part);
    }

    /// A heading and what stands below it.
    pub fn section(&mut self, heading: &str, part: Markup) {
        self.heading(heading);
        self.add(part);
    }

    /// What stands below everything.
    pub fn foot(&mut self, part: Markup) {
        self.foot = Some(part);
    }

    /// All of it as it stands within a document: a header, the parts, a footer.
    pub fn body(&self) -> Markup {
        html! {
            header {
                @if let Some(words) = &self.kicker { p.kicker { (words) } }
                h1 { (self.title) }
                @if let Some(words) = &self.lead { p.lead { (words) } }
            }
            @for part in &self.parts { (part) }
            @if let Some(part) = &self.foot { footer { (part) } }
        }
    }

    /// The file.
    pub fn to_html(&self) -> String {
        document(&self.title, &self.body())
    }
}

/// The body of a page as it stands within somebody else's, such as a notebook's, which keeps its own looks.
pub fn within(body: &str) -> String {
    let framed = html! { div.brickwork { style { (PreEscaped(&*SCOPED)) } (PreEscaped(body)) } };
    framed.into_string()
}

/// Parts beside each other, as far as there is room.
pub fn side_by_side(parts: &[Markup]) -> Markup {
    html! { div.side { @for part in parts { (part) } } }
}

/// A whole file around the main part of a page. A browser that is asked to load or run anything in it
/// refuses.
pub fn document(title: &str, body: &Markup) -> String {
    const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
    let whole = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(style())) }
            }
            body { main { (body) } }
        }
    };
    whole.into_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_escaped() {
        let mut page = Page::new("a <b>");
        page.text("<script>");
        let text = page.to_html();
        assert!(text.contains("a &lt;b&gt;") && text.contains("&lt;script&gt;"));
        assert!(!text.contains("<script"));
    }

    #[test]
    fn what_stands_within_another_page_restyles_nothing_else() {
        let mut page = Page::new("a");
        page.text("b");
        let body = page.body().into_string();
        let text = within(&body);
        assert!(text.starts_with("<div class=\"brickwork\"><style>.brickwork.brickwork {\n"));
        assert!(text.ends_with(&format!("\n}}\n</style>{body}</div>")));
        let mut depth = 0;
        for (place, letter) in SCOPED.trim_end().char_indices() {
            depth += i32::from(letter == '{') - i32::from(letter == '}');
            assert_eq!(
                depth == 0,
                place < ".brickwork.brickwork ".len() || place + 2 == SCOPED.len()
            );
        }
        assert!(!SCOPED.contains(":root"));
        assert!(SCOPED.contains("--ink: light-dark("));
    }

    #[test]
    fn every_colour_that_is_used_is_known() {
        let names = style().split("var(--").skip(1);
        let known = properties();
        for name in names.filter_map(|rest| rest.split([')', ',']).next()) {
            assert!(
                name == "hue" || name == "face" || known.contains(&format!("--{name}:")),
                "{name}"
            );
        }
    }
}

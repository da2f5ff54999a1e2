//! What every page has around it.

use maud::{DOCTYPE, Markup, html};

use crate::app::App;

/// The places one can go to: address, name.
const PLACES: &[(&str, &str)] = &[
    ("/", "Box"),
    ("/plate", "Baseplate"),
    ("/try", "Try it"),
    ("/jobs", "Jobs"),
    ("/recipe", "Recipe"),
];

/// Keeps htmx from what a strict content policy forbids.
const HTMX: &str = r#"{"includeIndicatorStyles":false,"allowEval":false,"selfRequestsOnly":true,"historyCacheSize":0}"#;

/// A page of the studio; `here` is the address of the place it belongs to.
pub(crate) fn page(app: &App, here: &str, title: &str, body: Markup) -> Markup {
    let parts = app.plate().parts.len();
    let navigation = html! {
        nav aria-label="Studio" {
            a.mark href="/" { img src="/assets/brick.svg" alt="" width="28" height="28"; span { "Brickwork" } }
            ul { @for (address, name) in PLACES {
                li { a href=(address) aria-current=[(*address == here).then_some("page")] {
                    (name)
                    @if *address == "/plate" && parts > 0 { " " span.count { (parts) } }
                    @if *address == "/jobs" { (running(app)) }
                } }
            } }
        }
    };
    whole(title, Some(navigation), body)
}

/// How many jobs are not over. It stands in every page, and is sent with whatever a job has to tell.
pub(crate) fn running(app: &App) -> Markup {
    let count = app.jobs.all().iter().filter(|job| !job.state().is_over()).count();
    html! { span #running hx-swap-oob="true" { @if count > 0 { " " span.count { (count) } } } }
}

/// A page alone.
pub(crate) fn bare(title: &str, body: Markup) -> Markup {
    whole(title, None, body)
}

fn whole(title: &str, navigation: Option<Markup>, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="htmx-config" content=(HTMX);
                title { (title) " · Brickwork" }
                link rel="icon" href="/assets/brick.svg" type="image/svg+xml";
                link rel="stylesheet" href="/assets/studio.css";
                script src="/assets/htmx.min.js" defer {}
                script src="/assets/htmx-sse.min.js" defer {}
                script src="/assets/studio.js" defer {}
            }
            body {
                a.skip href="#main" { "To the content" }
                @if let Some(navigation) = navigation { header { (navigation) } }
                main #main tabindex="-1" { h1 { (title) } (body) }
            }
        }
    }
}

/// An address with a value behind its question mark.
pub(crate) fn link(address: &str, name: &str, value: &str) -> String {
    format!("{address}?{name}={}", escaped(value))
}

/// A value as it stands in an address.
pub(crate) fn escaped(value: &str) -> String {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./~".contains(&byte);
    value
        .bytes()
        .map(|byte| if kept(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_break_out_of_addresses() {
        assert_eq!(
            link("/look", "model", "a b&c=d?e#f%ü/g.onnx"),
            "/look?model=a%20b%26c%3Dd%3Fe%23f%25%C3%BC/g.onnx"
        );
    }
}

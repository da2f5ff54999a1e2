//! The frontier: what every size costs, as it grows.

use maud::{Markup, html};
use serde_json::Value;

/// Width, height and margin of the drawing, in its own units.
const SIZE: [f64; 2] = [640.0, 260.0];
const MARGIN: [f64; 2] = [52.0, 34.0];

/// Accuracy on held-out images against the share of multiply-accumulates that is left. Of points of one size the last counts.
pub(crate) fn frontier(points: &[Value]) -> Markup {
    let mut known: Vec<(f64, f64)> = Vec::new();
    for point in points {
        let (Some(macs), Some(right)) = (point["macs"].as_f64(), point["accuracy"].as_f64()) else {
            continue;
        };
        known.retain(|(own, _)| *own != macs);
        known.push((macs, right));
    }
    known.sort_by(|a, b| b.0.total_cmp(&a.0));
    let Some((whole, _)) = known.first().copied() else { return html! {} };
    let lowest = known.iter().map(|(_, right)| *right).fold(100.0, f64::min);
    let floor = ((lowest - 2.0) / 5.0).floor().clamp(0.0, 19.0) * 5.0;
    let x = |macs: f64| MARGIN[0] + macs / whole * (SIZE[0] - MARGIN[0] - 16.0);
    let y = |right: f64| 12.0 + (100.0 - right) / (100.0 - floor) * (SIZE[1] - MARGIN[1] - 12.0);
    let line: Vec<String> =
        known.iter().map(|(macs, right)| format!("{:.1},{:.1}", x(*macs), y(*right))).collect();
    let told: Vec<String> = known
        .iter()
        .map(|(macs, right)| format!("{right:.1} % right at {:.0} %", 100.0 * macs / whole))
        .collect();
    html! {
        figure.curve {
            svg viewBox=(format!("0 0 {} {}", SIZE[0], SIZE[1])) role="img" aria-label=(told.join(", ")) {
                @for share in [0, 25, 50, 75, 100] {
                    @let at = x(whole * f64::from(share) / 100.0);
                    line.grid x1=(at) x2=(at) y1="12" y2=(SIZE[1] - MARGIN[1]) {}
                    text x=(at) y=(SIZE[1] - 14.0) text-anchor="middle" { (share) " %" }
                }
                @for step in 0..=4 {
                    @let right = floor + (100.0 - floor) * f64::from(step) / 4.0;
                    line.grid x1=(MARGIN[0]) x2=(SIZE[0] - 16.0) y1=(y(right)) y2=(y(right)) {}
                    text x=(MARGIN[0] - 8.0) y=(y(right) + 4.0) text-anchor="end" { (format!("{right:.0} %")) }
                }
                polyline.line points=(line.join(" ")) {}
                @for ((macs, right), told) in known.iter().zip(&told) {
                    circle.point cx=(x(*macs)) cy=(y(*right)) r="5" { title { (told) } }
                }
            }
            figcaption { "Held-out images that are right, against the multiply-accumulates that are left" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_size_is_drawn_once() {
        let points = [
            json!({"macs": 1000, "accuracy": 98.0}),
            json!({"macs": 500, "accuracy": 90.0}),
            json!({"macs": 500, "accuracy": 96.0}),
            json!({"macs": 100, "accuracy": null}),
        ];
        let text = frontier(&points).into_string();
        assert_eq!(text.matches("<circle").count(), 2);
        assert!(text.contains("98.0 % right at 100 %, 96.0 % right at 50 %"), "{text}");
        assert!(frontier(&[]).into_string().is_empty());
    }
}

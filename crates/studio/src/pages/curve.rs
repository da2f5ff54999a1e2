//! The frontier: what every size costs, as it grows.

use brickwork::show::{Axis, Chart, Form, Series, Spot, chart};
use maud::{Markup, html};
use serde_json::Value;

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
    let spot = |&(macs, right): &(f64, f64)| {
        let share = 100.0 * macs / whole;
        Spot::new(share, right).says(format!("{right:.1} % right at {share:.0} %"))
    };
    let points: Vec<Spot> = known.iter().map(spot).collect();
    let told: Vec<&str> = points.iter().map(|spot| &spot.words[..]).collect();
    chart(&Chart {
        title: "What every size costs".to_owned(),
        description: told.join(", "),
        across: Axis::new("multiply-accumulates, %").between(0.0, 104.0),
        up: Axis::percent("held-out images that are right, %"),
        series: vec![Series { name: "sizes".to_owned(), form: Form::Dots, points }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_size_is_told_once() {
        let points = [
            json!({"macs": 1000, "accuracy": 98.0}),
            json!({"macs": 500, "accuracy": 90.0}),
            json!({"macs": 500, "accuracy": 96.0}),
            json!({"macs": 100, "accuracy": null}),
        ];
        let text = frontier(&points).into_string();
        assert!(text.contains("98.0 % right at 100 %, 96.0 % right at 50 %"), "{text}");
        assert!(!text.contains("90.0") && frontier(&[]).into_string().is_empty());
    }
}

//! How a training run went.

use maud::{Markup, html};

use super::chart::{Axis, Chart, Form, Series, Spot, chart, charts_file};
use crate::model::percent::Percent;
use crate::train::{Epoch, Score};

/// Loss and accuracy over the epochs, on what was learned from and on what was held out.
pub fn course(epochs: &[Epoch]) -> Markup {
    html! { div.side { (chart(&loss(epochs))) (chart(&accuracy(epochs))) } }
}

/// The same as an SVG file.
pub fn course_file(epochs: &[Epoch]) -> String {
    charts_file("Loss and accuracy", &[loss(epochs), accuracy(epochs)])
}

fn loss(epochs: &[Epoch]) -> Chart {
    over_epochs("Loss", Axis::new("cross-entropy"), epochs, |score| score.loss)
}

fn accuracy(epochs: &[Epoch]) -> Chart {
    over_epochs("Accuracy", Axis::percent("right, %"), epochs, |score| {
        Percent::number(score.accuracy)
    })
}

fn over_epochs(title: &str, up: Axis, epochs: &[Epoch], of: fn(&Score) -> f64) -> Chart {
    let spot = |epoch: &Epoch, score: &Score| {
        let words = format!("epoch {}: {:.4}", epoch.epoch, of(score));
        Spot::new(epoch.epoch as f64, of(score)).says(words)
    };
    let held = epochs.iter().filter_map(|epoch| Some(spot(epoch, epoch.held.as_ref()?)));
    let held: Vec<Spot> = held.collect();
    let train: Vec<Spot> = epochs.iter().map(|epoch| spot(epoch, &epoch.train)).collect();
    let last =
        |name: &str, points: &[Spot]| points.last().map(|spot| format!("{name}, {}.", spot.words));
    let ends = [last("Train", &train), last("Held out", &held)];
    let lines =
        [("train", train), ("held out", held)].into_iter().filter(|(_, points)| !points.is_empty());
    Chart {
        title: title.to_owned(),
        description: ends.into_iter().flatten().collect::<Vec<_>>().join(" "),
        across: Axis::counting("epoch"),
        up,
        series: lines
            .map(|(name, points)| Series { name: name.to_owned(), form: Form::Line, points })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_for_every_series() {
        let entry = |epoch: usize, held: Option<Score>| Epoch {
            epoch,
            rate: 0.1,
            train: Score { loss: 1.0 / epoch as f64, accuracy: Percent::of(0.5) },
            held,
        };
        let text = course_file(&[entry(1, None), entry(2, None)]);
        assert!(text.contains("Train, epoch 2: 0.5000.") && !text.contains("held out"));
        let held = Some(Score { loss: 0.7, accuracy: Percent::of(0.6) });
        let both = course_file(&[entry(1, held), entry(2, held)]);
        assert_eq!(both.matches("held out").count(), 2, "in either chart");
        assert!(roxmltree::Document::parse(&both).is_ok() && both.starts_with("<svg"));
    }
}

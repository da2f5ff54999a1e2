//! What was joined, and how its scores were made comparable.

use maud::{Markup, html};

use super::Reported;
use crate::show::{
    Brick, Fact, baseplate, calibration, class_words, counted, difference_words, facts, thousands,
};
use crate::verbs::{
    Assemble, AssembleAnswer, AssembledPart, Calibrate, CalibrateAnswer, Refit, Reject,
};

impl Reported for Assemble {
    fn title(&self, answer: &AssembleAnswer) -> String {
        format!("{}, joined", counted(answer.parts.len(), "component"))
    }

    fn lead(&self, answer: &AssembleAnswer) -> Option<String> {
        Some(format!("One classifier for {}.", class_words(&answer.classes)))
    }

    fn body(&self, answer: &AssembleAnswer) -> Markup {
        let brick = |(hue, part): (usize, &AssembledPart)| {
            Brick::new(&part.name, &part.classes, hue)
                .fact("parameters", thousands(part.params as u64))
                .fact("MACs", thousands(part.macs))
        };
        let bricks: Vec<Brick> = answer.parts.iter().enumerate().map(brick).collect();
        let shared = match answer.shared_layers.len() {
            0 => "none".to_owned(),
            count => format!("{}: {}", counted(count, "layer"), answer.shared_layers.join(", ")),
        };
        html! {
            (baseplate(&bricks))
            h2 { "The whole" }
            (facts("What it came to", &[
                Fact::new("classes", answer.classes.len().to_string()),
                Fact::new("parameters", thousands(answer.params as u64)),
                Fact::new("multiply-accumulates", thousands(answer.macs)),
                Fact::new("layers that parts have in common", shared),
                Fact::new("scores against the parts’ own", format!("largest difference {}", difference_words(answer.difference_from_parts))),
                Fact::new("fingerprint", answer.model.fingerprint()),
            ]))
            p.muted { "Parts were trained apart, so that their scores are not comparable before a calibration." }
        }
    }
}

impl Reported for Calibrate {
    fn title(&self, answer: &CalibrateAnswer) -> String {
        format!("{}, calibrated", answer.model.name)
    }

    fn body(&self, answer: &CalibrateAnswer) -> Markup {
        let card = answer.model.card();
        let part = |(hue, part): (usize, &crate::model::card::Part)| {
            Brick::new(&part.name, &part.classes, hue)
        };
        let bricks: Vec<Brick> = card.parts.iter().enumerate().map(part).collect();
        html! {
            (baseplate(&bricks))
            h2 { "Calibration" }
            @match &answer.calibration {
                Some(note) => { (calibration(note, card)) }
                None => { p { "Scores are as the parts give them." } }
            }
        }
    }
}

impl Reported for Refit {}

impl Reported for Reject {}

//! What models are made of, what they say, and how they differ.

use maud::{Markup, html};

use super::Reported;
use crate::measure::diff::Difference;
use crate::model::percent::Percent;
use crate::show::{Fact, about, architecture, difference, facts, table, thousands};
use crate::verbs::{
    Annotate, Card, CardAnswer, Diff, Inspect, InspectAnswer, Predict, PredictAnswer, Prediction,
    Report, ReportAnswer, Route, RouteAnswer,
};

impl Reported for Inspect {
    fn title(&self, answer: &InspectAnswer) -> String {
        match answer {
            InspectAnswer::Model(found) => found.name.clone(),
            InspectAnswer::Channels { value, .. } => format!("The channels of {value}"),
        }
    }

    fn body(&self, answer: &InspectAnswer) -> Markup {
        match answer {
            InspectAnswer::Model(found) => html! {
                (facts("What it takes and tells", &[
                    Fact::new("input", found.input.clone()),
                    Fact::new("classes", found.classes.len().to_string()),
                    Fact::new("parameters", thousands(found.params as u64)),
                    Fact::new("multiply-accumulates of an image", thousands(found.macs)),
                ]))
                (architecture(found))
            },
            InspectAnswer::Channels { why, .. } => {
                html! { ul { @for line in why { li { (line) } } } }
            }
        }
    }
}

impl Reported for Diff {
    fn title(&self, _: &Difference) -> String {
        format!("{} and {}", name_of(&self.a), name_of(&self.b))
    }

    fn body(&self, answer: &Difference) -> Markup {
        let size = |name: &str, [before, after]: [u64; 2]| {
            let share = Percent::ratio(after, before).share();
            Fact::new(name, thousands(after)).was(thousands(before)).left(share)
        };
        html! {
            (facts("The first model, and the second", &[
                size("parameters", answer.params.map(|count| count as u64)),
                size("multiply-accumulates", answer.macs),
            ]))
            h2 { "Layer by layer" }
            (difference(answer))
        }
    }
}

fn name_of(path: &std::path::Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

impl Reported for Route {
    fn title(&self, answer: &RouteAnswer) -> String {
        format!("Decision routes of {}", answer.classes.join(" and "))
    }

    fn body(&self, answer: &RouteAnswer) -> Markup {
        answer.route.parts()
    }
}

impl Reported for Predict {
    fn title(&self, answer: &PredictAnswer) -> String {
        match &answer.images[..] {
            [one] => one.image.clone(),
            all => format!("{} images", thousands(all.len() as u64)),
        }
    }

    fn body(&self, answer: &PredictAnswer) -> Markup {
        /// More images than this are not listed.
        const MOST: usize = 100;
        let row = |one: &Prediction| {
            let guesses =
                one.classes.iter().map(|guess| format!("{} {:.1}", guess.class, guess.score));
            let said = one.error.clone().unwrap_or_else(|| guesses.collect::<Vec<_>>().join(", "));
            vec![one.image.clone(), said, one.part.clone().unwrap_or_default()]
        };
        let rows: Vec<Vec<String>> = answer.images.iter().take(MOST).map(row).collect();
        html! {
            (table("What every image shows", &["image", "likeliest classes", "part"], &rows))
            @if answer.images.len() > MOST { p.muted { "The first " (MOST) " are shown." } }
        }
    }
}

impl Reported for Report {
    fn title(&self, answer: &ReportAnswer) -> String {
        answer.inspection.name.clone()
    }

    fn body(&self, answer: &ReportAnswer) -> Markup {
        {
            let report = answer.eval.as_ref().map(|eval| &eval.report);
            about(&answer.model, &answer.inspection, report, self.source.is_some())
        }
    }
}

impl Reported for Annotate {}

impl Reported for Card {
    fn body(&self, answer: &CardAnswer) -> Markup {
        html! { pre tabindex="0" { (answer.card) } }
    }
}

//! How training went.

use maud::{Markup, html};

use super::Reported;
use crate::show::{Fact, course, facts, thousands};
use crate::train::Score;
use crate::verbs::{Distill, Finetune, FinetuneAnswer, GcnTrain, Init, Train, TrainAnswer};

impl Reported for Train {
    fn title(&self, answer: &TrainAnswer) -> String {
        format!("{}, trained", answer.model.name)
    }

    fn body(&self, answer: &TrainAnswer) -> Markup {
        run(answer, &[])
    }
}

impl Reported for Distill {
    fn title(&self, answer: &TrainAnswer) -> String {
        format!("{}, taught", answer.model.name)
    }

    fn body(&self, answer: &TrainAnswer) -> Markup {
        run(answer, &[])
    }
}

impl Reported for Finetune {
    fn title(&self, answer: &FinetuneAnswer) -> String {
        format!("{}, finetuned", answer.run.model.name)
    }

    fn body(&self, answer: &FinetuneAnswer) -> Markup {
        let told = |score: Score| format!("{}, loss {:.4}", score.accuracy, score.loss);
        let held = answer
            .score1
            .zip(answer.score2)
            .map(|(before, after)| Fact::new("accuracy, held out", told(after)).was(told(before)));
        run(&answer.run, &held.into_iter().collect::<Vec<_>>())
    }
}

fn run(answer: &TrainAnswer, more: &[Fact]) -> Markup {
    let mut all = vec![
        Fact::new("images learned from", thousands(answer.images as u64)),
        Fact::new("images held out", thousands(answer.held_out as u64)),
        Fact::new("parameters", thousands(answer.parameters as u64)),
        Fact::new("multiply-accumulates", thousands(answer.macs)),
        Fact::new("best epoch", format!("{} of {}", answer.best_epoch, answer.epochs.len())),
    ];
    let held = answer.best().and_then(|epoch| epoch.held);
    // Where it is told beside the one before, it need not be told alone.
    if let Some(held) = held.filter(|_| more.is_empty()) {
        all.push(Fact::new("accuracy of that epoch, held out", held.accuracy.to_string()));
    }
    all.extend_from_slice(more);
    html! {
        (facts("The run", &all))
        h2 { "Epoch by epoch" }
        (course(&answer.epochs))
    }
}

impl Reported for Init {}

impl Reported for GcnTrain {}

//! Pages of answers: a verb says in a few lines which parts of a page show what it answers.

mod cutting;
mod joining;
mod looking;
mod measuring;
mod recipes;
mod training;

use maud::{Markup, html};
use serde::Serialize;
use serde_json::Value;

use crate::show::values::{TOP, told, values};
use crate::show::{Fact, Page, facts};
use crate::verbs::{Verb, plain};

/// A verb whose answer is a page.
pub trait Reported: Verb {
    /// What the page is about.
    fn title(&self, answer: &Self::Answer) -> String {
        let _ = answer;
        let mut letters = Self::NAME.chars();
        letters
            .next()
            .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    }

    /// What it says, in a sentence.
    fn lead(&self, answer: &Self::Answer) -> Option<String> {
        let _ = answer;
        None
    }

    /// What it shows: all fields of the answer, unless the verb knows better.
    fn body(&self, answer: &Self::Answer) -> Markup {
        html! { h2 { "Answer" } (values(TOP, &plain(answer).unwrap_or_default())) }
    }
}

/// How an answer came about, besides its request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Making<'a> {
    /// What was typed.
    pub command: Option<&'a str>,
    /// Seed of every random choice.
    pub seed: u64,
}

/// The page of an answer.
pub fn report<V: Reported>(request: &V, answer: &V::Answer, making: &Making<'_>) -> Page {
    let mut page = glance(request, answer);
    page.section("How it was made", made(request, making));
    page.foot(html! { "Made by Brickwork " (env!("CARGO_PKG_VERSION")) ". This page is one file and loads nothing." });
    page
}

/// The page of an answer without how it was made, for whoever has just asked.
pub fn glance<V: Reported>(request: &V, answer: &V::Answer) -> Page {
    let mut page = Page::new(&request.title(answer));
    page.kicker(&format!("Brickwork {}", V::NAME));
    if let Some(words) = request.lead(answer) {
        page.lead(&words);
    }
    page.add(request.body(answer));
    page
}

/// A page of plain data called `title`: all its fields.
pub fn fields_of(title: &str, data: &Value) -> Page {
    let mut page = Page::new(title);
    page.add(values(TOP, data));
    page
}

/// The command, and every option that was given.
fn made<V: Verb>(request: &V, making: &Making<'_>) -> Markup {
    let given = fields(request);
    let usual = fields(&V::default());
    let given_fact = |(name, value): &(String, Value)| {
        let same = usual.iter().any(|(other, usual)| other == name && usual == value);
        let text = told(value).unwrap_or_else(|| value.to_string());
        (!same).then(|| Fact::new(&name.replace('_', " "), text))
    };
    let mut all: Vec<Fact> = given.iter().filter_map(given_fact).collect();
    all.push(Fact::new("seed", making.seed.to_string()));
    all.push(Fact::new("version", env!("CARGO_PKG_VERSION")));
    html! {
        @if let Some(command) = making.command { pre.words tabindex="0" { @for word in command.split(' ') { span { (word) } " " } } }
        (facts("Options that were given; all others have their defaults", &all))
    }
}

fn fields(request: &impl Serialize) -> Vec<(String, Value)> {
    match serde_json::to_value(request) {
        Ok(Value::Object(fields)) => fields.into_iter().collect(),
        _ => Vec::new(),
    }
}

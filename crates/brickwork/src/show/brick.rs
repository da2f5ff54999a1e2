//! A model, component or assembly as bricks, seen from the front: a stud for every class.

use maud::{Markup, html};

use super::colours::HUES;
use super::words::thousands;

/// More studs than this are not drawn.
const MOST_STUDS: usize = 16;

/// More classes than this are counted, not named.
const MOST_NAMES: usize = 10;

/// A brick.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Brick {
    /// What it is called.
    pub name: String,
    /// Its classes.
    pub classes: Vec<String>,
    /// What else is to be known, such as size, accuracy and licence.
    pub facts: Vec<BrickFact>,
    /// The place of its hue.
    pub hue: usize,
}

/// A fact on a brick.
#[derive(Clone, Debug, PartialEq)]
pub struct BrickFact {
    /// What it is about.
    pub name: String,
    /// How it is.
    pub value: String,
}

impl Brick {
    /// A brick with nothing but a name and classes.
    pub fn new(name: &str, classes: &[String], hue: usize) -> Self {
        Self { name: name.to_owned(), classes: classes.to_vec(), facts: Vec::new(), hue }
    }

    /// The same with one more fact.
    pub fn fact(mut self, name: &str, value: impl Into<String>) -> Self {
        self.facts.push(BrickFact { name: name.to_owned(), value: value.into() });
        self
    }
}

/// One brick.
pub fn brick(brick: &Brick) -> Markup {
    html! {
        article class={ "brick hue-" (brick.hue % HUES) } aria-label=(brick.name) {
            div.studs aria-hidden="true" {
                @for _ in 0..brick.classes.len().clamp(1, MOST_STUDS) { span.stud {} }
            }
            div.face {
                p.name { (brick.name) }
                p.classes { (class_words(&brick.classes)) }
                @if !brick.facts.is_empty() {
                    dl { @for fact in &brick.facts { dt { (fact.name) } dd { (fact.value) } } }
                }
            }
        }
    }
}

/// Bricks side by side.
pub fn bricks(all: &[Brick]) -> Markup {
    html! { ul.bricks { @for one in all { li { (brick(one)) } } } }
}

/// Bricks on a plate: what they are joined to.
pub fn baseplate(all: &[Brick]) -> Markup {
    html! { div.baseplate { (bricks(all)) } }
}

/// Classes by name; of many, the first and how many more there are.
pub fn class_words(classes: &[String]) -> String {
    match classes.len() {
        0 => "no classes".to_owned(),
        count if count <= MOST_NAMES => classes.join(", "),
        count => {
            let named = &classes[..MOST_NAMES - 2];
            format!("{} and {} more", named.join(", "), thousands((count - named.len()) as u64))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|k| format!("c{k}")).collect()
    }

    #[test]
    fn a_stud_for_every_class_up_to_a_row() {
        let studs = |count| brick(&Brick::new("pets", &names(count), 9)).into_string();
        assert_eq!(studs(3).matches("class=\"stud\"").count(), 3);
        assert_eq!(studs(1000).matches("class=\"stud\"").count(), MOST_STUDS);
        assert!(studs(3).contains("class=\"brick hue-1\"") && studs(3).contains("c0, c1, c2"));
        assert!(studs(1000).contains("c7 and 992 more"));
    }

    #[test]
    fn facts_are_pairs() {
        let one = Brick::new("a", &names(1), 0).fact("accuracy", "99 %");
        assert!(brick(&one).into_string().contains("<dt>accuracy</dt><dd>99 %</dd>"));
    }
}

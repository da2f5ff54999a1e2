//! Which of a model's classes every class of some data is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::images::labels::{LabelTable, is_wordnet};
use crate::model::card::Origin;
use crate::model::error::Error;
use crate::model::names::{Names, are_whole, first_few, number, numbers};

/// Class names of a model, and their numbers in the data set it was trained on.
#[derive(Clone, Debug)]
pub struct Numbered {
    /// The names.
    pub names: Vec<String>,
    /// For every name, its number.
    pub numbers: Vec<usize>,
    /// How many classes are numbered.
    pub of: usize,
}

impl Numbered {
    /// The classes `names` of a component cut from `origin`, or of a whole model.
    pub fn new(names: Vec<String>, origin: Option<&Origin>) -> Self {
        match origin.filter(|origin| origin.classes.len() == names.len()) {
            Some(origin) => Self { names, numbers: origin.classes.clone(), of: origin.of },
            None => Self { numbers: (0..names.len()).collect(), of: names.len(), names },
        }
    }

    /// The place of the class with this number.
    fn place(&self, number: usize) -> Option<usize> {
        self.numbers.iter().position(|&own| own == number)
    }
}

/// By what classes of data were told to be a model's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MatchedBy {
    /// By their names.
    Name,
    /// By their numbers, which are those of the model's classes.
    Number,
    /// By a table of labels.
    Label,
}

/// A class that the data spells otherwise than the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Respelt {
    /// As the data has it.
    pub data: String,
    /// As the model has it.
    pub model: String,
}

/// The classes of some data among those of a model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Matching {
    /// For every class of the data, the model's.
    pub(crate) class_of: Vec<Option<usize>>,
    pub(crate) by: MatchedBy,
}

impl Matching {
    /// Matches the classes `data` to those of a model: by a table of labels, if one is given; else by
    /// number, if all are whole numbers and the model's names are none; else by name, exact or, where
    /// that leaves no doubt, up to case, Unicode form, spaces and punctuation. Identifiers of WordNet are
    /// known for networks with the classes of ImageNet.
    ///
    /// # Errors
    /// If the data's classes are numbers that could stand for different classes of the model, or for
    /// none.
    pub(crate) fn new(
        data: &[String],
        model: &Numbered,
        labels: Option<&LabelTable>,
    ) -> Result<Self, Error> {
        if let Some(labels) = labels {
            return Ok(by_label(data, model, labels));
        }
        if let Some(numbers) = numbers(data) {
            return by_number(data, &numbers, model);
        }
        let names = by_name(data, model);
        if are_whole(data) && names.class_of.iter().any(Option::is_none) {
            return Err(unclear(data, model, "these are no indices of its classes"));
        }
        let identifiers =
            names.class_of.iter().all(Option::is_none) && data.iter().all(|name| is_wordnet(name));
        match LabelTable::imagenet(model.of).filter(|_| identifiers) {
            Some(labels) => Ok(by_label(data, model, &labels)),
            None => Ok(names),
        }
    }

    /// The classes that `data` and the model spell differently, of those that were matched by name.
    pub(crate) fn respelt(&self, data: &[String], model: &[String]) -> Vec<Respelt> {
        let pairs = data.iter().zip(&self.class_of);
        let pairs = pairs.filter_map(|(name, class)| Some((name, &model[(*class)?])));
        let differ = pairs.filter(|(own, other)| self.by == MatchedBy::Name && own != other);
        differ.map(|(data, model)| Respelt { data: data.clone(), model: model.clone() }).collect()
    }
}

fn by_name(data: &[String], model: &Numbered) -> Matching {
    let names = Names::new(model.names.iter().map(String::as_str).zip(0..));
    let class_of = data.iter().map(|name| names.find(name)).collect();
    Matching { class_of, by: MatchedBy::Name }
}

fn by_label(data: &[String], model: &Numbered, labels: &LabelTable) -> Matching {
    let names = Names::new(model.names.iter().map(String::as_str).zip(0..));
    let class = |name: &String| {
        let Some(place) = labels.place(name) else { return names.find(name) };
        let (called, number) = labels.class(place);
        let named = called.iter().find_map(|name| names.find(name));
        named.or_else(|| model.place(number?))
    };
    Matching { class_of: data.iter().map(class).collect(), by: MatchedBy::Label }
}

/// Numbers are names where the model's classes are called by numbers, else indices.
fn by_number(data: &[String], found: &[usize], model: &Numbered) -> Result<Matching, Error> {
    let named: Vec<Option<usize>> = model.names.iter().map(|name| number(name)).collect();
    let by_name: Vec<Option<usize>> =
        found.iter().map(|number| named.iter().position(|own| *own == Some(*number))).collect();
    let (least, most) = (found.iter().min().copied(), found.iter().max().copied());
    let fit = most.is_none_or(|most| most < model.of);
    let same = named.iter().zip(&model.numbers).all(|(name, number)| *name == Some(*number));
    if same {
        // Names and indices say the same, unless the data counts otherwise.
        return match fit {
            true => Ok(Matching { class_of: by_name, by: MatchedBy::Number }),
            false if least == Some(1) && most == Some(model.of) => {
                Err(unclear(data, model, "the data may count them from 1"))
            }
            false => Err(unclear(data, model, "these are no indices of its classes")),
        };
    }
    if by_name.iter().all(Option::is_some) {
        return Ok(Matching { class_of: by_name, by: MatchedBy::Name });
    }
    // Beside words, numbers are names; where all names are other numbers, they may be either.
    if named.iter().any(Option::is_some) {
        return match fit && named.iter().all(Option::is_some) {
            true => Err(unclear(data, model, "the numbers may be names or indices")),
            false => Ok(Matching { class_of: by_name, by: MatchedBy::Name }),
        };
    }
    if !fit {
        return Err(unclear(data, model, "these are no indices of its classes"));
    }
    let class_of = found.iter().map(|&number| model.place(number)).collect();
    Ok(Matching { class_of, by: MatchedBy::Number })
}

/// The error that the numbers by which `data` calls its classes may be several of the model's or none.
fn unclear(data: &[String], model: &Numbered, why: &str) -> Error {
    Error::classes(format!(
        "the data's classes are the numbers {}, the model's classes are {} (indices 0 to {}): {why}; \
         say which number is which class (`labels=FILE` with lines such as `0,{}`), or name the folders \
         as the model does",
        first_few(data),
        first_few(&model.names),
        model.of.saturating_sub(1),
        model.names.first().filter(|name| number(name).is_none()).map_or("cat", |name| name)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|&name| name.to_owned()).collect()
    }

    fn whole(list: &[&str]) -> Numbered {
        Numbered::new(names(list), None)
    }

    fn matched(data: &[&str], model: &Numbered) -> Result<Vec<Option<usize>>, String> {
        let matching = Matching::new(&names(data), model, None);
        matching.map(|found| found.class_of).map_err(|error| error.to_string())
    }

    #[test]
    fn names_match_up_to_spelling() {
        let model = whole(&["bag", "ankle-boot"]);
        let data = ["Ankle boot", "T-shirt/top", "bag"];
        assert_eq!(matched(&data, &model), Ok(vec![Some(1), None, Some(0)]));
        let matching = Matching::new(&names(&data), &model, None).expect("names");
        let respelt = matching.respelt(&names(&data), &model.names);
        assert_eq!(respelt.len(), 1, "only what differs: {respelt:?}");
        assert_eq!(respelt[0].data, "Ankle boot");
    }

    #[test]
    fn numbers_are_indices_of_classes_that_have_names_or_none() {
        let named = whole(&["a", "b", "c"]);
        assert_eq!(matched(&["0", "2"], &named), Ok(vec![Some(0), Some(2)]));
        let part = Numbered { names: names(&["c", "a"]), numbers: vec![2, 0], of: 3 };
        assert_eq!(matched(&["0", "1", "2"], &part), Ok(vec![Some(1), None, Some(0)]));
        let unnamed: Vec<String> = (0..12).map(|k| k.to_string()).collect();
        let data = ["0", "1", "10", "11", "2", "07"];
        let expected = [0, 1, 10, 11, 2, 7].map(Some).to_vec();
        assert_eq!(matched(&data, &Numbered::new(unnamed, None)), Ok(expected));
        let mixed = whole(&["1", "cat", "2"]);
        assert_eq!(matched(&["0", "1", "2"], &mixed), Ok(vec![None, Some(0), Some(2)]));
        // A component for digits 1 and 2.
        let digits = Numbered { names: names(&["1", "2"]), numbers: vec![1, 2], of: 3 };
        assert_eq!(matched(&["0", "1", "2"], &digits), Ok(vec![None, Some(0), Some(1)]));
    }

    #[test]
    fn numbers_that_may_mean_two_things_are_asked_about() {
        let from_one = whole(&["1", "2", "3"]);
        assert_eq!(matched(&["1", "3"], &from_one), Ok(vec![Some(0), Some(2)]));
        let signed = whole(&["-1", "0", "1"]);
        assert_eq!(matched(&["1", "-1"], &signed), Ok(vec![Some(2), Some(0)]));
        for (data, model, why) in [
            (&["0", "1", "2"][..], &from_one, "names or indices"),
            (&["1", "2", "3"], &whole(&["0", "1", "2"]), "count them from 1"),
            (&["1", "2", "3"], &whole(&["a", "b", "c"]), "no indices"),
            (&["-1", "0", "1"], &whole(&["a", "b", "c"]), "no indices"),
        ] {
            let refused = matched(data, model).expect_err("unclear");
            assert!(refused.contains(why) && refused.contains("`labels=FILE`"), "{refused}");
        }
    }

    #[test]
    fn identifiers_of_wordnet_are_known() {
        let model = Numbered::new((0..1000).map(|k| k.to_string()).collect(), None);
        assert_eq!(matched(&["n01443537", "n01440764"], &model), Ok(vec![Some(1), Some(0)]));
        let component = Numbered { names: names(&["goldfish"]), numbers: vec![1], of: 1000 };
        assert_eq!(matched(&["n01443537", "n01440764"], &component), Ok(vec![Some(0), None]));
    }
}

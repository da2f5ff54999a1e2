//! Components as the parts of one classifier: what they share, and where their logits go.

use std::collections::{BTreeMap, HashSet};

use brickwork_data::{ChannelOrder, Fit, Preprocess};
use brickwork_graph::{Builder, Graph};

use super::input::adapted;
use super::shared::{SHARED, unique};
use crate::model::card::{Card, InputLayout, OnDuplicate, Part};
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::head::{Activation, Head, HeadKind};

/// One part, ready to be placed.
pub(super) struct Placed<'a> {
    pub(super) name: String,
    pub(super) graph: &'a Graph,
    pub(super) preprocess: Preprocess,
    classifier: &'a Classifier,
}

/// All parts and what they share.
pub(super) struct Assembly<'a> {
    pub(super) parts: Vec<Placed<'a>>,
    /// The input's preprocessing.
    pub(super) shared: Preprocess,
    /// Whether every part takes the input as it is.
    pub(super) same_input: bool,
    /// Of the scores.
    pub(super) names: Vec<String>,
    /// For every part, the score each of its logits goes to.
    pub(super) scores: Vec<Vec<usize>>,
    pub(super) on_duplicate: OnDuplicate,
}

impl<'a> Assembly<'a> {
    /// Of components whose preprocessing is known.
    ///
    /// # Errors
    /// If there are none, one lacks preprocessing, classes exclude each other in some alone, or classes share a name
    /// and are not to be joined.
    pub(super) fn new(parts: &'a [Classifier], on_duplicate: OnDuplicate) -> Result<Self, Error> {
        if parts.is_empty() {
            return Err(Error::options("there are no parts to assemble".to_owned()));
        }
        check_heads(parts)?;
        let lost: Vec<&str> = parts
            .iter()
            .filter(|p| p.card().preprocess.is_none())
            .map(|p| p.name.as_str())
            .collect();
        if !lost.is_empty() {
            return Err(Error::options(format!(
                "the preprocessing of `{}` is not known; describe the model first (annotate with \
                 `mean=` and `std=`)",
                lost.join("`, `")
            )));
        }
        let mut taken = HashSet::from([SHARED.to_owned()]);
        let placed: Vec<Placed<'_>> = parts
            .iter()
            .filter_map(|classifier| {
                let preprocess = classifier.card().preprocess.clone()?;
                let name = unique(&mut taken, classifier.name.clone());
                Some(Placed { name, graph: classifier.graph(), preprocess, classifier })
            })
            .collect();
        let (names, scores) = join_classes(&placed, on_duplicate)?;
        let first = &placed[0].preprocess;
        let same_input = placed.iter().all(|part| part.preprocess == *first);
        if !same_input {
            same_resizing(&placed)?;
        }
        let shared = if same_input { first.clone() } else { plain_input(&placed) };
        Ok(Self { parts: placed, shared, same_input, names, scores, on_duplicate })
    }

    /// The name of the input as `part` wants it; nodes are added where it differs.
    pub(super) fn adapted_input(&self, builder: &mut Builder, part: &Placed<'_>) -> String {
        if self.same_input {
            return "image".to_owned();
        }
        adapted(builder, &part.name, &self.shared, &part.preprocess)
    }

    /// Of the input in the file: that of the parts, where it is one.
    fn layout(&self) -> Option<InputLayout> {
        let first = self.parts[0].classifier.card().layout;
        first.filter(|_| self.parts.iter().all(|part| part.classifier.card().layout == first))
    }

    /// How scores stand in the file, where an image may be of several classes: as those of the parts.
    fn head(&self) -> Option<Head> {
        let heads: Option<Vec<&Head>> =
            self.parts.iter().map(|part| part.classifier.card().head.as_ref()).collect();
        let heads = heads.filter(|heads| heads[0].kind == HeadKind::Multilabel)?;
        let sigmoid = heads.iter().find(|head| head.activation != Activation::None);
        Some(match sigmoid {
            Some(head) => Head { output: "probabilities".to_owned(), ..Head::clone(head) },
            None => Head { output: "logits".to_owned(), ..heads[0].clone() },
        })
    }

    /// What is known of the assembled model.
    pub(super) fn card(&self) -> Card {
        let parts = self.parts.iter().zip(&self.scores).map(|(part, scores)| {
            let moments = part.classifier.card().moments.clone();
            Part {
                name: part.name.clone(),
                // A network that was changed since keeps what was said of it before.
                moments: moments
                    .filter(|moments| part.classifier.has_fingerprint(&moments.fingerprint)),
                fingerprint: part.classifier.fingerprint(),
                classes: part.classifier.class_names(),
                logits: scores.clone(),
                preprocess: part.preprocess.clone(),
                origin: part.classifier.card().origin.clone(),
                other: BTreeMap::new(),
            }
        });
        let raw: usize = self.scores.iter().map(Vec::len).sum();
        Card {
            classes: self.names.clone(),
            preprocess: Some(self.shared.clone()),
            layout: self.layout(),
            head: self.head(),
            parts: parts.collect(),
            joined: (self.names.len() < raw).then_some(self.on_duplicate),
            ..Card::default()
        }
    }
}

/// That classes exclude each other in all parts or in none.
///
/// # Errors
/// If they do in some.
fn check_heads(parts: &[Classifier]) -> Result<(), Error> {
    let named = |several: bool| {
        let of = parts.iter().filter(|part| (part.head() == HeadKind::Multilabel) == several);
        of.map(|part| part.name.as_str()).collect::<Vec<&str>>().join("`, `")
    };
    let [several, single] = [true, false].map(named);
    if several.is_empty() || single.is_empty() {
        return Ok(());
    }
    Err(Error::model(format!(
        "an image may be of several classes of `{several}` at once, but of one of `{single}`; such parts are not          joined: say which it is of all (annotate, `head=`)"
    )))
}

/// Parts that resize images get them resized in one way.
///
/// # Errors
/// If some say otherwise than others.
fn same_resizing(parts: &[Placed<'_>]) -> Result<(), Error> {
    let mut resized = parts.iter().filter(|part| part.preprocess.fit != Fit::Exact);
    let Some(first) = resized.next() else { return Ok(()) };
    let is_other = |part: &&Placed<'_>| {
        let (own, known) = (&part.preprocess, &first.preprocess);
        own.fit != known.fit || own.filter != known.filter || own.crop != known.crop
    };
    match resized.find(is_other) {
        None => Ok(()),
        Some(other) => Err(Error::options(format!(
            "the parts `{}` and `{}` have images resized in different ways; describe them alike (annotate \
             with `fit=`, `filter=` and `crop=`)",
            first.name, other.name
        ))),
    }
}

/// The plain image that parts of different preprocessing share.
fn plain_input(parts: &[Placed<'_>]) -> Preprocess {
    let largest =
        |axis: usize| parts.iter().map(|part| part.preprocess.size[axis]).max().unwrap_or(1);
    let first = parts[0].preprocess.scale;
    let resized = parts.iter().map(|part| &part.preprocess).find(|own| own.fit != Fit::Exact);
    Preprocess {
        scale: first.filter(|_| parts.iter().all(|part| part.preprocess.scale == first)),
        order: ChannelOrder::Rgb,
        fit: resized.map_or(Fit::Exact, |own| own.fit),
        filter: resized.and_then(|own| own.filter),
        crop: resized.and_then(|own| own.crop),
        ..Preprocess::plain(
            [largest(0), largest(1)],
            parts.iter().map(|part| part.preprocess.channels).max().unwrap_or(1),
        )
    }
}

/// Names of the assembled scores, and where each part's logits go.
fn join_classes(
    parts: &[Placed<'_>],
    on_duplicate: OnDuplicate,
) -> Result<(Vec<String>, Vec<Vec<usize>>), Error> {
    let own: Vec<Vec<String>> = parts.iter().map(|part| part.classifier.class_names()).collect();
    let holders = |name: &String| own.iter().filter(|names| names.contains(name)).count();
    let mut shared: Vec<&String> = own.iter().flatten().filter(|name| holders(name) > 1).collect();
    shared.sort();
    shared.dedup();
    if on_duplicate == OnDuplicate::Refuse && !shared.is_empty() {
        let list: Vec<&str> = shared.iter().take(10).map(|name| name.as_str()).collect();
        return Err(Error::options(format!(
            "{} classes have the same name in several parts: {}; name the parts' classes apart (annotate with \
             `class_names=`) or say `on_duplicate=max`, mean or keep-both",
            shared.len(),
            list.join(", ")
        )));
    }
    let (mut names, mut scores): (Vec<String>, Vec<Vec<usize>>) = (Vec::new(), Vec::new());
    for (part, own) in parts.iter().zip(&own) {
        let mut places = Vec::new();
        for name in own {
            let apart = on_duplicate == OnDuplicate::KeepBoth && shared.contains(&name);
            let name = if apart { format!("{name} ({})", part.name) } else { name.clone() };
            places.push(names.iter().position(|known| *known == name).unwrap_or_else(|| {
                names.push(name);
                names.len() - 1
            }));
        }
        scores.push(places);
    }
    Ok((names, scores))
}

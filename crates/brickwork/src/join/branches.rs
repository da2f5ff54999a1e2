//! Joining components into one classifier: one image in, all parts' logits side by side out.

mod shared;

use std::collections::{BTreeMap, HashSet};

use brickwork_data::{ChannelOrder, Fit, Preprocess};
use brickwork_graph::{Attr, Builder, Graph, Literal, Shape};
use brickwork_tensor::Nd;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::join::padded;
use crate::model::card::{Card, InputLayout, OnDuplicate, Part};
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::layers::layers;
use crate::refit::rebuild::operation;
use shared::{SHARED, Trunk, unique};

/// How the parts are laid out in the assembled graph. The function is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// As parallel branches; any parts; the cost is the sum of the parts', less what several of
    /// them have in common, which is stored and run once.
    #[default]
    Branches,
    /// As one network of block-diagonal layers (the paper's alignment padding); parts of one
    /// architecture only.
    Padded,
}

/// How to assemble.
#[derive(Clone, Copy, Debug, Default)]
pub struct AssembleOptions {
    /// The layout.
    pub layout: Layout,
    /// What to do about classes of one name.
    pub on_duplicate: OnDuplicate,
}

/// Names of the constants that calibration sets: `[1, logits]` each.
pub(crate) const SCALE: &str = "calibration.scale";
/// See [`SCALE`].
pub(crate) const SHIFT: &str = "calibration.shift";
/// The value between the two.
pub(crate) const SCALED: &str = "scaled";

/// Joins `parts` into one classifier.
///
/// Parts with equal preprocessing share the input as it is. Otherwise the input is the plain image
/// (pixels times the common scale) at the largest part's size, and every part gets nodes of its own
/// that convert colours, resize and normalise.
///
/// # Errors
/// If a part lacks preprocessing, classes share a name and are not to be joined, or the layout
/// cannot hold the parts.
pub fn assemble(parts: &[Classifier], options: &AssembleOptions) -> Result<Classifier, Error> {
    let assembly = Assembly::new(parts, options)?;
    let mut builder = Builder::new("assembled", 17, None);
    let [height, width] = assembly.shared.size;
    builder.input("image", Shape::batched(&[assembly.shared.channels, height, width]));
    let joined = match options.layout {
        Layout::Branches => assembly.branches(&mut builder),
        Layout::Padded => padded::build(&mut builder, &assembly)?,
    };
    assembly.head(&mut builder, &joined);
    builder.output("logits");
    Classifier::described("assembled", builder.finish()?, assembly.card())
}

/// The weighted layers of an assembled model that several of its parts use.
pub fn shared_layers(whole: &Classifier) -> Vec<String> {
    let prefix = format!("{SHARED}/");
    let names = layers(whole.graph()).into_iter().map(|layer| layer.name);
    names.filter(|name| !whole.card().parts.is_empty() && name.starts_with(&prefix)).collect()
}

/// How much each of the calibrated logits behind one score counts.
type Weighing<'a> = &'a dyn Fn(&[usize]) -> Vec<(usize, f32)>;

/// One part, ready to be placed.
pub(crate) struct Placed<'a> {
    pub(crate) name: String,
    pub(crate) graph: &'a Graph,
    pub(crate) preprocess: Preprocess,
    classifier: &'a Classifier,
}

/// All parts and what they share.
pub(crate) struct Assembly<'a> {
    pub(crate) parts: Vec<Placed<'a>>,
    /// The input's preprocessing.
    pub(crate) shared: Preprocess,
    /// Whether every part takes the input as it is.
    pub(crate) same_input: bool,
    names: Vec<String>,
    /// For every part, the score each of its logits goes to.
    scores: Vec<Vec<usize>>,
    on_duplicate: OnDuplicate,
}

impl<'a> Assembly<'a> {
    fn new(parts: &'a [Classifier], options: &AssembleOptions) -> Result<Self, Error> {
        if parts.is_empty() {
            return Err(Error::options("there are no parts to assemble".to_owned()));
        }
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
        let (names, scores) = join_classes(&placed, options.on_duplicate)?;
        let first = &placed[0].preprocess;
        let same_input = placed.iter().all(|part| part.preprocess == *first);
        if !same_input {
            same_resizing(&placed)?;
        }
        let shared = if same_input { first.clone() } else { plain_input(&placed) };
        Ok(Self {
            parts: placed,
            shared,
            same_input,
            names,
            scores,
            on_duplicate: options.on_duplicate,
        })
    }

    fn branches(&self, builder: &mut Builder) -> Vec<String> {
        let graphs: Vec<&Graph> = self.parts.iter().map(|part| part.graph).collect();
        let mut trunk = Trunk::of(&graphs, self.same_input);
        let mut branch = |(place, part): (usize, &Placed<'_>)| {
            let image = self.adapted_input(builder, part);
            let logits = trunk.import(builder, (place, &part.name), part.graph, &image);
            flat(builder, part.graph, logits)
        };
        self.parts.iter().enumerate().map(&mut branch).collect()
    }

    /// The name of the input as `part` wants it; nodes are added where it differs.
    pub(crate) fn adapted_input(&self, builder: &mut Builder, part: &Placed<'_>) -> String {
        if self.same_input {
            return "image".to_owned();
        }
        let mut adapter =
            Adapter { builder, prefix: format!("{}/input", part.name), last: "image".to_owned() };
        let own = &part.preprocess;
        if self.shared.channels == 3 && own.channels == 1 {
            adapter.luma();
        } else if own.channels == 3 && own.order != self.shared.order {
            adapter.reverse_colours();
        }
        if own.size != self.shared.size {
            adapter.resize(self.shared.size, own.size);
        }
        let ratio = factor(own) / factor(&self.shared);
        adapter.normalise(own, ratio);
        adapter.last
    }

    /// Concatenates the parts' logits, scales and shifts them, and joins shared classes.
    fn head(&self, builder: &mut Builder, logits: &[String]) {
        let count: usize = self.scores.iter().map(Vec::len).sum();
        let parts: Vec<&str> = logits.iter().map(String::as_str).collect();
        let raw = if let [only] = parts[..] {
            only
        } else {
            operation(builder, "Concat", &parts, "parts", &[("axis", Attr::Int(1))]);
            "parts"
        };
        let joins = self.names.len() < count;
        let last = if joins { "calibrated" } else { "logits" };
        builder.constant(SCALE, Literal::Floats(Nd::filled([1, count], 1.0)));
        builder.constant(SHIFT, Literal::Floats(Nd::filled([1, count], 0.0)));
        operation(builder, "Mul", &[raw, SCALE], SCALED, &[]);
        operation(builder, "Add", &[SCALED, SHIFT], last, &[]);
        if joins {
            self.join_duplicates(builder, count);
        }
    }

    /// Scores from calibrated logits where parts share classes: by constant matrices, and for the
    /// maximum by `max(a, b) = a + relu(b - a)`.
    fn join_duplicates(&self, builder: &mut Builder, count: usize) {
        let sources: Vec<Vec<usize>> = (0..self.names.len())
            .map(|score| {
                let flat = self.scores.iter().flatten().enumerate();
                flat.filter(|(_, s)| **s == score).map(|(raw, _)| raw).collect()
            })
            .collect();
        let rounds = sources.iter().map(Vec::len).max().unwrap_or(1);
        let matrix = |weight: Weighing<'_>| {
            let mut data = vec![0.0; count * self.names.len()];
            for (score, sources) in sources.iter().enumerate() {
                for (raw, w) in weight(sources) {
                    data[raw * self.names.len() + score] = w;
                }
            }
            Literal::Floats(Nd::new([count, self.names.len()], data))
        };
        if self.on_duplicate == OnDuplicate::Mean {
            let mean = |sources: &[usize]| {
                sources.iter().map(|&raw| (raw, 1.0 / sources.len() as f32)).collect()
            };
            builder.constant("joined.mean", matrix(&mean));
            return operation(builder, "MatMul", &["calibrated", "joined.mean"], "logits", &[]);
        }
        let pick = |round: usize| {
            move |sources: &[usize]| vec![(sources[round.min(sources.len() - 1)], 1.0f32)]
        };
        builder.constant("joined.0", matrix(&pick(0)));
        let mut best = "best.0".to_owned();
        operation(builder, "MatMul", &["calibrated", "joined.0"], &best, &[]);
        for round in 1..rounds {
            let [matrix_name, other, gain, rise] =
                ["joined", "other", "gain", "rise"].map(|stem| format!("{stem}.{round}"));
            let next =
                if round + 1 == rounds { "logits".to_owned() } else { format!("best.{round}") };
            builder.constant(&matrix_name, matrix(&pick(round)));
            operation(builder, "MatMul", &["calibrated", &matrix_name], &other, &[]);
            operation(builder, "Sub", &[&other, &best], &gain, &[]);
            operation(builder, "Relu", &[&gain], &rise, &[]);
            operation(builder, "Add", &[&best, &rise], &next, &[]);
            best = next;
        }
    }

    /// Of the input in the file: that of the parts, where it is one.
    fn layout(&self) -> Option<InputLayout> {
        let first = self.parts[0].classifier.card().layout;
        first.filter(|_| self.parts.iter().all(|part| part.classifier.card().layout == first))
    }

    fn card(&self) -> Card {
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
            parts: parts.collect(),
            joined: (self.names.len() < raw).then_some(self.on_duplicate),
            ..Card::default()
        }
    }
}

/// Pixel value to input value.
fn factor(preprocess: &Preprocess) -> f32 {
    preprocess.scale.unwrap_or(1.0 / 255.0)
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

/// The logits as `[n, k]`.
pub(crate) fn flat(builder: &mut Builder, graph: &Graph, logits: String) -> String {
    if graph.value(graph.logits()).shape.rank() == 2 {
        return logits;
    }
    let name = format!("{logits}.flat");
    operation(builder, "Flatten", &[&logits], &name, &[]);
    name
}

/// The value that holds the input as a part wants it, where nodes were added for that.
pub(crate) fn adapted_name(part: &str) -> String {
    format!("{part}/input.add")
}

/// Adds the nodes that turn the shared input into a part's own.
struct Adapter<'b> {
    builder: &'b mut Builder,
    prefix: String,
    last: String,
}

impl Adapter<'_> {
    fn step(&mut self, kind: &str, constants: &[(&str, Literal)], attrs: &[(&str, Attr)]) {
        let output = format!("{}.{}", self.prefix, kind.to_lowercase());
        let mut inputs = vec![self.last.clone()];
        for (stem, literal) in constants {
            let name = if stem.is_empty() { String::new() } else { format!("{output}.{stem}") };
            if !name.is_empty() {
                self.builder.constant(&name, literal.clone());
            }
            inputs.push(name);
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        operation(self.builder, kind, &inputs, &output, attrs);
        self.last = output;
    }

    /// RGB to grey, ITU-R 601.
    fn luma(&mut self) {
        let weights = Nd::new([1, 3, 1, 1], vec![0.299, 0.587, 0.114]);
        self.step("Conv", &[("weight", Literal::Floats(weights))], &[]);
    }

    fn reverse_colours(&mut self) {
        let indices = Literal::Ints(Nd::vector(vec![2, 1, 0]));
        self.step("Gather", &[("indices", indices)], &[("axis", Attr::Int(1))]);
    }

    fn resize(&mut self, from: [usize; 2], to: [usize; 2]) {
        let scale = |axis: usize| {
            let exact = to[axis] as f32 / from[axis] as f32;
            if (from[axis] as f32 * exact) as usize == to[axis] { exact } else { exact.next_up() }
        };
        let scales = Literal::Floats(Nd::vector(vec![1.0, 1.0, scale(0), scale(1)]));
        let none = Literal::Floats(Nd::vector(Vec::new()));
        let text = |x: &str| Attr::Text(x.to_owned());
        let attrs =
            [("mode", text("linear")), ("coordinate_transformation_mode", text("half_pixel"))];
        self.step("Resize", &[("", none), ("scales", scales)], &attrs);
    }

    /// `(ratio * x - mean) / std` per channel.
    fn normalise(&mut self, own: &Preprocess, ratio: f32) {
        let spread = |list: &[f32]| -> Vec<f32> {
            (0..own.channels).map(|c| list[if list.len() == 1 { 0 } else { c }]).collect()
        };
        let (mean, std) = (spread(&own.mean), spread(&own.std));
        let column = |data: Vec<f32>| Literal::Floats(Nd::new([own.channels, 1, 1], data));
        let factor = std.iter().map(|s| ratio / s).collect();
        let shift = mean.iter().zip(&std).map(|(m, s)| -m / s).collect();
        self.step("Mul", &[("factor", column(factor))], &[]);
        self.step("Add", &[("shift", column(shift))], &[]);
    }
}

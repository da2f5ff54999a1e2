//! A graph that classifies images, with what is known about it.

use std::path::Path;
use std::sync::Arc;

use brickwork_exec::Session;
use brickwork_formats::onnx::{self, ModelFile, ReadOptions};
use brickwork_formats::{fingerprint, is_fingerprint_of, weights};
use brickwork_graph::{Graph, ValueId};
use brickwork_tensor::Tensor;

use crate::model::best_classes::Scores;
use crate::model::card::{Card, InputLayout};
use crate::model::digest::{digest_of, digest_of_bytes};
use crate::model::error::Error;
use crate::model::head::{self, HeadFacts, HeadKind, HeadOptions, ReadHead};
use crate::model::looks;
use crate::model::provenance::{Provenance, RECIPE_KEY};

/// Elements of the largest value of a batch.
const BATCH_ELEMENTS: usize = 1 << 22;

/// A graph with one image input `[n, c, h, w]` and one output of scores `[n, k]` (or `[n, k, 1, 1]`), with a
/// score for every class.
#[derive(Clone, Debug)]
pub struct Classifier {
    /// What it is called: its file name without the extension.
    pub name: String,
    /// The network, without its card: that is written into the metadata when the model is saved.
    graph: Arc<Graph>,
    card: Card,
    /// What was taken for granted when its file was read, in words.
    notes: Vec<String>,
    /// How its file was made, as long as it is as it was there.
    provenance: Option<Provenance>,
    /// The digest of its file, as long as it is as it was there.
    digest: Option<String>,
}

impl Classifier {
    /// Loads an ONNX file, and puts in the weights of a safetensors file if one is given.
    ///
    /// # Errors
    /// If a file cannot be read or the model is no image classifier.
    pub fn load(path: &Path, options: &ReadOptions, swap: Option<&Path>) -> Result<Self, Error> {
        Self::load_as(path, options, swap, &HeadOptions::default())
    }

    /// [`load`](Self::load) of a model of which more is said than stands in its file.
    ///
    /// # Errors
    /// If a file cannot be read, the model is no image classifier, or contradicts what is said of it.
    pub fn load_as(
        path: &Path,
        options: &ReadOptions,
        swap: Option<&Path>,
        head: &HeadOptions,
    ) -> Result<Self, Error> {
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let digest = digest_of(path).ok().filter(|_| swap.is_none());
        let file = ModelFile::open(path, options)?;
        Ok(Self { digest, ..Self::read(name.unwrap_or_default(), file, options, swap, head)? })
    }

    /// [`load_as`](Self::load_as) of the bytes of a file, whose model is called `name`. Its weights must all
    /// be in them.
    ///
    /// # Errors
    /// As [`load_as`](Self::load_as).
    pub fn decode_as(
        name: impl Into<String>,
        bytes: &[u8],
        options: &ReadOptions,
        swap: Option<&Path>,
        head: &HeadOptions,
    ) -> Result<Self, Error> {
        let digest = swap.is_none().then(|| digest_of_bytes(bytes));
        let file = ModelFile::decode(bytes, None, options)?;
        Ok(Self { digest, ..Self::read(name.into(), file, options, swap, head)? })
    }

    /// Takes a file for a classifier, with weights from the file `swap`.
    fn read(
        name: String,
        mut file: ModelFile,
        options: &ReadOptions,
        swap: Option<&Path>,
        head: &HeadOptions,
    ) -> Result<Self, Error> {
        let mut outline = file.outline();
        let best = match options.output {
            None => Scores::of(&name, &outline),
            Some(_) => None,
        };
        if let Some(scores) = &best {
            file.keep(&scores.outputs)?;
            outline = file.outline();
        }
        let inner = best.as_ref().is_some_and(|scores| scores.inner);
        let named = inner || options.output.is_some() || head.class_axis.is_some();
        if let Some(problem) = looks::problem(&name, &outline, named) {
            return Err(file.unsuited(problem).into());
        }
        let mut graph = file.graph()?;
        if let Some(file) = swap {
            graph = weights::swap(&graph, file)?.apply(&graph)?;
        }
        let layout = options.channels_last.map(|last| match last {
            true => InputLayout::Nhwc,
            false => InputLayout::Nchw,
        });
        let mut model = Self::stored(name, graph, layout, head)?;
        model.notes.splice(0..0, best.map(|scores| scores.note));
        Ok(model)
    }

    /// Takes a graph for a classifier, with the card that its metadata holds. Its input may be
    /// `[n, h, w, c]`, and is then turned; its scores may be of any [kind](HeadKind).
    ///
    /// # Errors
    /// If it has another form, or its card contradicts it.
    pub fn new(name: impl Into<String>, graph: Graph) -> Result<Self, Error> {
        Self::stored(name.into(), graph, None, &HeadOptions::default())
    }

    /// Takes a graph as it is in a file, its input in `layout` or, if that is not said, as it looks.
    fn stored(
        name: String,
        graph: Graph,
        layout: Option<InputLayout>,
        options: &HeadOptions,
    ) -> Result<Self, Error> {
        let mut card = Card::of(&graph)?;
        // What it tells there may be of a later version, which keeps nobody from using it. What is made of it is made
        // otherwise.
        let provenance = Provenance::of(&graph).ok().flatten();
        let graph = match graph.metadata().contains_key(RECIPE_KEY) {
            true => Provenance::on(None, &graph)?,
            false => graph,
        };
        // What a file leaves open is known now.
        let outline = looks::outline(&graph);
        if let Some(problem) = looks::problem(&name, &outline, options.class_axis.is_some()) {
            return Err(Error::model(problem));
        }
        let layout = layout.unwrap_or_else(|| InputLayout::of(&graph));
        card.layout = (layout == InputLayout::Nhwc).then_some(layout);
        let graph = layout.read(graph)?;
        let facts = HeadFacts {
            head: card.head.as_ref(),
            made: card.origin.is_some() || !card.parts.is_empty(),
            names: card.classes.len(),
        };
        let ReadHead { graph, head, notes } = head::read(&name, graph, &facts, options)?;
        card.head = head;
        Ok(Self { notes, provenance, ..Self::described(name, graph, card)? })
    }

    /// Takes a graph for a classifier of which `card` tells, whatever its metadata holds.
    ///
    /// # Errors
    /// If it has another form, or the card contradicts it.
    pub fn described(
        name: impl Into<String>,
        graph: impl Into<Arc<Graph>>,
        card: Card,
    ) -> Result<Self, Error> {
        let (name, graph) = (name.into(), graph.into());
        let classifier =
            Self { name, graph, card, notes: Vec::new(), provenance: None, digest: None };
        classifier.check()?;
        Ok(classifier)
    }

    /// The network.
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// What is known about it.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// What was taken for granted when its file was read, in words.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// How its file was made, if it is as it was there and its file tells.
    pub fn provenance(&self) -> Option<&Provenance> {
        self.provenance.as_ref()
    }

    /// The digest of its file, if it is as it was there.
    pub(crate) fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// The same model, of which is told how it was made.
    #[must_use]
    pub fn made(self, provenance: Option<Provenance>) -> Self {
        Self { provenance, digest: None, ..self }
    }

    /// What its scores mean.
    pub fn head(&self) -> HeadKind {
        self.card.head.as_ref().map_or(HeadKind::Single, |head| head.kind)
    }

    fn check(&self) -> Result<(), Error> {
        let refuse = |found: String| {
            Err(Error::model(format!(
                "`{}` is no image classifier: expected one input [n, c, h, w] and one output of scores \
                 [n, k], found {found}",
                self.name
            )))
        };
        let shapes = |ids: &[ValueId]| {
            ids.iter()
                .map(|&v| self.graph.value(v).shape.to_string())
                .collect::<Vec<_>>()
                .join(", ")
        };
        if self.graph.inputs().len() != 1 || self.graph.outputs().len() != 1 {
            let (inputs, outputs) = (shapes(self.graph.inputs()), shapes(self.graph.outputs()));
            return refuse(format!("inputs {inputs} and outputs {outputs}"));
        }
        let input = &self.graph.value(self.graph.inputs()[0]).shape;
        if input.rank() != 4 {
            return refuse(format!("input {input}"));
        }
        let output = &self.graph.value(self.graph.outputs()[0]).shape;
        let extents = output.sample();
        let flat = extents.len() >= 2 && extents.iter().enumerate().all(|(k, &e)| k == 1 || e == 1);
        if !flat || output.at(2)[0] != 2 {
            return refuse(format!("output {output}"));
        }
        let problems = self.card.problems(&self.graph, self.class_count(), self.input());
        if problems.is_empty() {
            return Ok(());
        }
        let problems = problems.join("; it ");
        Err(Error::model(format!("the metadata of `{}` {problems}", self.name)))
    }

    /// Channels, height and width of the input.
    pub fn input(&self) -> [usize; 3] {
        let extents = self.graph.value(self.graph.inputs()[0]).shape.sample();
        [extents[1], extents[2], extents[3]]
    }

    /// Number of classes.
    pub fn class_count(&self) -> usize {
        self.graph.value(self.graph.outputs()[0]).shape.sample()[1]
    }

    /// Class names; indices in words where none are known.
    pub fn class_names(&self) -> Vec<String> {
        if self.card.classes.is_empty() {
            return (0..self.class_count()).map(|k| k.to_string()).collect();
        }
        self.card.classes.clone()
    }

    /// Where the classes of these names are among its scores.
    ///
    /// # Errors
    /// If it lacks any of them; all are named.
    pub(crate) fn indices_of(&self, wanted: &[String]) -> Result<Vec<usize>, Error> {
        let names = self.class_names();
        let place = |wanted: &String| names.iter().position(|name| name == wanted);
        let unknown: Vec<&str> =
            wanted.iter().filter(|name| place(name).is_none()).map(String::as_str).collect();
        if !unknown.is_empty() {
            return Err(Error::classes(format!(
                "`{}` has no class {}; it has {}",
                self.name,
                unknown.join(", "),
                names.join(", ")
            )));
        }
        Ok(wanted.iter().filter_map(place).collect())
    }

    /// What tells this network from others: SHA-256 of its nodes and weights.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.graph)
    }

    /// Whether a fingerprint, of this or an earlier version, is that of this network.
    pub fn has_fingerprint(&self, text: &str) -> bool {
        is_fingerprint_of(text, &self.graph)
    }

    /// The same network with another card.
    ///
    /// # Errors
    /// If the card does not fit.
    pub fn with_card(&self, card: Card) -> Result<Self, Error> {
        let notes = self.notes.clone();
        Ok(Self { notes, ..Self::described(self.name.clone(), self.graph.clone(), card)? })
    }

    /// The same network with other names for its classes.
    ///
    /// # Errors
    /// If there are not as many names as classes.
    pub fn with_classes(&self, classes: Vec<String>) -> Result<Self, Error> {
        self.with_card(Card { classes, ..self.card.clone() })
    }

    /// Another network of which the same is known.
    ///
    /// # Errors
    /// If the card does not fit it.
    pub fn with_graph(&self, graph: impl Into<Arc<Graph>>) -> Result<Self, Error> {
        Self::described(self.name.clone(), graph, self.card.clone())
    }

    /// The graph with the card in its metadata, as it is stored.
    ///
    /// # Errors
    /// If the card cannot be written as JSON.
    pub fn to_graph(&self) -> Result<Graph, Error> {
        let graph = self.card.on(&self.graph)?;
        match &self.provenance {
            Some(provenance) => Provenance::on(Some(provenance), &graph),
            None => Ok(graph),
        }
    }

    /// Writes the ONNX file, the card in its metadata.
    ///
    /// # Errors
    /// If it cannot be written; the target is then as it was.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        Ok(onnx::save(&self.to_graph()?, path)?)
    }

    /// The bytes of its ONNX file, the card in its metadata.
    ///
    /// # Errors
    /// If there are 2 GiB or more, or the card cannot be written as JSON.
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        Ok(onnx::encode(&self.to_graph()?)?)
    }

    /// A batch size that keeps cores busy and memory small: the largest value of a batch holds about
    /// four million elements. Results never depend on it.
    pub fn batch_size(&self) -> usize {
        let values = self.graph.values().iter().filter(|value| value.constant.is_none());
        let largest = values.map(|value| value.shape.sample_volume()).max().unwrap_or(1);
        (BATCH_ELEMENTS / largest.max(1)).clamp(1, 64)
    }

    /// Something that computes logits of batches of [`batch_size`](Self::batch_size) images.
    pub fn scorer(&self) -> Scorer {
        Scorer { session: self.session(&[self.graph.logits()]) }
    }

    /// Something that computes logits of one image at a time.
    pub fn single_scorer(&self) -> Scorer {
        let session = Session::new(self.graph.clone(), &[self.graph.logits()]);
        Scorer { session: session.for_batches_of(1) }
    }

    /// From images to `fetches`, for batches of [`batch_size`](Self::batch_size) images.
    pub(crate) fn session(&self, fetches: &[ValueId]) -> Session {
        Session::new(self.graph.clone(), fetches).for_batches_of(self.batch_size())
    }
}

/// Computes logits, batch after batch.
pub struct Scorer {
    session: Session,
}

impl Scorer {
    /// Logits `[n, k]` of images `[n, c, h, w]`.
    ///
    /// # Errors
    /// If the images do not fit the network.
    pub fn logits(&mut self, images: &Tensor) -> Result<Tensor, Error> {
        let batch = images.shape()[0];
        let logits = self.session.outputs(batch, images.data())?.remove(0);
        let classes = logits.data().len() / batch.max(1);
        Ok(logits.reshape([batch, classes]))
    }
}

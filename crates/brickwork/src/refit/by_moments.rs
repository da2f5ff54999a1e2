//! The refit of one layer of a cut from second moments: over any number of images, by any number of processes.
//!
//! What the layer reads in the cut network and what it should give are run for a few images at a time, from the
//! images on; nothing of them is kept but the moments.

use std::sync::Arc;

use brickwork_data::Preprocess;
use brickwork_exec::{Fetched, Session, chains};
use brickwork_graph::Graph;
use brickwork_tensor::Tensor;
use faer::Mat;
use safetensors::Dtype;

use super::aim::{Followed, follower};
use super::cut::{Cut, changed};
use super::layer_by_layer::patch;
use super::options::RefitOptions;
use super::rows::{Rows, SeededImage, TELLS, features, picked};
use super::second_moments::SecondMoments;
use super::staged_run::StagedValue;
use crate::files::sealed::{self, Array, Sealed};
use crate::images::source::Source;
use crate::model::error::Error;
use crate::model::layers::{LayerInfo, layers};
use crate::model::progress::Progress;

/// The metadata key of their file's header.
const KEY: &str = "brickwork.moments";

/// The second moments of a layer, by group.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LayerMoments {
    /// Of the images that it is fitted to.
    fitting: Vec<SecondMoments>,
    /// Of every fourth image, which tells how well that went.
    telling: Vec<SecondMoments>,
}

/// One layer of a cut, and its counterpart in the source.
pub(crate) struct CutLayer<'a> {
    cut: &'a Cut<'a>,
    graph: Arc<Graph>,
    layer: LayerInfo,
    target: LayerInfo,
    /// Its place among the source's layers.
    place: usize,
}

/// How positions of images are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Positions {
    /// So many of every image, at most.
    pub(crate) each: usize,
    /// Seed of the choice.
    pub(crate) seed: u64,
}

/// The layers of a cut that a refit solves, in order.
pub(crate) fn refitted_layers(cut: &Cut<'_>) -> Vec<String> {
    let own = layers(cut.graph);
    let there = |name: &String| own.iter().any(|layer| layer.name == *name);
    changed(cut).into_iter().filter(there).collect()
}

impl<'a> CutLayer<'a> {
    /// The layer of this name.
    ///
    /// # Errors
    /// If a refit solves no such layer.
    pub(crate) fn find(cut: &'a Cut<'a>, name: &str) -> Result<Self, Error> {
        let known = refitted_layers(cut);
        let (graph, theirs) = (Arc::new(cut.graph.clone()), layers(cut.source));
        let layer = layers(&graph).into_iter().find(|layer| layer.name == name);
        let place = theirs.iter().position(|layer| layer.name == name);
        match layer.zip(place).filter(|_| known.iter().any(|one| one == name)) {
            Some((layer, place)) => {
                Ok(Self { cut, graph, layer, target: theirs[place].clone(), place })
            }
            None => Err(Error::options(format!(
                "`layer={name}` is no layer that lost anything; those that did: {}",
                known.join(", ")
            ))),
        }
    }

    /// Moments of no rows.
    fn none(&self) -> LayerMoments {
        let weighted = &self.layer.weighted;
        let (inputs, outputs) =
            (weighted.inputs / weighted.groups, weighted.outputs / weighted.groups);
        let one = SecondMoments::none(inputs * weighted.taps(), outputs);
        let all = vec![one; weighted.groups];
        LayerMoments { fitting: all.clone(), telling: all }
    }

    /// The moments over images of `classes`, which both networks take prepared in the same way.
    ///
    /// # Errors
    /// If an image cannot be read, or a network cannot run.
    pub(crate) fn moments(
        &self,
        sources: &[Source],
        classes: &[usize],
        preprocess: &Preprocess,
        batch: usize,
        positions: Positions,
        progress: &dyn Progress,
    ) -> Result<LayerMoments, Error> {
        let mut found = self.none();
        let jobs: Vec<Vec<usize>> =
            sources.iter().map(|source| source.samples_of(classes)).collect();
        progress.begin("summing up rows", jobs.iter().map(|job| job.len() as u64).sum());
        let mut run = Run::new(self, batch);
        for (set, (source, job)) in sources.iter().zip(&jobs).enumerate() {
            source.for_each_batch(job, batch, preprocess, |indices, images| {
                run.of(images)?;
                let places = indices.iter().map(|&index| source.dataset.origin(index));
                self.add(&run, &places.collect::<Vec<_>>(), set, positions, &mut found);
                progress.advance(indices.len() as u64)
            })?;
        }
        Ok(found)
    }

    /// Adds the rows of images that were run, which stand at `places` of data set `set`.
    fn add(
        &self,
        run: &Run<'_>,
        places: &[usize],
        set: usize,
        positions: Positions,
        found: &mut LayerMoments,
    ) {
        let salt = positions.seed ^ ((self.place as u64) << 32) ^ ((set as u64) << 48);
        let (tell, fit): (Vec<usize>, Vec<usize>) =
            (0..places.len()).partition(|&k| places[k] % TELLS == TELLS - 1);
        for (images, moments) in [(fit, &mut found.fitting), (tell, &mut found.telling)] {
            let seeded = |index: usize| SeededImage {
                index,
                seed: salt ^ (places[index] as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15),
            };
            let images: Vec<SeededImage> = images.into_iter().map(seeded).collect();
            if !images.is_empty() {
                let rows = Rows::of_images(&self.layer, &run.target, positions.each, &images);
                self.add_rows(run, &rows, moments);
            }
        }
    }

    fn add_rows(&self, run: &Run<'_>, rows: &Rows, moments: &mut [SecondMoments]) {
        let weighted = &self.layer.weighted;
        let (inputs, outputs) =
            (weighted.inputs / weighted.groups, weighted.outputs / weighted.groups);
        let Some(kept) = self.cut.kept.get(&self.target.name) else { return };
        let options = RefitOptions { rounds: 0, ..RefitOptions::default() };
        let aim = run.followed().aim(run.sides(), kept, &options);
        for (group, moments) in moments.iter_mut().enumerate() {
            let own = group * outputs..(group + 1) * outputs;
            let x = features(&self.layer, &run.input, rows, group * inputs, inputs);
            let given = picked(&self.layer, &run.target, rows, &aim.kept[own.clone()]);
            moments.add_rows(&x, aim.wanted(&self.layer, rows, own, given).given());
        }
    }

    /// The network with the layer solved from its moments, with a ridge of `least` times the mean diagonal of the
    /// moments of its inputs, at least. Gives the ridge as well, if weights were moved.
    ///
    /// # Errors
    /// If the moments are of another layer.
    pub(crate) fn solved(
        &self,
        moments: &LayerMoments,
        least: f64,
    ) -> Result<(Graph, Vec<f64>), Error> {
        let weighted = &self.layer.weighted;
        let centred = weighted.bias_slot.is_some();
        let mut weights = self.layer.weights(&self.graph);
        let (mut bias, mut ridges) = (vec![0.0; weighted.outputs], Vec::new());
        let mut all = self.none();
        all.join(moments)?;
        let width = weights.shape()[1] * weights.shape()[2];
        let outputs = weighted.outputs / weighted.groups;
        let groups = weights.data_mut().chunks_mut(outputs * width).zip(bias.chunks_mut(outputs));
        let sides = all.fitting.iter().zip(&all.telling);
        for ((weights, bias), (fitting, telling)) in groups.zip(sides) {
            let start = Mat::from_fn(outputs, width, |o, k| f64::from(weights[o * width + k]));
            let lambda = fitting.chosen(telling, &start, least, centred);
            let mut both = fitting.clone();
            both.join(telling).map_err(Error::options)?;
            let found = both.solved(&start, lambda, centred);
            for (k, weight) in weights.iter_mut().enumerate() {
                *weight = found.weights[(k / width, k % width)] as f32;
            }
            bias.iter_mut().zip(&found.biases).for_each(|(own, bias)| *own = *bias as f32);
            ridges.extend(lambda);
        }
        let graph = patch(&self.graph, &self.layer, &weights, bias).apply(&self.graph)?;
        Ok((graph, ridges))
    }
}

/// Both networks, run up to a layer.
struct Run<'a> {
    owner: &'a CutLayer<'a>,
    ours: Session,
    theirs: Session,
    input: StagedValue,
    target: StagedValue,
    /// What is added to the layer's results, in the cut network and in the source.
    added: Option<[StagedValue; 2]>,
    own_chains: Vec<brickwork_exec::Chain>,
    source_chains: Vec<brickwork_exec::Chain>,
}

impl<'a> Run<'a> {
    fn new(owner: &'a CutLayer<'a>, batch: usize) -> Self {
        let (own_chains, source_chains) = (chains(&owner.graph), chains(owner.cut.source));
        let followed = Followed {
            ours: follower(&own_chains, &owner.layer),
            theirs: follower(&source_chains, &owner.target),
        };
        let (added, there) = followed.residuals().unzip();
        let session = |graph: &Arc<Graph>, value, added: Option<_>| {
            let wanted: Vec<_> = [value].into_iter().chain(added).collect();
            Session::new(graph.clone(), &wanted).for_batches_of(batch)
        };
        let empty = || StagedValue::empty("");
        Self {
            ours: session(&owner.graph, owner.layer.input, added),
            theirs: session(owner.cut.source, owner.target.output, there),
            added: added.map(|_| [empty(), empty()]),
            input: empty(),
            target: empty(),
            owner,
            own_chains,
            source_chains,
        }
    }

    fn followed(&self) -> Followed<'_> {
        Followed {
            ours: follower(&self.own_chains, &self.owner.layer),
            theirs: follower(&self.source_chains, &self.owner.target),
        }
    }

    /// Values that are added, in the cut network and in the source.
    fn sides(&self) -> Option<(&StagedValue, &StagedValue)> {
        self.added.as_ref().map(|[ours, theirs]| (ours, theirs))
    }

    /// Runs both on images `[n, c, h, w]`.
    fn of(&mut self, images: &Tensor) -> Result<(), Error> {
        let (count, feeds) = (images.shape()[0], [images.data()]);
        let fresh = |value: Fetched<'_>| {
            let mut held = StagedValue::empty("");
            held.append(&value);
            held
        };
        let (input, target, added) = (&mut self.input, &mut self.target, &mut self.added);
        self.ours.run(count, &feeds, |k, value| match added {
            Some([ours, _]) if k == 1 => *ours = fresh(value),
            _ => *input = fresh(value),
        })?;
        self.theirs.run(count, &feeds, |k, value| match added {
            Some([_, theirs]) if k == 1 => *theirs = fresh(value),
            _ => *target = fresh(value),
        })?;
        Ok(())
    }
}

impl LayerMoments {
    /// Adds those of other images.
    ///
    /// # Errors
    /// If they are of another layer.
    pub(crate) fn join(&mut self, other: &Self) -> Result<(), Error> {
        let wrong = |why| Error::options(format!("what was found is of different layers: {why}"));
        for (own, others) in
            [(&mut self.fitting, &other.fitting), (&mut self.telling, &other.telling)]
        {
            if own.len() != others.len() {
                return Err(wrong(format!("{} groups and {}", own.len(), others.len())));
            }
            own.iter_mut()
                .zip(others)
                .try_for_each(|(own, other)| own.join(other))
                .map_err(wrong)?;
        }
        Ok(())
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        let of = |moments: &[SecondMoments]| moments.first().map_or(0.0, SecondMoments::rows);
        (of(&self.fitting) + of(&self.telling)) as usize
    }

    /// The bytes of a file that holds them.
    ///
    /// # Errors
    /// If there can be no such file.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Error> {
        let mut arrays = Vec::new();
        let bytes =
            |numbers: &mut dyn Iterator<Item = f64>| numbers.flat_map(f64::to_le_bytes).collect();
        for (side, all) in [("fitting", &self.fitting), ("telling", &self.telling)] {
            for (group, moments) in all.iter().enumerate() {
                let SecondMoments { products, squares } = moments;
                let (rows, width) = (products.nrows(), products.ncols());
                let at = |k: usize| products[(k / width, k % width)];
                arrays.push(Array {
                    name: format!("{side}/{group}/products"),
                    dtype: Dtype::F64,
                    shape: vec![rows, width],
                    bytes: bytes(&mut (0..rows * width).map(at)),
                });
                arrays.push(Array {
                    name: format!("{side}/{group}/squares"),
                    dtype: Dtype::F64,
                    shape: vec![squares.len()],
                    bytes: bytes(&mut squares.iter().copied()),
                });
            }
        }
        sealed::sealed(KEY, self.fitting.len().to_string(), arrays)
    }

    /// Those in a file of these bytes.
    ///
    /// # Errors
    /// In words, if there are none.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let file = Sealed::open(bytes, KEY)?;
        let groups: usize =
            file.header().parse().map_err(|_| "its header is no number of groups".to_owned())?;
        let mut names = Vec::new();
        let mut side = |side: &str| -> Result<Vec<SecondMoments>, String> {
            let mut found = Vec::new();
            for group in 0..groups {
                let [products, squares] =
                    ["products", "squares"].map(|part| format!("{side}/{group}/{part}"));
                found.push(moments(&file, &products, &squares)?);
                names.extend([products, squares]);
            }
            Ok(found)
        };
        let (fitting, telling) = (side("fitting")?, side("telling")?);
        file.check(names.iter().map(String::as_str))?;
        Ok(Self { fitting, telling })
    }
}

/// The moments in two arrays of a file.
fn moments(file: &Sealed<'_>, products: &str, squares: &str) -> Result<SecondMoments, String> {
    let numbers = |name: &str| -> Result<(Vec<usize>, Vec<f64>), String> {
        let view = file.array(name)?;
        if view.dtype() != Dtype::F64 {
            return Err(format!("array `{name}`: {:?}, expected F64", view.dtype()));
        }
        let read = |bytes: &[u8; 8]| f64::from_le_bytes(*bytes);
        Ok((view.shape().to_vec(), view.data().as_chunks::<8>().0.iter().map(read).collect()))
    };
    let ((shape, numbers_of), (_, squares_of)) = (numbers(products)?, numbers(squares)?);
    let fits = match shape[..] {
        [rows, width] => rows > 0 && width == rows + squares_of.len(),
        _ => false,
    };
    let finite = numbers_of.iter().chain(&squares_of).all(|number| number.is_finite());
    if !fits || !finite {
        return Err(format!("array `{products}`: shape {shape:?}, or numbers that are not finite"));
    }
    let at = |row: usize, column: usize| numbers_of[row * shape[1] + column];
    Ok(SecondMoments { products: Mat::from_fn(shape[0], shape[1], at), squares: squares_of })
}

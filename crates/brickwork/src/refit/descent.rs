//! All refitted layers of a network of any size towards the source's scores, by gradients.
//!
//! Where [Gauss-Newton](super::gauss_newton) would take a gradient of every image for every weight, the sum over a few
//! images has to do. The loss is the same: the divergence of softmaxes at a temperature, with statistics as they
//! are in inference. Steps are Adam's (Kingma and Ba 2015), in units of the mean size of the weights of the layer
//! that is moved, since layers that took up a normalisation differ in it by orders of magnitude. After every pass images
//! that took no part judge; a pass that brings them no nearer is taken back, and the next takes smaller steps.

use std::sync::Arc;

use brickwork_exec::{Optimiser, OptimiserKind, Role, Target, Training};
use brickwork_graph::Graph;
use brickwork_tensor::Tensor;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::judge::{Alignment, Goal, Judge, NEAR, Soft};
use super::options::RefitOptions;
use crate::images::image_set::ImageSet;
use crate::model::error::Error;
use crate::model::progress::Progress;

/// Images of a step.
const BATCH: usize = 16;

/// Images of a pass, at most.
const IMAGES: usize = 1024;

/// The length of a step in the beginning, relative to the root mean square of a layer's weights.
const RATE: f32 = 0.01;

/// What is left of it after a pass that helped.
const SLOWER: f32 = 0.7;

/// What is left of it after a pass that was taken back.
const FAR_SLOWER: f32 = 0.1;

/// So many passes in a row that bring nothing are the last.
const PATIENCE: usize = 3;

/// Moves the constants of these names, by `images` `[n, c, h, w]`, until the scores of `graph` come no closer to those of
/// the goal, as `judge` finds. `None` if it cannot be passed back through.
///
/// # Errors
/// If the network cannot run, or an image cannot be read.
pub(super) fn descend(
    graph: Arc<Graph>,
    names: &[String],
    goal: &Goal<'_>,
    images: &ImageSet,
    judge: &Judge,
    options: &RefitOptions,
    progress: &dyn Progress,
) -> Result<Option<(Arc<Graph>, Alignment)>, Error> {
    let mut run = Run::new(&graph, names)?;
    if let Err(error) = run.training.check(BATCH) {
        progress.note(&format!("the scores are not aligned as a whole: {error}"));
        return Ok(None);
    }
    let before = judge.loss(&graph)?;
    let (mut after, mut best, mut passes, mut idle) = (before, graph, 0, 0);
    let mut order: Vec<usize> = (0..images.len()).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let mut rate = RATE;
    for pass in 1..=options.passes {
        if after < NEAR || idle == PATIENCE || options.is_late() {
            break;
        }
        order.shuffle(&mut rng);
        let some = images.some(&order[..order.len().min(IMAGES)]);
        let wanted = goal.scores(&some)?;
        let title = format!("moving all layers, pass {pass} of {}", options.passes);
        progress.begin(&title, some.len() as u64);
        let each = BATCH * goal.classes.len();
        for (images, wanted) in some.batches(BATCH).zip(wanted.data().chunks(each)) {
            if options.is_late() {
                break;
            }
            let images = images?;
            run.step(&judge.soft, &images, wanted, rate)?;
            progress.advance(images.shape()[0] as u64)?;
        }
        let moved = Arc::new(run.training.trained()?);
        let loss = judge.loss(&moved)?;
        if loss < after {
            (after, best, passes, idle) = (loss, moved, passes + 1, 0);
            rate *= SLOWER;
        } else {
            run = Run::new(&best, names)?;
            idle += 1;
            rate *= FAR_SLOWER;
        }
    }
    Ok(Some((best, Alignment { passes, before, after })))
}

/// A network that is moved.
struct Run {
    training: Training,
    optimiser: Optimiser,
    /// The root mean square of every parameter's numbers.
    sizes: Vec<f32>,
}

impl Run {
    fn new(graph: &Arc<Graph>, names: &[String]) -> Result<Self, Error> {
        let learns = |name: &str| names.iter().any(|own| own == name);
        let training = Training::new(graph.clone(), &[graph.logits()], learns).settled();
        let lengths: Vec<usize> = training.parameters().iter().map(|p| p.data.len()).collect();
        let kind = OptimiserKind::AdamW { betas: [0.9, 0.99], epsilon: 1e-12, decay: 0.0 };
        let optimiser =
            Optimiser::new(kind, &lengths).map_err(|error| Error::options(error.to_string()))?;
        let size = |data: &[f32]| {
            (data.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>() / data.len() as f64).sqrt()
        };
        let learned = training.parameters().iter();
        let sizes =
            learned.map(|p| if p.role == Role::Learned { size(&p.data) as f32 } else { 0.0 });
        let sizes = sizes.collect();
        Ok(Self { training, optimiser, sizes })
    }

    /// One step on some images `[n, c, h, w]`, which should get the `wanted` scores `[n, k]`.
    fn step(
        &mut self,
        soft: &Soft,
        images: &Tensor,
        wanted: &[f32],
        rate: f32,
    ) -> Result<(), Error> {
        let pull = |targets: &mut [Target<'_>]| {
            let classes = wanted.len() / images.shape()[0];
            let sides = targets[0].data.chunks(classes).zip(wanted.chunks(classes));
            let gradients = targets[0].gradient.chunks_mut(classes);
            sides.zip(gradients).for_each(|((z, s), gradient)| soft.slope(z, s, gradient));
            true
        };
        let Self { training, optimiser, sizes } = self;
        optimiser.begin_step();
        training.step(images.shape()[0], &[images.data()], 0, pull, |learned| {
            for parameter in learned {
                let rate = rate * sizes[parameter.index];
                optimiser.update(
                    parameter.index,
                    parameter.data,
                    parameter.gradient,
                    rate,
                    false,
                    None,
                );
            }
        })?;
        Ok(())
    }
}

//! Optimisers: how a gradient moves a parameter.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A rule and its constants. Rates are not among them: they come with every update.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum OptimiserKind {
    /// Stochastic gradient descent as `torch.optim.SGD` does it, without dampening:
    /// `g += decay p`, `m = momentum m + g`, then `p -= rate m`, or with Nesterov's momentum
    /// `p -= rate (g + momentum m)`.
    Sgd {
        /// How much of the last movement stays, from 0 to below 1.
        momentum: f64,
        /// Whether to look ahead (Sutskever et al. 2013).
        nesterov: bool,
        /// Weight decay, coupled to the gradient, at least 0.
        decay: f64,
    },
    /// AdamW (Loshchilov and Hutter 2019) as `torch.optim.AdamW` does it. At step `t`, counted
    /// from 1: `p -= rate decay p`, `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`, then
    /// `p -= rate / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + epsilon)`.
    AdamW {
        /// `b1` and `b2`, from 0 to below 1.
        betas: [f64; 2],
        /// Keeps the divisor from 0; above 0.
        epsilon: f64,
        /// Weight decay, apart from the gradient, at least 0.
        decay: f64,
    },
}

/// Why an optimiser cannot be made or restored.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum OptimiserError {
    /// A constant has a value without meaning.
    #[error("the optimiser's {constant} is {found}, expected {expected}")]
    Constant {
        /// Which one.
        constant: &'static str,
        /// Its value.
        found: f64,
        /// The values with a meaning.
        expected: &'static str,
    },
    /// A tensor of the state is missing.
    #[error("the state has no tensor `{name}`; it is that of another network or optimiser")]
    Missing {
        /// Its name.
        name: String,
    },
    /// A tensor of the state belongs to nothing.
    #[error("the state has a tensor `{name}` too much; it is that of another network or optimiser")]
    Unknown {
        /// Its name.
        name: String,
    },
    /// A tensor of the state has another length.
    #[error("`{name}` of the state holds {found} numbers, expected {expected}")]
    Size {
        /// Its name.
        name: String,
        /// Its length.
        found: usize,
        /// The length of the parameter.
        expected: usize,
    },
}

impl OptimiserKind {
    fn problem(&self) -> Option<OptimiserError> {
        let wrong = |constant, found, expected| {
            Some(OptimiserError::Constant { constant, found, expected })
        };
        let share = |x: f64| (0.0..1.0).contains(&x);
        let (Self::Sgd { decay, .. } | Self::AdamW { decay, .. }) = *self;
        if !(decay.is_finite() && decay >= 0.0) {
            return wrong("decay", decay, "a finite number not below 0");
        }
        match *self {
            Self::Sgd { momentum, .. } if !share(momentum) => {
                wrong("momentum", momentum, "a number from 0 to below 1")
            }
            Self::Sgd { momentum, nesterov: true, .. } if momentum == 0.0 => {
                wrong("momentum", momentum, "more than 0 with Nesterov's momentum")
            }
            Self::Sgd { .. } => None,
            Self::AdamW { betas, epsilon, .. } => match betas.into_iter().find(|&b| !share(b)) {
                Some(beta) => wrong("beta", beta, "a number from 0 to below 1"),
                None if !(epsilon.is_finite() && epsilon > 0.0) => {
                    wrong("epsilon", epsilon, "a finite number above 0")
                }
                None => None,
            },
        }
    }

    /// Names of the running means kept for every parameter, as PyTorch calls them.
    fn slots(&self) -> &'static [&'static str] {
        match self {
            Self::Sgd { .. } => &["momentum_buffer"],
            Self::AdamW { .. } => &["exp_avg", "exp_avg_sq"],
        }
    }
}

/// Everything an [`Optimiser`] remembers between steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OptimiserState {
    /// Steps begun.
    pub step: u64,
    /// Running means by name: `exp_avg.3` is that of parameter 3.
    pub tensors: BTreeMap<String, Vec<f32>>,
}

/// Moves parameters along their gradients.
///
/// Every step is [`Self::begin_step`], then [`Self::update`] for each parameter. Results do not
/// depend on the number of threads.
#[derive(Clone, Debug)]
pub struct Optimiser {
    kind: OptimiserKind,
    step: u64,
    /// For every parameter and slot, as many numbers as the parameter has.
    means: Vec<Vec<Vec<f32>>>,
}

/// Elements a thread takes at a time.
const CHUNK: usize = 1 << 14;

/// What stands for no mask.
const FREE: [bool; CHUNK] = [false; CHUNK];

impl Optimiser {
    /// An optimiser for parameters of these lengths, at rest.
    ///
    /// # Errors
    /// If a constant has no meaning.
    pub fn new(kind: OptimiserKind, lengths: &[usize]) -> Result<Self, OptimiserError> {
        match kind.problem() {
            Some(problem) => Err(problem),
            None => {
                let rest = |&length: &usize| vec![vec![0.0; length]; kind.slots().len()];
                Ok(Self { kind, step: 0, means: lengths.iter().map(rest).collect() })
            }
        }
    }

    /// The rule.
    pub fn kind(&self) -> OptimiserKind {
        self.kind
    }

    /// Starts the next step; the updates that follow belong to it.
    pub fn begin_step(&mut self) {
        self.step += 1;
    }

    /// Moves `parameter`, number `index` of those given to [`Self::new`], along `gradient`.
    ///
    /// `decays` says whether weight decay holds for it. Where `frozen` is true, neither the
    /// parameter nor what is remembered of it changes.
    ///
    /// # Panics
    /// Before the first [`Self::begin_step`], or if a length is not that of the parameter.
    pub fn update(
        &mut self,
        index: usize,
        parameter: &mut [f32],
        gradient: &[f32],
        rate: f32,
        decays: bool,
        frozen: Option<&[bool]>,
    ) {
        assert!(self.step > 0, "no step was begun");
        let means = &mut self.means[index];
        let length = parameter.len();
        assert!(means.iter().all(|mean| mean.len() == length), "parameter {index}");
        assert_eq!(gradient.len(), length, "gradient {index}");
        assert!(frozen.is_none_or(|frozen| frozen.len() == length), "mask {index}");
        let frozen_in = |chunk: usize| match frozen {
            None => &FREE[..],
            Some(frozen) => &frozen[chunk * CHUNK..],
        };
        let work = parameter.par_chunks_mut(CHUNK).zip(gradient.par_chunks(CHUNK));
        match (&self.kind, means.as_mut_slice()) {
            (OptimiserKind::Sgd { momentum, nesterov, decay }, [mean]) => {
                let decay = if decays { *decay as f32 } else { 0.0 };
                let rule = Sgd { rate, momentum: *momentum as f32, nesterov: *nesterov, decay };
                work.zip(mean.par_chunks_mut(CHUNK)).enumerate().for_each(
                    |(k, ((parameter, gradient), mean))| {
                        rule.apply(parameter, gradient, mean, frozen_in(k));
                    },
                );
            }
            (OptimiserKind::AdamW { betas, epsilon, decay }, [mean, square]) => {
                let decay = if decays { *decay } else { 0.0 };
                let rule = AdamW::new(self.step, rate, *betas, *epsilon, decay);
                work.zip(mean.par_chunks_mut(CHUNK))
                    .zip(square.par_chunks_mut(CHUNK))
                    .enumerate()
                    .for_each(|(k, (((parameter, gradient), mean), square))| {
                        rule.apply(parameter, gradient, mean, square, frozen_in(k));
                    });
            }
            _ => unreachable!("every kind has its slots"),
        }
    }

    /// What to keep so that [`Self::restore`] goes on bit by bit as if there had been no pause.
    pub fn state(&self) -> OptimiserState {
        let named = |(index, means): (usize, &Vec<Vec<f32>>)| {
            let slots = self.kind.slots().iter().zip(means.clone());
            slots.map(|(slot, mean)| (format!("{slot}.{index}"), mean)).collect::<Vec<_>>()
        };
        let tensors = self.means.iter().enumerate().flat_map(named).collect();
        OptimiserState { step: self.step, tensors }
    }

    /// Takes over what an optimiser of the same kind for the same parameters remembered. After a
    /// failure, nothing has changed.
    ///
    /// # Errors
    /// If a tensor is missing, too much, or of another length.
    pub fn restore(&mut self, mut state: OptimiserState) -> Result<(), OptimiserError> {
        let mut restored = self.means.clone();
        for (index, means) in restored.iter_mut().enumerate() {
            for (slot, mean) in self.kind.slots().iter().zip(means) {
                let name = format!("{slot}.{index}");
                match state.tensors.remove(&name) {
                    Some(found) if found.len() == mean.len() => *mean = found,
                    Some(found) => {
                        let (found, expected) = (found.len(), mean.len());
                        return Err(OptimiserError::Size { name, found, expected });
                    }
                    None => return Err(OptimiserError::Missing { name }),
                }
            }
        }
        if let Some(name) = state.tensors.into_keys().next() {
            return Err(OptimiserError::Unknown { name });
        }
        (self.step, self.means) = (state.step, restored);
        Ok(())
    }
}

/// One step of [`OptimiserKind::Sgd`].
struct Sgd {
    rate: f32,
    momentum: f32,
    nesterov: bool,
    decay: f32,
}

impl Sgd {
    fn apply(&self, parameter: &mut [f32], gradient: &[f32], mean: &mut [f32], frozen: &[bool]) {
        let Self { rate, momentum, nesterov, decay } = *self;
        let state = parameter.iter_mut().zip(mean);
        for ((p, m), (&g, &frozen)) in state.zip(gradient.iter().zip(frozen)) {
            let slope = g + decay * *p;
            let speed = momentum * *m + slope;
            let step = if nesterov { slope + momentum * speed } else { speed };
            *p = if frozen { *p } else { *p - rate * step };
            *m = if frozen { *m } else { speed };
        }
    }
}

/// One step of [`OptimiserKind::AdamW`].
struct AdamW {
    kept: f32,
    fresh: f32,
    old_square: f32,
    fresh_square: f32,
    root: f32,
    epsilon: f32,
    length: f32,
}

impl AdamW {
    fn new(step: u64, rate: f32, [first, second]: [f64; 2], epsilon: f64, decay: f64) -> Self {
        let rate = f64::from(rate);
        let grown = |beta: f64| 1.0 - beta.powf(step as f64);
        Self {
            kept: (1.0 - rate * decay) as f32,
            fresh: (1.0 - first) as f32,
            old_square: second as f32,
            fresh_square: (1.0 - second) as f32,
            root: grown(second).sqrt() as f32,
            epsilon: epsilon as f32,
            length: (rate / grown(first)) as f32,
        }
    }

    fn apply(
        &self,
        parameter: &mut [f32],
        gradient: &[f32],
        mean: &mut [f32],
        square: &mut [f32],
        frozen: &[bool],
    ) {
        let state = parameter.iter_mut().zip(mean.iter_mut().zip(square));
        for ((p, (m, v)), (&g, &frozen)) in state.zip(gradient.iter().zip(frozen)) {
            let first = *m + self.fresh * (g - *m);
            let second = self.old_square * *v + self.fresh_square * g * g;
            let step = self.length * first / (second.sqrt() / self.root + self.epsilon);
            *p = if frozen { *p } else { *p * self.kept - step };
            *m = if frozen { *m } else { first };
            *v = if frozen { *v } else { second };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, assert_close};
    use proptest::prelude::*;
    use rayon::ThreadPoolBuilder;

    #[derive(Deserialize)]
    struct Trajectory {
        kind: OptimiserKind,
        places: Vec<Vec<f32>>,
    }

    #[derive(Deserialize)]
    struct Fixture {
        start: Vec<f32>,
        gradients: Vec<Vec<f32>>,
        rates: Vec<f32>,
        trajectories: Vec<Trajectory>,
    }

    const SGD: OptimiserKind = OptimiserKind::Sgd { momentum: 0.9, nesterov: true, decay: 5e-4 };
    const ADAMW: OptimiserKind =
        OptimiserKind::AdamW { betas: [0.9, 0.999], epsilon: 1e-8, decay: 0.01 };

    fn made(kind: OptimiserKind, lengths: &[usize]) -> Optimiser {
        Optimiser::new(kind, lengths).expect("optimiser")
    }

    #[test]
    fn follows_pytorch() {
        let Fixture { start, gradients, rates, trajectories } = fixture::read("optimisers");
        assert!(trajectories.len() > 1);
        for Trajectory { kind, places } in trajectories {
            let mut optimiser = made(kind, &[start.len()]);
            let mut parameter = start.clone();
            for ((gradient, &rate), place) in gradients.iter().zip(&rates).zip(&places) {
                optimiser.begin_step();
                optimiser.update(0, &mut parameter, gradient, rate, true, None);
                // Movements of this size leave their rounding where they cancel.
                assert_close(&parameter, place, 0.1);
            }
        }
    }

    #[test]
    fn without_decay_is_decay_zero() {
        let Fixture { start, gradients, .. } = fixture::read("optimisers");
        let none = [
            (SGD, OptimiserKind::Sgd { momentum: 0.9, nesterov: true, decay: 0.0 }),
            (ADAMW, OptimiserKind::AdamW { betas: [0.9, 0.999], epsilon: 1e-8, decay: 0.0 }),
        ];
        for (kind, plain) in none {
            let end = |kind, decays| {
                let (mut optimiser, mut parameter) = (made(kind, &[7]), start.clone());
                for gradient in &gradients {
                    optimiser.begin_step();
                    optimiser.update(0, &mut parameter, gradient, 0.1, decays, None);
                }
                parameter
            };
            assert_eq!(end(kind, false), end(plain, true));
            assert_ne!(end(kind, true), end(plain, true));
        }
    }

    /// A few steps for two parameters, the first longer than a chunk.
    fn run(optimiser: &mut Optimiser, parameters: &mut [Vec<f32>; 2], steps: usize) {
        for step in 0..steps {
            optimiser.begin_step();
            for (index, parameter) in parameters.iter_mut().enumerate() {
                let slope = |k: usize| ((k * 7 + step * 3 + index) % 11) as f32 - 5.0;
                let gradient: Vec<f32> = (0..parameter.len()).map(slope).collect();
                optimiser.update(index, parameter, &gradient, 0.01, true, None);
            }
        }
    }

    fn start() -> [Vec<f32>; 2] {
        [CHUNK * 2 + 5, 3].map(|length| (0..length).map(|k| (k as f32).sin()).collect())
    }

    #[test]
    fn a_restored_optimiser_goes_on_bit_by_bit() {
        for kind in [SGD, ADAMW] {
            let (mut whole, mut parameters) = (made(kind, &start().map(|p| p.len())), start());
            run(&mut whole, &mut parameters, 3);
            let text = serde_json::to_string(&whole.state()).expect("writes");
            let mut again = made(kind, &start().map(|p| p.len()));
            again.restore(serde_json::from_str(&text).expect("reads")).expect("restores");
            let mut others = parameters.clone();
            run(&mut whole, &mut parameters, 2);
            run(&mut again, &mut others, 2);
            assert_eq!(parameters, others);
            assert_eq!(whole.state(), again.state());
            assert_eq!(again.state().step, 5);
        }
    }

    #[test]
    fn threads_do_not_matter() {
        for kind in [SGD, ADAMW] {
            let [alone, together] = [1, 4].map(|threads| {
                let pool = ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
                let (mut optimiser, mut parameters) =
                    (made(kind, &start().map(|p| p.len())), start());
                pool.install(|| run(&mut optimiser, &mut parameters, 3));
                (parameters, optimiser.state())
            });
            assert_eq!(alone, together);
        }
    }

    proptest! {
        #[test]
        fn frozen_elements_rest_and_the_others_move_as_ever(
            mask in prop::collection::vec(any::<bool>(), CHUNK + 9),
            kind in prop::sample::select(vec![SGD, ADAMW]),
        ) {
            let length = mask.len();
            let gradient: Vec<f32> = (0..length).map(|k| (k % 7) as f32 - 3.5).collect();
            let start = vec![1.0; length];
            let (mut free, mut held) = (made(kind, &[length]), made(kind, &[length]));
            let (mut moved, mut masked) = (start.clone(), start.clone());
            for _ in 0..2 {
                free.begin_step();
                free.update(0, &mut moved, &gradient, 0.1, true, None);
                held.begin_step();
                held.update(0, &mut masked, &gradient, 0.1, true, Some(&mask));
            }
            let held_back = |moved: &[f32], rest: f32| -> Vec<f32> {
                let all = moved.iter().zip(&mask);
                all.map(|(&x, &frozen)| if frozen { rest } else { x }).collect()
            };
            prop_assert_eq!(masked, held_back(&moved, 1.0));
            let (free, held) = (free.state().tensors, held.state().tensors);
            for (name, mean) in &held {
                prop_assert_eq!(mean, &held_back(&free[name], 0.0));
            }
        }
    }

    #[test]
    fn states_of_others_are_refused_and_change_nothing() {
        let mut optimiser = made(SGD, &[2, 3]);
        let own = optimiser.state();
        let refused = |optimiser: &mut Optimiser, other: Optimiser| {
            optimiser.restore(other.state()).expect_err("refused")
        };
        let missing = refused(&mut optimiser, made(ADAMW, &[2, 3]));
        assert!(matches!(missing, OptimiserError::Missing { name } if name == "momentum_buffer.0"));
        let unknown = refused(&mut optimiser, made(SGD, &[2, 3, 4]));
        assert!(matches!(unknown, OptimiserError::Unknown { name } if name == "momentum_buffer.2"));
        let size = refused(&mut optimiser, made(SGD, &[2, 4]));
        assert!(matches!(size, OptimiserError::Size { found: 4, expected: 3, .. }));
        assert_eq!(optimiser.state(), own);
    }

    #[test]
    fn constants_without_meaning_are_refused() {
        let sgd = |momentum, nesterov, decay| OptimiserKind::Sgd { momentum, nesterov, decay };
        let adamw = |beta, epsilon| {
            let (betas, decay) = ([0.9, beta], 0.0);
            OptimiserKind::AdamW { betas, epsilon, decay }
        };
        let wrong = [
            ("momentum", sgd(1.0, false, 0.0)),
            ("momentum", sgd(f64::NAN, false, 0.0)),
            ("momentum", sgd(0.0, true, 0.0)),
            ("decay", sgd(0.9, true, -0.1)),
            ("beta", adamw(1.0, 1e-8)),
            ("epsilon", adamw(0.9, 0.0)),
        ];
        for (word, kind) in wrong {
            let error = Optimiser::new(kind, &[1]).expect_err("refused").to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}

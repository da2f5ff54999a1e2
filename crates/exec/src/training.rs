//! Training: forward, loss, backward, batch after batch.

mod plan;
mod sample;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use brickwork_graph::{ConstantRole, Graph, Patch, Problems, ValueId, draw, own_statistics};
use brickwork_tensor::{Level, Tensor};

use crate::error::ExecError;
use crate::memory::Arena;
use plan::{Request, TrainPlan};

/// What training does to a constant of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The optimiser moves it.
    Learned,
    /// It follows the batches (running mean and variance).
    Statistic,
    /// It stays as it is.
    Fixed,
}

/// A constant of the graph, in training.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// The constant.
    pub value: ValueId,
    /// Its name.
    pub name: String,
    /// Its extents.
    pub shape: Vec<usize>,
    /// What becomes of it.
    pub role: Role,
    /// Whether it holds a layer's weights, to which weight decay is usually confined.
    pub weights: bool,
    /// Its elements, row-major.
    pub data: Vec<f32>,
}

/// A parameter and its gradient, both row-major.
#[derive(Debug)]
pub struct Learned<'a> {
    /// Position in [`Training::parameters`].
    pub index: usize,
    /// The parameter's elements.
    pub data: &'a mut [f32],
    /// The gradient of the loss with respect to them; of every sample, one after the other, if the
    /// training keeps them [apart](Training::by_sample).
    pub gradient: &'a [f32],
}

/// A value that the loss reads, row-major, and the gradient that the loss sets.
#[derive(Debug)]
pub struct Target<'a> {
    /// Extents, the batch first.
    pub extents: &'a [usize],
    /// The elements.
    pub data: &'a [f32],
    /// The gradient of the loss with respect to them, to be filled.
    pub gradient: &'a mut [f32],
}

/// A graph in training.
///
/// Learned are the weights and biases of layers, and the constants of the nodes behind them, such
/// as normalisation scales; what stands before the first layer is preprocessing and stays.
/// Statistics follow the batches where gradients pass. Single numbers of a formula and what is given
/// stay. A constant that several nodes read is learned for all of them, but every statistic has its
/// own.
pub struct Training {
    graph: Arc<Graph>,
    parameters: Vec<Parameter>,
    index_of: HashMap<ValueId, usize>,
    targets: Vec<ValueId>,
    needed: Vec<bool>,
    level: Level,
    settled: bool,
    by_sample: bool,
    plans: BTreeMap<usize, TrainPlan>,
    arena: Arena,
}

impl Training {
    /// Prepares to train `graph` by losses that read `targets`. `learns` says which of the
    /// parameters that could be learned are, by name.
    pub fn new(graph: Arc<Graph>, targets: &[ValueId], learns: impl Fn(&str) -> bool) -> Self {
        let graph = Arc::new(own_statistics(&graph));
        let parameters = parameters(&graph, learns);
        let index_of = parameters.iter().enumerate().map(|(index, p)| (p.value, index)).collect();
        let mut needed = vec![false; graph.values().len()];
        for parameter in parameters.iter().filter(|p| p.role == Role::Learned) {
            needed[parameter.value.index()] = true;
        }
        for node in graph.nodes() {
            if node.inputs.iter().flatten().any(|input| needed[input.index()]) {
                node.outputs.iter().for_each(|output| needed[output.index()] = true);
            }
        }
        Self {
            graph,
            parameters,
            index_of,
            targets: targets.to_vec(),
            needed,
            level: Level::best(),
            settled: false,
            by_sample: false,
            plans: BTreeMap::new(),
            arena: Arena::default(),
        }
    }

    /// Gradients of the network as it is in inference: statistics stay, nothing is dropped.
    pub fn settled(mut self) -> Self {
        self.settled = true;
        for parameter in self.parameters.iter_mut().filter(|p| p.role == Role::Statistic) {
            parameter.role = Role::Fixed;
        }
        self
    }

    /// Keeps the gradients that single samples have for the parameters apart, `[n, ...]` for a batch
    /// of `n`, instead of adding them up. Fits networks whose samples do not see each other, so
    /// [settled](Self::settled) ones.
    pub fn by_sample(mut self) -> Self {
        self.by_sample = true;
        self
    }

    /// Uses the given instruction set instead of the best.
    pub fn at_level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// The graph as it was given, with [its own statistics](own_statistics).
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// All constants of the graph.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// All constants of the graph, to be set; their lengths must stay. What a node that no gradient
    /// passes reads was taken in when the step was planned: setting it changes nothing.
    pub fn parameters_mut(&mut self) -> &mut [Parameter] {
        &mut self.parameters
    }

    /// Whether a batch of `batch` samples can be trained on.
    ///
    /// # Errors
    /// If a node has no backward pass, or no training form for such a batch.
    pub fn check(&mut self, batch: usize) -> Result<(), ExecError> {
        self.plan(batch).map(|_| ())
    }

    fn plan(&mut self, batch: usize) -> Result<&TrainPlan, ExecError> {
        if !self.plans.contains_key(&batch) {
            let request = Request {
                graph: &self.graph,
                parameters: &self.parameters,
                index_of: &self.index_of,
                targets: &self.targets,
                needed: &self.needed,
                batch,
                level: self.level,
                settled: self.settled,
                by_sample: self.by_sample,
            };
            let plan = TrainPlan::new(&request)?;
            self.plans.insert(batch, plan);
        }
        Ok(&self.plans[&batch])
    }

    /// One step on `batch` samples: runs forward, lets `loss` read the targets and set their
    /// gradients, runs backward, lets `learn` move the parameters, and moves the statistics. If
    /// `loss` returns false, the step ends there and nothing has moved. All random draws come from
    /// `seed`.
    ///
    /// # Errors
    /// If a feed has the wrong size or a node cannot be trained.
    pub fn step(
        &mut self,
        batch: usize,
        feeds: &[&[f32]],
        seed: u64,
        mut loss: impl FnMut(&mut [Target<'_>]) -> bool,
        learn: impl FnOnce(&mut [Learned<'_>]),
    ) -> Result<(), ExecError> {
        self.check_feeds(batch, feeds)?;
        self.plan(batch)?;
        let plan = &self.plans[&batch];
        self.arena.fit(&plan.layout);
        let seed = draw(seed);
        let mut outside: Vec<&[f32]> = feeds.to_vec();
        outside.extend(self.parameters.iter().map(|parameter| &parameter.data[..]));
        outside.push(&seed);
        for (index, step) in plan.steps.iter().enumerate() {
            if index != plan.turn {
                self.arena.run(&plan.layout, step, &outside);
                continue;
            }
            let goes_on = self.arena.with(&plan.layout, step, &outside, |values, gradients, _| {
                let sides = values.iter().zip(gradients).zip(&plan.targets);
                let mut targets: Vec<Target<'_>> = sides
                    .map(|((data, gradient), extents)| Target { extents, data, gradient })
                    .collect();
                loss(&mut targets)
            });
            if !goes_on {
                return Ok(());
            }
        }
        self.learn(batch, learn);
        Ok(())
    }

    fn learn(&mut self, batch: usize, learn: impl FnOnce(&mut [Learned<'_>])) {
        let (plan, arena) = (&self.plans[&batch], &self.arena);
        let mut gradients: HashMap<usize, usize> = plan.gradients.iter().copied().collect();
        let mut learned: Vec<Learned<'_>> = self
            .parameters
            .iter_mut()
            .enumerate()
            .filter_map(|(index, parameter)| {
                let gradient = arena.read(&plan.layout, gradients.remove(&index)?, &[]);
                Some(Learned { index, data: &mut parameter.data, gradient })
            })
            .collect();
        learn(&mut learned);
        for &(index, storage, rate) in &plan.follows {
            let batch = arena.read(&plan.layout, storage, &[]);
            for (old, new) in self.parameters[index].data.iter_mut().zip(batch) {
                *old += rate * (new - *old);
            }
        }
    }

    fn check_feeds(&self, batch: usize, feeds: &[&[f32]]) -> Result<(), ExecError> {
        for (k, &input) in self.graph.inputs().iter().enumerate() {
            let value = self.graph.value(input);
            let expected = value.shape.at(batch).iter().product();
            let found = feeds.get(k).map_or(0, |data| data.len());
            if found != expected {
                let value = value.name.clone();
                return Err(ExecError::WrongSize { value, found, expected, batch });
            }
        }
        Ok(())
    }

    /// The graph with the parameters as they are now.
    ///
    /// # Errors
    /// If a parameter's length was changed.
    pub fn trained(&self) -> Result<Graph, Problems> {
        let mut patch = Patch::new("training");
        for parameter in self.parameters.iter().filter(|p| p.role != Role::Fixed) {
            let data = Tensor::new(parameter.shape.clone(), parameter.data.clone());
            patch.constant(parameter.value, Arc::new(data));
        }
        patch.apply(&self.graph)
    }
}

/// All constants that nodes read, in the order of their first reader.
fn parameters(graph: &Graph, learns: impl Fn(&str) -> bool) -> Vec<Parameter> {
    let mut roles: HashMap<ValueId, usize> = HashMap::new();
    let mut list: Vec<Parameter> = Vec::new();
    // Values that depend on a layer, or on statistics.
    let mut behind = vec![false; graph.values().len()];
    for node in graph.nodes() {
        let layer = node.op.weighted(&graph.operands(node));
        let counts = (0..node.inputs.len()).any(|slot| node.op.is_statistic(slot));
        let follows = node.inputs.iter().flatten().any(|input| behind[input.index()]);
        let trains = layer.is_some() || counts || follows;
        node.outputs.iter().for_each(|output| behind[output.index()] = trains);
        for (slot, input) in node.inputs.iter().enumerate() {
            let Some(value) = *input else { continue };
            let Some(data) = &graph.value(value).constant else { continue };
            let name = &graph.value(value).name;
            let own = layer.is_some() || counts || data.data().len() > 1;
            let role = match node.op.role(slot) {
                ConstantRole::Statistic => Role::Statistic,
                ConstantRole::Parameter if trains && learns(name) => Role::Learned,
                ConstantRole::Coefficient if trains && own && learns(name) => Role::Learned,
                _ => Role::Fixed,
            };
            let weights = layer.is_some() && slot == 1;
            let index = *roles.entry(value).or_insert_with(|| {
                list.push(Parameter {
                    value,
                    name: name.clone(),
                    shape: data.shape().to_vec(),
                    role,
                    weights,
                    data: data.data().to_vec(),
                });
                list.len() - 1
            });
            list[index].weights |= weights;
            if role == Role::Learned {
                list[index].role = role;
            }
        }
    }
    list
}

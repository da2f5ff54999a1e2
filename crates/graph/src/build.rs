//! From the nodes of a file to a checked [`Graph`]: constants and shape arithmetic are folded,
//! every node is read by its operator, and every problem is collected before anything is refused.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use brickwork_tensor::{Nd, Tensor};

use crate::attrs::Literal;
use crate::check::check;
use crate::fold;
use crate::graph::{Graph, Node, Value, ValueId};
use crate::lower::operands;
use crate::op::{Op, OpError};
use crate::ops;
use crate::read::{Form, Known, Operand, Read, Reading, Source};
use crate::shape::{Int, Shape};
use crate::simplify;

/// Something wrong with one node, value or with the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The node or value, as the file names it.
    pub place: String,
    /// Operator type, if the place is a node.
    pub kind: Option<String>,
    /// What was expected and what was found.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Some(kind) => write!(f, "node `{}` ({kind}): {}", self.place, self.text),
            None => write!(f, "`{}`: {}", self.place, self.text),
        }
    }
}

/// Everything wrong with a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 40;
        for (k, problem) in self.0.iter().take(SHOWN).enumerate() {
            write!(f, "{}{problem}", if k == 0 { "" } else { "\n" })?;
        }
        if self.0.len() > SHOWN {
            write!(f, "\nand {} more", self.0.len() - SHOWN)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Makes a [`Graph`] out of inputs, constants and nodes in running order.
pub struct Builder {
    graph: Graph,
    opset: i64,
    fixed_batch: Option<usize>,
    known: HashMap<String, Operand>,
    lost: HashSet<String>,
    constants: HashMap<String, ValueId>,
    node_names: HashSet<String>,
    value_names: HashSet<String>,
    problems: Vec<Problem>,
}

impl Builder {
    /// Starts a graph whose nodes are written for operator set `opset`. `fixed_batch` is the
    /// batch size that reshapes in the file may have built in.
    pub fn new(name: &str, opset: i64, fixed_batch: Option<usize>) -> Self {
        Self {
            graph: Graph { name: name.to_owned(), ..Graph::default() },
            opset,
            fixed_batch,
            known: HashMap::new(),
            lost: HashSet::new(),
            constants: HashMap::new(),
            node_names: HashSet::new(),
            value_names: HashSet::new(),
            problems: Vec::new(),
        }
    }

    /// Notes a problem found outside, to be reported with the rest.
    pub fn problem(&mut self, place: &str, text: impl Into<String>) {
        self.problems.push(Problem { place: place.to_owned(), kind: None, text: text.into() });
    }

    /// Free text that travels with the graph.
    pub fn metadata(&mut self, entries: BTreeMap<String, String>) {
        self.graph.metadata = entries;
    }

    /// Adds an input.
    pub fn input(&mut self, name: &str, shape: Shape) {
        if !self.claim(name) {
            return;
        }
        let id = self.add_value(name, shape.clone(), None);
        self.graph.inputs.push(id);
        self.known.insert(name.to_owned(), Operand::Value(id, shape));
    }

    /// Adds a constant.
    pub fn constant(&mut self, name: &str, literal: Literal) {
        if !self.claim(name) {
            return;
        }
        let operand = match literal {
            Literal::Floats(data) => {
                let strange = data.data().iter().filter(|x| !x.is_finite()).count();
                if strange > 0 && data.data().len() > 1 {
                    self.problem(name, format!("constant holds {strange} NaN or infinite numbers"));
                }
                Operand::Floats(Arc::new(data))
            }
            Literal::Ints(data) => Operand::Ints(Arc::new(data.map(Int::Fixed))),
        };
        self.known.insert(name.to_owned(), operand);
    }

    /// Adds a node; its operands must have been added before.
    pub fn node(&mut self, form: &Form) {
        for (k, output) in form.outputs.iter().enumerate() {
            if form.outputs[..k].contains(output) && !output.is_empty()
                || !output.is_empty() && self.known.contains_key(output)
            {
                self.node_problem(form, format!("`{output}` is made twice"));
                return;
            }
        }
        if form.inputs.iter().any(|name| self.lost.contains(name)) {
            return self.lose(form);
        }
        let mut operands = Vec::new();
        for name in &form.inputs {
            match self.known.get(name) {
                _ if name.is_empty() => operands.push(Operand::Absent),
                Some(operand) => operands.push(operand.clone()),
                None => {
                    self.node_problem(form, format!("operand `{name}` is made by no earlier node"));
                    return self.lose(form);
                }
            }
        }
        if let Err(error) = self.read(form, &operands) {
            self.node_problem(form, error.0);
            self.lose(form);
        }
    }

    fn read(&mut self, form: &Form, operands: &[Operand]) -> Result<(), OpError> {
        let known = matches!(form.domain.as_str(), "" | "ai.onnx").then(|| ops::find(&form.kind));
        let Some(read) = known.flatten() else {
            let domain = if form.domain.is_empty() { "ONNX" } else { &form.domain };
            return Err(OpError::new(format!("operator of {domain} is not supported")));
        };
        let reading = Reading::new(self.opset, self.fixed_batch, form, operands);
        let result = read(&reading)?;
        let unseen = reading.unseen();
        if !unseen.is_empty() && !matches!(result, Read::Expand(_)) {
            return Err(OpError::new(format!(
                "attribute `{}` is not supported",
                unseen.join("`, `")
            )));
        }
        match result {
            Read::Known(results) => {
                for (name, known) in form.outputs.iter().zip(results) {
                    self.know(name, known);
                }
                Ok(())
            }
            Read::Expand(forms) => {
                let before = self.problems.len();
                forms.iter().for_each(|form| self.node(form));
                match self.problems.len() - before {
                    0 => Ok(()),
                    _ => Err(OpError::new("it cannot be written with simpler operators")),
                }
            }
            Read::Node(op, sources) => self.place(form, operands, op, &sources),
        }
    }

    /// Puts a read node into the graph, or folds it if all it needs is known.
    fn place(
        &mut self,
        form: &Form,
        found: &[Operand],
        op: Arc<dyn Op>,
        sources: &[Source],
    ) -> Result<(), OpError> {
        let shapes: Vec<Option<(Shape, Option<Arc<Tensor>>)>> = sources
            .iter()
            .map(|source| match source {
                Source::Absent => None,
                Source::Constant(data) => Some((Shape::fixed(data.shape()), Some(data.clone()))),
                Source::Operand(slot) => found[*slot].shape().map(|shape| {
                    let data = match &found[*slot] {
                        Operand::Floats(data) => Some(data.clone()),
                        _ => None,
                    };
                    (shape, data)
                }),
            })
            .collect();
        let views: Vec<Option<(&Shape, Option<&Arc<Tensor>>)>> =
            shapes.iter().map(|s| s.as_ref().map(|(shape, data)| (shape, data.as_ref()))).collect();
        let facts = operands(&views);
        let results = op.shapes(&facts)?;
        if results.len() < form.outputs.iter().filter(|name| !name.is_empty()).count() {
            return Err(OpError::new(format!(
                "{} results are asked for, {} are supported",
                form.outputs.len(),
                results.len()
            )));
        }
        if let Some(Operand::Ints(data)) = found.first() {
            let moved = op.moves(&facts).ok_or_else(|| {
                OpError::new("it works on whole numbers, which only shape arithmetic may")
            })?;
            let shape = results[0].extents().ok_or_else(|| OpError::new("its shape is open"))?;
            let data = moved.iter().map(|&from| data.data()[from]).collect();
            self.know(&form.outputs[0], Known::Ints(Arc::new(Nd::new(shape, data))));
            return Ok(());
        }
        if found.iter().any(|operand| matches!(operand, Operand::Ints(_)))
            && sources
                .iter()
                .any(|s| matches!(s, Source::Operand(k) if matches!(found[*k], Operand::Ints(_))))
        {
            return Err(OpError::new("an operand holds whole numbers, expected real ones"));
        }
        if facts
            .constants
            .iter()
            .zip(&facts.shapes)
            .all(|(data, shape)| data.is_some() || shape.is_none())
        {
            let folded = fold::evaluate(op.as_ref(), &facts, &results)?;
            for (name, tensor) in form.outputs.iter().zip(folded) {
                self.know(name, Known::Floats(Arc::new(tensor)));
            }
            return Ok(());
        }
        let inputs = sources.iter().enumerate().map(|(slot, source)| match source {
            Source::Absent => None,
            Source::Constant(data) => {
                let name = format!("{}.{}.{slot}", form.outputs[0], form.kind.to_lowercase());
                Some(self.constant_value(&name, data.clone()))
            }
            Source::Operand(k) => match &found[*k] {
                Operand::Value(id, _) => Some(*id),
                Operand::Floats(data) => Some(self.constant_value(&form.inputs[*k], data.clone())),
                Operand::Absent | Operand::Ints(_) => None,
            },
        });
        let inputs: Vec<Option<ValueId>> = inputs.collect();
        let mut outputs = Vec::new();
        for (k, shape) in results.into_iter().enumerate() {
            let name = match form.outputs.get(k) {
                Some(name) if !name.is_empty() => name.clone(),
                _ => format!("{}.unused{k}", form.outputs[0]),
            };
            let id = self.add_value(&name, shape.clone(), None);
            self.known.insert(name, Operand::Value(id, shape));
            outputs.push(id);
        }
        let name = if form.name.is_empty() { &form.outputs[0] } else { &form.name };
        let name = unique(name, &mut self.node_names);
        self.graph.nodes.push(Node { name, op, inputs, outputs });
        Ok(())
    }

    fn constant_value(&mut self, name: &str, data: Arc<Tensor>) -> ValueId {
        if let Some(&id) = self.constants.get(name) {
            return id;
        }
        let id = self.add_value(name, Shape::fixed(data.shape()), Some(data));
        self.constants.insert(name.to_owned(), id);
        id
    }

    fn add_value(&mut self, name: &str, shape: Shape, constant: Option<Arc<Tensor>>) -> ValueId {
        let name = unique(name, &mut self.value_names);
        self.graph.values.push(Value { name, shape, constant });
        ValueId((self.graph.values.len() - 1) as u32)
    }

    fn know(&mut self, name: &str, known: Known) {
        let operand = match known {
            Known::Floats(data) => Operand::Floats(data),
            Known::Ints(data) => Operand::Ints(data),
        };
        if !name.is_empty() {
            self.known.insert(name.to_owned(), operand);
        }
    }

    /// Whether `name` may be given to a new input or constant.
    fn claim(&mut self, name: &str) -> bool {
        if name.is_empty() {
            self.problem(name, "an input or constant has no name");
            return false;
        }
        if self.known.contains_key(name) {
            self.problem(name, "the name is used twice");
            return false;
        }
        true
    }

    fn lose(&mut self, form: &Form) {
        self.lost.extend(form.outputs.iter().filter(|name| !name.is_empty()).cloned());
    }

    fn node_problem(&mut self, form: &Form, text: String) {
        let place = match form.name.as_str() {
            "" => form.outputs.first().cloned().unwrap_or_default(),
            name => name.to_owned(),
        };
        self.problems.push(Problem { place, kind: Some(form.kind.clone()), text });
    }

    /// Declares an output.
    pub fn output(&mut self, name: &str) {
        match self.known.get(name) {
            Some(Operand::Value(id, _)) => self.graph.outputs.push(*id),
            Some(_) => self.problem(name, "the output does not depend on the input"),
            None if self.lost.contains(name) => {}
            None => self.problem(name, "the output is made by no node"),
        }
    }

    /// The finished graph: nodes that no output needs are dropped, element moves that amount to
    /// one are merged, and every invariant is checked.
    ///
    /// # Errors
    /// All problems met since the builder was made.
    pub fn finish(mut self) -> Result<Graph, Problems> {
        if self.graph.outputs.is_empty() && self.problems.is_empty() {
            self.problem(&self.graph.name.clone(), "the graph has no output");
        }
        if !self.problems.is_empty() {
            return Err(Problems(self.problems));
        }
        let graph = simplify::simplify(self.graph);
        check(&graph)?;
        Ok(graph)
    }
}

/// `name`, or `name` with the first free number behind it.
pub(crate) fn unique(name: &str, taken: &mut HashSet<String>) -> String {
    if taken.insert(name.to_owned()) {
        return name.to_owned();
    }
    let mut number = 2;
    loop {
        let candidate = format!("{name}_{number}");
        if taken.insert(candidate.clone()) {
            return candidate;
        }
        number += 1;
    }
}

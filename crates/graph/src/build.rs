//! From the nodes of a file to a checked [`Graph`]: constants and shape arithmetic are folded,
//! every node is read by its operator, and every problem is collected before anything is refused.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use brickwork_tensor::{Nd, Tensor};

use crate::attrs::{Attr, Literal};
use crate::check::{check, sound_shapes};
use crate::error::{OpError, Problem, Problems};
use crate::fold;
use crate::graph::{Graph, Node, Stored, Value, ValueId};
use crate::names::Names;
use crate::op::Op;
use crate::ops;
use crate::read::{Form, Known, Operand, OperandSource, Read, Reading, few_ints, within};
use crate::shape::{Dim, Int, Operands, Shape};
use crate::simplify;

/// Makes a [`Graph`] out of inputs, constants and nodes in running order.
pub struct Builder {
    graph: Graph,
    opset: i64,
    fixed_batch: Option<usize>,
    known: HashMap<String, Operand>,
    lost: HashSet<String>,
    constants: HashMap<String, ValueId>,
    /// How the file holds inputs and outputs, by name, and arrays, which stay where they are until then.
    stored: HashMap<String, Stored>,
    stored_arrays: HashMap<*const Tensor, StoredArray>,
    /// Values whose rows the file has in another order: so many for each sample, samples innermost.
    turned: HashMap<ValueId, usize>,
    /// Whether rows of operands count as they lie.
    as_they_lie: bool,
    node_names: Names,
    value_names: Names,
    problems: Vec<Problem>,
    /// Steps and bytes that constants worked out from now on may take.
    room: u64,
}

/// An array of the file and how it is held there.
struct StoredArray {
    stored: Stored,
    _data: Arc<Tensor>,
}

/// Steps and bytes that any model may spend on constants it works out, however small its file.
const ROOM: u64 = 1 << 30;

/// More of them for every byte of a constant in the file.
const ROOM_PER_BYTE: u64 = 4;

/// Operands or results of one node.
const MOST_SLOTS: usize = 1 << 12;

/// Bytes in a name.
const LONGEST_NAME: usize = 1 << 10;

/// Bytes of a problem's text that are kept.
const LONGEST_TEXT: usize = 500;

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
            stored: HashMap::new(),
            stored_arrays: HashMap::new(),
            turned: HashMap::new(),
            as_they_lie: false,
            node_names: Names::default(),
            value_names: Names::default(),
            problems: Vec::new(),
            room: ROOM,
        }
    }

    /// Notes a problem found outside, to be reported with the rest.
    pub fn problem(&mut self, place: &str, text: impl Into<String>) {
        self.note(place, None, text.into());
    }

    /// Notes that the input or constant `name` cannot be read. What needs it is not reported.
    pub fn unreadable(&mut self, name: &str, text: impl Into<String>) {
        if self.claim(name) {
            self.lost.insert(name.to_owned());
        }
        self.problem(name, text);
    }

    /// Notes that a node cannot be read. What needs its results is not reported.
    pub fn unreadable_node(&mut self, form: &Form, text: impl Into<String>) {
        self.node_problem(form, text.into());
        self.lose(form);
    }

    fn note(&mut self, place: &str, kind: Option<&str>, text: String) {
        self.problems.push(Problem {
            place: tidied(place, LONGEST_NAME),
            kind: kind.map(|kind| tidied(kind, LONGEST_NAME)),
            text: tidied(&text, LONGEST_TEXT),
        });
    }

    /// Free text that travels with the graph.
    pub fn metadata(&mut self, entries: BTreeMap<String, String>) {
        self.graph.metadata = entries;
    }

    /// Says how the file holds the elements of the input or output `name`, before it is made.
    pub fn stored(&mut self, name: &str, stored: Stored) {
        self.stored.insert(name.to_owned(), stored);
    }

    /// Adds an input.
    pub fn input(&mut self, name: &str, shape: Shape) {
        if let Err(error) = shape.sound().and(shape.follows_batch()) {
            return self.unreadable(name, error.0);
        }
        if !self.claim(name) {
            return;
        }
        let id = self.add_value(name, shape.clone(), None);
        self.graph.inputs.push(id);
        self.known.insert(name.to_owned(), Operand::Value(id, shape));
    }

    /// Adds a constant.
    pub fn constant(&mut self, name: &str, literal: Literal) {
        self.stored_constant(name, literal, Stored::default());
    }

    /// Adds a constant, of which real numbers are held by the file as `stored`.
    pub fn stored_constant(&mut self, name: &str, literal: Literal, stored: Stored) {
        if let Err(error) = sound(&literal) {
            return self.unreadable(name, error.0);
        }
        if !self.claim(name) {
            return;
        }
        self.make_room(&literal);
        let known = match literal {
            Literal::Floats(data) => {
                let data = Arc::new(data);
                if stored != Stored::default() {
                    let array = StoredArray { stored, _data: data.clone() };
                    self.stored_arrays.insert(Arc::as_ptr(&data), array);
                }
                Known::Floats(data)
            }
            Literal::Ints(data) => Known::Ints(Arc::new(data.map(Int::Fixed))),
        };
        self.know(name, known);
    }

    /// Adds a constant that is the constant `other` under another name: both share one array. If
    /// `other` cannot be read, what needs this one is not reported either.
    pub fn same_constant(&mut self, name: &str, other: &str) {
        if !self.claim(name) {
            return;
        }
        match self.known.get(other).cloned() {
            Some(operand) => _ = self.known.insert(name.to_owned(), operand),
            None => _ = self.lost.insert(name.to_owned()),
        }
    }

    /// Adds a constant that is zero but for a few elements: place (row-major) and value. Its zeros
    /// count as worked out.
    ///
    /// # Panics
    /// If a place lies outside the shape.
    pub fn sparse_constant(&mut self, name: &str, shape: &[usize], entries: &[(usize, f32)]) {
        let whole = Shape::fixed(shape);
        let bytes = || (size_of::<f32>() * whole.sample_volume()) as u64;
        if let Err(error) = whole.sound().and_then(|()| self.spend(bytes())) {
            return self.unreadable(name, error.0);
        }
        let mut data = Tensor::filled(shape, 0.0);
        entries.iter().for_each(|&(place, x)| data.data_mut()[place] = x);
        if let Err(error) = numbers(&data) {
            return self.unreadable(name, error.0);
        }
        if self.claim(name) {
            self.know(name, Known::Floats(Arc::new(data)));
        }
    }

    /// What a file brings along, it may also work with.
    fn make_room(&mut self, literal: &Literal) {
        let bytes = match literal {
            Literal::Floats(data) => 4 * data.data().len() as u64,
            Literal::Ints(data) => 8 * data.data().len() as u64,
        };
        self.room = self.room.saturating_add(ROOM_PER_BYTE * bytes);
    }

    /// Adds a node; its operands must have been added before.
    pub fn node(&mut self, form: &Form) {
        if let Err(error) = self.fits(form) {
            return self.unreadable_node(form, error.0);
        }
        if form.inputs.iter().any(|name| self.lost.contains(name)) {
            return self.lose(form);
        }
        let mut operands = Vec::new();
        for name in &form.inputs {
            match self.known.get(name) {
                _ if name.is_empty() => operands.push(Operand::Absent),
                // Exporters write operands they leave out as empty arrays (Resize's roi).
                Some(Operand::Floats(data)) if data.data().is_empty() => {
                    operands.push(Operand::Absent);
                }
                Some(operand) => operands.push(operand.clone()),
                None => {
                    let text = format!("operand `{name}` is made by no earlier node");
                    return self.unreadable_node(form, text);
                }
            }
        }
        if let Err(error) = self.read(form, &operands) {
            self.unreadable_node(form, error.0);
        }
    }

    /// Whether the node's slots and names can be taken.
    fn fits(&self, form: &Form) -> Result<(), OpError> {
        let (inputs, outputs) = (form.inputs.len(), form.outputs.len());
        if inputs.max(outputs) > MOST_SLOTS {
            return Err(OpError::new(format!(
                "it has {inputs} operands and {outputs} results, at most {MOST_SLOTS} may be"
            )));
        }
        let mut own = HashSet::new();
        for output in form.outputs.iter().filter(|output| !output.is_empty()) {
            short_name(output)?;
            if !own.insert(output) || self.is_taken(output) {
                return Err(OpError::new(format!("`{output}` is made twice")));
            }
        }
        if form.outputs.first().is_none_or(String::is_empty) {
            return Err(OpError::new("it has no first result"));
        }
        short_name(&form.name)
    }

    fn is_taken(&self, name: &str) -> bool {
        self.known.contains_key(name) || self.lost.contains(name)
    }

    fn read(&mut self, form: &Form, operands: &[Operand]) -> Result<(), OpError> {
        let known = matches!(form.domain.as_str(), "" | "ai.onnx").then(|| ops::find(&form.kind));
        let Some(read) = known.flatten() else {
            return Err(OpError::new(unsupported(&form.domain)));
        };
        for attr in form.attrs.values() {
            if let Attr::Literal(literal) = attr {
                sound(literal)?;
                self.make_room(literal);
            }
        }
        let turned = operands.first().and_then(|operand| self.turned_rows(operand));
        let reading = Reading::new(self.opset, self.fixed_batch, form, operands, self.room);
        let reading = reading.turned(turned);
        let result = read(&reading)?;
        let unseen = reading.unseen();
        if !unseen.is_empty() {
            return Err(OpError::new(format!(
                "attribute `{}` is not supported",
                unseen.join("`, `")
            )));
        }
        match result {
            Read::Known(results) => {
                for (name, known) in form.outputs.iter().zip(results) {
                    self.spend(known.cost())?;
                    self.know(name, known);
                }
                Ok(())
            }
            Read::Same => {
                self.known.insert(form.outputs[0].clone(), operands[0].clone());
                Ok(())
            }
            Read::Expand(forms) => {
                // What is wrong with any of them is noted in its own name.
                forms.iter().for_each(|form| self.node(form));
                Ok(())
            }
            Read::Turning { forms, rows } => {
                let before = std::mem::replace(&mut self.as_they_lie, true);
                forms.iter().for_each(|form| self.node(form));
                self.as_they_lie = before;
                if let (Some(rows), Some(Operand::Value(id, _))) =
                    (rows, self.known.get(&form.outputs[0]))
                {
                    self.turned.insert(*id, rows);
                }
                Ok(())
            }
            Read::Node(op, sources) => self.place(form, operands, op, &sources),
        }
    }

    /// The rows of each sample that an operand has turned.
    fn turned_rows(&self, operand: &Operand) -> Option<usize> {
        match operand {
            Operand::Value(id, _) if !self.as_they_lie => self.turned.get(id).copied(),
            _ => None,
        }
    }

    /// The rows that the results of a node have turned, as its operands have. It must treat every row alike,
    /// as it would a sample: then their order does not matter.
    fn pass_turned(
        &self,
        found: &[Operand],
        op: &dyn Op,
        sources: &[OperandSource],
        facts: &Operands<'_>,
    ) -> Result<Option<usize>, OpError> {
        let slots = sources.iter().map(|source| match source {
            OperandSource::Operand(slot) => self.turned_rows(&found[*slot]),
            _ => None,
        });
        let slots: Vec<Option<usize>> = slots.collect();
        let Some(rows) = slots.iter().flatten().next().copied() else { return Ok(None) };
        let mixed = || OpError::new("it mixes rows of several samples of the batch");
        let single = |shape: &Shape| {
            let mut shape = shape.clone();
            let first = shape.0.first_mut().filter(|dim| **dim == Dim::Batch(rows));
            *first.ok_or_else(mixed)? = Dim::Batch(1);
            Ok(shape)
        };
        let mut shapes = Vec::new();
        for ((shape, constant), turned) in facts.shapes.iter().zip(&facts.constants).zip(&slots) {
            shapes.push(match (shape, constant, turned) {
                (Some(shape), None, turned) if *turned == Some(rows) => Some(single(shape)?),
                (Some(_), None, _) => return Err(mixed()),
                (shape, ..) => shape.cloned(),
            });
        }
        let seen = shapes.iter().zip(&facts.constants);
        let seen = seen.map(|(shape, data)| shape.as_ref().map(|shape| (shape, *data)));
        let alike = op.shapes(&Operands::of(seen)).map_err(|_| mixed())?;
        let all = op.shapes(facts)?.iter().map(single).collect::<Result<Vec<Shape>, OpError>>()?;
        if alike == all { Ok(Some(rows)) } else { Err(mixed()) }
    }

    /// Puts a read node into the graph, or folds it if all it needs is known.
    fn place(
        &mut self,
        form: &Form,
        found: &[Operand],
        op: Arc<dyn Op>,
        sources: &[OperandSource],
    ) -> Result<(), OpError> {
        let whole = |slot: usize| found.get(slot).and_then(Operand::whole);
        let is_whole = |source: &OperandSource| matches!(source, OperandSource::Operand(k) if whole(*k).is_some());
        if sources.iter().any(is_whole) && whole(0).is_none() {
            return Err(OpError::new("an operand holds whole numbers, expected real ones"));
        }
        let slots: Vec<Option<Slot>> = sources.iter().map(|s| Slot::of(s, found)).collect();
        let facts = Operands::of(slots.iter().map(|s| s.as_ref().map(Slot::seen)));
        let results = sound_shapes(op.as_ref(), &facts)?;
        let asked = form.outputs.iter().rposition(|name| !name.is_empty()).map_or(0, |k| k + 1);
        if results.len() < asked {
            return Err(OpError::new(format!(
                "{asked} results are asked for, {} are supported",
                results.len()
            )));
        }
        // Of what repeats over the batch, one sample is enough.
        let samples: Vec<Option<Slot>> =
            slots.iter().map(|slot| slot.as_ref().map(Slot::sample)).collect();
        let facts = Operands::of(samples.iter().map(|s| s.as_ref().map(Slot::seen)));
        if let Some(whole) = whole(0) {
            let moved = moved_ints(op.as_ref(), &facts, &whole.data, &results[0])?;
            let known = Known::whole(moved, results[0].clone());
            self.spend(known.cost())?;
            self.know(&form.outputs[0], known);
            return Ok(());
        }
        let mut seen = facts.constants.iter().zip(&facts.shapes);
        if seen.all(|(data, shape)| data.is_some() || shape.is_none()) {
            return self.fold(form, op.as_ref(), &facts, results);
        }
        if sound_shapes(op.as_ref(), &facts)? != results {
            return Err(OpError::new("a constant that repeats over the batch does not broadcast"));
        }
        results.iter().try_for_each(Shape::follows_batch)?;
        let rows = self.pass_turned(found, op.as_ref(), sources, &facts)?;
        self.put(form, found, op, sources, results)?;
        let made = form.outputs.iter().filter_map(|name| self.known.get(name));
        let made = made.filter_map(|operand| match operand {
            Operand::Value(id, _) => Some(*id),
            _ => None,
        });
        self.turned.extend(made.zip(std::iter::repeat(rows)).filter_map(|(id, r)| Some((id, r?))));
        Ok(())
    }

    /// Works out a node whose operands are all known. `results` are the shapes that its results stand
    /// for.
    fn fold(
        &mut self,
        form: &Form,
        op: &dyn Op,
        facts: &Operands<'_>,
        results: Vec<Shape>,
    ) -> Result<(), OpError> {
        let samples: Vec<Shape> = results.iter().map(|s| Shape::fixed(&s.sample())).collect();
        self.spend(fold::cost(op, facts, &samples))?;
        let folded = fold::evaluate(op, facts, &samples)?;
        for ((name, tensor), shape) in form.outputs.iter().zip(folded).zip(results) {
            self.know(name, Known::real(tensor, shape));
        }
        Ok(())
    }

    /// Adds a node to the graph, with results of these shapes.
    fn put(
        &mut self,
        form: &Form,
        found: &[Operand],
        op: Arc<dyn Op>,
        sources: &[OperandSource],
        results: Vec<Shape>,
    ) -> Result<(), OpError> {
        let inputs = sources.iter().enumerate().map(|(slot, source)| match source {
            OperandSource::Absent => Ok(None),
            OperandSource::Constant(data) => {
                let name = format!("{}.{}.{slot}", form.outputs[0], form.kind.to_lowercase());
                self.constant_value(&name, data).map(Some)
            }
            OperandSource::Operand(k) => match &found[*k] {
                Operand::Value(id, _) => Ok(Some(*id)),
                known => known
                    .real()
                    .map(|real| self.shared_constant(&form.inputs[*k], &real.data))
                    .transpose(),
            },
        });
        let inputs = inputs.collect::<Result<Vec<Option<ValueId>>, OpError>>()?;
        let mut outputs = Vec::new();
        for (k, shape) in results.into_iter().enumerate() {
            outputs.push(match form.outputs.get(k) {
                Some(name) if !name.is_empty() => {
                    let id = self.add_value(name, shape.clone(), None);
                    self.known.insert(name.clone(), Operand::Value(id, shape));
                    id
                }
                _ => self.add_value(&format!("{}.unused{k}", form.outputs[0]), shape, None),
            });
        }
        let name = if form.name.is_empty() { &form.outputs[0] } else { &form.name };
        let name = self.node_names.unique(name);
        self.graph.nodes.push(Node { name, op, inputs, outputs });
        Ok(())
    }

    /// The value of a constant that has a name in the file, the same for all its readers.
    fn shared_constant(&mut self, name: &str, data: &Arc<Tensor>) -> Result<ValueId, OpError> {
        if let Some(&id) = self.constants.get(name) {
            return Ok(id);
        }
        let id = self.constant_value(name, data)?;
        self.constants.insert(name.to_owned(), id);
        Ok(id)
    }

    fn constant_value(&mut self, name: &str, data: &Arc<Tensor>) -> Result<ValueId, OpError> {
        numbers(data).map_err(|error| OpError::new(format!("`{name}`: {error}")))?;
        Ok(self.add_value(name, Shape::fixed(data.shape()), Some(data.clone())))
    }

    fn add_value(&mut self, name: &str, shape: Shape, constant: Option<Arc<Tensor>>) -> ValueId {
        let stored = match &constant {
            Some(data) => self.stored_arrays.get(&Arc::as_ptr(data)).map(|array| array.stored),
            None => self.stored.get(name).copied(),
        };
        let (stored, name) = (stored.unwrap_or_default(), self.value_names.unique(name));
        self.graph.values.push(Value { name, shape, constant, stored });
        ValueId((self.graph.values.len() - 1) as u32)
    }

    fn know(&mut self, name: &str, known: Known) {
        if !name.is_empty() {
            self.known.insert(name.to_owned(), known.into());
        }
    }

    /// Takes what a constant costs out of what the model may spend.
    fn spend(&mut self, cost: u64) -> Result<(), OpError> {
        within(cost, self.room)?;
        self.room -= cost;
        Ok(())
    }

    /// Whether `name` may be given to a new input or constant.
    fn claim(&mut self, name: &str) -> bool {
        let problem = if name.is_empty() {
            "an input or constant has no name".to_owned()
        } else if self.is_taken(name) {
            "the name is used twice".to_owned()
        } else {
            match short_name(name) {
                Ok(()) => return true,
                Err(error) => error.0,
            }
        };
        self.problem(name, problem);
        false
    }

    fn lose(&mut self, form: &Form) {
        let new = |name: &&String| !name.is_empty() && !self.known.contains_key(*name);
        self.lost.extend(form.outputs.iter().filter(new).cloned());
    }

    fn node_problem(&mut self, form: &Form, text: String) {
        let place = match form.name.as_str() {
            "" => form.outputs.first().cloned().unwrap_or_default(),
            name => name.to_owned(),
        };
        self.note(&place, Some(&form.kind), text);
    }

    /// Declares an output.
    pub fn output(&mut self, name: &str) {
        if self.graph.outputs.len() == MOST_SLOTS {
            return self.problem(name, format!("a graph has at most {MOST_SLOTS} outputs"));
        }
        match self.known.get(name) {
            Some(Operand::Value(id, _)) if self.turned.contains_key(id) => {
                self.problem(name, "samples of the output do not lie along its first axis");
            }
            Some(Operand::Value(id, _)) => self.declare(name, *id),
            Some(_) => self.problem(name, "the output does not depend on the input"),
            None if self.lost.contains(name) => {}
            None => self.problem(name, "the output is made by no node"),
        }
    }

    /// Makes a value an output called `name`, which may be another name for it.
    fn declare(&mut self, name: &str, id: ValueId) {
        let value = &mut self.graph.values[id.index()];
        if value.name != name {
            if self.graph.inputs.contains(&id) || self.graph.outputs.contains(&id) {
                let text = format!("the output is `{}` itself", value.name);
                return self.problem(name, text);
            }
            value.name = self.value_names.unique(name);
            value.stored = self.stored.get(name).copied().unwrap_or_default();
        }
        self.graph.outputs.push(id);
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

/// What is known of an operand while a node is placed.
#[derive(Clone)]
struct Slot {
    shape: Shape,
    /// Known real numbers.
    data: Option<Arc<Tensor>>,
    /// Whether these are known whole numbers.
    whole: bool,
}

impl Slot {
    fn of(source: &OperandSource, found: &[Operand]) -> Option<Self> {
        match source {
            OperandSource::Absent => None,
            OperandSource::Constant(data) => {
                let shape = Shape::fixed(data.shape());
                Some(Self { shape, data: Some(data.clone()), whole: false })
            }
            OperandSource::Operand(slot) => {
                let data = found[*slot].real().map(|real| real.data);
                let whole = found[*slot].whole().is_some();
                found[*slot].shape().map(|shape| Self { shape, data, whole })
            }
        }
    }

    /// The same with constants as they are stored.
    fn sample(&self) -> Self {
        let shape = match (&self.data, self.whole) {
            (None, false) => self.shape.clone(),
            _ => Shape::fixed(&self.shape.sample()),
        };
        Self { shape, ..self.clone() }
    }

    fn seen(&self) -> (&Shape, Option<&Arc<Tensor>>) {
        (&self.shape, self.data.as_ref())
    }
}

/// What an operator that moves elements makes of whole numbers.
fn moved_ints(
    op: &dyn Op,
    facts: &Operands<'_>,
    data: &Nd<Int>,
    result: &Shape,
) -> Result<Nd<Int>, OpError> {
    few_ints(result.sample_volume())?;
    let moved = op.moves(facts).ok_or_else(|| {
        OpError::new("it works on whole numbers, which only shape arithmetic may")
    })?;
    Ok(Nd::new(result.sample(), moved.iter().map(|&from| data.data()[from]).collect()))
}

/// Refuses arrays beyond the limits. Empty ones are fine: they stand for missing operands.
fn sound(literal: &Literal) -> Result<(), OpError> {
    let solid = |shape: &[usize]| -> Shape {
        Shape::fixed(&shape.iter().map(|&extent| extent.max(1)).collect::<Vec<_>>())
    };
    match literal {
        Literal::Ints(data) => few_ints(data.data().len()).and(solid(data.shape()).sound()),
        Literal::Floats(data) => numbers(data).and(solid(data.shape()).sound()),
    }
}

/// Refuses arrays with NaN or infinite numbers. A single number may be infinite, as a bound is.
fn numbers(data: &Tensor) -> Result<(), OpError> {
    let single = data.data().len() == 1;
    let strange = |x: &&f32| if single { x.is_nan() } else { !x.is_finite() };
    match data.data().iter().filter(strange).count() {
        0 => Ok(()),
        count => Err(OpError::new(format!("it holds {count} NaN or infinite numbers"))),
    }
}

fn short_name(name: &str) -> Result<(), OpError> {
    if name.len() <= LONGEST_NAME {
        return Ok(());
    }
    let found = name.len();
    Err(OpError::new(format!("a name has {found} bytes, at most {LONGEST_NAME} are supported")))
}

/// At most `longest` bytes of `text`, without characters that do something to a terminal.
fn tidied(text: &str, longest: usize) -> String {
    let end = (0..=longest.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    let kept = &text[..end.unwrap_or(0)];
    let shown = kept.replace(char::is_control, "\u{fffd}");
    if kept.len() < text.len() { shown + "..." } else { shown }
}

/// That operators of a domain are not known, and what to do about those that onnxruntime writes.
fn unsupported(domain: &str) -> String {
    let advice = match domain.starts_with("com.microsoft") {
        true => {
            "; onnxruntime makes it when it optimises a model: take the model before that, or optimise at the basic level"
        }
        false => "",
    };
    let domain = if domain.is_empty() { "ONNX" } else { domain };
    format!("operator of {domain} is not supported{advice}")
}

//! The padded layout: parts of one architecture as one network, each layer block-diagonal over the
//! parts (Model LEGO, section 4.1, extended to any number of parts).
//!
//! Where the published form concatenates weights by position, every value here remembers which
//! part and channel stands at each of its places, so concatenations and padded shortcuts come out
//! right (appendix D of the paper asks for as much).

use brickwork_graph::{
    Arrangement, Attr, Builder, Channels, Graph, JointNode, Literal, Node, NodeId, Op, ValueId,
};
use brickwork_tensor::{Nd, Tensor};

use super::assembly::{Assembly, Placed};
use super::head::flat;
use crate::model::error::Error;
use crate::model::layers::{LayerInfo, layers};
use crate::model::rebuild::{operation, place_node};

/// Adds the joint network; returns the names of the parts' logits: one value, in part order.
pub(super) fn build(builder: &mut Builder, assembly: &Assembly<'_>) -> Result<Vec<String>, Error> {
    let parts: Vec<Side<'_>> = assembly.parts.iter().map(Side::new).collect();
    check_architectures(&parts)?;
    let mut padder =
        Padder { builder, parts: &parts, known: vec![None; parts[0].graph.values().len()] };
    padder.input(assembly);
    for id in parts[0].graph.node_ids() {
        padder.node(id)?;
    }
    let logits = parts[0].graph.logits();
    let (name, arranged) =
        padder.known[logits.index()].clone().ok_or_else(|| refuse("no logits"))?;
    let counts: Vec<usize> =
        parts.iter().map(|part| part.channels_of(part.graph.logits(), 1)).collect();
    let natural = Arrangement::natural(arranged.as_ref().map_or(1, |a| a.axis), &counts);
    let name = match arranged {
        Some(arranged) => padder.aligned(&name, &arranged, &natural)?,
        None => return Err(refuse("the logits do not depend on the parts")),
    };
    Ok(vec![flat(padder.builder, parts[0].graph, name)])
}

/// The name in the joint network of what the parts call `name`.
pub(super) fn joint_name(name: &str) -> String {
    format!("joint/{name}")
}

fn refuse(why: &str) -> Error {
    Error::options(format!(
        "the padded layout cannot hold these parts: {why}; use `layout=branches`"
    ))
}

struct Side<'a> {
    name: &'a str,
    graph: &'a Graph,
    channels: Channels,
    layers: Vec<LayerInfo>,
}

impl<'a> Side<'a> {
    fn new(part: &'a Placed<'_>) -> Self {
        let graph = part.graph;
        Self { name: &part.name, graph, channels: Channels::of(graph), layers: layers(graph) }
    }

    /// The channel axis of a value, where its labels tell.
    fn axis(&self, value: ValueId) -> Option<usize> {
        self.channels.axis(value).map(|(axis, _)| axis)
    }

    /// Extent of `axis` of a value.
    fn channels_of(&self, value: ValueId, axis: usize) -> usize {
        self.graph.value(value).shape.sample().get(axis).copied().unwrap_or(1)
    }

    /// The axis along which a constant follows or meets channels.
    fn bound_axis(&self, node: NodeId, slot: usize) -> Option<usize> {
        let bindings = self.channels.bindings().iter();
        bindings.filter(|b| (b.node, b.slot) == (node, slot)).map(|b| b.axis).next()
    }

    fn layer(&self, node: NodeId) -> Option<&LayerInfo> {
        self.layers.iter().find(|layer| layer.node == node)
    }
}

/// Same nodes in the same order, wired the same.
fn check_architectures(parts: &[Side<'_>]) -> Result<(), Error> {
    let first = &parts[0];
    for part in &parts[1..] {
        let differs = |what: String| {
            refuse(&format!("`{}` and `{}` differ in architecture ({what})", first.name, part.name))
        };
        if part.graph.nodes().len() != first.graph.nodes().len() {
            return Err(differs(format!(
                "{} and {} nodes",
                first.graph.nodes().len(),
                part.graph.nodes().len()
            )));
        }
        let mut twins = vec![None; first.graph.values().len()];
        twins[first.graph.inputs()[0].index()] = Some(part.graph.inputs()[0]);
        for (a, b) in first.graph.nodes().iter().zip(part.graph.nodes()) {
            let wired = |slot: usize| match (a.input(slot), b.input(slot)) {
                (Some(x), Some(y)) if first.graph.value(x).constant.is_none() => {
                    twins[x.index()] == Some(y)
                }
                (Some(_), Some(y)) => part.graph.value(y).constant.is_some(),
                (None, Some(y)) => part.graph.value(y).constant.is_some(),
                (Some(x), None) => first.graph.value(x).constant.is_some(),
                (None, None) => true,
            };
            let slots = a.inputs.len().max(b.inputs.len());
            if a.op.kind() != b.op.kind() || !(0..slots).all(wired) {
                return Err(differs(format!("node `{}` against `{}`", a.name, b.name)));
            }
            for (x, y) in a.outputs.iter().zip(&b.outputs) {
                twins[x.index()] = Some(*y);
            }
        }
    }
    Ok(())
}

/// A value of the joint network: its name, and its arrangement unless all parts share it.
type Known = (String, Option<Arrangement>);

struct Padder<'a, 'b> {
    builder: &'b mut Builder,
    parts: &'a [Side<'a>],
    /// By value of the first part.
    known: Vec<Option<Known>>,
}

impl Padder<'_, '_> {
    fn input(&mut self, assembly: &Assembly<'_>) {
        let input = self.parts[0].graph.inputs()[0];
        if assembly.same_input {
            self.known[input.index()] = Some(("image".to_owned(), None));
            return;
        }
        // Every part reads its own normalised copy.
        let copies: Vec<String> =
            assembly.parts.iter().map(|part| assembly.adapted_input(self.builder, part)).collect();
        let counts: Vec<usize> =
            assembly.parts.iter().map(|part| part.preprocess.channels).collect();
        let copies: Vec<&str> = copies.iter().map(String::as_str).collect();
        operation(self.builder, "Concat", &copies, "images", &[("axis", Attr::Int(1))]);
        let arranged = Some(Arrangement::natural(1, &counts));
        self.known[input.index()] = Some(("images".to_owned(), arranged));
    }

    fn node(&mut self, id: NodeId) -> Result<(), Error> {
        let node = self.parts[0].graph.node(id);
        let at = |why: &str| refuse(&format!("node `{}` ({}): {why}", node.name, node.op.kind()));
        let twins: Vec<&Node> = self.parts.iter().map(|part| part.graph.node(id)).collect();
        let mut computed = self.operands(node)?;
        self.align(&mut computed)?;
        let axes =
            node.outputs.iter().enumerate().map(|(k, _)| self.output_axis(&twins, k)).collect();
        let ops: Vec<&dyn Op> = twins.iter().map(|twin| twin.op.as_ref()).collect();
        let (counts, each) = self.operand_counts(&twins, &computed);
        let inputs =
            computed.iter().map(|known| known.as_ref().and_then(|(_, a)| a.clone())).collect();
        let outputs = vec![None; node.outputs.len()];
        let mut joint = JointNode { parts: &ops, inputs, counts, each, axes, outputs };
        let op = node.op.joined(&mut joint).map_err(|error| at(&error.0))?;
        let mut arranged = joint.outputs.clone();
        let layered = self.parts.iter().all(|part| part.layer(id).is_some());
        if layered {
            arranged[0] = Some(self.layer_arrangement(id, &computed, joint.axes[0]));
        }
        let mut names: Vec<Option<String>> =
            computed.into_iter().map(|k| k.map(|(name, _)| name)).collect();
        let slots = twins.iter().map(|twin| twin.inputs.len()).max().unwrap_or(0);
        names.resize(slots, None);
        for (slot, name) in names.iter_mut().enumerate().filter(|(_, name)| name.is_none()) {
            let made = self.joint(id, slot, layered, &arranged[0], joint.inputs.first());
            *name = made.map_err(|why| at(&why))?;
        }
        let graph = self.parts[0].graph;
        let results: Vec<String> =
            node.outputs.iter().map(|&v| joint_name(&graph.value(v).name)).collect();
        place_node(self.builder, &joint_name(&node.name), op.as_ref(), &names, &results);
        for ((&output, name), arranged) in node.outputs.iter().zip(results).zip(arranged) {
            self.known[output.index()] = Some((name, arranged));
        }
        Ok(())
    }

    /// Puts the parts' constants in `slot` together; the name of the result, if there are any.
    fn joint(
        &mut self,
        id: NodeId,
        slot: usize,
        layered: bool,
        output: &Option<Arrangement>,
        input: Option<&Option<Arrangement>>,
    ) -> Result<Option<String>, String> {
        let constant = |part: &Side<'_>| part.graph.constant(id, slot).map(|data| (**data).clone());
        let constants: Vec<Option<Tensor>> = self.parts.iter().map(constant).collect();
        if constants.iter().all(Option::is_none) {
            return Ok(None);
        }
        let joint = match (layered, slot) {
            (true, 1) => joint_weights(self.parts, id, output, input.and_then(Option::as_ref))?,
            (true, _) => joint_bias(&constants, output),
            (false, _) => joint_constant(self.parts, id, slot, &constants, output)?,
        };
        let node = self.parts[0].graph.node(id);
        let output = &self.parts[0].graph.value(node.outputs[0]).name;
        let name = joint_name(&format!("{output}.{slot}"));
        self.builder.constant(&name, Literal::Floats(joint));
        Ok(Some(name))
    }

    /// Computed operands by slot.
    fn operands(&self, node: &Node) -> Result<Vec<Option<Known>>, Error> {
        let graph = self.parts[0].graph;
        node.inputs
            .iter()
            .map(|input| match input.filter(|&v| graph.value(v).constant.is_none()) {
                None => Ok(None),
                Some(value) => self.known[value.index()]
                    .clone()
                    .map(Some)
                    .ok_or_else(|| refuse(&format!("`{}` is not made", graph.value(value).name))),
            })
            .collect()
    }

    /// Brings operands that are combined element by element into one arrangement.
    fn align(&mut self, computed: &mut [Option<Known>]) -> Result<(), Error> {
        let Some(first) = computed.iter().flatten().find_map(|(_, a)| a.clone()) else {
            return Ok(());
        };
        for (name, arranged) in computed.iter_mut().flatten() {
            let Some(own) = arranged.as_ref().filter(|own| **own != first) else { continue };
            // Values joined side by side keep their own channels; only equals are aligned.
            if let Some(places) = first.places_of(own).filter(|p| p.len() == first.places.len()) {
                debug_assert_eq!(places.len(), own.places.len());
                *name = self.aligned(name, own, &first)?;
                *arranged = Some(Arrangement { axis: own.axis, places: first.places.clone() });
            }
        }
        Ok(())
    }

    /// The value with its channels in the order of `wanted`.
    fn aligned(
        &mut self,
        name: &str,
        own: &Arrangement,
        wanted: &Arrangement,
    ) -> Result<String, Error> {
        if own.places == wanted.places {
            return Ok(name.to_owned());
        }
        let indices =
            own.places_of(wanted).ok_or_else(|| refuse("channels that are added do not match"))?;
        let output = format!("{name}.aligned");
        let literal = Literal::Ints(Nd::vector(indices.iter().map(|&k| k as i64).collect()));
        let places = format!("{output}.indices");
        self.builder.constant(&places, literal);
        let axis = Attr::Int(own.axis as i64);
        operation(self.builder, "Gather", &[name, &places], &output, &[("axis", axis)]);
        Ok(output)
    }

    /// The channel axis of a result: where some part's labels tell, else axis 1.
    fn output_axis(&self, twins: &[&Node], result: usize) -> usize {
        let axes = self.parts.iter().zip(twins);
        axes.filter_map(|(part, twin)| part.axis(twin.outputs[result])).next().unwrap_or(1)
    }

    /// Channels of operand 0 by part, and elements of each.
    fn operand_counts(&self, twins: &[&Node], computed: &[Option<Known>]) -> (Vec<usize>, usize) {
        let Some(Some((_, Some(arranged)))) = computed.first() else {
            return (vec![0; twins.len()], 1);
        };
        let mut counts = vec![0; twins.len()];
        arranged.places.iter().for_each(|(part, _)| counts[*part] += 1);
        let value = twins[0].input(0).map(|v| self.parts[0].graph.value(v).shape.sample_volume());
        let each = value.map_or(1, |volume| volume / counts[0].max(1));
        (counts, each)
    }

    /// The arrangement of a layer's output: part by part; for a depthwise layer, as its input.
    fn layer_arrangement(
        &self,
        id: NodeId,
        computed: &[Option<Known>],
        axis: usize,
    ) -> Arrangement {
        let infos: Vec<&LayerInfo> = self.parts.iter().filter_map(|part| part.layer(id)).collect();
        let depthwise = infos.iter().all(|info| info.weighted.is_depthwise());
        if let (true, Some(Some((_, Some(arranged))))) = (depthwise, computed.first()) {
            let each = infos[0].weighted.outputs / infos[0].weighted.inputs.max(1);
            let runs = arranged.places.iter();
            let places =
                runs.flat_map(|&(p, c)| (0..each).map(move |k| (p, c * each + k))).collect();
            return Arrangement { axis, places };
        }
        let counts: Vec<usize> = infos.iter().map(|info| info.weighted.outputs).collect();
        Arrangement::natural(axis, &counts)
    }
}

/// Block-diagonal weights: a part's outputs read that part's channels and zero of the others.
fn joint_weights(
    parts: &[Side<'_>],
    id: NodeId,
    output: &Option<Arrangement>,
    input: Option<&Arrangement>,
) -> Result<Tensor, String> {
    let infos: Vec<&LayerInfo> = parts.iter().filter_map(|part| part.layer(id)).collect();
    let weights: Vec<Tensor> =
        parts.iter().zip(&infos).map(|(part, info)| info.weights(part.graph)).collect();
    let output = output.as_ref().ok_or("its output is not arranged")?;
    let taps = infos[0].weighted.taps();
    let grouped = infos.iter().any(|info| info.weighted.groups > 1);
    // Input places a row reads: all for a plain layer, its own group's for a grouped one.
    let columns: Vec<(usize, usize)> = match input {
        Some(arranged) if !grouped => arranged.places.clone(),
        _ => (0..weights[0].shape()[1]).map(|c| (usize::MAX, c)).collect(),
    };
    let mut data = Vec::with_capacity(output.places.len() * columns.len() * taps);
    for &(part, row) in &output.places {
        let inputs = weights[part].shape()[1];
        for &(owner, column) in &columns {
            let at = (row * inputs + column) * taps;
            if owner == part || owner == usize::MAX {
                data.extend_from_slice(&weights[part].data()[at..at + taps]);
            } else {
                data.extend(std::iter::repeat_n(0.0, taps));
            }
        }
    }
    let mut info = infos[0].weighted.clone();
    info.outputs = output.places.len();
    info.inputs = columns.len();
    info.groups = 1;
    let stored = parts[0].graph.value(infos[0].weight).shape.sample();
    let mut shape = vec![info.outputs, info.inputs];
    shape.extend(&stored[2..]);
    let joint = Tensor::new([info.outputs, info.inputs, taps], data);
    Ok(info.store(&joint, &Tensor::filled(shape.clone(), 0.0)))
}

fn joint_bias(constants: &[Option<Tensor>], output: &Option<Arrangement>) -> Tensor {
    let places = output.as_ref().map_or(&[][..], |arranged| &arranged.places);
    Tensor::vector(
        places
            .iter()
            .map(|&(part, row)| constants[part].as_ref().map_or(0.0, |b| b.data()[row]))
            .collect(),
    )
}

/// A constant that lies along the channels is put together by place; any other must be the same in
/// all parts.
fn joint_constant(
    parts: &[Side<'_>],
    id: NodeId,
    slot: usize,
    constants: &[Option<Tensor>],
    output: &Option<Arrangement>,
) -> Result<Tensor, String> {
    let present: Vec<&Tensor> = constants.iter().flatten().collect();
    if present.len() < parts.len() {
        return Err(format!("operand {slot} is missing in some parts"));
    }
    let axis = parts.iter().find_map(|part| part.bound_axis(id, slot));
    match (axis, output) {
        (Some(axis), Some(arranged)) => {
            let mut slices = Vec::new();
            for &(part, channel) in &arranged.places {
                if channel >= present[part].shape()[axis] {
                    return Err(format!(
                        "operand {slot} does not follow the channels in `{}`",
                        parts[part].name
                    ));
                }
                slices.push(present[part].take(axis, &[channel]));
            }
            Ok(Tensor::concat(&slices.iter().collect::<Vec<_>>(), axis))
        }
        _ if present.iter().all(|other| *other == present[0]) => Ok(present[0].clone()),
        _ => Err(format!("operand {slot} differs between the parts and follows no channels")),
    }
}

//! How much a file will take in memory, before any of it is taken.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// Field numbers of a model's graph and of a graph's nodes.
const GRAPH: u32 = 7;
const NODE: u32 = 1;

/// Nodes, constants, operands, attributes and so on in the model's graph. An empty one takes two
/// bytes in the file and a hundred times that in memory.
pub(super) fn count_parts(model: &[u8]) -> usize {
    let graphs = parts(model).filter(|(tag, _)| *tag == GRAPH);
    let inside = graphs.flat_map(|(_, graph)| parts(graph));
    inside.map(|(tag, part)| if tag == NODE { 1 + parts(part).count() } else { 1 }).sum()
}

/// Fields of a message that have a length, with what they hold, as far as it is well-formed.
fn parts(mut message: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    std::iter::from_fn(move || {
        loop {
            let (tag, wire) = decode_key(&mut message).ok()?;
            if wire != WireType::LengthDelimited {
                skip_field(wire, tag, &mut message, DecodeContext::default()).ok()?;
                continue;
            }
            let length = usize::try_from(decode_varint(&mut message).ok()?).ok()?;
            let part;
            (part, message) = message.split_at_checked(length)?;
            return Some((tag, part));
        }
    })
}

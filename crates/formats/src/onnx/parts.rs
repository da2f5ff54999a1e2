//! How much a file will take in memory, before any of it is taken.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// A kind of message: which of its fields are messages with parts of their own.
struct MessageKind(&'static [(u32, &'static MessageKind)]);

static MODEL: MessageKind = MessageKind(&[(7, &GRAPH), (25, &FUNCTION)]);
static GRAPH: MessageKind =
    MessageKind(&[(1, &NODE), (5, &TENSOR), (11, &VALUE), (12, &VALUE), (15, &SPARSE)]);
static FUNCTION: MessageKind = MessageKind(&[(7, &NODE), (11, &ATTRIBUTE)]);
static NODE: MessageKind = MessageKind(&[(5, &ATTRIBUTE)]);
static ATTRIBUTE: MessageKind = MessageKind(&[(5, &TENSOR)]);
static SPARSE: MessageKind = MessageKind(&[(1, &TENSOR), (2, &TENSOR)]);
static TENSOR: MessageKind = MessageKind(&[]);
static VALUE: MessageKind = MessageKind(&[(2, &MessageKind(&[(1, &MessageKind(&[(2, &SHAPE)]))]))]);
static SHAPE: MessageKind = MessageKind(&[]);

/// Nodes, constants, operands, attributes, entries of metadata and so on in a model. An empty one
/// takes two bytes in the file and a hundred times that in memory.
pub(super) fn count_parts(model: &[u8]) -> usize {
    count(model, &MODEL)
}

fn count(message: &[u8], kind: &MessageKind) -> usize {
    let inside = |tag, part| {
        let inner = kind.0.iter().find(|(known, _)| *known == tag);
        inner.map_or(0, |(_, inner)| count(part, inner))
    };
    parts(message).map(|(tag, part)| 1 + inside(tag, part)).sum()
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

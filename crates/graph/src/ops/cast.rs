//! Cast: folded on known numbers; between real types at run time it is the value itself.

use std::sync::Arc;

use brickwork_tensor::{Nd, Tensor};

use crate::error::OpError;
use crate::read::{Known, Operand, Read, Reading, Real, Repeated, Whole};
use crate::shape::Int;

/// What a node is called that gives its operand another type.
pub const CONVERTS: &str = "Cast";

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    reading.ignore(&["saturate"]);
    // ONNX data types: 1 float, 10 half, 11 double, 16 bfloat; 2..=9, 12, 13 whole or truth.
    let to = reading.int("to")?;
    let real = match to {
        Some(1 | 10 | 11 | 16) => true,
        Some(2..=7 | 9 | 12 | 13) => false,
        None => return Err(OpError::new("a cast needs the data type to cast to")),
        Some(other) => {
            return Err(OpError::new(format!("a cast to data type {other} is not supported")));
        }
    };
    let operand = reading.operand(0);
    if let (Operand::Value(..), true) = (operand, real) {
        return Ok(Read::Same);
    }
    let known = match (operand.whole(), operand.real(), real) {
        (Some(Whole { data, shape }), _, false) => Known::Ints(data).under(shape),
        (_, Some(Real { data, shape }), true) => Known::Floats(data).under(shape),
        (_, Some(Real { data, shape }), false) => {
            reading.affords(data.shape(), true)?;
            let truth = to == Some(9);
            let int = |x: f32| if truth { i64::from(x != 0.0) } else { x as i64 };
            Known::whole(data.map(|x| Int::Fixed(int(x))), shape)
        }
        (Some(Whole { data, shape }), _, true) => match floats(&data) {
            Some(floats) => Known::real(floats, shape),
            // Stays in terms of the batch, for arithmetic that leaves no fraction.
            None => Known::Ints(data).under(shape),
        },
        _ => return Err(OpError::new("a computed value is cast to a type other than float")),
    };
    let known = if to == Some(9) { truths(known) } else { known };
    Ok(Read::Known(vec![known]))
}

/// The numbers as real ones, unless they are in terms of the batch.
fn floats(data: &Nd<Int>) -> Option<Tensor> {
    let fixed: Option<Vec<f32>> = data.data().iter().map(|x| x.fixed().map(|x| x as f32)).collect();
    Some(Nd::new(data.shape(), fixed?))
}

/// Whole numbers as truth values: 1 for all but 0.
fn truths(known: Known) -> Known {
    let truth = |x: Int| if x == Int::Fixed(0) { x } else { Int::Fixed(1) };
    match known {
        Known::Ints(data) => Known::Ints(Arc::new(data.map(truth))),
        Known::Repeated(Repeated { sample, shape }) => truths(*sample).under(shape),
        other => other,
    }
}

//! Cast: folded on known numbers; between real types at run time it changes nothing.

use std::sync::Arc;

use super::identity::Identity;
use crate::error::OpError;
use crate::read::{Known, Operand, Read, Reading};
use crate::shape::Int;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    reading.ignore(&["saturate"]);
    // ONNX data types: 1 float, 10 half, 11 double, 16 bfloat; 2..=9, 12, 13 whole or truth.
    let real = match reading.int("to")? {
        Some(1 | 10 | 11 | 16) => true,
        Some(2..=7 | 9 | 12 | 13) => false,
        None => return Err(OpError::new("a cast needs the data type to cast to")),
        Some(other) => {
            return Err(OpError::new(format!("a cast to data type {other} is not supported")));
        }
    };
    match (reading.operand(0), real) {
        (Operand::Value(..), true) => Ok(reading.node(Identity, 1)),
        (Operand::Floats(data), true) => Ok(Read::Known(vec![Known::Floats(data.clone())])),
        (Operand::Ints(data), false) => Ok(Read::Known(vec![Known::Ints(data.clone())])),
        (Operand::Floats(data), false) => {
            reading.affords(data.shape(), true)?;
            let ints = data.map(|x| Int::Fixed(x as i64));
            Ok(Read::Known(vec![Known::Ints(Arc::new(ints))]))
        }
        (Operand::Ints(data), true) => {
            let fixed = data.data().iter().all(|x| x.fixed().is_some());
            if !fixed {
                return Err(OpError::new(
                    "a number that depends on the batch size is cast to a real one",
                ));
            }
            let floats = data.map(|x| x.fixed().unwrap_or(0) as f32);
            Ok(Read::Known(vec![Known::Floats(Arc::new(floats))]))
        }
        _ => Err(OpError::new("a computed value is cast to a type other than float")),
    }
}

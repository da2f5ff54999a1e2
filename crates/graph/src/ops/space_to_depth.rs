//! SpaceToDepth: blocks of pixels to channels, written as moves.

use super::formula::Formula;
use crate::attrs::Attr;
use crate::error::OpError;
use crate::read::{Read, Reading};
use crate::shape::Shape;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let side = reading.int("blocksize")?.and_then(|side| usize::try_from(side).ok()).unwrap_or(0);
    let image = reading.image(0, 4)?;
    let [channels, height, width] = [image[0], image[1], image[2]];
    if side == 0 || side > 1 << 16 || height % side != 0 || width % side != 0 {
        return Err(OpError::new(format!("{height} x {width} pixels make no blocks of {side}")));
    }
    let batch = reading.shape(0)?.0[0];
    let batched = |extents: &[usize]| Shape::under(batch, extents);
    let (rows, columns) = (height / side, width / side);
    let mut formula = Formula::of(reading)?;
    let parts = batched(&[channels, rows, side, columns, side]);
    let apart = formula.reshape(reading.named(0), &parts);
    let perm = match reading.text_or("mode", "DCR")?.as_str() {
        "DCR" => Attr::Ints(vec![0, 3, 5, 1, 2, 4]),
        "CRD" => Attr::Ints(vec![0, 1, 3, 5, 2, 4]),
        other => return Err(OpError::new(format!("mode `{other}` is not supported"))),
    };
    let moved = formula.step_with("Transpose", &[&apart], &[("perm", perm)]);
    formula.reshape(&moved, &batched(&[channels * side * side, rows, columns]));
    Ok(formula.done())
}

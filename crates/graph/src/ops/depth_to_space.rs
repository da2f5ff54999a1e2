//! DepthToSpace: channels to blocks of pixels, written as moves.

use super::formula::Formula;
use crate::attrs::Attr;
use crate::error::OpError;
use crate::read::{Read, Reading};
use crate::shape::Shape;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let side = reading.int("blocksize")?.and_then(|side| usize::try_from(side).ok()).unwrap_or(0);
    let image = reading.image(0, 4)?;
    let [channels, height, width] = [image[0], image[1], image[2]];
    if side == 0 || side > 1 << 16 || channels % (side * side) != 0 {
        return Err(OpError::new(format!("{channels} channels do not make blocks of {side}")));
    }
    let deep = channels / (side * side);
    let (parts, perm) = match reading.text_or("mode", "DCR")?.as_str() {
        "DCR" => ([side, side, deep, height, width], [0, 3, 4, 1, 5, 2]),
        "CRD" => ([deep, side, side, height, width], [0, 1, 4, 2, 5, 3]),
        other => return Err(OpError::new(format!("mode `{other}` is not supported"))),
    };
    let batch = reading.shape(0)?.0[0];
    let batched = |extents: &[usize]| Shape::under(batch, extents);
    let mut formula = Formula::of(reading)?;
    let apart = formula.reshape(reading.named(0), &batched(&parts));
    let perm = Attr::Ints(perm.to_vec());
    let moved = formula.step_with("Transpose", &[&apart], &[("perm", perm)]);
    formula.reshape(&moved, &batched(&[deep, height * side, width * side]));
    Ok(formula.done())
}

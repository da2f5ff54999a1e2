//! Size: the number of elements of a value.

use brickwork_tensor::Nd;

use crate::error::OpError;
use crate::read::{Known, Read, Reading};
use crate::shape::{Int, Shape};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let dims = reading.shape(0)?.0;
    let size = dims.into_iter().try_fold(Int::Fixed(1), |size, dim| size.mul(dim.into()));
    let size = size.ok_or_else(|| OpError::new("its size cannot be written"))?;
    Ok(Read::Known(vec![Known::whole(Nd::scalar(size), Shape::default())]))
}

//! Not: whether a truth value does not hold.

use super::comparing::truth;
use crate::error::OpError;
use crate::read::{Known, Read, Reading};
use crate::shape::Int;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let Some(whole) = reading.operand(0).whole() else {
        return Err(OpError::new("it turns a truth value computed at run time"));
    };
    let data = whole.data.map(|x| truth(x == Int::Fixed(0)));
    Ok(Read::Known(vec![Known::whole(data, whole.shape)]))
}

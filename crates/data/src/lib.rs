//! Labelled images on disk to batches.
//!
//! [`Dataset::open`] recognises what is there by its content; [`Preprocess`] says what a model
//! expects; [`Dataset::batch`] and [`Dataset::batches`] deliver it as `[n, c, h, w]` tensors,
//! [`Dataset::augmented_batches`] with random variations.
//!
//! ```no_run
//! # fn main() -> Result<(), brickwork_data::DataError> {
//! use brickwork_data::{Dataset, Preprocess, Split};
//!
//! let data = Dataset::open("cifar-10-batches-bin", Some(Split::Test))?;
//! let cats: Vec<usize> = (0..data.len()).filter(|&k| data.classes()[data.label(k)] == "cat").collect();
//! for batch in data.batches(&cats, 128, &Preprocess::plain([32, 32], 3))? {
//!     let (indices, images) = batch?;
//!     assert_eq!(images.shape(), [indices.len(), 3, 32, 32]);
//! }
//! # Ok(())
//! # }
//! ```

mod augment;
mod batch;
mod batches;
mod dataset;
mod error;
mod image;
mod preprocess;
mod samples;
mod sources;
mod split;

pub use self::image::{Image, Pixels};
pub use augment::{Augment, shuffled};
pub use batches::Batches;
pub use dataset::Dataset;
pub use error::DataError;
pub use preprocess::{ChannelOrder, Filter, Fit, PixelRange, Preprocess};
pub use sources::{ImageArray, whole_arrays};
pub use split::Split;

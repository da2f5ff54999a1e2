//! The box: a folder of models and components on this machine, found by name, class, source or size.
//!
//! ```no_run
//! use brickwork_box::{Addition, BrickBox, Query};
//!
//! # fn main() -> Result<(), brickwork_box::BoxError> {
//! let store = BrickBox::open("my-box")?;
//! store.add("low.onnx".as_ref(), &Addition::default())?;
//! for brick in store.list(&Query { class: Some("7".to_owned()), ..Query::default() })? {
//!     println!("{} {:?}", brick.digest, brick.facts.classes);
//! }
//! let bytes = store.bytes("low")?;
//! # Ok(())
//! # }
//! ```
//!
//! Its files are the truth, in four folders:
//!
//! | folder | holds |
//! |---|---|
//! | `blobs` | runs of bytes under their SHA-256: the large tensors of models, and what is left of a model without them |
//! | `models` | for every model, under its SHA-256, how it is put together of blobs, and what is known of it |
//! | `names` | for every name and tag, the digest of its model |
//! | `new` | what is being written; it is moved to its place when it is whole |
//!
//! Tensors that several models have in common are stored once. `index.sqlite` is made of `models` and `names` to search by, and
//! made again whenever it is not there, damaged or older than they are. A file `lock` is locked while anything
//! changes; `stale` is there as long as the index may not be what the files say.

mod brick;
mod error;
mod facts;
mod files;
mod index;
mod name;
mod pieces;
mod store;

pub use brick::{Brick, Query};
pub use error::BoxError;
pub use facts::{Facts, Kind};
pub use name::Name;
pub use store::{Addition, BrickBox, Checked, Damage, Swept};

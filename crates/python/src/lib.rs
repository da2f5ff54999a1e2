//! The part of the Python package that is no Python: models, images and profiles as objects, verbs by name.
//!
//! Nothing is decided here. A verb is asked by the JSON of its request and answers in JSON; what a request
//! needs and gives in memory goes by names, as [`Memory`](brickwork::verbs::Memory) has them.

mod failure;
mod images;
mod model;
mod partial;
mod pool;
mod profile;
mod verb;
mod watch;

/// The functions and classes that the package is made of.
#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use crate::failure::Failure;
    #[pymodule_export]
    use crate::images::Images;
    #[pymodule_export]
    use crate::model::Model;
    #[pymodule_export]
    use crate::partial::Partial;
    #[pymodule_export]
    use crate::profile::Profile;
    #[pymodule_export]
    use crate::verb::{Answered, Request, fields, main, within};
}

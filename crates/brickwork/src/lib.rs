//! Take trained image classifiers apart and build new ones from the pieces, without training.

mod random;

pub use random::random_weights;

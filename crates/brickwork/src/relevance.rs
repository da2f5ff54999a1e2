//! Which channels matter to which class: profiles, and what follows from them along the graph.

pub(crate) mod link;
pub(crate) mod profile;
pub(crate) mod profile_file;

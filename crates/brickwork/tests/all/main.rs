//! The tests of the library, in one program: each file is about one subject.

#![allow(clippy::unwrap_used)]

mod architectures;
mod assembling;
mod attention;
mod calibrating;
mod common;
mod compressing;
mod cut_equals_mask;
mod evaluating;
mod gcn;
mod golden;
mod in_memory;
mod linking;
mod mixing;
mod profiles;
mod random_graphs;
mod records;
mod refitting;
mod routing;
mod sharing;
mod shrinking;
mod splitting;
mod stored_files;
mod training;
mod verifying;

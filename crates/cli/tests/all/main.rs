//! The tests of the command, in one program, so that what they share is made once.

#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

mod bad_input;
mod caching;
mod calibrating;
mod commands;
mod compressing;
mod data;
mod demo;
mod determinism;
mod gcn;
mod heads;
mod interrupt;
mod metamorphic;
mod pixels;
mod probing;
mod refitting;
mod rejecting;
mod replacing;
mod reports;
mod routes;
mod sizes;
mod splits;
mod studio;
mod training;
mod units;

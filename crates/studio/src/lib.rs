//! A page in the browser, on which classifiers are taken apart, put together and tried.
//!
//! The studio is a skin over the [verbs](brickwork::verbs): whatever is clicked becomes requests, which run as
//! jobs, and whatever is shown is an answer. It works on one folder: models and images are those that lie
//! in it, and what it makes is written there, so that the command and the studio see the same files. What it must
//! remember besides is in the folder `.studio` inside.
//!
//! It listens on this machine alone, and answers only whoever knows its token.

mod app;
mod failure;
mod folder;
mod guard;
mod jobs;
mod lock;
mod pages;
mod plate;
mod server;
mod shelf;
mod store;
mod work;

pub use failure::StudioError;
pub use server::{Settings, Studio};

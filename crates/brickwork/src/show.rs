//! What pages are made of, and drawings and pages of answers. They compute nothing of their own.
//!
//! A part is a function that gives [`Markup`](maud::Markup): tables and bars, bricks, charts, matrices, pictures. All of it looks as
//! [`style`] says, which is all that a page needs besides; no part has styles or scripts of its own, so that
//! pages can forbid them.

mod brick;
mod chart;
mod colours;
mod course;
pub(crate) mod frontier;
pub(crate) mod hub;
mod matrix;
mod measured;
mod model;
mod network;
pub(crate) mod node_data;
mod page;
mod pictures;
pub(crate) mod route;
mod stages;
mod table;
pub(crate) mod values;
mod words;

pub use brick::{Brick, BrickFact, baseplate, brick, bricks, class_words};
pub use chart::{Axis, Chart, Form, Series, Spot, chart, chart_file, charts_file};
pub use colours::{HUES, heat, hue, written_out};
pub use course::{course, course_file};
pub use matrix::{Matrix, MatrixCell, MatrixRow, confusion, matrix};
pub use measured::{accuracy, examples, measured, reliability};
pub use model::{
    about, architecture, as_bricks, calibration, essentials, history, kind, model_page,
};
pub use network::{difference, layers};
pub use page::{Page, document, side_by_side, style, within};
pub use pictures::{Picture, pictures, png};
pub use stages::kept_channels;
pub use table::{Bar, Fact, Tone, bars, facts, marked_table, table};
pub use values::values;
pub use words::{counted, difference_words, held_out_words, thousands};

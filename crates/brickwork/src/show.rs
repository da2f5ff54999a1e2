//! What pages are made of, and drawings and pages of answers. They compute nothing of their own.
//!
//! A part is a function that gives [`Markup`](maud::Markup): tables and bars, bricks, charts, matrices, pictures. All of it looks as
//! [`style`] says, which is all that a page needs besides; no part has styles or scripts of its own, so that
//! pages can forbid them.

mod brick;
mod chart;
mod colours;
pub(crate) mod frontier;
mod matrix;
mod page;
mod pictures;
pub(crate) mod route;
mod table;
mod words;

pub use brick::{Brick, BrickFact, baseplate, brick, bricks, class_words};
pub use chart::{Axis, Chart, Form, Series, Spot, chart, chart_file};
pub use colours::{HUES, heat, hue, written_out};
pub use matrix::{Matrix, MatrixCell, MatrixRow, confusion, matrix};
pub use page::{Page, document, style};
pub use pictures::{Picture, pictures, png};
pub use table::{Bar, Fact, bars, facts, marked_table, table};
pub use words::{counted, thousands};

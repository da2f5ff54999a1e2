//! The graph of a classifier: values, nodes, operators, channels and checked edits.
//!
//! The crate does no I/O and sees no data set. Operators live one to a file in `ops`; everything
//! else asks them through [`Op`] and names none of them.

mod attrs;
mod blocks;
mod build;
mod bundles;
mod channels;
mod check;
mod cut;
mod error;
mod execute;
mod fold;
mod forest;
mod graph;
mod groups;
mod joint_node;
mod keep;
mod labels;
mod lower;
mod names;
mod op;
mod ops;
mod patch;
mod read;
mod remains;
mod reorder;
mod shape;
mod simplify;
mod text;
mod training;
mod weighted;

pub use attrs::{Attr, Attrs, Literal};
pub use blocks::{Line, blocks};
pub use build::Builder;
pub use channels::{Binding, Channels, Flow, Layer, Product};
pub use check::check;
pub use cut::{cut, mask};
pub use error::{OpError, Problem, Problems};
pub use execute::{Absorbs, Execute, Fusion};
pub use fold::row_major;
pub use graph::{Graph, Node, NodeId, Stored, Value, ValueId};
pub use groups::{Group, Member, Step as WhyStep, groups, why};
pub use joint_node::{Arrangement, JointNode};
pub use keep::{Keep, families};
pub use labels::{FIXED, Label};
pub use lower::{Epilogue, Feed, Kernel, Lower, Lowered, Prepared, Step};
pub use op::{ConstantRole, Cost, Op, Spec, SpecInput};
pub use ops::{CONVERTS, HANDS_ON, SUPPORTED};
pub use patch::Patch;
pub use read::Form;
pub use remains::{Kept, Remains};
pub use reorder::{reads_reordered, reorder_input};
pub use shape::{Dim, Int, Operands, Shape};
pub use simplify::{own_constants, own_statistics};
pub use training::{Backward, DRAW_LEN, Follows, Reads, Trained, draw, drawn};
pub use weighted::{WeightLayout, Weighted};

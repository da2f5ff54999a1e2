//! A graph whose nodes are to be classified, such as papers that cite each other.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;

use brickwork_data::whole_arrays;
use brickwork_tensor::{Nd, Tensor};

use crate::model::error::Error;

/// Nodes with words and a class each, and which of them are connected.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Nodes {
    /// What the data is called.
    pub name: String,
    /// Class names.
    pub classes: Vec<String>,
    /// The class of every node.
    pub labels: Vec<usize>,
    /// The words of every node, by number.
    pub words: Vec<Vec<usize>>,
    /// Connected pairs, in one direction or both.
    pub edges: Vec<[usize; 2]>,
    /// Nodes to learn from.
    pub train: Vec<usize>,
    /// Nodes to choose by.
    pub held: Vec<usize>,
    /// Nodes to measure on.
    pub test: Vec<usize>,
}

/// No graph has more nodes: which of them are neighbours is a matrix.
const MOST_NODES: usize = 1 << 14;

/// No data has more words than this, nor than fit a matrix of as many elements as a value may have.
const MOST_WORDS: usize = 1 << 20;

/// Elements of the matrix of words.
const MOST_ELEMENTS: usize = 1 << 28;

/// Problems of a file that are told.
const TOLD: usize = 10;

impl Nodes {
    /// Reads a folder with `nodes.csv` (`node,label,split,word_ids`, where the split is train, val,
    /// test or none and words are apart by spaces) and `edges.csv` (`src,dst`), or an NPZ file with the
    /// integer arrays `edges` `[e, 2]`, `labels` `[n]`, `feat_indptr` `[n + 1]`, `feat_indices`, `train`,
    /// `val` and `test`.
    ///
    /// # Errors
    /// If files cannot be read or contradict themselves; what is wrong is listed.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let read = if path.is_dir() { Self::from_tables(path)? } else { Self::from_arrays(path)? };
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let count = read.labels.iter().max().map_or(0, |&most| most.saturating_add(1));
        let classes = (0..count.min(MOST_NODES)).map(|class| class.to_string()).collect();
        let nodes = Self { name: name.unwrap_or_default(), classes, ..read };
        nodes.check()?;
        Ok(nodes)
    }

    fn from_tables(folder: &Path) -> Result<Self, Error> {
        let mut nodes = Self::default();
        let edges = folder.join("edges.csv");
        for row in rows(&edges, "src,dst")? {
            nodes.edges.push([row.number(0)?, row.number(1)?]);
        }
        let table = folder.join("nodes.csv");
        for (index, row) in rows(&table, "node,label,split,word_ids")?.into_iter().enumerate() {
            if row.number(0)? != index {
                return Err(row.wrong(format!("node {}, expected {index}", row.fields[0])));
            }
            nodes.labels.push(row.number(1)?);
            match row.fields[2].as_str() {
                "train" => nodes.train.push(index),
                "val" => nodes.held.push(index),
                "test" => nodes.test.push(index),
                "none" => {}
                other => {
                    let expected = "expected train, val, test or none";
                    return Err(row.wrong(format!("split `{other}`, {expected}")));
                }
            }
            let words = row.fields[3].split_whitespace().map(|word| row.parse(word));
            nodes.words.push(words.collect::<Result<_, _>>()?);
        }
        Ok(nodes)
    }

    fn from_arrays(path: &Path) -> Result<Self, Error> {
        let arrays = Arrays { place: path.display(), found: whole_arrays(path)? };
        let ends = arrays.list("feat_indptr")?;
        let all = arrays.list("feat_indices")?;
        let rises = ends.windows(2).all(|pair| pair[0] <= pair[1]);
        if !rises || ends.first() != Some(&0) || ends.last() != Some(&all.len()) {
            return Err(arrays.wrong(format!(
                "feat_indptr does not rise from 0 to the {} of feat_indices",
                all.len()
            )));
        }
        let edges = arrays.get("edges")?;
        if edges.rank() != 2 || edges.shape()[1] != 2 {
            let found = edges.shape();
            return Err(arrays.wrong(format!("edges have shape {found:?}, expected [e, 2]")));
        }
        let pairs = edges.data().as_chunks().0.iter();
        let pairs = pairs.map(|&[a, b]| Ok([arrays.index(a)?, arrays.index(b)?]));
        Ok(Self {
            labels: arrays.list("labels")?,
            words: ends.windows(2).map(|pair| all[pair[0]..pair[1]].to_vec()).collect(),
            edges: pairs.collect::<Result<_, Error>>()?,
            train: arrays.list("train")?,
            held: arrays.list("val")?,
            test: arrays.list("test")?,
            ..Self::default()
        })
    }

    /// Refuses what is too large or names nodes that are not there.
    fn check(&self) -> Result<(), Error> {
        let mut problems = Vec::new();
        let count = self.labels.len();
        if count == 0 || count > MOST_NODES {
            problems.push(format!("it has {count} nodes, expected 1 to {MOST_NODES}"));
        }
        if self.words.len() != count {
            problems.push(format!("{} nodes have words, {count} have labels", self.words.len()));
        }
        let outside = |list: &[usize]| list.iter().copied().find(|&node| node >= count);
        let lists = [("train", &self.train), ("val", &self.held), ("test", &self.test)];
        for (what, node) in lists.iter().filter_map(|(what, list)| Some((what, outside(list)?))) {
            problems.push(format!("{what} names node {node} of {count}"));
        }
        if let Some(node) = outside(self.edges.as_flattened()) {
            problems.push(format!("an edge names node {node} of {count}"));
        }
        if let Some(class) = self.labels.iter().find(|&&class| class >= MOST_NODES) {
            problems.push(format!("a label is {class}, expected class numbers from 0"));
        }
        let features = self.features();
        if features == 0 || features > MOST_WORDS || features * count > MOST_ELEMENTS {
            problems.push(format!("{count} nodes with {features} words fit no matrix"));
        }
        if self.train.is_empty() || self.held.is_empty() || self.test.is_empty() {
            problems.push("nodes for train, val and test are needed".to_owned());
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(Error::file(format!("{}: {}", self.name, problems.join("; "))))
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Number of features: words that any node may have.
    pub fn features(&self) -> usize {
        self.words.iter().flatten().max().map_or(0, |&most| most.saturating_add(1))
    }

    /// The nodes from which a model may be made: to learn from and to choose by.
    pub fn known(&self) -> Vec<usize> {
        [&self.train[..], &self.held].concat()
    }

    /// The share of every word among a node's words: `[1, nodes, features]`.
    pub fn matrix(&self) -> Tensor {
        let features = self.features();
        let mut data = vec![0.0; self.len() * features];
        for (row, words) in data.chunks_exact_mut(features).zip(&self.words) {
            words.iter().for_each(|&word| row[word] += 1.0 / words.len() as f32);
        }
        Tensor::new([1, self.len(), features], data)
    }

    /// How much every node takes from every other: `D^-1/2 (A + I) D^-1/2`, where `A` says which are
    /// connected and `D` holds the row sums of `A + I` (Kipf and Welling 2017, eq. 8): `[nodes, nodes]`.
    pub fn adjacency(&self) -> Tensor {
        let count = self.len();
        let mut data = vec![0.0f32; count * count];
        (0..count).for_each(|node| data[node * count + node] = 1.0);
        for &[a, b] in &self.edges {
            data[a * count + b] = 1.0;
            data[b * count + a] = 1.0;
        }
        let degrees: Vec<f32> = data.chunks_exact(count).map(|row| row.iter().sum()).collect();
        for (at, x) in data.iter_mut().enumerate().filter(|(_, x)| **x != 0.0) {
            *x /= (degrees[at / count] * degrees[at % count]).sqrt();
        }
        Tensor::new([count, count], data)
    }
}

/// A line of a table.
struct Row<'a> {
    path: &'a Path,
    line: usize,
    fields: Vec<String>,
}

/// The lines of a table after its head, which must be `head`.
fn rows<'a>(path: &'a Path, head: &str) -> Result<Vec<Row<'a>>, Error> {
    let refuse = |text: String| Error::file(format!("{}: {text}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    if first != head {
        return Err(refuse(format!("it begins with `{first:.60}`, expected `{head}`")));
    }
    let count = head.split(',').count();
    let row = |(k, text): (usize, &str)| {
        let fields: Vec<String> = text.split(',').map(str::to_owned).collect();
        Row { path, line: k + 2, fields }
    };
    let rows: Vec<Row<'_>> = lines.enumerate().map(row).collect();
    let odd: Vec<String> = rows
        .iter()
        .filter(|row| row.fields.len() != count)
        .take(TOLD)
        .map(|row| format!("line {} has {} fields", row.line, row.fields.len()))
        .collect();
    if odd.is_empty() {
        return Ok(rows);
    }
    Err(refuse(format!("{}; expected {count}: {head}", odd.join(", "))))
}

impl Row<'_> {
    fn number(&self, field: usize) -> Result<usize, Error> {
        self.parse(self.fields[field].trim())
    }

    fn parse<T: FromStr>(&self, text: &str) -> Result<T, Error> {
        let wrong = |_| self.wrong(format!("`{text:.60}`, expected a whole number from 0"));
        text.parse().map_err(wrong)
    }

    fn wrong(&self, found: impl Display) -> Error {
        Error::file(format!("{}, line {}: {found}", self.path.display(), self.line))
    }
}

/// Arrays of whole numbers by name.
struct Arrays<P> {
    place: P,
    found: BTreeMap<String, Nd<i64>>,
}

impl<P: Display> Arrays<P> {
    fn wrong(&self, problem: impl Display) -> Error {
        Error::file(format!("{}: {problem}", self.place))
    }

    fn get(&self, name: &str) -> Result<&Nd<i64>, Error> {
        let known = || self.found.keys().cloned().collect::<Vec<_>>().join(", ");
        let missing = || self.wrong(format!("it has no array {name}, only {}", known()));
        self.found.get(name).ok_or_else(missing)
    }

    /// A list of numbers from 0.
    fn list(&self, name: &str) -> Result<Vec<usize>, Error> {
        let array = self.get(name)?;
        if array.rank() != 1 {
            let found = array.shape();
            return Err(self.wrong(format!("{name} has shape {found:?}, expected a list")));
        }
        array.data().iter().map(|&x| self.index(x)).collect()
    }

    fn index(&self, x: i64) -> Result<usize, Error> {
        usize::try_from(x).map_err(|_| self.wrong(format!("it holds {x}, expected numbers from 0")))
    }
}

//! The box itself: its files, and what is done with them.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use brickwork::verbs::Shelf;
use brickwork::{Classifier, HeadOptions};
use brickwork_formats::onnx::ReadOptions;
use schemars::JsonSchema;
use serde::Serialize;

use crate::brick::{Brick, Query};
use crate::error::BoxError;
use crate::facts::Facts;
use crate::files::{list, make_folder, read, remove, sha256, write};
use crate::index::{Index, NameRow, Row, Rows};
use crate::name::{Name, Of, Tagged};
use crate::pieces::{Manifest, Piece, VERSION, split};

/// A folder of models and components.
#[derive(Clone, Debug)]
pub struct BrickBox {
    root: PathBuf,
}

/// What is said of a model that is added.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Addition {
    /// `NAME` or `NAME@TAG`; its file's name without the ending if none is given.
    pub name: Option<String>,
    /// Accuracy in percent.
    pub accuracy: Option<f64>,
    /// The licence; what the model says itself if none is given.
    pub licence: Option<String>,
}

/// What a box was found to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Checked {
    /// Models that were looked at.
    pub models: usize,
    /// Files that are not as they were written, or gone.
    pub damage: Vec<Damage>,
}

/// A file that is not as it was written, or gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it, and which model needs it.
    pub what: String,
}

/// What was swept out of a box.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Swept {
    /// Files that nothing needed.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// Whoever changes a box, or reads it, while nobody else changes it.
struct Guard {
    _file: Option<File>,
}

impl BrickBox {
    /// The box in this folder, which is made if it is not there.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, BoxError> {
        let root = root.into();
        make_folder(&root)?;
        Ok(Self { root })
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Adds the model of a file. One that is there already is only named, and what is said of it is taken over.
    ///
    /// # Errors
    /// If the file is no image classifier, the name is none, or something cannot be written; the box then
    /// holds what it held.
    pub fn add(&self, path: &Path, addition: &Addition) -> Result<Brick, BoxError> {
        let (reading, head) = (ReadOptions::default(), HeadOptions::default());
        let model = Classifier::load_as(path, &reading, None, &head)?;
        let bytes = read(path)?;
        // Weights may stand in files beside it, which the box does not keep.
        let whole =
            Classifier::decode_as(model.name.clone(), &bytes, &reading, None, &head).is_ok();
        let bytes = if whole { bytes } else { model.encode()? };
        self.add_model(&model, &bytes, addition)
    }

    /// Adds the model whose file would hold these bytes.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn add_bytes(
        &self,
        called: &str,
        bytes: &[u8],
        addition: &Addition,
    ) -> Result<Brick, BoxError> {
        let (reading, head) = (ReadOptions::default(), HeadOptions::default());
        let model = Classifier::decode_as(called, bytes, &reading, None, &head)?;
        self.add_model(&model, bytes, addition)
    }

    fn add_model(
        &self,
        model: &Classifier,
        bytes: &[u8],
        addition: &Addition,
    ) -> Result<Brick, BoxError> {
        let Addition { name, accuracy, licence } = addition;
        let name = Tagged::parse(name.as_deref().unwrap_or(&word(&model.name)))?;
        let digest = sha256(bytes);
        let split = split(bytes);
        let guard = self.lock()?;
        let mut index = self.index(&guard)?;
        self.stale()?;
        for blob in split.tensors.iter().copied().chain([&split.rest[..]]) {
            let path = self.blob(&sha256(blob));
            if !path.exists() {
                write(&self.new_files(), &path, blob)?;
            }
        }
        let before = self.manifest(&digest).ok().map(|manifest| manifest.facts);
        let mut facts = before.unwrap_or_else(|| Facts::of(model));
        facts.accuracy = accuracy.or(facts.accuracy);
        facts.licence = licence.clone().or(facts.licence);
        let (bytes, pieces) = (bytes.len() as u64, split.pieces);
        let manifest = Manifest { version: VERSION, bytes, pieces, facts: facts.clone() };
        self.write_manifest(&digest, &manifest)?;
        self.write_name(&name, &digest)?;
        let told = index.put(&Row { digest: digest.clone(), bytes, facts });
        let told = told.and_then(|()| index.name(&NameRow { name, digest: digest.clone() }));
        self.told(&index, told)?;
        self.brick(&digest)
    }

    /// What is in the box and asked for.
    ///
    /// # Errors
    /// If its files cannot be read.
    pub fn list(&self, query: &Query) -> Result<Vec<Brick>, BoxError> {
        self.reading(|index| index.find(query))
    }

    /// The model of this name: see [`Name`].
    ///
    /// # Errors
    /// If there is none, or several whose digests begin so or that were cut for these classes.
    pub fn show(&self, name: &str) -> Result<Brick, BoxError> {
        let name = Name::parse(name)?;
        self.reading(|index| index.brick(&resolved(index, &name)?))
    }

    /// The bytes of the file of the model of this name.
    ///
    /// # Errors
    /// As [`show`](Self::show), or if files of the box are not as they were written.
    pub fn bytes(&self, name: &str) -> Result<Vec<u8>, BoxError> {
        let name = Name::parse(name)?;
        let guard = self.lock_to_read()?;
        let index = self.index(&guard)?;
        self.whole(&resolved(&index, &name)?)
    }

    /// Writes the file of the model of this name.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes), or if it cannot be written.
    pub fn export(&self, name: &str, path: &Path) -> Result<(), BoxError> {
        let bytes = self.bytes(name)?;
        let failed = |error: brickwork_formats::WriteError| brickwork::Error::from(error).into();
        brickwork_formats::write_atomically(path, &bytes).map_err(failed)
    }

    /// Gives the model of this name another one, `NAME` or `NAME@TAG`, in place of what had it.
    ///
    /// # Errors
    /// As [`show`](Self::show), or if it cannot be written.
    pub fn tag(&self, name: &str, new: &str) -> Result<Brick, BoxError> {
        let (name, new) = (Name::parse(name)?, Tagged::parse(new)?);
        let guard = self.lock()?;
        let mut index = self.index(&guard)?;
        let digest = resolved(&index, &name)?;
        self.stale()?;
        self.write_name(&new, &digest)?;
        let told = index.name(&NameRow { name: new, digest: digest.clone() });
        self.told(&index, told)?;
        self.brick(&digest)
    }

    /// Takes a name away, or, if it is a digest or the last name, the model. Its blobs stay until they are [swept
    /// out](Self::sweep). Gives what was there.
    ///
    /// # Errors
    /// As [`show`](Self::show), or if it cannot be removed.
    pub fn remove(&self, name: &str) -> Result<Brick, BoxError> {
        let name = Name::parse(name)?;
        let guard = self.lock()?;
        let mut index = self.index(&guard)?;
        let digest = resolved(&index, &name)?;
        let brick = index.brick(&digest)?;
        // On a full disk there is no room to say so: then there is no index.
        if self.stale().is_err() {
            drop(index);
            remove(&self.index_file())?;
            index = Index::in_memory(&self.rows()?)?;
        }
        let told = match &name.of {
            Of::Tagged(tagged) if name.classes.is_empty() && brick.names.len() > 1 => {
                remove(&self.name_file(tagged))?;
                index.unname(tagged)
            }
            _ => {
                for row in self.rows()?.names.iter().filter(|row| row.digest == digest) {
                    remove(&self.name_file(&row.name))?;
                }
                remove(&self.manifest_file(&digest))?;
                index.remove(&digest)
            }
        };
        self.told(&index, told)?;
        Ok(brick)
    }

    /// Looks at every file, and makes the index again.
    ///
    /// # Errors
    /// If the folder cannot be read, or the index not be written.
    pub fn check(&self) -> Result<Checked, BoxError> {
        let _guard = self.lock()?;
        let mut checked = Checked::default();
        for path in list(&self.root.join("models"))? {
            let digest = stem(&path);
            checked.models += 1;
            if let Err(error) = self.whole(&digest) {
                checked.damage.push(Damage { file: path, what: error.to_string() });
            }
        }
        for row in self.named()? {
            if !self.manifest_file(&row.digest).exists() {
                let what = format!("it names a model that is not there, {}", row.digest);
                checked.damage.push(Damage { file: self.name_file(&row.name), what });
            }
        }
        self.stale()?;
        Index::create(&self.index_file(), &self.rows()?)?;
        self.fresh()?;
        Ok(checked)
    }

    /// Removes what no model needs: blobs of models that were removed, and what was not written to its end.
    ///
    /// # Errors
    /// If a file cannot be removed. While a manifest cannot be read, nothing is.
    pub fn sweep(&self) -> Result<Swept, BoxError> {
        let _guard = self.lock()?;
        let mut needed = BTreeSet::new();
        for path in list(&self.root.join("models"))? {
            let manifest = self.manifest(&stem(&path))?;
            needed.extend(manifest.pieces.into_iter().map(|piece| piece.blob));
        }
        let mut swept = Swept::default();
        let mut sweep = |path: &Path| {
            swept.files += 1;
            swept.bytes += fs::metadata(path).map_or(0, |found| found.len());
            remove(path)
        };
        for folder in list(&self.root.join("blobs"))? {
            for path in list(&folder)?.iter().filter(|path| !needed.contains(&stem(path))) {
                sweep(path)?;
            }
        }
        list(&self.new_files())?.iter().try_for_each(|path| sweep(path))?;
        Ok(swept)
    }

    /// The file of a model, put together and looked at.
    fn whole(&self, digest: &str) -> Result<Vec<u8>, BoxError> {
        let manifest = self.manifest(digest)?;
        let mut bytes = Vec::new();
        let named = |piece: &Piece| piece.blob.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !manifest.pieces.iter().all(named) {
            let path = self.manifest_file(digest);
            return Err(BoxError::Damaged(format!("{} names no blobs", path.display())));
        }
        for piece in &manifest.pieces {
            let path = self.blob(&piece.blob);
            let blob = read(&path)?;
            let end = piece.from.saturating_add(piece.length);
            let own = usize::try_from(piece.from).ok().zip(usize::try_from(end).ok());
            let own = own.and_then(|(from, end)| blob.get(from..end));
            bytes.extend_from_slice(
                own.ok_or_else(|| BoxError::Damaged(format!("{} is cut short", path.display())))?,
            );
        }
        if sha256(&bytes) == digest {
            return Ok(bytes);
        }
        let bad = manifest.pieces.iter().map(|piece| &piece.blob);
        let bad =
            bad.filter(|blob| read(&self.blob(blob)).is_ok_and(|bytes| sha256(&bytes) != **blob));
        let mut bad = bad.map(|blob| self.blob(blob).display().to_string());
        let file = bad.next().unwrap_or_else(|| self.manifest_file(digest).display().to_string());
        Err(BoxError::Damaged(format!("{file} is not as it was written")))
    }

    fn manifest(&self, digest: &str) -> Result<Manifest, BoxError> {
        let path = self.manifest_file(digest);
        let odd = |why: String| BoxError::Damaged(format!("{} {why}", path.display()));
        let manifest: Manifest = serde_json::from_slice(&read(&path)?)
            .map_err(|error| odd(format!("cannot be understood: {error}")))?;
        match manifest.version {
            VERSION => Ok(manifest),
            other => Err(odd(format!("is of version {other}, this program knows {VERSION}"))),
        }
    }

    fn write_manifest(&self, digest: &str, manifest: &Manifest) -> Result<(), BoxError> {
        let text = serde_json::to_string_pretty(manifest).map_err(|error| {
            BoxError::Name(format!("what is known of {digest} cannot be written: {error}"))
        })?;
        write(&self.new_files(), &self.manifest_file(digest), (text + "\n").as_bytes())
    }

    fn write_name(&self, name: &Tagged, digest: &str) -> Result<(), BoxError> {
        write(&self.new_files(), &self.name_file(name), format!("{digest}\n").as_bytes())
    }

    /// All that can be read of models and names.
    fn rows(&self) -> Result<Rows, BoxError> {
        let mut models = Vec::new();
        for path in list(&self.root.join("models"))? {
            let digest = stem(&path);
            // What cannot be understood is told of by a check, and hides nothing else.
            if let Ok(Manifest { bytes, facts, .. }) = self.manifest(&digest) {
                models.push(Row { digest, bytes, facts });
            }
        }
        let known: BTreeSet<&str> = models.iter().map(|row| &row.digest[..]).collect();
        let names = self.named()?;
        let names = names.into_iter().filter(|row| known.contains(&row.digest[..])).collect();
        Ok(Rows { models, names })
    }

    /// All names.
    fn named(&self) -> Result<Vec<NameRow>, BoxError> {
        let mut found = Vec::new();
        for folder in list(&self.root.join("names"))? {
            for path in list(&folder)? {
                let words = [&folder, &path].map(|path| file_name(path));
                let digest = String::from_utf8_lossy(&read(&path)?).trim().to_owned();
                let [name, tag] = words;
                found.push(NameRow { name: Tagged { name, tag }, digest });
            }
        }
        Ok(found)
    }

    /// Answers from the index.
    fn reading<T>(
        &self,
        answer: impl FnOnce(&Index) -> Result<T, BoxError>,
    ) -> Result<T, BoxError> {
        let guard = self.lock_to_read()?;
        answer(&self.index(&guard)?)
    }

    /// The index, made again if it is not there, damaged or older than the files. Where it cannot be written, it is
    /// made in memory.
    fn index(&self, _guard: &Guard) -> Result<Index, BoxError> {
        let path = self.index_file();
        if !self.stale_file().exists()
            && let Some(index) = Index::open(&path)
            && index.count()? == list(&self.root.join("models"))?.len()
        {
            return Ok(index);
        }
        let rows = self.rows()?;
        Index::create(&path, &rows).or_else(|_| Index::in_memory(&rows))
    }

    /// Says that the index may not be what the files say.
    fn stale(&self) -> Result<(), BoxError> {
        let path = self.stale_file();
        fs::write(&path, "").map_err(BoxError::file("write", &path))
    }

    /// Says that the index is what the files say, if it was told of what changed and is kept. Otherwise it is made
    /// again by whoever needs it next: the files are what counts.
    fn told(&self, index: &Index, told: Result<(), BoxError>) -> Result<(), BoxError> {
        if told.is_ok() && index.is_kept() { self.fresh() } else { Ok(()) }
    }

    /// A model, as the files tell of it.
    fn brick(&self, digest: &str) -> Result<Brick, BoxError> {
        let Manifest { bytes, facts, .. } = self.manifest(digest)?;
        let names = self.named()?.into_iter().filter(|row| row.digest == digest);
        let names = names.map(|row| row.name.to_string()).collect();
        Ok(Brick { digest: format!("sha256-{digest}"), names, bytes, facts })
    }

    /// Says that the index is what the files say.
    fn fresh(&self) -> Result<(), BoxError> {
        remove(&self.stale_file())
    }

    /// Waits until nobody else reads or changes the box.
    fn lock(&self) -> Result<Guard, BoxError> {
        let path = self.root.join("lock");
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = opened.map_err(BoxError::file("write", &path))?;
        file.lock().map_err(BoxError::file("lock", &path))?;
        Ok(Guard { _file: Some(file) })
    }

    /// The same for whoever only reads; a box that cannot be written is changed by nobody.
    fn lock_to_read(&self) -> Result<Guard, BoxError> {
        match self.lock() {
            Err(BoxError::File { source, .. })
                if matches!(
                    source.kind(),
                    ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
                ) =>
            {
                Ok(Guard { _file: None })
            }
            other => other,
        }
    }

    fn blob(&self, digest: &str) -> PathBuf {
        let start = digest.get(..2).unwrap_or("00");
        self.root.join("blobs").join(start).join(digest)
    }

    fn manifest_file(&self, digest: &str) -> PathBuf {
        self.root.join("models").join(format!("{digest}.json"))
    }

    fn name_file(&self, Tagged { name, tag }: &Tagged) -> PathBuf {
        self.root.join("names").join(name).join(tag)
    }

    fn new_files(&self) -> PathBuf {
        self.root.join("new")
    }

    fn index_file(&self) -> PathBuf {
        self.root.join("index.sqlite")
    }

    fn stale_file(&self) -> PathBuf {
        self.root.join("stale")
    }
}

impl Shelf for BrickBox {
    fn model_file(&self, name: &str) -> Result<Arc<[u8]>, brickwork::Error> {
        let found = self.bytes(name);
        let bytes = found.map_err(|error| brickwork::Error::Options(error.to_string().into()))?;
        Ok(bytes.into())
    }
}

/// The whole digest of the model of a name.
fn resolved(index: &Index, name: &Name) -> Result<String, BoxError> {
    let (found, told) = match &name.of {
        Of::Digest(hex) => (index.beginning(hex)?, format!("sha256-{hex}")),
        Of::Tagged(tagged) => (index.named(tagged)?, tagged.to_string()),
    };
    let digest = match &found[..] {
        [one] => one.clone(),
        [] => return Err(BoxError::Name(unknown(index, &told)?)),
        several => {
            return Err(BoxError::Name(format!(
                "`{told}` is the beginning of {} digests: {}; give more of it",
                several.len(),
                several.join(", ")
            )));
        }
    };
    if name.classes.is_empty() {
        Ok(digest)
    } else {
        component(index, &digest, &told, &name.classes)
    }
}

/// What is said of a name that nothing has.
fn unknown(index: &Index, told: &str) -> Result<String, BoxError> {
    let all = index.find(&Query::default())?;
    let names: Vec<&str> =
        all.iter().flat_map(|brick| &brick.names).map(String::as_str).take(20).collect();
    Ok(match names.is_empty() {
        true => format!(
            "there is no `{told}` in the box, which is empty; `brickwork box add` puts models in"
        ),
        false => format!("there is no `{told}` in the box; there are {}", names.join(", ")),
    })
}

/// The component of a model for some classes, in any order.
fn component(
    index: &Index,
    digest: &str,
    told: &str,
    classes: &[String],
) -> Result<String, BoxError> {
    let wanted: BTreeSet<&String> = classes.iter().collect();
    let cut = index.cut_from(digest)?;
    let found: Vec<&Brick> = cut
        .iter()
        .filter(|brick| brick.facts.classes.iter().collect::<BTreeSet<_>>() == wanted)
        .collect();
    match &found[..] {
        [one] => Ok(one.digest.trim_start_matches("sha256-").to_owned()),
        [] => {
            let known: Vec<String> =
                cut.iter().map(|brick| brick.facts.classes.join(",")).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join("; ") };
            Err(BoxError::Name(format!(
                "the box has no component of `{told}` for {}; its components are for: {known}",
                classes.join(",")
            )))
        }
        several => {
            let digests: Vec<&str> = several.iter().map(|brick| &brick.digest[..]).collect();
            Err(BoxError::Name(format!(
                "the box has {} components of `{told}` for {}: {}; name one of them",
                several.len(),
                classes.join(","),
                digests.join(", ")
            )))
        }
    }
}

/// A name made of that of a file.
fn word(name: &str) -> String {
    let letter =
        |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    let word: String = name.chars().map(letter).collect();
    let word = word.trim_start_matches('.');
    if word.is_empty() { "model".to_owned() } else { word.to_owned() }
}

fn stem(path: &Path) -> String {
    file_name(path).trim_end_matches(".json").to_owned()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

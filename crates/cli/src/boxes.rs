//! The box that names such as `box:pets` stand for.

use std::path::PathBuf;
use std::sync::Arc;

use brickwork::Error;
use brickwork::verbs::Shelf;

/// The box in a folder, or that of the user, which is opened when something in it is named.
#[derive(Clone, Debug, Default)]
pub struct UserBox {
    /// Its folder; that of the user's data if none is given.
    pub folder: Option<PathBuf>,
}

#[cfg(feature = "box")]
impl UserBox {
    /// Where it is.
    ///
    /// # Errors
    /// If none is given and the user has no folder for data.
    pub fn place(&self) -> Result<PathBuf, Error> {
        use etcetera::BaseStrategy;
        if let Some(folder) = &self.folder {
            return Ok(folder.clone());
        }
        let base = etcetera::choose_base_strategy().map_err(|error| {
            Error::Options(
                format!("there is no folder for the user's data: {error}; say `box=DIR`").into(),
            )
        })?;
        Ok(base.data_dir().join("brickwork").join("box"))
    }
}

#[cfg(feature = "box")]
impl Shelf for UserBox {
    fn model_file(&self, name: &str) -> Result<Arc<[u8]>, Error> {
        let place = self.place()?;
        if !place.is_dir() {
            let text = format!(
                "`{name}`: there is no box at {}; `brickwork box add` makes one",
                place.display()
            );
            return Err(Error::Options(text.into()));
        }
        let wrong = |error: brickwork_box::BoxError| Error::Options(error.to_string().into());
        brickwork_box::BrickBox::open(place).map_err(wrong)?.model_file(name)
    }
}

#[cfg(not(feature = "box"))]
impl Shelf for UserBox {
    fn model_file(&self, name: &str) -> Result<Arc<[u8]>, Error> {
        let text = format!(
            "`{name}` is in a box, which this build knows nothing of; if it is a file, call it `./{name}`"
        );
        Err(Error::Options(text.into()))
    }
}

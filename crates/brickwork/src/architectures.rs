//! Network architectures to train from scratch, one family per file.

mod alexnet;
mod densenet;
mod googlenet;
mod inception_v3;
mod lenet5;
mod mobilenet;
mod net;
mod options;
mod resnet;
mod simnet;
mod simplenet;
mod vgg;
mod vit;

use brickwork_graph::Graph;

use crate::model::error::Error;
use net::{Net, Value};
pub use options::{ArchitectureOptions, Stem};

/// Images from this size on get the stem for large ones unless something else is asked for.
const LARGE: usize = 96;

/// Classes, channels, height and width, at most.
const MOST: usize = 1 << 16;

/// Times the published width, at most.
const WIDEST: f64 = 64.0;

/// A kind of network.
pub struct Architecture {
    /// What it is called.
    pub name: &'static str,
    /// Usual height and width of its images.
    pub size: [usize; 2],
    /// Whether it has a stem of each kind.
    pub has_stems: bool,
    layers: fn(&mut Net, &Value) -> Value,
}

impl Architecture {
    const fn new(
        name: &'static str,
        side: usize,
        has_stems: bool,
        layers: fn(&mut Net, &Value) -> Value,
    ) -> Self {
        Self { name, size: [side, side], has_stems, layers }
    }

    /// The architecture called `name`.
    pub fn find(name: &str) -> Option<&'static Self> {
        Self::all().iter().find(|architecture| architecture.name == name)
    }

    /// The architecture called `name`.
    ///
    /// # Errors
    /// If there is none.
    pub fn named(name: &str) -> Result<&'static Self, Error> {
        let none =
            || format!("there is no architecture `{name}`, only {}", Self::names().join(", "));
        Self::find(name).ok_or_else(|| Error::options(none()))
    }

    /// The names of all.
    pub fn names() -> Vec<&'static str> {
        Self::all().iter().map(|architecture| architecture.name).collect()
    }

    /// Every architecture.
    pub fn all() -> &'static [Self] {
        &ALL
    }

    /// As published, for colour images of the usual size.
    pub fn usual(&self, classes: usize) -> ArchitectureOptions {
        ArchitectureOptions { classes, channels: 3, size: self.size, width: 1.0, stem: None }
    }

    /// The stem that `options` lead to; `None` if there is no choice.
    pub fn stem(&self, options: &ArchitectureOptions) -> Option<Stem> {
        let large = options.size.iter().all(|&extent| extent >= LARGE);
        let usual = if large { Stem::Imagenet } else { Stem::Cifar };
        self.has_stems.then(|| options.stem.unwrap_or(usual))
    }

    /// The network, from `image` to `logits`, with its names as PyTorch would give them. Weights are
    /// zero until [`initialise`](crate::initialise) draws them.
    ///
    /// # Errors
    /// If the options make no sense, or the images are too small or the network too large.
    pub fn build(&self, options: &ArchitectureOptions) -> Result<Graph, Error> {
        self.check(options)?;
        let stem = self.stem(options).unwrap_or(Stem::Cifar);
        let (mut net, image) = Net::new(self.name, options, stem);
        let logits = (self.layers)(&mut net, &image);
        net.finish(&logits).map_err(|problems| {
            let [height, width] = options.size;
            Error::options(format!(
                "`{}` cannot be built for images of {height}x{width}: {problems}",
                self.name
            ))
        })
    }

    fn check(&self, options: &ArchitectureOptions) -> Result<(), Error> {
        let [height, width] = options.size;
        let numbers = [options.classes, options.channels, height, width];
        if numbers.iter().any(|number| !(1..=MOST).contains(number)) {
            return Err(Error::options(format!(
                "classes, channels, height and width must be from 1 to {MOST}, not {numbers:?}"
            )));
        }
        if !(options.width > 0.0 && options.width <= WIDEST) {
            return Err(Error::options(format!(
                "the width must be above 0 and at most {WIDEST}, not {}",
                options.width
            )));
        }
        if options.stem.is_some() && !self.has_stems {
            return Err(Error::options(format!("`{}` has no choice of stems", self.name)));
        }
        Ok(())
    }
}

static ALL: [Architecture; 21] = [
    Architecture::new("lenet5", 32, false, lenet5::lenet5),
    Architecture::new("simnet", 32, false, simnet::simnet),
    Architecture::new("alexnet", 32, false, alexnet::alexnet),
    Architecture::new("vgg11", 32, false, |net, x| vgg::vgg(net, x, [1, 1, 2, 2, 2])),
    Architecture::new("vgg13", 32, false, |net, x| vgg::vgg(net, x, [2, 2, 2, 2, 2])),
    Architecture::new("vgg16", 32, false, |net, x| vgg::vgg(net, x, [2, 2, 3, 3, 3])),
    Architecture::new("vgg19", 32, false, |net, x| vgg::vgg(net, x, [2, 2, 4, 4, 4])),
    Architecture::new("resnet20", 32, true, |net, x| resnet::basic(net, x, 16, &[3; 3])),
    Architecture::new("resnet32", 32, true, |net, x| resnet::basic(net, x, 16, &[5; 3])),
    Architecture::new("resnet56", 32, true, |net, x| resnet::basic(net, x, 16, &[9; 3])),
    Architecture::new("resnet18", 32, true, |net, x| resnet::basic(net, x, 64, &[2; 4])),
    Architecture::new("resnet34", 32, true, |net, x| resnet::basic(net, x, 64, &[3, 4, 6, 3])),
    Architecture::new("resnet50", 32, true, |net, x| resnet::bottleneck(net, x, 64, &[3, 4, 6, 3])),
    Architecture::new("googlenet", 32, true, googlenet::googlenet),
    Architecture::new("inception_v3", 299, true, inception_v3::inception_v3),
    Architecture::new("densenet40_bc", 32, true, |net, x| {
        densenet::densenet(net, x, 24, 12, &[6; 3])
    }),
    Architecture::new("densenet121", 32, true, |net, x| {
        densenet::densenet(net, x, 64, 32, &[6, 12, 24, 16])
    }),
    Architecture::new("mobilenet_v2", 224, true, mobilenet::v2),
    Architecture::new("simplenet_v1", 32, false, simplenet::v1),
    Architecture::new("vit_4x64_p7", 28, false, |net, x| vit::vit(net, x, 4, 4, 7)),
    Architecture::new("vit_6x96_p4", 32, false, |net, x| vit::vit(net, x, 6, 6, 4)),
];

//! A cut to the channels that a profile says are relevant, or that are given.

use std::path::Path;

use brickwork_data::Split;
use serde_json::Value;

use super::{Choose, Disassemble, DisassembleAnswer, Images, Refitting};
use crate::cut::control::Control;
use crate::cut::kept_channels::KeptMap;
use crate::cut::plan::{Choice, Plan};
use crate::files::masks::save_masks;
use crate::images::image_set::ImageSet;
use crate::model::card::Card;
use crate::model::classifier::Classifier;
use crate::model::error::{Error, Problem};
use crate::model::time_limit::TimeLimit;
use crate::refit::{RefitOptions, refitted};
use crate::relevance::profile::Profile;
use crate::verbs::Context;
use crate::verbs::inputs::{self, Labelled};

impl Disassemble {
    /// What keeps it from being cut by a profile or given channels.
    pub(super) fn choice_problems(&self) -> Vec<Problem> {
        let refits = self.refit != Refitting::None && !self.dry_run;
        let needed = refits.then(|| {
            self.data.needed(
                "the refit, which is on by default, needs images of the training split, unless \
                 `refit=none` asks for the bare cut",
            )
        });
        let sizes = [
            self.macs.is_some() || self.params.is_some(),
            self.max_drop.is_some() || self.pick.is_some(),
            self.latency.is_some() || self.speed.is_some() || self.latency_table.is_some(),
            self.frontier.is_some() || self.keep_all.is_some() || self.trunk.is_some(),
        ];
        let found = [
            needed.flatten(),
            Problem::unless(
                self.profile.is_none() || self.keep.is_none(),
                "keep",
                "`profile=` and `keep=` both say which channels stay; leave one out",
            ),
            Problem::unless(
                !sizes.contains(&true),
                "macs",
                "a size is reached step by step, without `profile=` and `keep=`; leave these out, or the size",
            ),
            Problem::unless(
                self.choose == Choose::Contribution || self.profile.is_some(),
                "choose",
                "`choose=` needs `profile=`, which gives the numbers of channels",
            ),
            Problem::unless(
                self.masks_out.is_none() || self.profile.is_some(),
                "masks_out",
                "`masks_out=` needs `profile=`, from which the masks are made",
            ),
        ];
        let files = self.masks_out.iter().map(|path| ("masks_out", path));
        found.into_iter().flatten().chain(inputs::unwritable(files)).collect()
    }

    pub(super) fn by_choice(
        &self,
        until: Option<TimeLimit>,
        context: &Context<'_>,
    ) -> Result<DisassembleAnswer, Error> {
        let mut model = self.model.load(&self.data.pixels, context)?;
        let profile = self.profile.as_deref().map(|path| context.profile(path)).transpose()?;
        if let Some(profile) = &profile {
            profile.check_model(&model)?;
            model = model.with_classes(profile.header.classes.clone())?;
        }
        if self.readout {
            inputs::exclusive(&model, "a readout (`readout=`)")?;
        }
        let images = self.images(&mut model, profile.as_deref(), context)?;
        let classes = inputs::chosen(Some(&self.classes), &model.class_names(), context)?;
        let choice = match (&profile, &self.keep) {
            (Some(profile), _) => Choice::Profile(profile, self.link.rule, self.link.thresholds()),
            (None, Some(path)) => Choice::Given(read_keep(path)?),
            (None, None) => Choice::Everything,
        };
        let own = Plan::new(&model, &classes, &choice, usize::from(self.round_to.unwrap_or(1)))?;
        let other = self
            .control(context.seed)
            .map(|control| Plan::new(&model, &classes, &Choice::Control(&own, control), 1));
        let other = other.transpose()?;
        let plan = other.as_ref().unwrap_or(&own);
        let mut component = plan.component(&model, &choice, context.seed)?;
        if let Some(images) = images.as_ref().filter(|_| !self.dry_run) {
            if let Some(options) = self.refit_options(context.seed, until) {
                component = self.refitted(&model, &component, images, &options, context)?;
            }
            component = images.noted(&component)?;
        }
        if let Some(path) = &self.masks_out {
            save_masks(&own.masks, &component.class_names(), path)?;
        }
        self.answer(
            &model,
            component,
            plan.added.clone(),
            images.map(|images| images.account),
            None,
            context,
        )
    }

    fn images(
        &self,
        model: &mut Classifier,
        profile: Option<&Profile>,
        context: &Context<'_>,
    ) -> Result<Option<Images>, Error> {
        if self.data.is_empty() {
            return Ok(None);
        }
        let asked = Some(&self.classes[..]);
        let Labelled { sources, account, .. } =
            self.data.labelled_or_answered(model, asked, Split::Train, context)?;
        let preprocess = match profile {
            Some(profile) => profile.header.preprocess.clone(),
            None => self.data.pixels.preprocess(model)?,
        };
        self.data.pixels.question(&sources, &preprocess, context)?;
        Ok(Some(Images { sources, preprocess, account, seed: context.seed }))
    }

    fn control(&self, seed: u64) -> Option<Control> {
        match self.choose {
            Choose::Contribution => None,
            Choose::Random => Some(Control::Random(seed)),
            Choose::Magnitude => Some(Control::Magnitude),
        }
    }

    fn refitted(
        &self,
        model: &Classifier,
        bare: &Classifier,
        images: &Images,
        options: &RefitOptions,
        context: &Context<'_>,
    ) -> Result<Classifier, Error> {
        let Images { sources, preprocess, seed, .. } = images;
        let classes = bare.card().origin.as_ref().map(|origin| &origin.classes[..]);
        let wanted = self.refit_images(model, classes.unwrap_or_default(), sources);
        let images = ImageSet::random(sources, &wanted, *seed, preprocess)?;
        let component = refitted(model, bare, &images, options, context.progress)?;
        let card = component.card().clone();
        component.with_card(Card { preprocess: Some(preprocess.clone()), ..card })
    }
}

fn read_keep(path: &Path) -> Result<KeptMap, Error> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::options(format!("cannot read {shown}: {error}")))?;
    let wrong = |error| Error::options(format!("{shown}: expected {KEEP_FORM}: {error}"));
    let value: Value = serde_json::from_str(&text).map_err(|error| {
        Error::options(format!("{shown}: not JSON ({error}); expected {KEEP_FORM}"))
    })?;
    // A whole answer will do as well.
    serde_json::from_value(value.get("kept").unwrap_or(&value).clone()).map_err(wrong)
}

const KEEP_FORM: &str = r#"JSON such as {"LAYER": {"input": [...], "output": [...]}, ...}"#;

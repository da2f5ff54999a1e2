//! Where a run stands.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::score::Score;
use crate::model::percent::Percent;

/// What an epoch came to.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Epoch {
    /// Its number, from 1.
    pub epoch: usize,
    /// The learning rate of its last step.
    pub rate: f32,
    /// On the samples learned from, as they were seen: augmented, while the network changed.
    pub train: Score,
    /// On the samples held out, after the epoch (cross-entropy).
    pub held: Option<Score>,
}

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    /// Finished epochs.
    pub(super) epoch: usize,
    /// Finished steps of the epoch at hand.
    pub(super) step: usize,
    /// Over these steps: sum of losses, number of correct samples.
    pub(super) loss: f64,
    pub(super) correct: usize,
    #[serde(with = "stored_log")]
    pub(super) log: Vec<Epoch>,
    pub(super) best: usize,
    /// Parameters of the best epoch; empty before the first.
    #[serde(skip)]
    pub(super) best_parameters: Vec<Vec<f32>>,
}

/// Epochs as checkpoints hold them, where an accuracy is a share from 0 to 1.
mod stored_log {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Epoch, Percent, Score};

    #[derive(Serialize, Deserialize)]
    struct StoredScore {
        loss: f64,
        accuracy: f64,
    }

    #[derive(Serialize, Deserialize)]
    struct StoredEpoch {
        epoch: usize,
        rate: f32,
        train: StoredScore,
        held: Option<StoredScore>,
    }

    pub(super) fn serialize<S: Serializer>(log: &[Epoch], to: S) -> Result<S::Ok, S::Error> {
        let stored =
            |score: Score| StoredScore { loss: score.loss, accuracy: score.accuracy.share() };
        to.collect_seq(log.iter().map(|&Epoch { epoch, rate, train, held }| StoredEpoch {
            epoch,
            rate,
            train: stored(train),
            held: held.map(stored),
        }))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Epoch>, D::Error> {
        let read = |score: StoredScore| {
            let StoredScore { loss, accuracy } = score;
            Score { loss, accuracy: Percent::of(accuracy) }
        };
        let log = Vec::<StoredEpoch>::deserialize(from)?.into_iter();
        let log = log.map(|StoredEpoch { epoch, rate, train, held }| Epoch {
            epoch,
            rate,
            train: read(train),
            held: held.map(read),
        });
        Ok(log.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_hold_shares() {
        let score = Score { loss: 0.5, accuracy: Percent::of(0.875) };
        let epoch = Epoch { epoch: 1, rate: 0.1, train: score, held: Some(score) };
        let state = State { log: vec![epoch.clone()], ..State::default() };
        let stored = serde_json::to_value(&state).expect("plain data");
        assert_eq!(stored["log"][0]["held"]["accuracy"], 0.875);
        assert_eq!(serde_json::from_value::<State>(stored).expect("the same"), state);
        let told = serde_json::to_value(&epoch).expect("plain data");
        assert_eq!(told["held"]["accuracy"], 87.5);
    }
}

//! Feeds of the wrong size are refused, however many samples they are said to hold.

mod common;

use std::sync::Arc;

use brickwork_exec::{ExecError, Session, Training};
use common::{Net, value};

#[test]
fn feeds_of_the_wrong_size_are_refused() {
    let graph = Arc::new(Net::new(2, 3, 4).then("Relu", &["v"], "y").graph());
    let mut training = Training::new(graph.clone(), &[value(&graph, "y")], |_| true);
    let mut session = Session::new(graph.clone(), graph.outputs());
    // 24 elements a sample: so many samples wrap around to none.
    let wraps = 1 << (usize::BITS - 3);
    for (batch, found, expected) in [(1, 23, 24), (2, 24, 48), (wraps, 0, usize::MAX)] {
        let feed = vec![0.0; found];
        let wrong = ExecError::WrongSize { value: "x".to_owned(), found, expected, batch };
        assert_eq!(session.run(batch, &[&feed], |_, _| ()), Err(wrong.clone()));
        assert_eq!(training.step(batch, &[&feed], 0, |_| true, |_| ()), Err(wrong));
    }
}

//! Jobs: what travels to the thread that owns a connection. A job can be run again, because a lane may have to take a
//! whole batch back and try its jobs one by one.

use std::{future::Future, pin::Pin};

use tokio::sync::oneshot;
use uuid::Uuid;

use crate::{Error, Tx};

type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// How one run of a job ended.
pub(crate) enum Outcome {
    /// Keep what it wrote.
    Keep,
    /// Take back what it wrote; the caller gets its own error.
    Undo,
    /// Take back, and try again: the database, not the job, was the problem.
    Retry(Error),
}

/// A unit of work for a lane.
pub(crate) trait Job: Send {
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> LocalFuture<'a, Outcome>;
    /// Answers the caller: with what the last run returned or, where the database failed it, with the error.
    fn finish(self: Box<Self>, result: Result<(), Error>);
}

struct Typed<F, T, E> {
    workspace: Uuid,
    run: F,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Job for Typed<F, T, E>
where
    F: AsyncFn(&mut Tx) -> Result<T, E> + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> LocalFuture<'a, Outcome> {
        Box::pin(async move {
            tx.enter(self.workspace);
            let result = (self.run)(tx).await;
            if let Some(error) = tx.take_transient() {
                return Outcome::Retry(error);
            }
            let outcome = if result.is_ok() { Outcome::Keep } else { Outcome::Undo };
            self.result = Some(result);
            outcome
        })
    }

    fn finish(self: Box<Self>, result: Result<(), Error>) {
        let answer = match (result, self.result) {
            (Err(error), _) => Err(E::from(error)),
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(E::from(Error::Database("a job ended without a result".into()))),
        };
        // The caller may have gone away (a closed connection); the write stands all the same.
        let _ = self.reply.send(answer);
    }
}

/// Packs an operation; the receiver gets its result after the commit.
pub(crate) fn job<F, T, E>(workspace: Uuid, run: F) -> (Box<dyn Job>, oneshot::Receiver<Result<T, E>>)
where
    F: AsyncFn(&mut Tx) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    (Box::new(Typed { workspace, run, result: None, reply }), answer)
}

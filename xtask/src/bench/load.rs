//! Drives a server over a number of connections for a while, and says how often and how fast it answered.

use std::{
    cell::{Cell, RefCell},
    time::{Duration, Instant},
};

use futures::future::try_join_all;
use hdrhistogram::Histogram;

use super::{
    http::{Connection, Refusal},
    products::Server,
};

/// How long a connection waits when the server had no time for it.
pub const PATIENCE: Duration = Duration::from_millis(50);

/// What one run of a measure gave.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// Units of work per second.
    pub rate: f64,
    /// Milliseconds of one call, and of the slowest percent.
    pub median: f64,
    pub slowest: f64,
    /// Calls that the server had no time for (5xx, or a closed connection). They count as no work.
    pub refused: u64,
}

/// When a load ends.
#[derive(Clone, Copy)]
pub enum Until {
    Elapsed(Duration),
    Calls(u64),
}

/// Repeats `work` on each of `connections` until the end. Each call does `units` of what is counted, and gets a
/// number that no other call of this load has.
pub async fn drive(
    server: &Server,
    connections: usize,
    until: Until,
    units: usize,
    work: impl AsyncFn(&mut Connection, u64) -> anyhow::Result<()>,
) -> anyhow::Result<Figure> {
    let times = RefCell::new(Histogram::<u64>::new(3)?);
    let (serial, refused) = (Cell::new(0), Cell::new(0));
    let open = try_join_all((0..connections).map(|_| server.connect())).await?;
    let started = Instant::now();
    let (times_, serial_, refused_, work_) = (&times, &serial, &refused, &work);
    try_join_all(open.into_iter().map(async |mut connection| {
        loop {
            let number: u64 = serial_.replace(serial_.get() + 1);
            match until {
                Until::Elapsed(time) if started.elapsed() >= time => break,
                Until::Calls(calls) if number >= calls => break,
                _ => {}
            }
            let asked = Instant::now();
            match work_(&mut connection, number).await {
                Ok(()) => times_.borrow_mut().record(asked.elapsed().as_micros() as u64)?,
                Err(error) if error.is::<Refusal>() => {
                    refused_.set(refused_.get() + 1);
                    tokio::time::sleep(PATIENCE).await;
                    connection = server.connect().await?;
                }
                Err(error) => return Err(error),
            }
        }
        anyhow::Ok(())
    }))
    .await?;
    let times = times.into_inner();
    Ok(Figure {
        rate: (times.len() as usize * units) as f64 / started.elapsed().as_secs_f64(),
        median: times.value_at_quantile(0.5) as f64 / 1000.0,
        slowest: times.value_at_quantile(0.99) as f64 / 1000.0,
        refused: refused.get(),
    })
}

//! Turns signals into tokens: the first SIGTERM or SIGINT asks for a soft stop, the second for a hard one.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Finish what is in hand and stop.
    pub soft: CancellationToken,
    /// Stop at once.
    pub hard: CancellationToken,
}

/// Starts listening for signals. Must be called inside a runtime.
pub fn on_signals() -> std::io::Result<Shutdown> {
    let shutdown = Shutdown::default();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let tokens = shutdown.clone();
    tokio::spawn(async move {
        for token in [tokens.soft, tokens.hard] {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            // Before the log line: a log that cannot be written must not keep the process alive.
            token.cancel();
            tracing::info!("{name} received");
        }
    });
    Ok(shutdown)
}

//! The signals by which a system asks a process to stop.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Waits until the process is asked to stop, by SIGTERM or SIGINT.
///
/// Must be awaited within [`Bound::serve`](crate::Bound::serve) or another tokio runtime. From
/// then on neither signal ends the process by itself.
///
/// # Errors
/// Fails if the system lets nobody listen for signals.
pub async fn asked_to_stop() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

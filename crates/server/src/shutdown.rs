//! The token that tells every stream and thread that the server is to stop.

use tokio::sync::watch;

/// Sets off the shutdown.
#[derive(Debug)]
pub(crate) struct Trigger(watch::Sender<bool>);

/// Says when the shutdown has been set off.
#[derive(Clone, Debug)]
pub(crate) struct Shutdown(watch::Receiver<bool>);

/// Returns a trigger and the token that hears it.
pub(crate) fn channel() -> (Trigger, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (Trigger(sender), Shutdown(receiver))
}

impl Trigger {
    /// Tells every token, once and for all.
    pub(crate) fn fire(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// Waits for the trigger; one that is gone counts as fired.
    pub(crate) async fn fired(mut self) {
        // The only error is that the trigger was dropped.
        let _ = self.0.wait_for(|fired| *fired).await;
    }
}
